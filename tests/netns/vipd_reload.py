#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_reload.py VIPD: another program takes a running vipd over, and addresses move between instances in one reload: the kernel
sees no change, no advert is missing, no script runs. Its processes are killed and get signals at odd moments. Everything is in a network namespace of its own.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ADVERT_S = 0.1
SO_TIMESTAMPNS = 35  # of sockets, Linux


def configure(one, two, extra=""):
    text = extra
    for name, vrid, addresses in (("VI_1", 51, one), ("VI_2", 52, two)):
        text += f"""
vrrp_instance {name} {{
    interface v0
    virtual_router_id {vrid}
    version 3
    advert_int {ADVERT_S}
    virtual_ipaddress {{
        {chr(10).join(addresses)}
    }}
    notify "{os.getcwd()}/tell"
}}
"""
    pathlib.Path("conf").write_text(text + SERVICE)


NFT = "global_defs {\n    forwarding_backend nft\n}\n"
SERVICE = """
virtual_server 10.9.0.100 80 {
    delay_loop 0.2
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.9.0.1 8001 { TCP_CHECK { connect_timeout 1 } }
    real_server 10.9.0.1 8002 { TCP_CHECK { connect_timeout 1 } }
}
"""


def call(method, **params):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect("p.sock")
        s.sendall(json.dumps({"method": method, "params": params}).encode() + b"\n")
        answer = json.loads(s.makefile("rb").readline())
    assert "result" in answer, answer
    return answer["result"]


def status():
    try:
        return call("status")
    except (OSError, ValueError):
        return {}


def states():
    return [i["state"] for i in status().get("instances", [])]


def wait_for(what, condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} does not come\n" + pathlib.Path("log").read_text()[-4000:])


class Wire(threading.Thread):
    """The longest time between two adverts of a virtual router, as the kernel stamps them at the other end of the cable."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(("v1", 0x0800))
        self.last, self.longest, self.zero = {}, 0, 0

    def run(self):
        while True:
            frame, stamps, _, _ = self.socket.recvmsg(2048, 64)
            if len(frame) < 42 or frame[23] != 112:
                continue
            seconds, ns = struct.unpack("qq", stamps[0][2])
            now, vrid, priority = seconds + ns / 1e9, frame[35], frame[36]
            self.zero += priority == 0
            self.longest = max(self.longest, now - self.last.get(vrid, now))
            self.last[vrid] = now


def addresses():
    out = subprocess.run(["ip", "-o", "-4", "addr", "show", "dev", "v0"], check=True, capture_output=True, text=True).stdout
    return sorted(line.split()[3] for line in out.splitlines())


class Group:
    """A control group of its own, whose processes, those that have ended too, the kernel says how long they were ready to run while others did (PSI)."""

    def __init__(self):
        os.mkdir("groups")
        self.dir = pathlib.Path(f"groups/hwreload{os.getpid()}")
        self.counts = not subprocess.run("mount -t cgroup2 none groups".split(), check=False).returncode
        if self.counts:
            self.dir.mkdir()
            self.counts = (self.dir / "cpu.pressure").exists()

    def enter(self):
        if self.counts:
            (self.dir / "cgroup.procs").write_text("0")

    def waited(self):
        """In seconds. The kernel's figure is a mean of the CPUs, in which one that a process waited for counts more."""
        if not self.counts:
            return 0
        return int((self.dir / "cpu.pressure").read_text().split("total=")[1].split()[0]) / 1e6 * os.cpu_count()

    def remove(self):
        if self.dir.exists():
            self.dir.rmdir()
        subprocess.run("umount groups".split(), check=False)


def quietly(what, action, monitor_log, wire, group):
    """Nobody outside notices `action`: no advert is later than two missing ones would be, but for the time when the daemon had no CPU."""
    before, told, masters = monitor_log.stat().st_size, pathlib.Path("told").read_text(), states()
    wire.longest = wire.zero = 0
    began = group.waited()
    action()
    time.sleep(1)
    wait_for(f"what was before {what}", lambda: states() == masters)
    assert monitor_log.stat().st_size == before, f"{what}: {monitor_log.read_text()}"
    assert pathlib.Path("told").read_text() == told, f"{what}: {pathlib.Path('told').read_text()}"
    assert wire.zero == 0, f"{what}: it resigned"
    gap, waited = wire.longest, group.waited() - began
    print(f"{what}: {gap * 1000:.0f} ms between two adverts of {ADVERT_S * 1000:.0f}; {waited * 1000:.0f} ms without a CPU")
    assert gap - waited < 3 * ADVERT_S, f"{what}: {gap:.3f} s between two adverts, and {waited:.3f} s without a CPU"


def kernels(pid):
    found = []
    for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{p}/comm").read_text() == "vipd_kernel\n":
                found.append(int(p))
    return found


def killed_in_the_middle(pid):
    """The kernel process dies at its first step in a new configuration: its successor removes all the same what is in the file no more, even
    when another reload comes before it does."""
    gone = SERVICE.replace("10.9.0.100", "10.9.0.111")
    removed = lambda: "10.9.0.111" not in subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout and \
        "10.9.0.104/24" not in addresses()
    for deaths in (1, 1, 1, 2, 2):
        configure(["10.9.0.101/24"], ["10.9.0.102/24", "10.9.0.104/24"], NFT + gone)
        call("reload")
        wait_for("a service and an address", lambda: not removed() and "10.9.0.104/24" in addresses())
        before = kernels(pid)
        configure(["10.9.0.101/24"], ["10.9.0.102/24"], NFT)
        os.kill(pid, signal.SIGHUP)
        for _ in range(deaths):
            while not (new := [p for p in kernels(pid) if p not in before]):
                pass
            os.kill(new[0], signal.SIGKILL)
            before += new
        if deaths > 1:  # the next one is to come in a second
            count = lambda: pathlib.Path("log").read_text().count("reloaded conf")
            so_far = count()
            call("reload")
            wait_for("another reload", lambda: count() > so_far)
        wait_for("what a successor removes", removed)
        assert "vipd_kernel was killed by signal 9" in pathlib.Path("log").read_text()


def signals_for_all(pid):
    """As of pkill: only the supervisor listens to them."""
    children = lambda: pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    before = children()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN + 2, signal.SIGRTMAX - 1, signal.SIGHUP):
        for child in before:
            os.kill(int(child), number)
    time.sleep(0.2)
    assert children() == before and len(before) >= 2, pathlib.Path("log").read_text()[-2000:]


def killed_at_the_end(daemon):
    """The kernel process dies when it is to take everything back: a successor does."""
    vrrp = lambda: "vipd_vrrp" in subprocess.run(["ps", "-o", "comm=", "--ppid", str(daemon.pid)], check=False, capture_output=True, text=True).stdout
    assert vrrp()
    kernel = kernels(daemon.pid)[0]
    os.kill(kernel, signal.SIGSTOP)
    daemon.terminate()
    wait_for("the end of the others", lambda: not vrrp())
    os.kill(kernel, signal.SIGKILL)
    daemon.wait(30)
    assert "vipd_kernel was killed by signal 9" in pathlib.Path("log").read_text()


def asked_while_it_reads(vipd, arguments):
    """Who signals while the first configuration is read is heard when it runs."""
    configure(["10.9.0.101/24"], ["10.9.0.102/24"], "include large\n")
    pathlib.Path("large").write_text("# nothing\n" * 200000)
    reads = lambda pid: any(os.readlink(fd).endswith("/large") for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    with subprocess.Popen([vipd, *arguments], stdout=open("log", "w"), stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": os.getcwd()}) as daemon:
        while daemon.poll() is None:
            with contextlib.suppress(OSError):  # closed meanwhile
                if reads(daemon.pid):
                    break
        for number in (signal.SIGUSR1, signal.SIGHUP):
            daemon.send_signal(number)
        wait_for("a reload", lambda: "reloaded" in pathlib.Path("log").read_text())
        daemon.terminate()


def main(vipd):
    pathlib.Path("tell").write_text(f'#!/bin/sh\necho "$@" >>{os.getcwd()}/told\n')
    os.chmod("tell", 0o755)
    pathlib.Path("told").touch()
    shutil.copy(vipd, "new-vipd")
    configure(["10.9.0.100/24", "10.9.0.101/24"], ["10.9.0.102/24"])
    arguments = ["-n", "-l", "-G", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid"]
    group = Group()
    daemon = subprocess.Popen([vipd, *arguments], stdout=open("log", "w"), stderr=subprocess.STDOUT, preexec_fn=group.enter)
    monitor_log, monitor = pathlib.Path("monitor"), daemon
    wire = Wire()
    wire.start()
    try:
        wait_for("MASTER", lambda: states() == ["MASTER", "MASTER"])
        wait_for("the scripts", lambda: pathlib.Path("told").read_text().count("MASTER") == 2)
        call("drain", real_server="10.9.0.1:8001")
        with monitor_log.open("w") as out:
            monitor = subprocess.Popen(["ip", "-4", "monitor", "address"], stdout=out, stderr=subprocess.DEVNULL)
        time.sleep(0.5)

        # Another program, the same process.
        events = call("events", limit=500)["events"]
        counted = call("show", instance="VI_1")["instances"][0]["counters"]["adverts_sent"]
        since = status()["instances"][0]["since"]
        upgrade = [os.path.abspath("new-vipd"), "--upgrade", "-p", "p.pid"]
        quietly("upgrade", lambda: subprocess.run(upgrade, check=True, stdout=subprocess.DEVNULL), monitor_log, wire, group)
        assert os.readlink(f"/proc/{daemon.pid}/exe").endswith("/new-vipd")
        assert daemon.poll() is None and int(pathlib.Path("p.pid").read_text()) == daemon.pid
        assert abs(status()["instances"][0]["since"] - since) < 0.01
        assert call("show", instance="VI_1")["instances"][0]["counters"]["adverts_sent"] > counted
        real = call("show", virtual_server="10.9.0.100:80")["virtual_servers"][0]["real_servers"][0]
        assert real["admin"] == "drain", real
        assert call("events", limit=500)["events"][:len(events)] == events

        # A second vipd is refused as before: the lock went along.
        second = subprocess.run([vipd, *arguments], capture_output=True, text=True, check=False)
        assert second.returncode == 1 and "already running" in second.stderr, second.stderr

        # A program that cannot run it is not begun; one that is none leaves the old one running.
        pathlib.Path("conf.good").write_bytes(pathlib.Path("conf").read_bytes())
        with open("conf", "a") as f:
            f.write("include conf\n")
        failed = subprocess.run(upgrade, check=False, capture_output=True, text=True)
        assert failed.returncode == 1 and "cannot run it" in failed.stderr, failed
        shutil.copy("conf.good", "conf")
        pathlib.Path("no-program").write_text("nonsense")
        os.chmod("no-program", 0o755)
        quietly("no program", lambda: call("upgrade", program=os.path.abspath("no-program")), monitor_log, wire, group)
        assert "cannot become" in pathlib.Path("log").read_text()

        # 101 moves from the one to the other: both are MASTER here, so nothing changes.
        configure(["10.9.0.100/24"], ["10.9.0.102/24", "10.9.0.101/24"])
        quietly("an address changes its instance", lambda: call("reload"), monitor_log, wire, group)
        assert addresses() == ["10.9.0.1/24", "10.9.0.100/24", "10.9.0.101/24", "10.9.0.102/24"], addresses()
        # 100 moves to one that is not MASTER: it goes, and the rest stays.
        call("hold", instance="VI_2", force=True)
        wait_for("FAULT", lambda: states() == ["MASTER", "FAULT"] and addresses() == ["10.9.0.1/24", "10.9.0.100/24"])
        configure(["10.9.0.101/24"], ["10.9.0.102/24", "10.9.0.100/24"])
        call("reload")
        wait_for("the exchange", lambda: addresses() == ["10.9.0.1/24", "10.9.0.101/24"])
        call("release", instance="VI_2")
        wait_for("all of them", lambda: addresses() == ["10.9.0.1/24", "10.9.0.100/24", "10.9.0.101/24", "10.9.0.102/24"])

        # All of it dies at once; the next one removes or adopts what lies about.
        children = [int(p) for p in pathlib.Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # so that none sees another one's end
            for pid in (daemon.pid, *children):
                os.kill(pid, number)
        daemon.wait()
        wait_for("their end", lambda: not any(pathlib.Path(f"/proc/{p}/exe").exists() for p in children))
        assert len(addresses()) == 4
        subprocess.run("ip addr add 10.9.0.103/24 dev v0".split(), check=True)  # a stranger's
        configure(["10.9.0.101/24"], ["10.9.0.102/24"])  # 100 is not known any more
        daemon = subprocess.Popen([vipd, *arguments], stdout=open("log", "w"), stderr=subprocess.STDOUT)
        wait_for("what lay about goes", lambda: addresses() == ["10.9.0.1/24", "10.9.0.103/24"])
        wait_for("MASTER", lambda: states() == ["MASTER", "MASTER"])
        wait_for("its own", lambda: addresses() == ["10.9.0.1/24", "10.9.0.101/24", "10.9.0.102/24", "10.9.0.103/24"])
        killed_in_the_middle(daemon.pid)
        signals_for_all(daemon.pid)
        killed_at_the_end(daemon)
        assert addresses() == ["10.9.0.1/24", "10.9.0.103/24"], addresses()
        asked_while_it_reads(vipd, arguments)
    finally:
        for process in (daemon, monitor):
            process.terminate()
            process.wait(30)
        group.remove()
    assert addresses() == ["10.9.0.1/24", "10.9.0.103/24"], addresses()
    assert not list(pathlib.Path(".").glob("p.pid*"))


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-nm", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
for command in ("link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
                "addr add 10.9.0.1/24 dev v0"):
    subprocess.run(["ip", *command.split()], check=True)
with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o755)
    os.chdir(folder)
    try:
        main(sys.argv[1])
    except BaseException:
        sys.stderr.write(pathlib.Path("log").read_text()[-4000:])
        raise
