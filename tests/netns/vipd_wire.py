#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_wire.py VIPD: words whose effect is seen on the wire, in the log or on a clock, beside Debian's keepalived with the same file.

garp_extra_if: which address is told of from which MAC address on which link, again and again. max_ttl: from how far an advert counts.
log_unknown_vrids. reload_time_file and reload_repeat: when the file is read again, and whether the file of the time stays. Of vipd
alone: vrrp_delay_after_boot.
"""
import ctypes
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = f"hwwire{os.getpid()}"
CONF = """global_defs {
    script_user root
    vrrp_version 3
    vrrp_garp_master_delay 0
    vrrp_garp_extra_if 1
    log_unknown_vrids
    reload_time_file DIR/when
}
vrrp_instance UNICAST {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.5
    unicast_src_ip 10.0.0.1
    unicast_peer {
        10.0.0.2 min_ttl 60 max_ttl 64
    }
    virtual_ipaddress {
        10.0.0.100/24
    }
    notify "TELL"
}
vrrp_instance ELSEWHERE {
    interface eth0
    virtual_router_id 52
    use_vmac
    use_vmac_addr
    priority 200
    advert_int 0.5
    virtual_ipaddress {
        10.0.0.101/24
        10.1.0.101/24 dev eth1
        10.1.0.102/24 dev eth1
    }
}
vrrp_instance BASE {
    interface eth0
    virtual_router_id 53
    use_vmac
    vmac_xmit_base
    priority 200
    advert_int 0.5
    virtual_ipaddress {
        10.0.0.111/24
        10.1.0.111/24 dev eth1
        10.1.0.112/24 dev eth1 use_vmac
    }
}
vrrp_instance ALL {
    interface eth0
    virtual_router_id 54
    garp_extra_if all 1
    use_vmac
    priority 200
    advert_int 0.5
    virtual_ipaddress {
        10.0.0.121/24
        10.1.0.121/24 dev eth1
    }
    virtual_ipaddress_excluded {
        fd00:0::121/64
        fd00:1::121/64 dev eth1
    }
}
"""


EXTRA = [("far0", "00:00:5e:00:01:35", "10.0.0.111"), ("far0", "02:00:00:00:00:00", "fd00::121"), ("far1", "00:00:5e:00:01:34", "10.1.0.101"),
         ("far1", "00:00:5e:00:01:35", "10.1.0.112"), ("far1", "02:00:00:00:00:01", "10.1.0.121")]


def socket_in(ns, *args):
    """A socket of another network namespace: this thread goes there and comes back."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{ns}") as there:
        if libc.setns(there.fileno(), 0) < 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return socket.socket(*args)
        finally:
            libc.setns(home.fileno(), 0)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advert(vrid, source, destination, vip):
    """Version 3, priority 250, twice a second."""
    body = struct.pack("!BBBBHH", 0x31, vrid, 250, 1, 50, 0) + socket.inet_aton(vip)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 112, len(body))
    return body[:6] + struct.pack("!H", checksum(pseudo + body)) + body[8:]


def uptime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Side:
    """One program, and the machine at the other end of its links."""

    def __init__(self, folder, program):
        self.name, self.program = os.path.basename(program), program
        self.node, self.peer = f"{PREFIX}{self.name[0]}n", f"{PREFIX}{self.name[0]}p"
        self.dir = pathlib.Path(folder, self.name)
        self.dir.mkdir()
        self.process, self.result, self.error = None, {}, None

    def ip(self, ns, *lines):
        for line in lines:
            subprocess.run(["ip", "-n", ns, *line.split()], check=True, capture_output=True)

    def make(self):
        for ns in (self.node, self.peer):
            subprocess.run(["ip", "netns", "add", ns], check=True)
            self.ip(ns, "link set lo up")
        for i in (0, 1):
            self.ip(self.node, f"link add eth{i} address 02:00:00:00:00:0{i} type veth peer name far{i} netns {self.peer}")
            subprocess.run(["ip", "netns", "exec", self.node, "sysctl", "-qw", f"net.ipv6.conf.eth{i}.accept_dad=0"], check=True)
            self.ip(self.peer, f"link set far{i} up", f"addr add 10.{i}.0.2/24 dev far{i}")
            self.ip(self.node, f"link set eth{i} up", f"addr add 10.{i}.0.1/24 dev eth{i}", f"addr add fd00:{i}::1/64 dev eth{i} nodad")

    def start(self):
        tell = self.dir / "tell"
        tell.write_text(f'#!/bin/sh\necho "$2 $3" >>{self.dir}/told\n')
        tell.chmod(0o700)
        (self.dir / "told").touch()
        (self.dir / "conf").write_text(CONF.replace("DIR", str(self.dir)).replace("TELL", str(tell)))
        self.process = self.launch()

    def launch(self):
        return subprocess.Popen(
            ["ip", "netns", "exec", self.node, self.program, "-P", "-n", "-l", "-D", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid"],
            cwd=self.dir, env={**os.environ, "TMPDIR": str(self.dir), "TZ": "UTC"}, stdout=(self.dir / "log").open("w"), stderr=subprocess.STDOUT)

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def told(self):
        return (self.dir / "told").read_text().split("\n")

    def wait(self, what, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"{self.name}: does not come: {what}\n{self.log()[-3000:]}")
            time.sleep(0.05)

    # ---- What is looked at ----

    def extra(self):
        """Announcements that come again and again: (link, MAC address, address). In time all that should; then a while for others."""
        s = socket_in(self.peer, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.settimeout(0.1)
        seen, end = {}, time.monotonic() + 40
        again = lambda: sorted(what for what, times in seen.items() if times[-1] - times[0] > 1.5)
        while time.monotonic() < end:
            if len(again()) >= len(EXTRA):
                end = min(end, time.monotonic() + 1.5)
            try:
                frame, (link, *_) = s.recvfrom(2048)
            except TimeoutError:
                continue
            kind = frame[12:14]
            if kind == b"\x08\x06" and frame[28:32] == frame[38:42]:
                address = socket.inet_ntop(socket.AF_INET, frame[28:32])
            elif kind == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136:
                address = socket.inet_ntop(socket.AF_INET6, frame[62:78])
            else:
                continue
            seen.setdefault((link, frame[6:12].hex(":"), address), []).append(time.monotonic())
        s.close()
        return again()

    def send(self, vrid, destination, vip, ttl):
        s = socket_in(self.peer, socket.AF_INET, socket.SOCK_RAW, 112)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        s.bind(("10.0.0.2", 0))
        s.sendto(advert(vrid, "10.0.0.2", destination, vip), (destination, 0))
        s.close()

    def is_backup(self, ttl):
        """Does an advert of higher priority from so far away count? One that does may take its time."""
        before = len(self.told())
        end = time.monotonic() + (30 if 60 <= ttl <= 64 else 1)
        while time.monotonic() < end:
            self.send(51, "10.0.0.1", "10.0.0.100", ttl)
            time.sleep(0.1)
            if "UNICAST BACKUP" in self.told()[before - 1:]:
                self.wait("MASTER again", lambda: self.told()[-2] == "UNICAST MASTER")
                return True
        return False

    def reloads(self, how):
        """At the time in the file; does the file stay?"""
        line = "reloaded conf" if self.name == "vipd" else "Got SIGHUP|Reloading"
        count = lambda: sum(self.log().count(word) for word in line.split("|"))
        before = count()
        when = self.dir / "when"
        for ahead in (2, 2, 4, 8):  # a slow machine may read it too late
            (self.dir / "next").write_text(time.strftime(how, time.gmtime(time.time() + ahead)) + "\n")
            (self.dir / "next").rename(when)
            end = time.monotonic() + ahead + 1
            while count() == before and time.monotonic() < end:
                time.sleep(0.05)
            if count() > before:
                break
        self.wait("the reload", lambda: count() > before, 0)
        time.sleep(0.3)
        stays = when.exists()
        when.unlink(missing_ok=True)
        return stays

    def after_boot(self):
        """vrrp_delay_after_boot, which keepalived 2.2 does not know."""
        self.process.terminate()
        self.process.wait(30)
        conf = self.dir / "conf"
        begin = uptime() + 2
        conf.write_text(conf.read_text().replace("log_unknown_vrids", f"vrrp_delay_after_boot {begin:.2f}"))
        before = len(self.told())
        self.process = self.launch()
        self.wait("MASTER after a while", lambda: "UNICAST MASTER" in self.told()[before - 1:])
        if uptime() < begin + 1.5:
            raise AssertionError("vrrp_delay_after_boot: MASTER too early")

    def run(self):
        try:
            self.make()
            self.start()
            self.wait("MASTER", lambda: "UNICAST MASTER" in self.told())
            self.result["extra"] = self.extra()
            self.result["ttl"] = {ttl: self.is_backup(ttl) for ttl in (59, 60, 64, 65, 255)}
            self.send(99, "224.0.0.18", "10.0.0.99", 255)
            self.wait("the unknown VRID is logged", lambda: "99" in self.log().split("MASTER")[-1])
            self.result["once"] = self.reloads("%Y-%m-%d %H:%M:%SZ")
            self.result["daily"] = self.reloads("%H:%M:%S")
            conf = self.dir / "conf"
            conf.write_text(conf.read_text().replace("reload_time_file", "reload_repeat\n    reload_time_file"))
            self.reloads("%y-%m-%d %H:%M:%S")  # which takes the new word up
            self.result["repeat"] = self.reloads("%H:%M:%SZ")
            if self.name == "vipd":
                self.after_boot()
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        for ns in (self.node, self.peer):
            subprocess.run(["ip", "netns", "del", ns], check=False, capture_output=True)


def main():
    if os.geteuid() or not shutil.which("keepalived"):
        print("needs root and keepalived")
        return 77
    with tempfile.TemporaryDirectory(prefix="hawser-") as folder:
        os.chmod(folder, 0o755)
        sides = [Side(folder, p) for p in (os.path.realpath(sys.argv[1]), shutil.which("keepalived"))]
        try:
            threads = [threading.Thread(target=s.run) for s in sides]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        finally:
            for s in sides:
                s.clean_up()
        failed = [s for s in sides if s.error]
        for s in failed:
            print(s.error)
        vipd, keepalived = (s.result for s in sides)
        for what, got in vipd.items():
            if got != keepalived.get(what):
                print(f"{what}: vipd: {got}\n{' ' * len(what)}  keepalived: {keepalived.get(what)}")
                failed.append(what)
        if not failed and (vipd["extra"] != EXTRA or vipd["ttl"] != {59: False, 60: True, 64: True, 65: False, 255: False}
                           or [vipd[k] for k in ("once", "daily", "repeat")] != [False, False, True]):
            print(f"both did something else: {vipd}")
            failed.append("both")
        if not failed:
            print("ok")
        return 1 if failed else 0


sys.exit(main())
