#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_peers.py VIPD: vipd and Debian's keepalived as peers, with the same file on both, in both roles.

Each case is played twice at the same time, on two pairs of nodes: a is vipd and b keepalived, and the other way round. The story must
come true in both, and what a node's scripts were told and which addresses it held must be the same, whichever program it was.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = f"hwpeer{os.getpid()}"
FAST = "version 3\n    advert_int 0.5"


class Node:
    def __init__(self, case, name, program):
        self.case, self.name, self.program = case, name, program
        self.ns = f"{PREFIX}{case.name}{name}{os.path.basename(program)[0]}"
        self.dir = pathlib.Path(case.dir, self.ns)
        self.dir.mkdir()
        self.process = None
        self.held = {}

    def ip(self, *words):
        return subprocess.run(["ip", "-n", self.ns, *" ".join(words).split()], check=True, capture_output=True, text=True).stdout

    def start(self):
        conf = self.case.conf(self)
        for state in ("master", "backup", "fault", "stop"):
            conf = conf.replace("NOTIFY", f'NOTIFY\n    notify_{state} "{self.case.dir}/tell {self.dir}/own {state}"', 1)
        conf = conf.replace("NOTIFY", f'notify "{self.case.dir}/tell {self.dir}/any"')
        (self.dir / "conf").write_text(
            "global_defs {\n    script_user root\n    enable_script_security\n"
            + "".join(f'    {hook}_script "{self.case.dir}/tell {self.dir}/own {hook}"\n' for hook in ("startup", "shutdown")) +
            f"    vrrp_notify_fifo {self.dir}/pipe\n    vrrp_notify_fifo_script \"{self.case.dir}/read {self.dir}/fifo\"\n}}\n" + conf)
        command = ["-P", "-n", "-l", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid"]
        self.process = subprocess.Popen(["ip", "netns", "exec", self.ns, self.program, *command], cwd=self.dir,
                                        stdout=(self.dir / "log").open("a"), stderr=subprocess.STDOUT)

    def reload(self, change):
        text = (self.dir / "conf").read_text()
        assert change(text) != text
        (self.dir / "conf").write_text(change(text))
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def addresses(self):
        """Those that are virtual, as the kernel has them, without what differs by time."""
        found = []
        for line in self.ip("-o addr show up").splitlines():
            words = line.split()
            if words[3].split("/")[0] in self.case.vips:
                label = [w for w in words if w.startswith("eth0:")]
                found.append((words[1], words[3], words[words.index("scope") + 1], *label))
        return sorted(found)

    def has_all(self):
        return {a[1].split("/")[0] for a in self.addresses()} == set(self.case.vips)

    def told(self, kind):
        try:
            return (self.dir / kind).read_text().splitlines()
        except FileNotFoundError:
            return []

    def log(self):
        return f"--- {self.ns}\n" + (self.dir / "log").read_text()[-2500:]


class Case:
    def __init__(self, name, conf, story, vips, links=1):
        self.name, self.template, self.story, self.vips, self.links = name, conf, story, vips, links

    def conf(self, node):
        own, peer = ("1", "2") if node.name == "a" else ("2", "1")
        return self.template.replace("PRIORITY", "200" if node.name == "a" else "100").replace("OWN", own).replace(
            "PEER", peer).replace("BOUND", "" if "vipd" in node.program else "interface eth0").replace("DIR", str(node.dir)).replace("TELL", f"{self.dir}/tell {node.dir}/own")

    def clone(self, folder, tag):
        copy = Case(self.name + tag, self.template, self.story, self.vips, self.links)
        copy.dir, copy.switch = folder, f"{PREFIX}{copy.name}s"
        return copy

    def fail(self, what):
        raise AssertionError(f"{self.name}: {what}\n" + "".join(n.log() + "".join(f"{k}: {n.told(k)}\n" for k in ("own", "any", "fifo")) for n in self.nodes))

    def wait(self, what, condition, seconds=40):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"{what} does not come; a has {self.nodes[0].addresses()}, b {self.nodes[1].addresses()}")
            time.sleep(0.05)

    def all_is_told(self):
        """Who has ended has said so, and nobody says anything more."""
        told = lambda: [n.told(kind) for n in self.nodes for kind in ("any", "own", "fifo")]
        before = told()
        time.sleep(0.7)
        return told() == before and all(any("STOP" in line for line in n.told("any")) for n in self.nodes)

    def master(self, node, seconds=40):
        other = self.nodes[1 - self.nodes.index(node)]
        self.wait(f"{node.name} alone is MASTER", lambda: node.has_all() and not other.addresses(), seconds)
        node.held = node.addresses()

    def play(self, programs):
        self.nodes = [Node(self, name, program) for name, program in zip("ab", programs)]
        try:
            for ns in (self.switch, *(n.ns for n in self.nodes)):
                subprocess.run(["ip", "netns", "add", ns], check=True)
            for i in range(self.links):
                subprocess.run(["ip", "-n", self.switch, *f"link add lan{i} up type bridge mcast_snooping 0".split()], check=True)
                for n, host in zip(self.nodes, (1, 2)):
                    n.ip(f"link add eth{i} type veth peer name {n.name}{i} netns {self.switch}")
                    subprocess.run(["ip", "-n", self.switch, *f"link set {n.name}{i} up master lan{i}".split()], check=True)
                    subprocess.run(["ip", "netns", "exec", n.ns, "sysctl", "-qw", f"net.ipv6.conf.eth{i}.accept_dad=0"], check=True)
                    n.ip(f"link set eth{i} up")
                    n.ip(f"addr add 10.{i}.0.{host}/24 dev eth{i}")
            self.story(self, *self.nodes)
            for n in self.nodes:
                n.stop()
                if n.addresses():
                    self.fail(f"{n.name} leaves {n.addresses()}")
            self.wait("keepalived's last scripts", self.all_is_told)
        finally:
            for n in self.nodes:
                n.stop()
            for ns in (self.switch, *(n.ns for n in self.nodes)):
                subprocess.run(["ip", "netns", "del", ns], check=False)


INSTANCE = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    %s
    virtual_ipaddress {
        10.0.0.100/24 dev eth0 label eth0:vip
        10.0.0.101
    }
    NOTIFY
}
"""
VIPS = ["10.0.0.100", "10.0.0.101"]


def takeover(case, a, b):
    """b alone, then a, which has the higher priority, then b again."""
    b.start()
    case.master(b)
    a.start()
    case.master(a)
    a.stop()
    case.master(b)


def twice(case, a, b):
    """Two instances of one virtual_router_id, whose peers tell them apart."""
    for n, own in ((a, 1), (b, 2)):
        n.ip(f"addr add 10.0.0.1{own}/24 dev eth0")
    takeover(case, a, b)


def no_source(case, a, b):
    """Without the address that its adverts leave from, which peers send to, it would be a second MASTER."""
    b.start()
    case.master(b)
    a.ip("addr del 10.0.0.1/24 dev eth0")
    a.start()
    case.wait("a is in FAULT", lambda: any("FAULT" in line for line in a.told("any")))
    time.sleep(2)
    if a.addresses():
        case.fail("a has no source")
    a.stop()
    a.ip("addr add 10.0.0.1/24 dev eth0")
    a.start()
    case.master(a)


def no_preempt(case, a, b):
    b.start()
    case.master(b)
    a.start()
    case.wait("a is BACKUP", lambda: any("BACKUP" in line for line in a.told("any")))
    time.sleep(1.5)
    if a.addresses():
        case.fail("nopreempt: a leaves b in peace")
    b.stop()
    case.master(a)


def preempt_delay(case, a, b):
    b.start()
    case.master(b)
    began = time.monotonic()
    a.start()
    case.wait("a is BACKUP", lambda: any("BACKUP" in line for line in a.told("any")))
    time.sleep(1.2)
    if a.addresses() and time.monotonic() < began + 2:
        case.fail("preempt_delay 2: not yet")
    case.master(a)


def track_script(case, a, b):
    for n in (a, b):
        (n.dir / "well").touch()
    a.start()
    case.master(a)
    b.start()
    case.wait("b is BACKUP", lambda: any("BACKUP" in line for line in b.told("any")))
    time.sleep(1.5)
    (a.dir / "well").unlink()
    case.master(b)
    (a.dir / "well").touch()
    case.master(a)


def sync_group(case, a, b):
    a.start()
    case.master(a)
    b.start()
    case.wait("b is BACKUP", lambda: any("GROUP G BACKUP" in line for line in b.told("any")))
    a.ip("link set eth1 down")
    case.wait("b has all", b.has_all)
    case.wait("a gives all up", lambda: not a.addresses())
    a.ip("link set eth1 up")
    a.ip("addr replace 10.1.0.1/24 dev eth1")
    case.master(a)


def fault(case, a, b):
    a.start()
    case.master(a)
    b.start()
    case.wait("b is BACKUP", lambda: any("BACKUP" in line for line in b.told("any")))
    a.ip("link set eth0 down")
    case.wait("b has all", b.has_all)
    a.ip("link set eth0 up")
    case.master(a)


def rare(case, a, b):
    """Of a second MASTER the better one is told; and of an instance that is in the file no longer."""
    a.start()
    case.master(a)
    b.start()
    case.wait("b is BACKUP", lambda: any("BACKUP" in line for line in b.told("any")))
    deafen = ["ip", "netns", "exec", case.switch, "bridge", "link", "set", "dev", "b0", "mcast_flood"]
    subprocess.run([*deafen, "off"], check=True)
    case.wait("a is told of b", lambda: b.has_all() and "lower" in a.told("own"))
    subprocess.run([*deafen, "on"], check=True)
    case.master(a)
    for n in (a, b):
        n.reload(lambda text: re.sub(r"\nvrrp_instance GONE.*?\n}", "", text, flags=re.S))
        case.wait(f"{n.name} is told of what is gone", lambda n=n: "deleted" in n.told("own")
                  and ("vipd" not in n.program or any(" DELETED " in line for line in n.told("fifo"))))


CASES = [
    # With another list of addresses than its peer's either would be MASTER: in version 2 such adverts are dropped.
    Case("same", INSTANCE.replace("10.0.0.101\n", "10.0.0.100/24 dev eth1\n        10.0.0.101\n        10.0.0.101\n") % "version 2", takeover, VIPS, links=2),
    Case("uni", INSTANCE % f"{FAST}\n    unicast_src_ip 10.0.0.OWN\n    unicast_peer {{\n        10.0.0.PEER\n    }}", takeover, VIPS),
    # Debian's keepalived refuses unicast without an interface, which later ones take: it has one.
    Case("route", INSTANCE.replace("interface eth0", "BOUND") % f"{FAST}\n    unicast_src_ip 10.0.0.OWN\n    unicast_peer {{\n        10.0.0.PEER\n    }}", takeover, VIPS),
    Case("src", INSTANCE % f"{FAST}\n    unicast_src_ip 10.0.0.OWN\n    unicast_peer {{\n        10.0.0.PEER\n    }}", no_source, VIPS),
    Case("two", INSTANCE % f"{FAST}\n    unicast_src_ip 10.0.0.OWN\n    unicast_peer {{\n        10.0.0.PEER\n    }}"
         + (INSTANCE % f"{FAST}\n    unicast_src_ip 10.0.0.1OWN\n    unicast_peer {{\n        10.0.0.1PEER\n    }}").replace("VI_1", "VI_2").replace(
        "10.0.0.100/24 dev eth0 label eth0:vip", "10.0.0.110").replace("10.0.0.101", "10.0.0.111"), twice, VIPS + ["10.0.0.110", "10.0.0.111"]),
    Case("pass", INSTANCE % "authentication {\n        auth_type PASS\n        auth_pass longer-than-eight\n    }", takeover, VIPS),
    Case("nopre", INSTANCE % f"{FAST}\n    state BACKUP\n    nopreempt", no_preempt, VIPS),
    Case("delay", INSTANCE % f"{FAST}\n    state BACKUP\n    preempt_delay 2", preempt_delay, VIPS),
    Case("track", "global_defs {\n    vrrp_notify_priority_changes on\n}\nvrrp_script well {\n    script \"/usr/bin/test -e DIR/well\"\n    interval 1\n    timeout 20\n    weight -150\n    fall 1\n    rise 1\n}\n"
         + INSTANCE % f"{FAST}\n    track_script {{\n        well\n    }}", track_script, VIPS),
    Case("fault", INSTANCE % FAST, fault, VIPS),
    Case("rare", "vrrp_script unsafe {\n    script DIR/../unsafe\n}\nvrrp_script missing {\n    script DIR/missing\n}\nvrrp_script dull {\n    script DIR/conf\n}\n"
         + INSTANCE % f"{FAST}\n    track_script {{\n        unsafe\n        missing\n        dull\n    }}\n    notify_master_rx_lower_pri \"TELL lower\"" + (INSTANCE % FAST).replace("VI_1", "GONE").replace(
        "51", "52").replace("10.0.0.100/24 dev eth0 label eth0:vip", "10.0.0.110").replace("10.0.0.101", "10.0.0.111").replace(
        "NOTIFY", "NOTIFY\n    notify_deleted \"TELL deleted\""), rare, VIPS),
    Case("six", INSTANCE.replace("10.0.0.100/24 dev eth0 label eth0:vip", "fe80::100/64").replace("10.0.0.101", "fd00::100/64") % FAST,
         takeover, ["fe80::100", "fd00::100"]),
    Case("vmac", INSTANCE.replace("10.0.0.100/24 dev eth0 label eth0:vip", "10.0.0.100/24") % f"{FAST}\n    use_vmac vrrp.51", takeover, VIPS),
    Case("sync", "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n    NOTIFY\n}\n"
         + INSTANCE.replace("    NOTIFY\n", "") % FAST
         + INSTANCE.replace("    NOTIFY\n", "").replace("VI_1", "VI_2").replace("eth0", "eth1").replace("10.0.0", "10.1.0").replace("51", "52")
         .replace(" label eth1:vip", "") % FAST, sync_group, VIPS + ["10.1.0.100", "10.1.0.101"], links=2),
]


def compare(one, two):
    for vipd, keepalived in ((one.nodes[0], two.nodes[0]), (two.nodes[1], one.nodes[1])):
        who = f"{one.name[:-1]}, node {vipd.name}"
        for kind in ("any", "own", "fifo"):
            # keepalived's run at the same time, in any order; vipd_life.sh looks at the order of ours.
            got, want = sorted(set(vipd.told(kind))), sorted(set(keepalived.told(kind)))
            # Left out are what keepalived's reader is ended before, and what is told only when b was late to hear of a.
            by_chance = (*((" STOP ", " DELETED ") if kind == "fifo" else ()), "RX_LOWER_PRI" if one.story is not rare else None)
            got, want = ([line for line in lines if not any(word and word in line for word in by_chance)] for lines in (got, want))
            assert got == want, f"{who}: scripts were told by vipd\n  {got}\nand by keepalived\n  {want}\n{vipd.log()}{keepalived.log()}"
        assert want, f"{who}: no script ran"
        assert vipd.held == keepalived.held, f"{who}: vipd held\n  {vipd.held}\nand keepalived\n  {keepalived.held}"


def run(case, folder, vipd, keepalived, results):
    pair = [case.clone(folder, "1"), case.clone(folder, "2")]
    errors = []

    def one(number, programs):
        try:
            pair[number].play(programs)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(0, (vipd, keepalived))), threading.Thread(target=one, args=(1, (keepalived, vipd)))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    try:
        if errors:
            raise errors[0]
        compare(*pair)
        results[case.name] = None
    except AssertionError as error:
        results[case.name] = str(error)


def main():
    vipd, keepalived = os.path.abspath(sys.argv[1]), shutil.which("keepalived")
    if os.geteuid() != 0 or not keepalived:
        print("skipped: needs root and keepalived")
        return 77
    only = sys.argv[2:]
    results = {}
    with tempfile.TemporaryDirectory(prefix="hwpeer") as folder:
        os.chmod(folder, 0o755)
        tell = pathlib.Path(folder, "tell")
        tell.write_text('#!/bin/sh\nfile=$1\nshift\necho "$@" >>"$file"\n')
        tell.chmod(0o755)
        read = pathlib.Path(folder, "read")
        read.write_text('#!/bin/sh\nexec cat "$2" >>"$1"\n')
        read.chmod(0o755)
        unsafe = pathlib.Path(folder, "unsafe")  # it fails, but enable_script_security has it not run
        unsafe.write_text("#!/bin/sh\nexit 1\n")
        unsafe.chmod(0o757)
        threads = [threading.Thread(target=run, args=(c, folder, vipd, keepalived, results)) for c in CASES if not only or c.name in only]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    for name, error in sorted(results.items()):
        print(f"{name}: {'ok' if error is None else error}")
    return 1 if any(results.values()) else 0


sys.exit(main())
