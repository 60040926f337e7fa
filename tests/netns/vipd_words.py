#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_words.py VIPD: words that change the kernel's settings, sockets, processes and the checksum on the wire: Debian's keepalived and vipd with the
same file, each in a namespace; this one is on the other end of both wires.

The same must be: promote_secondaries and disable_local_igmp while it runs and when it has stopped; the receive buffers of adverts and of netlink; that
a late process rises; that an instance follows the link of a static address in its track_group; the bytes of an advert with old_unicast_checksum. Words that 2.2.7 does not know stand in vipd's file only.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from vrrp_packet import Advert, checksum, mac_bytes, packed  # pylint: disable=wrong-import-position

SYS_PIDFD_GETFD = 438
CONF = """
global_defs {
    disable_local_igmp
    vrrp_rx_bufs_policy MTU
    vrrp_rx_bufs_multiplier 50
    vrrp_netlink_cmd_rcv_bufs 300000
    vrrp_netlink_cmd_rcv_bufs_force on
    vrrp_netlink_monitor_rcv_bufs 400000
    vrrp_netlink_monitor_rcv_bufs_force on
    max_auto_priority 20
    min_auto_priority_delay 300000
    CONFIG_SAVE
}
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    advert_int 0.5
    promote_secondaries
    virtual_ipaddress {
        10.9.0.101/24
    }
}
vrrp_instance VI_2 {
    version 3
    interface eth0
    virtual_router_id 52
    advert_int 0.5
    kernel_rx_buf_size 7000
    virtual_ipaddress {
        10.9.0.102/24
    }
}
track_group NEEDS {
    group {
        VI_8
    }
}
static_ipaddress {
    10.8.0.1/24 dev sta0 track_group NEEDS
}
static_routes {
    192.0.2.0/24 via 10.8.0.9 dev sta0 track_group NEEDS
}
vrrp_instance VI_8 {
    version 3
    interface eth0
    virtual_router_id 58
    advert_int 0.5
    virtual_ipaddress {
        10.9.0.108/24
    }
}
vrrp_instance VI_9 {
    version 3
    interface eth0
    virtual_router_id 59
    advert_int 0.5
    mcast_src_ip 10.9.0.99
    virtual_ipaddress {
        10.9.0.109/24
    }
}
vrrp_instance VI_3 {
    version 3
    interface eth0
    virtual_router_id 53
    advert_int 0.5
    old_unicast_checksum
    unicast_src_ip 10.9.0.1
    unicast_peer {
        10.9.0.2
    }
    virtual_ipaddress {
        10.9.0.103/24
    }
}
"""
OWNER = """
vrrp_instance VI_%d {
    version 3
    state MASTER
    interface eth1
    kernel_rx_buf_size 1000
    virtual_router_id %d
    priority 255
    advert_int 20
    %s
    virtual_ipaddress {
        10.9.1.%d/24
    }
}
"""
POLITE = """
vrrp_instance VI_6 {
    version 3
    interface eth1
    kernel_rx_buf_size 1000
    virtual_router_id 56
    advert_int 0.5
    nopreempt
    timer_expired_backup 128
    virtual_ipaddress {
        10.9.1.106/24
    }
}
"""
SOURCE = """
vrrp_instance VI_7 {
    version 3
    interface eth1
    virtual_router_id 57
    advert_int 0.5
    kernel_rx_buf_size 1000
    mcast_src_ip 10.9.1.77
    track_src_ip
    virtual_ipaddress {
        10.9.1.107/24
    }
}
"""
ONLY_VIPD = OWNER % (4, 54, "owner_ignore_adverts", 104) + OWNER % (5, 55, "", 105) + POLITE + SOURCE
SETTINGS = ("net.ipv4.conf.eth0.promote_secondaries", "net.ipv4.igmp_link_local_mcast_reports")
ASLEEP_S = 3  # longer than a rival of VI_6 waits: 3 adverts, and half of one


def sh(line):
    return subprocess.run(line.split(), check=True, capture_output=True, text=True).stdout


class Wire(threading.Thread):
    """The adverts that come out of one router: of each VRID how many, and the last one."""

    def __init__(self, link):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
        self.socket.bind((link, 3))
        self.count, self.last, self.source = {}, {}, {}
        self.start()

    def run(self):
        with contextlib.suppress(OSError):  # the link goes at the end
            while True:
                frame = self.socket.recv(2048)
                if frame[12:14] == b"\x08\x00" and frame[23] == 112 and frame[29] in (1, 99):
                    at = 14 + 4 * (frame[14] & 15)
                    advert = frame[at:at + 12]
                    self.last[advert[1]] = advert
                    self.source[advert[1]] = socket.inet_ntoa(frame[26:30])
                    self.count[advert[1]] = self.count.get(advert[1], 0) + 1

    def send(self, advert):
        message = advert.bytes()
        ip = bytearray(bytes([0x45, 0xc0]) + (20 + len(message)).to_bytes(2, "big") + b"\0\0\0\0\xff\x70\0\0" + packed(advert.source) + packed(advert.group()))
        ip[10:12] = checksum(bytes(ip)).to_bytes(2, "big")
        self.socket.send(mac_bytes("01:00:5e:00:00:12") + mac_bytes("02:00:00:00:00:09") + b"\x08\x00" + bytes(ip) + message)


class Router:
    def __init__(self, folder, program):
        self.program, self.is_vipd = program, os.path.basename(program) == "vipd"
        self.ns = f"hwword{os.getpid()}{'v' if self.is_vipd else 'k'}"
        self.dir = pathlib.Path(folder, self.ns)
        self.log, self.save = self.dir / "log", self.dir / "save"
        self.process = self.wire = self.wire1 = None

    def __enter__(self):
        self.dir.mkdir()
        sh(f"ip netns add {self.ns}")
        link = f"word{'v' if self.is_vipd else 'k'}"
        sh(f"ip -n {self.ns} link add sta0 type veth peer name sta1")
        for link_up in ("lo", "sta0", "sta1"):
            sh(f"ip -n {self.ns} link set {link_up} up")
        for i in (0, 1):
            for line in (f"ip link add {link}{i} type veth peer name eth{i} netns {self.ns}", f"ip link set {link}{i} up", f"ip -n {self.ns} addr add 10.9.{i}.1/24 dev eth{i}",
                         f"ip -n {self.ns} link set eth{i} up", f"ip -n {self.ns} neigh add 10.9.{i}.2 lladdr 02:00:00:00:00:09 dev eth{i}"):
                sh(line)
        self.wire, self.wire1 = Wire(f"{link}0"), Wire(f"{link}1")
        conf = self.dir / "conf"
        conf.write_text(CONF.replace("CONFIG_SAVE", f"config_save_dir {self.save}") + (ONLY_VIPD if self.is_vipd else ""))
        pids = [word for kind in "prcb" for word in (f"-{kind}", str(self.dir / f"{kind}.pid"))]
        self.before = self.settings()
        with self.log.open("w") as out:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.ns, self.program, "-P", "-n", "-l", "-f", str(conf), *pids], stdout=out, stderr=out,
                                            env={**os.environ, "TMPDIR": str(self.dir)})
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def __exit__(self, *_):
        self.stop()
        sh(f"ip netns del {self.ns}")

    def wait_for(self, what, true, seconds=40):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"{self.program}: does not come: {what}\n{self.log.read_text()}")
            time.sleep(0.05)

    def settings(self):
        return {name: sh(f"ip netns exec {self.ns} sysctl -n {name}").strip() for name in SETTINGS}

    def pids(self):
        return [int(p) for p in sh(f"ip netns pids {self.ns}").split()]

    def vrrp(self):
        return int((self.dir / "r.pid").read_text())

    def buffers(self):
        """Those of adverts, and of netlink's sockets for addresses and links, by size."""
        found = {"adverts": 0, "netlink": set()}
        for pid in self.pids():
            for s in sockets(pid):
                bytes_ = s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
                if (s.family, s.type, s.proto) == (socket.AF_INET, socket.SOCK_RAW, 112):
                    found["adverts"] = max(found["adverts"], bytes_)
                elif (s.family, s.proto) == (socket.AF_NETLINK, 0):
                    found["netlink"].add(bytes_)
                s.close()
        return found


def sockets(pid):
    """Of another process, as our own."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            copy = libc.syscall(SYS_PIDFD_GETFD, process, int(fd), 0)
            assert copy >= 0, os.strerror(ctypes.get_errno())
            yield socket.socket(fileno=copy)
    os.close(process)


def priority(pid):
    return os.sched_getparam(pid).sched_priority


def rises_when_late(router):
    """Its VRRP process gets a higher real-time priority than it began with; on a busy machine it may have one already."""

    def has_risen():
        pid = router.vrrp()
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(ASLEEP_S)
            os.kill(pid, signal.SIGCONT)
            for _ in range(20):
                if priority(pid) > (1 if router.is_vipd else 0):
                    return True
                time.sleep(0.1)
        except ProcessLookupError:
            pass  # it ended meanwhile, and has a successor
        return False  # its reload was not over, perhaps

    router.wait_for("a higher priority", has_risen, 80)
    return True


def owner_is_deaf(router):
    """Each owner hears a lower advert: the one of VI_5 answers, the one of VI_4, which hears it before, does not."""
    wire = router.wire1
    router.wait_for("the owners", lambda: 54 in wire.count and 55 in wire.count)
    before = dict(wire.count)
    for vrid in (54, 55):
        wire.send(Advert(3, vrid, 50, 2000, [f"10.9.1.{vrid + 50}"], "10.9.1.2"))
    router.wait_for("an answer", lambda: wire.count[55] > before[55])
    assert wire.count[54] == before[54], "an owner with owner_ignore_adverts answered"


def follows_its_source(router):
    """VI_7 is MASTER while the address to send from is there; 2.2.7 is, whether it is there or not."""
    held = lambda: "10.9.1.107/24" in sh(f"ip -n {router.ns} -o addr")
    assert not held() and "(VI_7) Entering FAULT STATE, was STOP" in router.log.read_text(), router.log.read_text()
    sh(f"ip -n {router.ns} addr add 10.9.1.77/24 dev eth1")
    router.wait_for("VI_7", held)
    sh(f"ip -n {router.ns} addr del 10.9.1.77/24 dev eth1")
    router.wait_for("VI_7 in FAULT", lambda: not held())


def follows_track_group(router):
    """VI_8 is in FAULT while the link of the static address is down; then address and route are there again."""
    held = lambda *words: all(word in sh(f"ip -n {router.ns} -o addr") + sh(f"ip -n {router.ns} route") for word in words)
    router.wait_for("VI_8", lambda: held("10.9.0.108/24", "10.8.0.1/24", "192.0.2.0/24"))
    sh(f"ip -n {router.ns} link set sta0 down")
    router.wait_for("VI_8 in FAULT", lambda: not held("10.9.0.108/24"))
    assert held("10.9.0.101/24"), "an instance that is in no track_group gave way"
    sh(f"ip -n {router.ns} link set sta0 up")
    router.wait_for("VI_8 again", lambda: held("10.9.0.108/24", "10.8.0.1/24", "192.0.2.0/24"))
    return True


def kernel_dies(router):
    """Who comes after it knows what was set before, and puts it back at the end."""
    def kernel():
        found = []
        for pid in router.pids():
            with contextlib.suppress(OSError):  # it has ended
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "vipd_kernel\n":
                    found.append(pid)
        return found

    before = kernel()
    os.kill(before[0], signal.SIGKILL)
    router.wait_for("another kernel process", lambda: kernel() and kernel() != before)


def saved(router):
    """The files of config_save_dir, without the numbers of processes; each belongs to root alone."""
    router.process.send_signal(signal.SIGHUP)
    names = lambda: sorted(".".join(w for w in p.name.split(".") if not w.isdigit() or len(w) == 1) for p in router.save.iterdir()) if router.save.exists() else []
    router.wait_for("what a reload saves", lambda: any(name.endswith(".post") for name in names()))
    assert {p.stat().st_mode & 0o777 for p in router.save.iterdir()} == {0o600}
    return names()


def play(router, results):
    with router:
        router.wait_for("a MASTER", lambda: {51, 52, 53, 59} <= set(router.wire.last))
        seen = {"settings": router.settings(), "buffers": router.buffers(), "old_unicast_checksum": router.wire.last[53].hex(), "mcast_src_ip": router.wire.source[59]}
        if router.is_vipd:
            owner_is_deaf(router)
            follows_its_source(router)
            router.wait_for("VI_6", lambda: 56 in router.wire1.last)
        seen["track_group"] = follows_track_group(router)
        seen["config_save_dir"] = saved(router)
        if router.is_vipd:
            kernel_dies(router)
        seen["rises"] = rises_when_late(router)
        if router.is_vipd:
            router.wait_for("VI_6 gives way", lambda: "(VI_6) Entering BACKUP STATE, was MASTER: was away for too long" in router.log.read_text())
        router.stop()
        seen["settings then"] = router.settings() if router.is_vipd else router.before  # which keepalived may not come to put back
        results[router.program] = seen


def main(vipd, keepalived):
    results = {}
    with tempfile.TemporaryDirectory(prefix="hwword") as folder:
        threads = [threading.Thread(target=play, args=(Router(folder, program), results)) for program in (keepalived, vipd)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(results) == 2, results
    theirs, ours = results[keepalived], results[vipd]
    ours["buffers"]["netlink"] &= theirs["buffers"]["netlink"]  # vipd has one more socket for each
    failed = [what for what in theirs if theirs[what] != ours[what]]
    for what in theirs:
        print(f"{what}: keepalived {theirs[what]}, vipd {ours[what]}{': DIFFERENT' if what in failed else ''}")
    sys.exit(bool(failed))


if os.geteuid() != 0 or not shutil.which("keepalived"):
    print("skipped: needs root and keepalived")
    sys.exit(77)
if sys.argv[2:] != ["inside"]:
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1], shutil.which("keepalived"))
