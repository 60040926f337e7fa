#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_bursts.py VIPD: Debian's keepalived and vipd with the same file, each in a namespace; this one is on the other end of both wires.

The same must be: the TTL of unicast and multicast adverts; how many gratuitous ARP there are for each address when it becomes MASTER and
after an advert of lower priority, both at once and later; what keepalived.data tells of the MASTER that was heard; the names of the processes.
"""
import collections
import contextlib
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

CONF = """
global_defs {
    process_names
    vrrp_process_name the_routers
}
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.5
    garp_master_delay 1
    garp_master_repeat 2
    garp_lower_prio_delay 2
    garp_lower_prio_repeat 3
    virtual_ipaddress {
        10.9.NET.100
        10.9.NET.101
    }
}
vrrp_instance VI_2 {
    version 3
    interface eth0
    virtual_router_id 52
    priority 100
    advert_int 0.5
    unicast_src_ip 10.9.NET.1
    unicast_ttl 33
    garp_master_delay 1
    garp_master_repeat 1
    unicast_peer {
        10.9.NET.2
    }
    virtual_ipaddress {
        10.9.NET.102
    }
}
"""


class Wire(threading.Thread):
    """All that comes out of one router."""

    def __init__(self, link):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
        self.socket.bind((link, 3))
        self.ttl, self.garps, self.last = {}, collections.Counter(), 0
        self.start()

    def run(self):
        with contextlib.suppress(OSError):  # the link goes at the end
            while True:
                frame = self.socket.recv(2048)
                if frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42] and frame[31] >= 100:
                    self.garps[frame[31]] += 1  # the address's last byte
                    self.last = time.monotonic()
                elif frame[12:14] == b"\x08\x00" and frame[23] == 112 and frame[29] == 1:
                    self.ttl.setdefault(frame[14 + 4 * (frame[14] & 15) + 1], set()).add(frame[22])

    def send(self, advert):
        message = advert.bytes()
        ip = bytearray(bytes([0x45, 0xc0]) + (20 + len(message)).to_bytes(2, "big") + b"\0\0\0\0\xff\x70\0\0" + packed(advert.source) + packed(advert.group()))
        ip[10:12] = checksum(bytes(ip)).to_bytes(2, "big")
        self.socket.send(mac_bytes("01:00:5e:00:00:12") + mac_bytes("02:00:00:00:00:09") + b"\x08\x00" + bytes(ip) + message)


def sh(line):
    subprocess.run(line.split(), check=True)


def wait_for(what, true, log):
    end = time.monotonic() + 40
    while not true():
        if time.monotonic() > end:
            sys.exit(f"does not come: {what}\n{log.read_text()}")
        time.sleep(0.1)


def quiet(wire, log, **least):
    """How many came for each address: when those that have to have come, and for three seconds no more."""
    least = {int(address[1:]): n for address, n in least.items()}
    wait_for(f"gratuitous ARP {least}", lambda: all(wire.garps[a] >= n for a, n in least.items()), log)
    while wire.last > time.monotonic() - 3:
        time.sleep(0.2)
    seen, wire.garps = wire.garps, collections.Counter()
    return {address: n for address, n in sorted(seen.items()) if n}


def dumps(folder, net):
    path = pathlib.Path(folder, f"dumps{net}")
    path.mkdir(exist_ok=True)
    return path


def as_backup(wire, process, folder, net, log):
    """What keepalived.data tells of the MASTER that was heard, which speaks each four seconds."""
    wire.send(Advert(3, 51, 200, 400, [f"10.9.{net}.100", f"10.9.{net}.101"], f"10.9.{net}.2"))
    wait_for("BACKUP", lambda: log.read_text().count("(VI_1) Entering BACKUP STATE") == 2, log)
    process.send_signal(signal.SIGUSR1)
    data = dumps(folder, net) / "keepalived.data"
    wait_for("keepalived.data", lambda: data.exists() and "VI_2" in data.read_text(), log)
    fields = ("   Master priority", "   Master advert", "   Master down", "   Advert int")  # 2.2.7 may write another address for the router
    return [line.strip() for line in data.read_text().splitlines() if line.startswith(fields)]


def play(net, program, folder, results):
    ns = f"hwburst{os.getpid()}n{net}"
    log = pathlib.Path(folder, f"log{net}")
    sh(f"ip netns add {ns}")
    try:
        sh(f"ip link add wire{net} type veth peer name eth0 netns {ns}")
        for line in (f"ip addr add 10.9.{net}.2/24 dev wire{net}", f"ip link set wire{net} up", f"ip -n {ns} addr add 10.9.{net}.1/24 dev eth0",
                     f"ip -n {ns} link set eth0 up", f"ip -n {ns} link set lo up"):
            sh(line)
        wire = Wire(f"wire{net}")
        conf = pathlib.Path(folder, f"conf{net}")
        conf.write_text(CONF.replace("NET", str(net)))
        with log.open("w") as out:
            process = subprocess.Popen(["ip", "netns", "exec", ns, program, "-P", "-n", "-l", "-f", conf, "-p", f"{folder}/p{net}.pid", "-r", f"{folder}/r{net}.pid", "-c", f"{folder}/c{net}.pid", "-b",
                                        f"{folder}/b{net}.pid"],
                                       stdout=out, stderr=out, env={**os.environ, "TMPDIR": str(dumps(folder, net))})
        try:
            wait_for("a MASTER", lambda: len(wire.ttl) == 2, log)
            seen = {"as MASTER": quiet(wire, log, _100=4, _101=4, _102=2)}
            wire.send(Advert(3, 51, 50, 50, [f"10.9.{net}.100", f"10.9.{net}.101"], f"10.9.{net}.2"))
            seen["after a lower advert"] = quiet(wire, log, _100=6, _101=6)
            seen["TTL"] = wire.ttl
            pids = subprocess.run(["ip", "netns", "pids", ns], check=True, capture_output=True, text=True).stdout.split()
            seen["as BACKUP"] = as_backup(wire, process, folder, net, log)
            seen["names"] = sorted(pathlib.Path(f"/proc/{p}/comm").read_text().strip() for p in pids)
        finally:
            process.terminate()
            process.wait(30)
        results[net] = seen
    finally:
        sh(f"ip netns del {ns}")


def main(vipd, keepalived):
    results = {}
    with tempfile.TemporaryDirectory(prefix="hwburst") as folder:
        threads = [threading.Thread(target=play, args=(net, program, folder, results)) for net, program in ((1, keepalived), (2, vipd))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(results) == 2, results
    theirs, ours = results[1], results[2]
    failed = [what for what in theirs if theirs[what] != ours[what] and what != "names"]
    failed += ["names"] if set(theirs["names"]) - set(ours["names"]) else []  # vipd has one process more
    for what in theirs:
        print(f"{what}: keepalived {theirs[what]}, vipd {ours[what]}{': DIFFERENT' if what in failed else ''}")
    sys.exit(bool(failed))


if os.geteuid() != 0 or not shutil.which("keepalived"):
    print("skipped: needs root and keepalived")
    sys.exit(77)
if sys.argv[2:] != ["inside"]:
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1], shutil.which("keepalived"))
