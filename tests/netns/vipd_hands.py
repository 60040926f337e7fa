#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_hands.py VIPD: somebody else's hands on what is vipd's: addresses flushed, the macvlan put down, deleted, renamed, with another
MAC address or in another mode; an MTU that was low for a while; all of it comes back, and no advert says anything else. The interface is renamed: its MASTER resigns. And a script
that heeds no SIGTERM, and one that others wait for, while another program takes vipd over. Notify scripts that hang. What was changed of the interface is put back, whoever deleted the macvlans. With a read-only /proc/sys the address is served
all the same. Everything is in namespaces of its own.
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

CONF = """
global_defs { script_user root }
vrrp_script deaf {
    script FOLDER/deaf
    interval 100
    timeout 2
    weight 1
}
vrrp_instance VI_1 {
    interface v0
    virtual_router_id 51
    version 3
    advert_int 0.1
    use_vmac vrrp.51
    virtual_ipaddress { 10.9.0.100/24 }
    track_script { deaf }
    notify FOLDER/slow
}
"""
DEAF = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n"
SLOW = "#!/bin/sh\necho $3 >>told\nsleep 2\necho end >>told\n"
MAC = "00:00:5e:00:01:33"
HANDS = (
    "ip addr flush dev vrrp.51",
    "ip link set vrrp.51 down",
    "ip link del vrrp.51",
    "ip link set vrrp.51 address 02:11:22:33:44:55",
    "ip link set vrrp.51 type macvlan mode private",
    "ip link set v0 mtu 1000; sleep 0.2; ip link set v0 mtu 1500",
    "ip link set vrrp.51 down; ip link set vrrp.51 name other && ip link set other up; true",
)
PATIENCE_S = 20


def run(line):
    subprocess.run(line, shell=True, check=True)


class Wire(threading.Thread):
    """Adverts at the other end of the cable: from which MAC addresses, how many, and how many with priority 0."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
        self.socket.bind(("v1", 0x0800))
        self.macs, self.heard, self.zero = set(), 0, 0
        self.start()

    def run(self):
        while True:
            frame = self.socket.recv(2048)
            if len(frame) < 42 or frame[23] != 112:
                continue
            self.heard += 1
            self.macs.add(frame[6:12].hex(":"))
            self.zero += frame[36] == 0


def links():
    return subprocess.run(["ip", "link"], check=True, capture_output=True, text=True).stdout


def link():
    return subprocess.run("ip -d -o addr show dev vrrp.51; ip -d -o link show vrrp.51", shell=True, check=False, capture_output=True, text=True).stdout


def is_right():
    text = link()
    return all(word in text for word in ("10.9.0.100/24", MAC, "mode bridge", ",UP", "mtu 1500"))


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what} does not come\n{link()}" + pathlib.Path("log").read_text()[-4000:])
        time.sleep(0.05)


def deaf():
    return subprocess.run(["pgrep", "-f", f"{os.getcwd()}/deaf"], check=False, capture_output=True, text=True).stdout


def told():
    return pathlib.Path("told").read_text().split() if os.path.exists("told") else []


def another_interface(wire):
    """The interface was renamed, and another one has its name now."""
    wait_for("the end of being MASTER, on the old wire", lambda: wire.zero)
    run("ip addr del 10.9.0.1/24 dev w0; ip link add v0 type veth peer name z1; ip addr add 10.9.0.1/24 dev v0; ip link set v0 up; ip link set z1 up")
    wait_for("the address on the other interface", lambda: is_right() and "vrrp.51@v0" in links())
    assert "10.9.0.100" not in subprocess.run("ip addr show dev w0".split(), check=True, capture_output=True, text=True).stdout


def settings():
    links = (pathlib.Path("/proc/sys/net/ipv4/conf") / name for name in ("v0", "w0"))
    return [(link / key).read_text().strip() for link in links if link.exists() for key in ("arp_ignore", "arp_announce")]


def start(vipd):
    files = [f"-{o}{os.getcwd()}/{o}" for o in "fprc"]
    with open("log", "w", encoding="utf-8") as log:
        return subprocess.Popen([vipd, "-nl", *files], stdout=log, stderr=log)


def without_settings(vipd):
    """/proc/sys is read-only, as in a container."""
    run("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
    daemon = start(vipd)
    try:
        wait_for("the address with a read-only /proc/sys", is_right)
        daemon.send_signal(signal.SIGHUP)
        wait_for("a reload", lambda: "reloaded" in pathlib.Path("log").read_text())
    finally:
        daemon.terminate()
        daemon.wait(20)
        run("umount /proc/sys")
    log = pathlib.Path("log").read_text()
    assert log.count("/proc/sys cannot be written") == 2 and "FAULT" not in log, log  # once by each process
    assert "vrrp.51" not in links(), "the macvlan stays"


def beside_a_deaf_one(vipd, own, any_, so_far):
    """A notify script that hangs keeps those behind it neither from telling of what comes, nor of the end."""
    conf = pathlib.Path("f")
    text = CONF.replace("script FOLDER/deaf", "script /bin/true").replace("track_script { deaf }", own)
    conf.write_text(text.replace("FOLDER/slow", any_).replace("FOLDER", os.getcwd()))
    for name, ends in (("tell", ""), ("hang", f"exec {os.getcwd()}/deaf\n")):
        pathlib.Path(name).write_text(f"#!/bin/sh\necho ${{3-$1}} >>told\n{ends}")
        os.chmod(name, 0o755)
    pathlib.Path("told").unlink(missing_ok=True)
    daemon = start(vipd)
    try:
        wait_for("the script that hangs", deaf)
        wait_for(f"{so_far} of the scripts", lambda: sorted(told()) == so_far)
    finally:
        daemon.terminate()
        daemon.wait(20)
    for pid in deaf().split():
        os.kill(int(pid), signal.SIGKILL)
    assert told()[-1] == "STOP" and len(told()) == len(so_far) + 1, (told(), pathlib.Path("log").read_text())


def main(vipd):
    run("ip link add v0 type veth peer name v1 && ip addr add 10.9.0.1/24 dev v0 && ip link set v0 up && ip link set v1 up")
    pathlib.Path("f").write_text(CONF.replace("FOLDER", os.getcwd()))
    for name, text in (("deaf", DEAF), ("slow", SLOW)):
        pathlib.Path(name).write_text(text)
        os.chmod(name, 0o755)
    before = settings()
    daemon = start(vipd)
    try:
        wait_for("the address", is_right)
        wait_for("the script", deaf)
        subprocess.run([vipd, "--upgrade", "-p", f"{os.getcwd()}/p"], check=True)
        wait_for("an upgrade", lambda: "takes over" in pathlib.Path("log").read_text())
        wait_for("the end of the script, and of the next one by its timeout", lambda: not deaf())
        wait_for("what the program before had to tell", lambda: told().count("end") == 2)
        assert told() == ["BACKUP", "end", "MASTER", "end"], told()
        daemon.send_signal(signal.SIGHUP)  # a script that heeds no SIGTERM does not outlive it
        wait_for("a reload", lambda: "reloaded" in pathlib.Path("log").read_text())
        wait_for("the end of the script, and of the next one by its timeout", lambda: not deaf())
        wire = Wire()
        for hand in HANDS:
            run(hand)
            wait_for(f"what was before '{hand}'", is_right)
        log = pathlib.Path("log").read_text()
        assert log.count("vrrp.51 was deleted by somebody else") == 1, log
        wait_for("an advert", lambda: wire.heard)
        assert "other@" not in links(), "the one that was renamed is still there\n" + links()
        assert wire.macs == {MAC} and not wire.zero, (wire.macs, wire.zero, pathlib.Path("log").read_text())
        if not subprocess.run("ip link set v0 name w0".split(), check=False).returncode:  # up: since Linux 6.2
            another_interface(wire)
        conf = pathlib.Path("f")
        conf.write_text(conf.read_text().replace("interval 100", "interval 99"))
        daemon.send_signal(signal.SIGHUP)  # in another rhythm it begins at once
        wait_for("the script", deaf)
        assert settings()[:2] == ["1", "2"], settings()
        run("ip link del vrrp.51")
    finally:
        daemon.terminate()
        daemon.wait(20)
    assert not deaf(), "the script that heeds no SIGTERM outlives vipd"
    assert "vrrp.51" not in links(), "the macvlan stays"
    assert set(settings()) == set(before) == {"0"}, (before, settings())
    without_settings(vipd)
    beside_a_deaf_one(vipd, "notify_backup FOLDER/deaf\nnotify_master \"FOLDER/tell own\"", "FOLDER/tell", ["BACKUP", "MASTER", "own"])
    beside_a_deaf_one(vipd, "", "FOLDER/hang", ["BACKUP", "MASTER"])


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
run("ip link set lo up")
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main(sys.argv[1])
