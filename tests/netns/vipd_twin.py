#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_twin.py VIPD [CASE...]: Debian's keepalived and vipd take the same steps with the same files, each on a machine of its own.

After each step addresses, routes, rules and virtual interfaces must be the same; so must what notify scripts and the FIFO were told
in it, of each instance and group in the order of time.
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

PREFIX = f"hwtwin{os.getpid()}"


class Machine:
    """One program in a namespace with two links, eth0 and eth1."""

    def __init__(self, folder, number, program):
        self.name, self.program = os.path.basename(program), program
        self.ns = f"{PREFIX}{number}{self.name[0]}"
        self.dir = pathlib.Path(folder, self.ns)
        self.dir.mkdir()
        self.process, self.text, self.reloads, self.weighs = None, "", 0, False

    def ip(self, *lines):
        out = ""
        for line in lines:
            out += subprocess.run(["ip", "-n", self.ns, *line.split()], check=True, capture_output=True, text=True).stdout
        return out

    def plug(self, i):
        self.ip(f"link add eth{i} type veth peer name far{i}", f"link set far{i} up")
        subprocess.run(["ip", "netns", "exec", self.ns, "sysctl", "-qw", f"net.ipv6.conf.eth{i}.accept_dad=0"], check=True)
        self.ip(f"link set eth{i} up", f"addr add 10.{i}.0.1/24 dev eth{i}", f"addr add fd00:{i}::1/64 dev eth{i} nodad")

    def make(self):
        subprocess.run(["ip", "netns", "add", self.ns], check=True)
        self.ip("link set lo up")
        for i in (0, 1):
            self.plug(i)

    def write(self, text):
        self.text = text.replace("TELL", f"{self.dir.parent}/tell {self.dir}/told").replace("DIR", str(self.dir))
        (self.dir / "conf").write_text(
            f"global_defs {{\n    script_user root\n    enable_script_security\n    vrrp_version 3\n    vrrp_garp_master_delay 1\n    vrrp_notify_fifo {self.dir}/pipe\n"
            f"    vrrp_notify_fifo_script \"{self.dir.parent}/read {self.dir}/fifo\"\n}}\n" + self.text)

    def start(self):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, self.program, "-P", "-n", "-l", "-D", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid", "-b", "b.pid"],
            cwd=self.dir, env={**os.environ, "TMPDIR": str(self.dir)}, stdout=(self.dir / "log").open("a"), stderr=subprocess.STDOUT)

    def reload(self):
        self.reloads += 1
        self.process.send_signal(signal.SIGHUP)

    def has_reloaded(self):
        """As often as it was asked to: keepalived that is asked a second time before ends the scripts of the first, and its reader."""
        said = "reloaded conf" if self.name == "vipd" else "Reload complete"
        return not self.reloads or (self.dir / "log").read_text().count(said) >= self.reloads

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def held(self):
        """Addresses, routes, rules and virtual interfaces, without what differs by time or names the program."""
        lines = set()
        for family in ("-4", "-6"):
            out = subprocess.run(["ip", "-n", self.ns, family, "-o", "-batch", "-"], check=True, capture_output=True, text=True,
                                 input="addr show\nroute show table all\nrule show\nlink show type macvlan\n").stdout
            for line in out.splitlines():
                if link := re.match(r"\d+: (\S+)@\S+: <.*link/ether (\S+)", line):
                    lines.add(f"link {link[1]} {link[2]}")
                elif not re.search(r"table local|fe80|ff00", line):
                    line = re.sub(r" proto (keepalived|18|112)\b| pref(erence)? medium|\\?\s+valid_lft.*", "", line)
                    lines.add(f"{family} " + " ".join(re.sub(r"^\d+: (?=\S+ +inet)", "", line).split()))
        return sorted(lines)

    def told(self, kind):
        try:
            return [line for line in (self.dir / kind).read_text().splitlines() if line]
        except FileNotFoundError:
            return []

    def forget(self):
        for kind in ("told", "fifo"):
            (self.dir / kind).write_text("")

    def log(self):
        return (self.dir / "log").read_text()[-2500:] if (self.dir / "log").exists() else ""

    def lines(self):
        """Of each object its lines: of the FIFO in their order, of scripts in any, for keepalived's run at the same time."""
        objects = {}
        for kind in ("told", "fifo"):
            for line in self.told(kind):
                words = line.replace('"', "").split()
                if kind == "fifo" and "STOP" in words:  # keepalived ends the reader before it has read the last ones
                    continue
                if self.weighs:  # whether a script has ended when a state is told is its own affair
                    words = words[:3]
                of = objects.setdefault(f"{kind} {' '.join(words[:2])}", [])
                if of[-1:] != [" ".join(words[2:])]:  # keepalived sees its own static routes come, and says BACKUP twice
                    of.append(" ".join(words[2:]))
        return {of: lines if of.startswith("fifo") else sorted(set(lines)) for of, lines in objects.items()}


def fields(m, file):
    """Of a dump by section the names of its fields, but for those of internals, and of what vipd does without."""
    skipped = re.compile(r"[fr]d_|fd_in|nftables|libnftnl|SNMP|DBus|BFD |.*don't swap|.*realtime limit|M(ax|in) auto|umask|Number of|Num |Read timeout"
                         r"|Flags|Promote|Check unicast|Result|Init state|Script uid|Default script|(Terminate|Fork) delay timer|Bfd is|Tracking VRRP|VRRP instances|Password|Not IPv6 forwarding|.* weight \d|.*preferred_lft"
                         r"|thread_|sands_|send error|!?poll|last_seen|Rx buf|Seen up|Delayed state|(Up|Down) debounce|NIC netlink|Reset |Original |MAC broadcast|VMAC type|I/f created|No test config|Disable local|VRRP check|Use VMAC|Using|Unicast checksum|.*(proto 18|protocol 18)|.*nftable_set")
    found, section = {}, ""
    for line in (m.dir / file).read_text().splitlines():
        if line.startswith("---"):
            section = line
        elif not skipped.match(line.strip()):
            found.setdefault(f"{section} {line.strip().split(' = ')[0].rstrip(' :')}", line.strip())
    return found


def compare_dumps(keepalived, vipd):
    found = []
    for file in ("keepalived.data", "keepalived_bfd.data", "keepalived_parent.data"):
        if not (keepalived.dir / file).exists():  # there is none without BFD
            continue
        theirs, ours = fields(keepalived, file), fields(vipd, file)
        found += [f"{file} lacks {name}" for name in theirs if name not in ours]
    # What scripts read of each instance has the same values, too.
    same = re.compile(r" (VRRP Instance|  State|  (Effective|Total|) *[Pp]riority|  Advert interval|  Virtual Router ID|  Interface|  Gratuitous.*|  Preempt.*|  Down timer.*|Authentication type)? = |   (Skip checking|VRRP interface tracking|Enforcing|Master rx lower|Fault state|VRRP Version)|     VI_\d+, weight .* reverse")
    theirs, ours = ([re.sub(", uid:gid .*", "", line) for line in (m.dir / "keepalived.data").read_text().split("VRRP Topology")[1].split("< Interfaces")[0].splitlines() if same.match(line) and not line.endswith(("= idle", "= running"))] for m in (keepalived, vipd))
    # The interfaces' own addresses; those of IPv6 are random.
    addresses = re.compile(r"   (IPv|Additional IPv)4|     10\.")
    for lines, m in ((theirs, keepalived), (ours, vipd)):
        lines += [line for line in (m.dir / "keepalived.data").read_text().split("< Interfaces")[1].splitlines() if addresses.match(line)]
    return found + [f"- {line}" for line in theirs if line not in ours] + [f"+ {line}" for line in ours if line not in theirs]


def ask_for_dumps(m):
    m.process.send_signal(signal.SIGUSR1)


def has_weighed(m):
    """The script of RICH, and the link, have moved both priorities."""
    log = (m.dir / "log").read_text()
    return re.search(r"VI_1.*priority .*\b206\b", log) and re.search(r"VI_2.*priority .*\b205\b", log)


def has_dumped(m):
    return "VRRP Track files" in (m.dir / "keepalived.data").read_text() if (m.dir / "keepalived.data").exists() else False


class Step:
    """`do` on both machines; over when `until` is true of both and nothing has changed for a while. `better`: keepalived loses what it
    held, or stops and begins anew; vipd must hold it, and tell of nothing. `calm`: of these keepalived tells sometimes, vipd must not.
    `goes`: of these, which the reload removes, keepalived on a busy machine does not come to tell; vipd does."""

    def __init__(self, name, do, until, better=False, calm=(), goes=(), compare=None):
        self.name, self.do, self.until, self.better, self.calm, self.goes, self.compare = name, do, until, better, calm, goes, compare


def reload(change):
    def do(m):
        text = change(m.text) if callable(change) else change
        assert text != m.text, "the reload changes nothing"
        m.write(text)
        m.reload()
    return do


def ip(*lines):
    return lambda m: m.ip(*lines)


def sysctl(setting):
    return lambda m: subprocess.run(["ip", "netns", "exec", m.ns, "sysctl", "-qw", setting], check=True)


def rename(old, new):
    """Kernels before 6.2 refuse that of a link that is up."""
    def do(m):
        try:
            m.ip(f"link set {old} name {new}")
        except subprocess.CalledProcessError:
            m.ip(f"link set {old} down", f"link set {old} name {new}", f"link set {new} up")
    return do


def has(*words):
    return lambda m: all(any(w in line for line in m.held()) for w in words)


def lacks(*words):
    return lambda m: not any(w in line for line in m.held() for w in words)


def both(*conditions):
    return lambda m: all(c(m) for c in conditions)


def heard(*words):
    return lambda m: all(any(w in line for line in m.told("fifo")) for w in words)


def settle(machines, step):
    """What both hold and were told, when `until` is true, they are alike, and it has been the same for a second; and who never got there."""
    end = time.monotonic() + 60
    last, same = None, 0
    while same < 5 and time.monotonic() < end:
        time.sleep(0.2)
        state = [(m.held(), m.lines()) for m in machines]
        there = all(m.has_reloaded() for m in machines) and all(step.until(m) for m in machines[step.better:]) and not differences(step, *state)
        same = same + 1 if there and state == last else 0
        last = state
    return last, [m.name for m in machines if not m.has_reloaded()] + [m.name for m in machines[step.better:] if not step.until(m)]


def is_lost(of, theirs, ours):
    """On a busy machine keepalived does not come to run a script before its reload; its FIFO had the line."""
    kind, name = of.split(" ", 1)
    missing = set(ours.get(of, [])) - set(theirs.get(of, []))
    return kind == "told" and set(theirs.get(of, [])) <= set(ours.get(of, [])) and missing <= set(theirs.get(f"fifo {name}", []))


def differences(step, theirs, ours):
    if step.better:
        return [f"vipd tells of {ours[1]}"] if ours[1] else []
    # What keepalived has not removed five seconds after its end began, on a busy machine, it leaves.
    found = [f"- {line}" for line in theirs[0] if step.name != "stop" and line not in ours[0]] + [f"+ {line}" for line in ours[0] if line not in theirs[0]]
    for of in sorted(theirs[1].keys() | ours[1].keys()):
        if of.split()[-1] in step.calm:
            found += [f"vipd tells of {of}: {ours[1][of]}"] if of in ours[1] else []
        elif of.split()[-1] in step.goes and of not in theirs[1]:
            continue
        elif theirs[1].get(of) != ours[1].get(of) and not is_lost(of, theirs[1], ours[1]):
            found.append(f"{of}: - {theirs[1].get(of)} + {ours[1].get(of)}")
    return found


def play(case, machines):
    for step in [Step("start", Machine.start, case.until), *case.steps, Step("stop", Machine.stop, lambda m: True)]:
        for m in machines:
            step.do(m)
        (theirs, ours), late = settle(machines, step)
        assert not late, f"{step.name}: does not come with {late}: {[s[0] for s in (theirs, ours)]}"
        found = differences(step, theirs, ours) + (step.compare(*machines) if step.compare else [])
        assert not found, f"{step.name}: keepalived (-) and vipd (+)\n    " + "\n    ".join(found)
        for m in machines:
            m.forget()


def run(case, number, programs, folder, results):
    machines = [Machine(folder, number, p) for p in programs]
    try:
        for m in machines:
            m.make()
            m.weighs = case.weighs
            m.write(case.text)
        play(case, machines)
    except Exception as error:  # of any kind: it is this case's result
        results[case.name] = f"{error}\n" + "".join(f"--- {m.name}\n" + m.log() for m in machines)
    finally:
        for m in machines:
            m.stop()
            subprocess.run(["ip", "netns", "del", m.ns], check=False)


class Case:
    """`weighs`: a script moves the priority, so that it is not compared where states are told."""

    def __init__(self, name, text, until, *steps, weighs=False):
        self.name, self.text, self.until, self.steps, self.weighs = name, text, until, steps, weighs


def instance(name="VI_1", vrid=51, interface="eth0", vips="10.0.0.100/24", more="", priority=200, notify=True, block=""):
    told = f'    notify "TELL"\n' if notify else ""
    vips = "".join(f"        {v}\n" for v in vips.split("|")) if vips else ""
    vips = f"    virtual_ipaddress {{\n{vips}    }}\n" if vips else ""
    return (f"vrrp_instance {name} {{\n    interface {interface}\n    virtual_router_id {vrid}\n    priority {priority}\n    advert_int 0.2\n"
            f"{told}{vips}" + "".join(f"    {line}\n" for line in more.split("|") if line) + block + "}\n")


def group(name="G", *members, more=""):
    return f"vrrp_sync_group {name} {{\n    group {{\n" + "".join(f"        {m}\n" for m in members) + f'    }}\n    notify "TELL"\n{more}}}\n'


V2 = ("advert_int 0.2", "version 2\n    advert_int 1")
ONE, TWO = instance(), instance("VI_2", 52, vips="10.0.0.110/24|10.0.0.111/32")
ROUTES = """    virtual_routes {
        198.51.100.0/24 via 10.0.0.2 dev eth0 metric 20
        203.0.113.0/25 dev eth0 scope link src 10.0.0.100 mtu 1400 table 100
        src 10.0.0.100 to 192.0.2.0/24 via 10.0.0.9 dev eth0
        blackhole 203.0.113.128/25
        unreachable 203.0.113.0/26 table 100
        192.0.2.128/25 nexthop via 10.0.0.4 dev eth0 weight 2 nexthop via 10.0.0.5 dev eth0 weight 1
        2001:db8:1::/48 via fd00:0::9 dev eth0 metric 50
    }
    virtual_rules {
        from 10.0.0.0/24 table 100 priority 500
        to 203.0.113.0/24 iif eth0 fwmark 4/0xf lookup 101 priority 501
        from 2001:db8::/32 prohibit priority 502
        not from 10.9.0.0/16 ipproto tcp dport 80-90 table 103 priority 503
        from all uidrange 100-200 table 104 priority 504
        from all table 105 priority 505 suppress_prefixlength 0
    }
"""
SLIPS = """    virtual_routes {
        10.4.0.0/33 via 10.0.0.2 dev eth0 table 101
        10.4.0/24 via 10.0.0.2 dev eth0 table 102
        10.4.0.0/24 via 10.0.0.300 dev eth0 table 103
        10.4.0.0/0 via 10.0.0.2 dev eth0 table 104
        10.4.0.0/16 src 2001:db8::1 dev eth0 table 105
        2001:db8:4::/129 via fd00:0::9 dev eth0 table 106
        2001:db8:4::/0 via fd00:0::9 dev eth0 table 107
    }
    virtual_rules {
        from 10.4.0.0/33 table 101 priority 501
        from 10.4.0/24 table 102 priority 502
        from 10.4.0.0/16 to 10.5.0.300 table 103 priority 503
        from 10.4.0.0/16 to 2001:db8::/32 table 104 priority 504
        from 10.4.0.0/16 priority 505
        from 10.4.0.0/0 table 106 priority 506
        from 10.4.0.0/16 table 107
        from all table 108
        from 2001:db8:4::/48 table 109
    }
"""
STATIC = """static_ipaddress {
    10.8.0.1/32 dev eth1
    fd00:8::1/64 dev eth1
}
static_routes {
    192.0.2.64/26 via 10.1.0.9 dev eth1 metric 7
    default via 10.1.0.7 dev eth1 table 200
}
static_rules {
    from 10.8.0.1/32 table 77 priority 900
    from 10.8.0.2 blackhole priority 901
}
"""
RICH = STATIC + """bfd_instance beside {
    neighbor_ip 10.0.0.77
    source_ip 10.0.0.1
    min_rx 200
    weight 3
}
track_file number {
    file DIR/number
    weight 1
    init_file 0
}
vrrp_track_process some {
    process no-such-process
    weight 10
}
vrrp_script well {
    script /bin/true
    interval 2
    timeout 20
    weight 5
}
vrrp_sync_group G {
    group {
        VI_1
        VI_2
    }
    track_script {
        well
    }
    sync_group_tracking_weight
    notify "TELL"
}
""" + instance(vips="10.0.0.100/24 label eth0:a|10.0.0.101", more="nopreempt|preempt_delay 5", block=ROUTES + """    track_script {
        well weight 3
    }
    track_file {
        number
    }
    track_process {
        some
    }
    track_interface {
        eth1 weight 1
    }
    track_bfd {
        beside
    }
""") + instance("VI_2", 52, vips="10.0.0.110", more="use_vmac") + instance("VI_3", 53, vips="10.0.0.120").replace(*V2) + instance("VI_4", 54, vips="fe80::7/64") + instance("VI_5", 55, vips="10.0.0.130/24").replace("advert_int 0.2", "advert_int 1")

WORDS = ["garp_master_repeat 0", "garp_master_repeat 2", "garp_master_delay 0", "garp_lower_prio_repeat 3", "garp_master_refresh_repeat 0", *(f"authentication {{|{words}|}}" for words in (
    "auth_type PASS|auth_pass ab", "auth_pass ab", "auth_type pass|auth_pass ab", "auth_type PASS", 'auth_type PASS|auth_pass ""'))]
MANY = "track_file number {\n    file DIR/number\n    init_file 0\n}\n" + "".join(instance(f"VI_{n}", 60 + n, vips=f"10.0.0.{100 + n}", more=more).replace(*V2) for n, more in enumerate([*WORDS, "track_file {|number weight 2 reverse|}", 'skip_check_adv_addr|dont_track_primary|notify_master_rx_lower_pri "/usr/bin/true lower"', "strict_mode on"])) \
    + "".join(instance(f"VI_{n}", n, vips=f"10.0.0.{100 + n}", more=more).replace(*V2).replace("    priority 200\n", "") for n, more in enumerate((
        "state MASTER", "state MASTER|preempt_delay 5", "state MASTER|priority 0", "state MASTER|state BACKUP", "version 3|version 2", 'notify_fault "/usr/bin/true a"|notify_fault "/usr/bin/true b"', "mcast_src_ip fd00:0::1"), 100))
UNUSUAL = instance(more="strict_mode on|state MASTER|accept|unicast_src_ip 10.0.0.1|unicast_peer {|10.0.0.2|}", vips="10.0.0.100/24") \
    + instance("VI_2", 52, more="mcast_src_ip fd00:0::1", vips="fd00:0::100/64 -nodad|fd00:0::101/64") + instance("VI_3", 53, more="mcast_dst_ip 10.0.0.9", vips="10.0.0.101/24") \
    + instance("VI_4", 54, more="unicast_peer {|10.0.0.2|fd00:0::2|}", vips="10.0.0.102/24")

CASES = [
    Case("removed", ONE + TWO, has("10.0.0.100/24", "10.0.0.111/32"), Step("one goes", reload(ONE), lacks("10.0.0.11"), goes=("VI_2",)),
         Step("it comes back", reload(ONE + TWO), has("10.0.0.111/32"))),
    Case("deleted", ONE + instance("VI_2", 52, vips="10.0.0.110/24", more="notify_deleted"), has("10.0.0.100/24", "10.0.0.110/24"), Step("one goes", reload(ONE), lacks("10.0.0.11"), goes=("VI_2",))),
    Case("moved", ONE + TWO, has("10.0.0.100/24", "10.0.0.111/32"),
         Step("an address moves", reload(instance(vips="10.0.0.100/24|10.0.0.111/32") + instance("VI_2", 52, vips="10.0.0.110/24")), has("10.0.0.111/32", "10.0.0.110/24"), better=True)),
    Case("renamed", ONE, has("10.0.0.100/24"), Step("other name", reload(instance("OTHER")), has("10.0.0.100/24"))),
    Case("vrid", ONE, has("10.0.0.100/24"), Step("other VRID", reload(instance(vrid=61)), both(has("10.0.0.100/24"), heard("MASTER")))),
    Case("priority", ONE, has("10.0.0.100/24"), Step("lower", reload(instance(priority=90)), has("10.0.0.100/24")),
         Step("owner", reload(instance(priority=255)), has("10.0.0.100/24"))),
    Case("link", ONE, has("10.0.0.100/24"), Step("other interface", reload(instance(interface="eth1", vips="10.1.0.100/24")), both(has("10.1.0.100/24"), heard("MASTER")))),
    Case("groups", ONE + TWO + group("G", "VI_1", "VI_2"), has("10.0.0.100/24", "10.0.0.111/32"),
         Step("a member leaves", reload(ONE + TWO + instance("VI_3", 53, vips="10.0.0.120/24") + group("G", "VI_1", "VI_3")), has("10.0.0.111/32", "10.0.0.120/24")),
         Step("other name", reload(ONE + TWO + instance("VI_3", 53, vips="10.0.0.120/24") + group("H", "VI_1", "VI_3")), has("10.0.0.111/32", "10.0.0.120/24")),
         Step("no group", reload(ONE + TWO), both(has("10.0.0.111/32"), lacks("10.0.0.120")), calm=("VI_1", "VI_2"), goes=("VI_3", "H"))),
    Case("vmac", ONE, has("10.0.0.100/24"), Step("with", reload(instance(more="use_vmac vr51")), both(has("link vr51"), has("10.0.0.100/24")), better=True),
         Step("without", reload(ONE), both(lacks("link vr51"), has("10.0.0.100/24")), better=True)),
    Case("vmacs", "global_defs {\n    vmac_addr_prefix va\n}\n" + instance(more="use_vmac vr51 02:00:00:00:01\n    use_vmac_addr", vips="10.0.0.100/24|10.1.0.100/24 dev eth1",
                                                                      block="    virtual_ipaddress_excluded {\n        fd00:0::100/64\n    }\n")
         + instance("VI_2", 52, vips="10.0.0.110/24|10.0.0.111/24 use_vmac|10.1.0.110/24 dev eth1 use_vmac",
                    block="    virtual_ipaddress_excluded {\n        fd00:0::110/64 use_vmac\n        fd00:1::110/64 dev eth1 use_vmac\n        fd00:0::111/64\n    }\n"),
         has("vr51 inet6 fd00::100/64", "va.51 inet 10.1.0.100/24", "va2.52 inet6 fd00:1::110/64", "va.52 inet 10.0.0.111/24")),
    Case("vanish", ONE + instance("VI_2", 52, "eth1", "10.1.0.100/24"), has("10.0.0.100/24", "10.1.0.100/24"),
         Step("link goes", ip("link del eth0"), both(lacks("10.0.0.100"), heard("FAULT"))),
         Step("link returns", lambda m: m.plug(0), both(has("10.0.0.100/24"), heard("MASTER")))),
    Case("lost name", instance(block="    virtual_routes {\n        203.0.113.0/25 dev eth0 scope link table 100\n    }\n"), has("10.0.0.100/24", "203.0.113.0/25"),
         Step("another link name", rename("eth0", "lan0"), both(lacks("10.0.0.100", "203.0.113.0"), heard("FAULT"))),
         Step("its old one", rename("lan0", "eth0"), both(has("10.0.0.100/24", "203.0.113.0/25"), heard("MASTER")))),
    Case("routes", STATIC + instance(block=ROUTES), has("10.0.0.100/24", "prohibit", "2001:db8:1::/48"),
         Step("some change", reload(STATIC.replace("metric 7", "metric 8").replace("    from 10.8.0.2 blackhole priority 901\n", "").replace("fd00:8::1", "fd00:8::2")
                                    + instance(block=ROUTES.replace("metric 20", "metric 30").replace("priority 501", "priority 511").replace("        blackhole 203.0.113.128/25\n", ""))),
              has("metric 30", "metric 8"))),
    Case("slips", "static_rules {\n    from 10.8.0.0/16 table 110\n}\n" + instance(block=SLIPS), has("10.0.0.100/24", "lookup 106", "lookup 108", "table 107"),
         Step("an address comes", ip("addr add 10.1.0.7/24 dev eth1"), has("10.1.0.7")),
         Step("other preferences", reload(instance(block=SLIPS)), both(has("lookup 108"), lacks("lookup 110")))),
    Case("addresses", instance(vips="10.0.0.100/24 label eth0:a|10.0.0.101/32 scope link|10.1.0.100/24 dev eth1 brd +|10.0.0.102/24 brd 10.0.0.7",
                               block="    virtual_ipaddress_excluded {\n        fd00:0::100/64\n        fd00:1::100 dev eth1\n        10.0.0.130/25\n    }\n"),
         has("10.0.0.100/24", "fd00:1::100"),
         Step("others", reload(instance(vips="10.0.0.100/25 label eth0:a|10.0.0.101/32 scope host|10.1.0.101/24 dev eth1|10.0.0.105",
                                        block="    virtual_ipaddress_excluded {\n        fd00:1::100 dev eth0\n    }\n")), both(has("10.0.0.105"), lacks("fd00:0::100/64")))),
    Case("doubled", instance(vips="10.0.0.100/24|10.0.0.100/24 dev eth1|10.0.0.100/24"), has("eth0 inet 10.0.0.100/24", "eth1 inet 10.0.0.100/24"),
         Step("one of two goes", reload(instance(vips="10.0.0.100/24 dev eth1|10.0.0.101")), both(has("eth1 inet 10.0.0.100/24", "10.0.0.101"), lacks("eth0 inet 10.0.0.100"))),
         Step("it comes back", reload(instance(vips="10.0.0.100/24 dev eth1|10.0.0.100/24")), both(has("eth1 inet 10.0.0.100/24", "eth0 inet 10.0.0.100/24"), lacks("10.0.0.101")))),
    Case("track", "vrrp_script well {\n    script \"/usr/bin/test ! -e DIR/ill\"\n    interval 1\n    timeout 20\n    fall 1\n    rise 1\n}\n" + instance(block="    track_script {\n        well\n    }\n    track_interface {\n        eth1\n    }\n")
         , has("10.0.0.100/24"),
         Step("script fails", lambda m: (m.dir / "ill").touch(), both(lacks("10.0.0.100"), heard("FAULT"))),
         Step("and link goes down", ip("link set eth1 down"), lacks("10.0.0.100")),
         Step("script is well", lambda m: (m.dir / "ill").unlink(), lacks("10.0.0.100")),
         Step("link is up", ip("link set eth1 up"), both(has("10.0.0.100/24"), heard("MASTER")))),
    Case("script", ONE, has("10.0.0.100/24"),
         Step("a script is added", reload("vrrp_script slow {\n    script \"DIR/../late DIR/ended\"\n    interval 4\n    timeout 20\n}\n" + instance(block="    track_script {\n        slow\n    }\n")), has("10.0.0.100/24")),
         Step("it has ended", lambda m: None, lambda m: (m.dir / "ended").exists())),
    Case("sick", "vrrp_script sick {\n    script /bin/false\n    interval 1\n    timeout 20\n}\n" + instance(block="    track_script {\n        sick\n    }\n"), heard("FAULT"),
         Step("it goes", reload(TWO), has("10.0.0.111/32"))),
    Case("slow", "vrrp_script slow {\n    script \"/bin/sleep 1\"\n    interval 4\n    timeout 20\n}\n" + instance(block="    track_script {\n        slow\n    }\n") + TWO + group("G", "VI_1", "VI_2"), heard("MASTER")),
    Case("excluded", instance(vips="", block="    virtual_ipaddress_excluded {\n        10.0.0.130/24\n    }\n").replace(*V2), has("10.0.0.130")),
    Case("nothing", instance(vips="").replace(*V2), heard("MASTER"), Step("an address", reload(ONE.replace(*V2)), has("10.0.0.100/24"))),
    Case("without IPv6", ONE, has("10.0.0.100/24"), Step("it is disabled", sysctl("net.ipv6.conf.eth1.disable_ipv6=1"), has("10.0.0.100/24")),
         Step("an address there", reload(instance(block="    virtual_ipaddress_excluded {\n        fd00:1::100/64 dev eth1\n    }\n")), both(has("10.0.0.100/24"), lacks("fd00:1::100/64"))),
         Step("it is there again", sysctl("net.ipv6.conf.eth1.disable_ipv6=0"), has("10.0.0.100/24", "fd00:1::100/64"), better=True)),
    Case("no peer", instance(more="unicast_fault_no_peer|unicast_src_ip 10.0.0.1|unicast_peer {|}"), heard("FAULT")),
    Case("delay", "global_defs {\n    vrrp_startup_delay 3\n    umask 027\n}\n" + instance(notify=False, more='notify "DIR/../mask DIR/told"'), heard("MASTER")),
    Case("words", "global_defs {\n    vrrp_garp_master_repeat 4\n    vrrp_garp_master_delay 3\n    vrrp_min_garp\n}\n" + MANY, both(heard(*(f"VI_{n}\" MASTER" for n in range(len(WORDS))))),
         Step("dumps", ask_for_dumps, has_dumped, compare=compare_dumps)),
    Case("unusual", UNUSUAL, has("10.0.0.100/24", "fd00::100/64", "10.0.0.101/24", "10.0.0.102/24")),
    Case("dumps", RICH, both(heard("MASTER"), has_weighed), Step("dumps", ask_for_dumps, has_dumped, compare=compare_dumps), weighs=True),
    Case("lag", "interface_up_down_delays {\n    eth0 1.5 1\n}\n" + ONE.replace(*V2), has("10.0.0.100/24"),
         Step("down for a moment", ip("link set far0 down", "link set far0 up"), has("10.0.0.100/24"), calm=("VI_1",)),
         Step("down", ip("link set far0 down"), heard("FAULT")), Step("up", ip("link set far0 up"), heard("MASTER"))),
    Case("gone", ONE + TWO + group("G", "VI_1", "VI_2"), has("10.0.0.100/24"), Step("group and all", reload(instance("VI_3", 53, vips="10.0.0.120/24")), has("10.0.0.120")),
         Step("new group", reload(ONE + TWO + group("G", "VI_1", "VI_2")), has("10.0.0.100"))),
]


def main():
    vipd, keepalived = os.path.abspath(sys.argv[1]), shutil.which("keepalived")
    if os.geteuid() != 0 or not keepalived:
        print("skipped: needs root and keepalived")
        return 77
    chosen = [c for c in CASES if not sys.argv[2:] or c.name in sys.argv[2:]]
    results = {}
    with tempfile.TemporaryDirectory(prefix="hwtwin") as folder:
        os.chmod(folder, 0o755)
        for name, text in (("tell", 'file=$1\nshift\necho "$@" >>"$file"\n'), ("read", 'exec cat "$2" >>"$1"\n'), ("mask", 'file=$1\nshift\necho "$* $(umask)" >>"$file"\n'), ("late", 'sleep 2\ntouch "$1"\n')):
            path = pathlib.Path(folder, name)
            path.write_text("#!/bin/sh\n" + text)
            path.chmod(0o755)
        threads = []
        for number, case in enumerate(chosen):
            threads.append(threading.Thread(target=run, args=(case, number, (keepalived, vipd), folder, results)))
            threads[-1].start()
        for t in threads:
            t.join()
    for case in chosen:
        print(f"{case.name}: {results.get(case.name, 'the same')}")
    return 1 if results else 0


sys.exit(main())
