# SPDX-License-Identifier: MIT
"""The three programs that speak VRRP on the lab's machines, vipd, Debian's keepalived, FRR's vrrpd, and their LAN."""
import dataclasses
import json
import pathlib
import shutil
import signal
import time

from vrrp_lab import VIPD, Failed, lan_mac, skip, until
from vrrp_packet import GROUP, GROUP_MAC, virtual_mac

VRID = 51
FRR = pathlib.Path("/usr/lib/frr")


@dataclasses.dataclass
class Setting:
    """What all routers of a scenario have in common."""
    version: int = 3
    family: int = 4
    interval: float = 1.0  # seconds
    addresses: tuple = ("10.9.0.100/24",)
    words: tuple = ()      # more lines of a vrrp_instance, for vipd and keepalived
    vrid: int = VRID
    auth: tuple = ()       # version 2: ("PASS" or "AH", the secret)
    unicast: bool = False  # each to the two others

    def vip(self):
        """The address that clients use: the last one."""
        return self.addresses[-1].split("/")[0]


def scenario(name, interval):
    if name == "v3-ipv6":
        return Setting(3, 6, interval, ("fe80::100/64", "fd09::100/64"))
    return Setting(int(name[1]), 4, interval, unicast=name.endswith("unicast"))


def daemon(machine, tag, executable):
    """keepalived or vipd, with keepalived.conf in the machine's folder."""
    f = machine.folder
    return machine.start(tag, executable, "-n", "-l", "-D", "-P", "-f", f / "keepalived.conf", "-p", f / "p", "-r", f / "r",
                         "-c", f / "c", env={"TMPDIR": str(f)})


def instances(machine, process):
    """Its keepalived.json, by VRID. A file that is not whole yet is read again."""
    path = machine.folder / "keepalived.json"
    path.unlink(missing_ok=True)
    process.signal(signal.SIGRTMIN + 2)
    found = {}

    def read():
        try:
            found.update({i["data"]["vrid"]: i for i in json.loads(path.read_text())})
        except (FileNotFoundError, json.JSONDecodeError):
            pass
        return found
    until(f"{machine.name} does not write its counters", read)
    return found


class Router:
    """A machine and its program. The priority is its name on the wire."""

    def __init__(self, machine, priority, setting):
        self.machine, self.priority, self.setting = machine, priority, setting
        self.name = machine.name
        self.process = None

    def macs(self):
        """The MAC addresses it may answer with for the virtual address."""
        return {self.machine.mac}

    def source_mac(self):
        """The one its adverts leave from."""
        return self.machine.mac

    def source(self):
        """The address its adverts leave from: eth0's own."""
        return f"10.9.0.{self.number()}" if self.setting.family == 4 else f"fe80::{self.number()}"

    def number(self):
        return int(self.name[1:])

    def destinations(self):
        """Where its adverts go to: address and MAC address."""
        if not self.setting.unicast:
            return [(GROUP[self.setting.family], GROUP_MAC[self.setting.family])]
        return [(f"10.9.0.{n}", lan_mac(n)) for n in (1, 2, 3) if n != self.number()]

    def is_over(self):
        """Nothing of it is left on its machine."""
        return not self.machine.pids() and not any(
            self.machine.holds(a.split("/")[0]) for a in self.setting.addresses)


class Keepalived(Router):
    """keepalived.conf, for keepalived and for vipd."""
    program = "keepalived"

    def configuration(self):
        s = self.setting
        lines = ["state BACKUP", "interface eth0", f"virtual_router_id {s.vrid}", f"version {s.version}",
                 f"priority {self.priority}", f"advert_int {s.interval:g}", *s.words]
        if s.auth:
            lines += ["authentication {", f"    auth_type {s.auth[0]}", f"    auth_pass {s.auth[1]}", "}"]
        if s.unicast:
            lines += ["unicast_peer {", *(f"    {address}" for address, _ in self.destinations()), "}"]
        lines += ["virtual_ipaddress {", *(f"    {a}" for a in s.addresses), "}"]
        return ("global_defs {\n    router_id " + self.name + "\n    vrrp_garp_master_delay 1\n}\n"
                "vrrp_instance VI_1 {\n" + "".join(f"    {line}\n" for line in lines) + "}\n")

    def configure(self):
        (self.machine.folder / "keepalived.conf").write_text(self.configuration())

    def start(self):
        self.configure()
        self.process = daemon(self.machine, self.program, self.executable())

    def executable(self):
        return shutil.which("keepalived") or skip("needs keepalived")

    def stop(self):
        status = self.process.stop()
        if status:
            raise Failed(f"{self.name}: {self.program} ends with status {status}")

    def log(self):
        return self.process.log.read_text(errors="replace")

    def reload(self):
        self.configure()
        self.process.signal(signal.SIGHUP)

    def counters(self):
        """What it counted for its instance, by keepalived's names."""
        return instances(self.machine, self.process)[self.setting.vrid]["stats"]

    def is_active(self):
        return instances(self.machine, self.process)[self.setting.vrid]["data"]["state"] == 2


class Vipd(Keepalived):
    program = "vipd"

    def executable(self):
        return VIPD

    def reload(self):
        before = self.log().count("goes on as")
        super().reload()
        until(f"{self.name}: vipd goes on after the reload", lambda: self.log().count("goes on as") > before)


class WithVmac:
    """With a macvlan of its own making: as the RFC wants it."""

    def configuration(self):
        return super().configuration().replace("interface eth0", "interface eth0\n    use_vmac vrrp")

    def macs(self):
        return {virtual_mac(self.setting.family, self.setting.vrid)}

    def source_mac(self):
        return next(iter(self.macs()))


class KeepalivedVmac(WithVmac, Keepalived):
    program = "keepalived-vmac"


class VipdVmac(WithVmac, Vipd):
    program = "vipd-vmac"


class Frr(Router):
    """
    FRR 8.4: the operator makes the macvlan with the virtual MAC address and the addresses; vrrpd sets it up and down. Its
    host answers for the address on the parent interface, too, unless arp_ignore says no.
    """
    program = "frr"

    def macs(self):
        return {virtual_mac(self.setting.family, self.setting.vrid)}

    def is_over(self):
        return not self.machine.pids()  # the address is the operator's

    def configuration(self):
        s = self.setting
        word = "ip" if s.family == 4 else "ipv6"
        lines = [f"version {s.version}", f"priority {self.priority}", f"advertisement-interval {round(s.interval * 1000)}",
                 *(f"{word} {a.split('/')[0]}" for a in s.addresses)]
        return (f"hostname {self.name}\nlog file {self.machine.folder}/frr.log\ninterface eth0\n" +
                "".join(f" vrrp {s.vrid} {line}\n" for line in lines) + "exit\n")

    def make_interface(self):
        m = self.machine
        m.sysctl(**{"net.ipv4.ip_forward": 1, "net.ipv4.conf.eth0.arp_ignore": 1})
        m.ip("link add vrrp link eth0 type macvlan mode bridge")
        m.ip("link set vrrp addrgenmode random")
        m.ip(f"link set vrrp address {virtual_mac(self.setting.family, self.setting.vrid)}")
        self.add_addresses()
        m.ip("link set vrrp up")

    def add_addresses(self):
        for address in self.setting.addresses:
            self.machine.ip(f"addr replace {address} dev vrrp {'nodad' if self.setting.family == 6 else ''}")

    def spawn(self, name):
        folder = self.machine.folder
        (folder / f"{name}.conf").write_text(self.configuration() if name == "vrrpd" else f"hostname {self.name}\n")
        (folder / f"{name}.conf").chmod(0o644)
        return self.machine.start(name, FRR / name, "-f", folder / f"{name}.conf", "-i", folder / f"{name}.pid",
                                  "-z", folder / "zserv", "--vty_socket", folder, "-P", "0")

    def start(self):
        if not (FRR / "vrrpd").exists():
            skip("needs FRR's vrrpd (package frr)")
        folder = self.machine.folder
        for stale in ("frr.log", "zserv"):
            (folder / stale).unlink(missing_ok=True)
        if " vrrp@" not in self.machine.ip("-o link"):
            self.make_interface()
        zebra = self.spawn("zebra")
        until(f"{self.name}: zebra listens", (folder / "zserv").is_socket)
        self.process = self.spawn("vrrpd"), zebra
        self.attach()

    def attach(self):
        """vrrpd may miss its interface at the start and then sees it at the next event of it only."""
        for _ in range(10):
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                if "Initialize ->" in self.log():
                    return
                time.sleep(0.05)
            self.machine.ip("link set vrrp down")
            self.machine.ip("link set vrrp up")
            self.add_addresses()
        raise Failed(f"{self.name}: vrrpd does not begin")

    def stop(self):
        for process in self.process:
            status = process.stop()
            if status:
                raise Failed(f"{self.name}: FRR ends with status {status}")

    def log(self):
        path = self.machine.folder / "frr.log"
        return path.read_text(errors="replace") if path.exists() else ""


PROGRAMS = {c.program: c for c in (Vipd, VipdVmac, Keepalived, KeepalivedVmac, Frr)}
PRIORITIES = (200, 150, 100)


class Peers:
    """Routers r1, r2, .. on a LAN with a client; their priorities are 200, 150, 100 in this order."""

    def __init__(self, lab, setting, programs, net="10.9.0"):
        self.lab, self.setting = lab, setting
        self.client = lab.machine("client")
        self.client.plug(50, f"{net}.50/24", "fd09::50/64")
        self.routers = []
        for number, (program, priority) in enumerate(zip(programs, PRIORITIES), 1):
            machine = lab.machine(f"r{number}")
            machine.plug(number, f"{net}.{number}/24", f"fd09::{number}/64")
            self.routers.append(PROGRAMS[program](machine, priority, setting))

    def speakers(self):
        """Priorities heard in the last two intervals, in their order, goodbyes left out."""
        heard = self.lab.wire.since(time.time() - 2.2 * self.setting.interval, self.setting.vrid)
        return [advert.priority for advert in heard if advert.priority]

    def wait_for(self, router):
        until(lambda: f"{router.name} is not heard", lambda: router.priority in self.speakers())

    def both_active(self, what):
        """
        None believes the other. On the wire that need not be seen: keepalived starts its timer anew with each packet that it
        rejects, and so falls silent.
        """
        until(f"{what}: both are Active", lambda: all(r.is_active() for r in self.routers))

    def answers(self, router):
        vip = self.setting.vip()
        self.client.ip("neigh flush dev eth0", check=False)
        if " 0% packet loss" not in self.client.run("ping", "-n", "-c", "1", "-W", "1", vip, check=False):
            return False
        return any(mac in self.client.ip(f"neigh show {vip}") for mac in router.macs())

    def expect(self, step, router, begin):
        until(lambda: f"{step}: {router.name} alone is heard and answers; heard: {self.speakers()}, "
              f"client: {self.client.ip('neigh show').strip()}",
              lambda: self.speakers() == [router.priority] * 2 * len(router.destinations()) and self.answers(router))
        print(f"{step}: {router.name} ({router.program}), {self.story(begin)}", flush=True)

    def step(self, name, router, *actions):
        """Do this, and expect that router to be the one."""
        begin = time.time()
        for action in actions:
            action()
        self.expect(name, router, begin)

    def story(self, begin):
        """When who was first heard in this step: for the reader, not judged."""
        first = {}
        for advert in self.lab.wire.since(begin, self.setting.vrid):
            first.setdefault(advert.priority, advert.time - begin)
        return ", ".join(f"{p} at +{t:.3f} s" for p, t in first.items())
