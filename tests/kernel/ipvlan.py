#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ipvlan.py KEEPALIVED VIPD, in the guest: use_ipvlan, routes of a VRF and use_vmac in one.

keepalived and vipd run one after the other with the same file: the same ipvlans with the same addresses, the same addresses and routes
elsewhere, and adverts from the same source. Then two vipds fail over through their ipvlans, and nothing stays behind; and vipd, with vrf and without an interface, which Debian's
keepalived refuses, speaks to a keepalived with one.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

CONF = """vrrp_instance FOUR {
    interface eth0
    virtual_router_id 51
    use_ipvlan 10.0.0.50/24
    version 3
    advert_int 0.2
    priority PRIO
    virtual_ipaddress {
        10.0.0.100/24
        10.1.0.100/24 dev eth1
    }
    virtual_routes {
        192.0.2.0/24 via 10.1.0.9 dev eth1 vrf blue
    }
}
vrrp_instance VRF {
    interface eth2
    virtual_router_id 54
    use_vmac
    version 3
    advert_int 0.2
    priority PRIO
    virtual_ipaddress {
        10.2.0.100/24
    }
}
vrrp_instance SIX {
    interface eth0
    virtual_router_id 51
    use_ipvlan six
    version 3
    advert_int 0.2
    priority PRIO
    virtual_ipaddress {
        fd00:0::100/64
    }
}
vrrp_instance BASE {
    interface eth0
    virtual_router_id 53
    use_ipvlan base 10.0.0.51
    vmac_xmit_base
    version 3
    advert_int 0.2
    priority PRIO
    virtual_ipaddress {
        10.0.0.110/24
    }
}
"""
UNICAST = """global_defs {
    default_interface eth2
}
vrrp_instance ROUTED {
    PLACE
    virtual_router_id 55
    version 3
    advert_int 0.2
    priority PRIO
    unicast_src_ip 10.2.0.OWN
    unicast_peer {
        10.2.0.PEER
    }
    virtual_ipaddress {
        10.2.0.120/24
    }
}
"""
out = pathlib.Path(os.environ["OUTDIR"])


def sh(line):
    return subprocess.run(line.split(), check=True, capture_output=True, text=True).stdout


def make(ns, own):
    sh(f"ip netns add {ns}")
    for i in (0, 1, 2):
        sh(f"ip link add {ns}{i} type veth peer name eth{i} netns {ns}")
        sh(f"ip link set {ns}{i} master br{i} up")
        sh(f"ip -n {ns} link set eth{i} addrgenmode eui64")
        sh(f"ip netns exec {ns} sysctl -qw net.ipv6.conf.eth{i}.accept_dad=0")
        sh(f"ip -n {ns} link set eth{i} up")
        sh(f"ip -n {ns} addr add 10.{i}.0.{own}/24 dev eth{i}")
    sh(f"ip -n {ns} link add blue type vrf table 77")
    sh(f"ip -n {ns} link set blue up")
    sh(f"ip -n {ns} link set eth2 master blue")


class Daemon:
    def __init__(self, ns, program, own, prio, conf=CONF):
        self.ns, self.dir = ns, out / f"{ns}-{own}-{os.path.basename(program)}"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir()
        (self.dir / "conf").write_text(conf.replace("PRIO", str(prio)).replace("10.0.0.5", f"10.0.0.{own}"))
        self.process = subprocess.Popen(["ip", "netns", "exec", ns, program, "-P", "-n", "-l", "-D", "-f", "conf", "-p", "p.pid", "-r", "r.pid"],
                                        cwd=self.dir, env={**os.environ, "TMPDIR": str(self.dir)},
                                        stdout=(self.dir / "log").open("w"), stderr=subprocess.STDOUT)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def held(self):
        lines = [re.sub(r"^\d+: |\\.*| proto \S+| pref medium", "", line) for line in sh(f"ip -n {self.ns} -o addr").splitlines()]
        lines = [" ".join(line.split()) for line in lines if " lo " not in line]
        for line in sh(f"ip -n {self.ns} -o -d link show type ipvlan").splitlines():
            lines.append("link " + re.sub(r"^\d+: ([^:]*):.*ipvlan +mode (\S+) (\S+).*", r"\1 \2 \3", line))
        for line in sh(f"ip -n {self.ns} -o link show type macvlan").splitlines():
            lines.append("link " + re.sub(r"^\d+: ([^:]*):.*( master \S+)?.*link/ether (\S+).*", r"\1 \3", line)
                         + "".join(re.findall(r" master \S+", line)))
        routes = sh(f"ip -n {self.ns} route show table 77")
        return sorted(lines) + [re.sub(r" proto \S+| scope \S+", "", r).strip() for r in routes.splitlines()]

    def has_all(self, without="none"):
        held = self.held()
        return not any("tentative" in line for line in held) and all(
            any(a in line for line in held)
            for a in ("10.0.0.100/24", "fd00::100/64", "10.0.0.110/24", "10.2.0.100/24") if not a.startswith(without))


def wait(what, condition, daemons, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            for d in daemons:
                print(d.ns, d.held(), (d.dir / "log").read_text()[-2500:], sep="\n")
            raise SystemExit(f"does not come: {what}")
        time.sleep(0.1)


def sources():
    """(VRID, source) of adverts on the bridge in two seconds."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
    s.bind(("br0", 3))
    s.settimeout(0.2)
    seen, end = set(), time.monotonic() + 2
    while time.monotonic() < end:
        try:
            frame = s.recv(2048)
        except TimeoutError:
            continue
        if frame[12:14] == b"\x08\x00" and frame[23] == 112:
            seen.add((frame[35], socket.inet_ntop(socket.AF_INET, frame[26:30]), frame[6:12].hex(":")))
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 112:
            seen.add((frame[55], socket.inet_ntop(socket.AF_INET6, frame[22:38]), frame[6:12].hex(":")))
    s.close()
    return sorted(seen)


def main():
    for module in ("ipvlan", "vrf", "ipv6"):
        subprocess.run(["modprobe", module], check=False)
    if subprocess.run(["ip", "link", "add", "try", "type", "vrf", "table", "9"], check=False).returncode:
        print("skipped: this kernel has no VRF")
        return 77
    sh("ip link del try")
    for i in (0, 1, 2):
        sh(f"ip link add br{i} type bridge mcast_snooping 0")
        sh(f"ip link set br{i} up")
    make("a", 1)
    make("b", 2)
    before = sh("ip -n a -o link")
    results = []
    programs = [os.path.abspath(shutil.which(p)) for p in sys.argv[1:3]]
    for program in programs:
        d = Daemon("a", program, 5, 200)
        wait("MASTER", d.has_all, [d])
        results.append((d.held(), sources()))
        d.stop()
    keepalived, vipd = results
    print(*vipd[0], *vipd[1], sep="\n")
    if keepalived != vipd:
        print("keepalived:", *keepalived[0], *keepalived[1], sep="\n")
        return 1
    if sh("ip -n a -o link") != before:
        print("links stay behind:", sh("ip -n a -o link"))
        return 1
    a, b = Daemon("a", programs[1], 6, 200), Daemon("b", programs[1], 7, 100)
    wait("a is MASTER", lambda: a.has_all() and not any("10.0.0.100/" in line for line in b.held()), [a, b])
    sh("ip -n a link set eth0 down")
    wait("b is MASTER", lambda: b.has_all(without="10.2.") and not any("10.0.0.100/" in line for line in a.held()), [a, b])
    sh("ip -n a link set eth0 up")
    wait("a is MASTER again", lambda: a.has_all() and not any("10.0.0.100/" in line for line in b.held()), [a, b])
    sh("ip -n a link del six")
    wait("what others remove comes back", lambda: any(line.startswith("link six") for line in a.held()), [a, b])
    for move, where in (("nomaster", "link vrrp.54@eth2 00:00:5e:00:01:36"), ("master blue", "link vrrp.54@eth2 00:00:5e:00:01:36 master blue")):
        sh(f"ip -n a link set eth2 {move}")
        wait(f"a macvlan follows its interface ({move})", lambda: where in a.held() and a.has_all(), [a, b])
    if "VRF) Entering" in (a.dir / "log").read_text().split("VRF) Entering MASTER", 1)[1]:
        raise SystemExit("it is MASTER all the time: " + (a.dir / "log").read_text())
    a.stop()
    b.stop()
    conf = [UNICAST.replace("PLACE", p).replace("OWN", o).replace("PEER", e) for p, o, e in (("vrf blue", "1", "2"), ("interface eth2", "2", "1"))]
    b = Daemon("b", programs[0], 8, 100, conf[1])
    wait("keepalived is MASTER", lambda: any("10.2.0.120/" in line for line in b.held()), [b])
    a = Daemon("a", programs[1], 9, 200, conf[0])
    wait("vipd takes over in its VRF", lambda: any("10.2.0.120/" in line for line in a.held()) and not any("10.2.0.120/" in line for line in b.held()),
         [a, b])
    sh("ip -n a link set blue down")
    wait("a VRF that is down is a fault", lambda: any("10.2.0.120/" in line for line in b.held()) and not any("10.2.0.120/" in line for line in a.held()),
         [a, b])
    a.stop()
    b.stop()
    print("ok")
    return 0


sys.exit(main())
