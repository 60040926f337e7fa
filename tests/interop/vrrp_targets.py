# SPDX-License-Identifier: MIT
"""What the prober shoots at: the same four virtual routers, as one vipd or as the bare engine (tests/netns/vrrp_router)."""
import json
import signal

from vrrp_lab import VIPD, VRRP_ROUTER, until
from vrrp_packet import Advert
from vrrp_routers import daemon, instances

INTERVAL_CS = 50
# vrid: (version, family, address, unicast)
ROUTERS = {51: (3, 4, "10.9.0.100", False), 52: (2, 4, "10.9.0.101", False), 53: (3, 6, "fe80::100", False),
           54: (3, 4, "10.9.0.102", True)}
PEER = {1: "10.9.0.2", 2: "10.9.0.1"}  # of a machine of that number
# Names of the engine and keepalived's; it has none for the others.
FIELDS = {"length": "packet_len_err", "advert interval": "advert_interval_err", "ttl": "ip_ttl_err",
          "type": "invalid_type_rcvd", "address list": "addr_list_err", "auth type": "invalid_authtype", "auth mismatch": "authtype_mismatch",
          "auth failure": "auth_failure"}


def advert(router, source, **changes):
    """What a right neighbour of lower priority says."""
    version, _, address, _ = ROUTERS[router]
    fields = {"version": version, "vrid": router, "priority": 50, "interval": 1 if version == 2 else INTERVAL_CS,
              "addresses": [address], "source": source, **changes}
    return Advert(**fields)


class Bare:
    """A process of tests/netns/vrrp_router.c."""

    def __init__(self, machine, vrid, address, priority, interval_cs, version, *words):
        self.name = f"{machine.name}: router {vrid}"
        self.process = machine.start(f"router{vrid}", VRRP_ROUTER, "eth0", vrid, address, priority, interval_cs,
                                     version, *words)

    def lines(self):
        return [line for line in self.process.log.read_text().split("\n")[:-1] if line.startswith("{")]

    def counters(self):
        before = len(self.lines())
        self.process.signal(signal.SIGUSR1)
        until(f"{self.name} does not tell its counters", lambda: len(self.lines()) > before)
        return json.loads(self.lines()[-1])


class Engine:
    """A process for each router."""

    @staticmethod
    def knows(counter):
        return counter not in ("accepted", "nothing")

    def __init__(self, machine, number, priority):
        self.routers = {}
        for vrid, (version, _, address, unicast) in ROUTERS.items():
            words = ["-", PEER[number]] if unicast else []
            self.routers[vrid] = Bare(machine, vrid, address, priority, 100 if version == 2 else INTERVAL_CS, version, *words)

    def counters(self, vrid):
        return self.routers[vrid].counters()


class Vipd:
    """One process that has them all."""

    @staticmethod
    def knows(counter):
        return counter in FIELDS

    def __init__(self, machine, number, priority):
        self.machine = machine
        text = ""
        for vrid, (version, family, address, unicast) in ROUTERS.items():
            text += (f"vrrp_instance {vrid} {{\n version {version}\n interface eth0\n virtual_router_id {vrid}\n"
                     f" priority {priority}\n advert_int {1 if version == 2 else INTERVAL_CS / 100}\n")
            text += f" unicast_peer {{\n  {PEER[number]}\n }}\n" if unicast else ""
            text += f" virtual_ipaddress {{\n  {address}/{24 if family == 4 else 64}\n }}\n}}\n"
        (machine.folder / "keepalived.conf").write_text(text)
        self.process = daemon(machine, "vipd", VIPD)

    def warnings(self):
        return self.process.log.read_text().split("\n")

    def counters(self, vrid):
        told = instances(self.machine, self.process)[vrid]
        s = told["stats"]
        return {"state": ("initialize", "backup", "active", "fault")[told["data"]["state"]],
                "became_active": s["become_master"], "accepted": s["advert_rcvd"], "sent": s["advert_sent"],
                "priority_zero": s["pri_zero_rcvd"], "dropped": {k: s[v] for k, v in FIELDS.items() if s[v]}}


TARGETS = {"engine": Engine, "vipd": Vipd}
