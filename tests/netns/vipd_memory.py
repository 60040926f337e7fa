#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_memory.py VIPD FAIL_NETLINK.SO: the kernel has no memory to remove an address, or does not permit it for a while.

It goes all the same, at a reload, when another node is MASTER, and at the end; what is not there is not waited for. Nor does nftables take for a while that servers have
failed: they get no connections soon after, not when the table is looked at, once a minute.
"""
import errno
import mmap
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from vrrp_packet import Advert, checksum, mac_bytes, packed  # pylint: disable=wrong-import-position

WAIT = 120  # seconds, on a busy machine
ROUTE, NETFILTER = 0, 12
CHECKED = range(8001, 8010)
SERVICE = """
virtual_server 10.9.0.100 80 {
    delay_loop 0.3
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.9.0.1 8000 {
    }
""" + "".join(f"""
    real_server 10.9.0.1 {port} {{
        TCP_CHECK {{
            retry 0
            warmup 0
        }}
    }}
""" for port in CHECKED) + "}\n"
CONF = """
vrrp_instance VI_1 {
    version 3
    state MASTER
    priority 100
    advert_int 0.1
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        %s
    }
    virtual_routes {
        198.51.100.0/24 dev eth0 table 100
    }
    virtual_rules {
        from 198.51.100.7 table 100 priority 500
    }
}
"""


def until(what, condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "did not happen in time: " + what
        time.sleep(0.1)


def addresses():
    said = subprocess.run(["ip", "-o", "-4", "addr", "show", "dev", "eth0"], check=True, capture_output=True, text=True).stdout
    return {line.split()[3] for line in said.splitlines()} - {"10.9.0.1/24"}


def routing():
    return [subprocess.run(["ip", *words.split()], capture_output=True, text=True).stdout for words in ("route show table 100", "rule show priority 500")]


class Rival(threading.Thread):
    """A better MASTER of the address on the other end of the link, as a context."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.advert, self.over = Advert(3, 51, 200, 10, [address], "10.9.0.2").bytes(), threading.Event()

    def run(self):
        ip = bytearray(bytes([0x45, 0xc0]) + (20 + len(self.advert)).to_bytes(2, "big") + b"\0\0\0\0\xff\x70\0\0" + packed("10.9.0.2") + packed("224.0.0.18"))
        ip[10:12] = checksum(bytes(ip)).to_bytes(2, "big")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth1", 0))
            while not self.over.wait(0.1):
                wire.send(mac_bytes("01:00:5e:00:00:12") + mac_bytes("02:00:00:00:00:09") + b"\x08\x00" + bytes(ip) + self.advert)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.over.set()
        self.join()


def start(vipd, preload, folder, log, *more):
    return subprocess.Popen([vipd, *more, "-n", "-l", "-f", folder / "conf", "-p", folder / "p", "-r", folder / "r", "-c", folder / "c"],
                            stdout=log, stderr=log, env=dict(os.environ, LD_PRELOAD=preload, FAIL_NETLINK=str(folder / "shared")))


def slots():
    said = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    return {port for port in (8000, *CHECKED) if f"10.9.0.1 . {port}" in said}


def twice_reloaded(p, folder, left):
    """Nobody knows any more what an earlier configuration had, and the kernel kept: so it is said."""
    left[:] = struct.pack("qqq", 1 << 40, errno.EPERM, ROUTE)
    for here in (105, 106):
        (folder / "conf").write_text(CONF % f"10.9.0.{here}/24")
        p.send_signal(signal.SIGHUP)
        until("it is held, too", lambda here=here: f"10.9.0.{here}/24" in addresses())
    assert "10.9.0.103/24 of an earlier configuration stays on this host" in (folder / "log").read_text()
    left[:] = struct.pack("qqq", 0, 0, 0)
    subprocess.run(["ip", "addr", "del", "10.9.0.103/24", "dev", "eth0"], check=True)
    until("the one before goes by itself", lambda: addresses() == {"10.9.0.106/24"})


def taken_name(vipd, preload, folder):
    """A macvlan that cannot be made holds nothing: a BACKUP does not wait for it to go."""
    subprocess.run(["ip", "link", "add", "taken", "type", "veth", "peer", "name", "taken1"], check=True)
    (folder / "conf").write_text((CONF % "10.9.0.100/24").replace("interface eth0", "interface eth0\n    use_vmac taken"))
    with (folder / "log").open("w") as log, Rival("10.9.0.100"):
        p = start(vipd, preload, folder, log)
        try:
            until("it is BACKUP", lambda: "Entering BACKUP STATE" in (folder / "log").read_text())
        finally:
            p.terminate()
            p.wait(WAIT)
    said = (folder / "log").read_text()
    assert "cannot make the virtual MAC address (taken): File exists" in said and "stay on this host" not in said, said


def refusals(folder):
    return (folder / "log").read_text().count("after checks: No buffer space available")


def failed_servers(p, folder, left):
    """One after the other, so that it is asked many times in short: that puts nothing off."""
    listeners = [socket.create_server(("10.9.0.1", port)) for port in CHECKED]
    (folder / "conf").write_text(SERVICE)
    p.send_signal(signal.SIGHUP)
    until("all serve", lambda: slots() == {8000, *CHECKED})
    left[:] = struct.pack("qqq", 1 << 40, errno.ENOBUFS, NETFILTER)
    for listener in listeners:
        before = refusals(folder)
        listener.close()
        until("nftables refuses", lambda before=before: refusals(folder) > before)
    left[:] = struct.pack("qqq", 0, 0, 0)
    until("they serve no more", lambda: slots() == {8000})
    assert "changed by somebody else" not in (folder / "log").read_text()


def left_behind(vipd, preload, folder, left):
    """What -I leaves is what health wanted last, also if it was refused a moment ago."""
    listeners = [socket.create_server(("10.9.0.1", port)) for port in CHECKED]
    (folder / "conf").write_text(SERVICE)
    with (folder / "log").open("w") as log:
        p = start(vipd, preload, folder, log, "-I")
        try:
            until("all serve", lambda: slots() == {8000, *CHECKED})
            left[:] = struct.pack("qqq", 1 << 40, errno.ENOBUFS, NETFILTER)
            listeners.pop().close()
            until("nftables refuses", lambda: refusals(folder))
            left[:] = struct.pack("qqq", 0, 0, 0)
        finally:
            p.terminate()
            p.wait(WAIT)
    assert slots() == {8000, *CHECKED[:-1]}, slots()


def main(vipd, preload):
    for words in ("link set lo up", "link add eth0 up type veth peer name eth1", "link set eth1 up", "addr add 10.9.0.1/24 dev eth0"):
        subprocess.run(["ip", *words.split()], check=True)
    with tempfile.TemporaryDirectory(prefix="vipd-memory.") as name:
        folder = pathlib.Path(name)
        conf, shared = folder / "conf", folder / "shared"
        shared.write_bytes(struct.pack("qqq", 0, 0, 0))
        conf.write_text(CONF % "10.9.0.100/24")
        with shared.open("r+b") as f, (folder / "log").open("w") as log:
            left = mmap.mmap(f.fileno(), 24)
            p = start(vipd, preload, folder, log)
            try:
                until("the address is held", lambda: addresses() == {"10.9.0.100/24"})
                here = 100
                for error in (errno.ENOBUFS, errno.EPERM, errno.EBUSY):
                    here += 1
                    left[:] = struct.pack("qqq", 3, error, ROUTE)
                    conf.write_text(CONF % f"10.9.0.{here}/24")
                    p.send_signal(signal.SIGHUP)
                    until("the other one is held alone", lambda here=here: addresses() == {f"10.9.0.{here}/24"})
                    assert struct.unpack("qqq", left[:])[0] == 0, "no removal failed"
                    left[:] = struct.pack("qqq", 3, error, ROUTE)
                    with Rival(f"10.9.0.{here}"):
                        until("it is the other node's alone", lambda: not addresses() and not any(routing()))
                        assert struct.unpack("qqq", left[:])[0] == 0, "no removal failed"
                    until("it is MASTER again", lambda here=here: addresses() == {f"10.9.0.{here}/24"})
                twice_reloaded(p, folder, left)
                failed_servers(p, folder, left)
                conf.write_text(CONF % "10.9.0.100/24")
                p.send_signal(signal.SIGHUP)
                until("the address is held", lambda: addresses() == {"10.9.0.100/24"})
                left[:] = struct.pack("qqq", 3, errno.EPERM, ROUTE)
                p.terminate()
                assert p.wait(WAIT) == 0
                assert struct.unpack("qqq", left[:])[0] == 0, "no removal failed"
                assert not addresses() and not any(routing()), (addresses(), routing())
                said = (folder / "log").read_text()
                for what in ("cannot remove 10.9.0.102/24: Operation not permitted", "cannot remove 10.9.0.103/24: Device or resource busy", "have left this host after all"):
                    assert what in said, what
            except BaseException:
                print((folder / "log").read_text())
                raise
            finally:
                if p.poll() is None:
                    p.kill()
                    p.wait()
        taken_name(vipd, preload, folder)
        left_behind(vipd, preload, folder, left)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: not root")
        sys.exit(77)
    if "OWN_NETWORK" not in os.environ:
        os.environ["OWN_NETWORK"] = "yes"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    with open(sys.argv[1], "rb") as f:
        program = f.read()
    if b"__asan_init" in program or b"__tsan_init" in program:
        print("skipped: a sanitizer wants to be loaded first")
        sys.exit(77)
    main(os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2]))
