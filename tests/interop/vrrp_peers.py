#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_peers.py v2-ipv4|v3-ipv4|v3-ipv6 INTERVAL PROGRAM PROGRAM PROGRAM: three routers of different make, one address.

A PROGRAM is vipd, keepalived, keepalived-vmac or frr; their priorities are 200, 150, 100. After each step exactly the
expected router is heard, and it answers a client that knows nothing. At the end tshark reads all that vipd said.
"""
import sys
import time

import vrrp_dissect
from vrrp_lab import Lab, finish, need, until
from vrrp_routers import PROGRAMS, VRID, scenario

PRIORITIES = (200, 150, 100)


class Peers:
    def __init__(self, lab, setting, programs):
        self.lab, self.setting = lab, setting
        self.client = lab.machine("client")
        self.client.plug(50, "10.9.0.50/24", "fd09::50/64")
        self.routers = []
        for number, (program, priority) in enumerate(zip(programs, PRIORITIES), 1):
            machine = lab.machine(f"r{number}")
            machine.plug(number, f"10.9.0.{number}/24", f"fd09::{number}/64")
            self.routers.append(PROGRAMS[program](machine, priority, setting))

    def speakers(self):
        """Priorities heard in the last two intervals, in their order, goodbyes left out."""
        heard = self.lab.wire.since(time.time() - 2.2 * self.setting.interval, VRID)
        return [advert.priority for advert in heard if advert.priority]

    def wait_for(self, router):
        until(lambda: f"{router.name} is not heard", lambda: router.priority in self.speakers())

    def answers(self, router):
        vip = self.setting.vip()
        self.client.ip("neigh flush dev eth0", check=False)
        if " 0% packet loss" not in self.client.run("ping", "-n", "-c", "1", "-W", "1", vip, check=False):
            return False
        return any(mac in self.client.ip(f"neigh show {vip}") for mac in router.macs())

    def expect(self, step, router, begin):
        until(lambda: f"{step}: {router.name} alone is heard and answers; heard: {self.speakers()}, "
              f"client: {self.client.ip('neigh show').strip()}",
              lambda: self.speakers() == [router.priority] * 2 and self.answers(router))
        print(f"{step}: {router.name} ({router.program}), {self.story(begin)}", flush=True)

    def story(self, begin):
        """When who was first heard in this step: for the reader, not judged."""
        first = {}
        for advert in self.lab.wire.since(begin, VRID):
            first.setdefault(advert.priority, advert.time - begin)
        return ", ".join(f"{p} at +{t:.3f} s" for p, t in first.items())


def steps(peers):
    r1, r2, r3 = peers.routers

    def step(name, expected, *actions):
        begin = time.time()
        for action in actions:
            action()
        peers.expect(name, expected, begin)

    step("elect", r1, *(r.start for r in peers.routers))
    step("cut r1", r2, r1.machine.cut)
    step("heal r1", r1, r1.machine.heal)
    step("stop r1", r2, r1.stop)
    step("start r1", r1, r1.start)
    step("chain r1, r2", r3, r1.stop, lambda: peers.wait_for(r2), r2.stop)
    r3.stop()
    for router in peers.routers:
        until(lambda r=router: f"{r.name}: something is left: {r.machine.pids()} {r.machine.ip('-o addr')}",
              router.is_over, 5)
    print("residue: none")


def main():
    name, interval, *programs = sys.argv[1:]
    need("tshark")
    setting = scenario(name, float(interval))
    with Lab("peers") as lab:
        peers = Peers(lab, setting, programs)
        steps(peers)
        lab.wire.end()
        for router in peers.routers:
            if router.program == "vipd":
                vrrp_dissect.check(lab.wire.file, router, VRID)


finish(main)
