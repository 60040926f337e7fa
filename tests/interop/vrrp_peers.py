#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_peers.py SCENARIO INTERVAL PROGRAM PROGRAM PROGRAM: three routers of different make, one address.

A SCENARIO is v2-ipv4, v3-ipv4, v3-unicast or v3-ipv6.
A PROGRAM is vipd, keepalived, either with -vmac (use_vmac), or frr; their priorities are 200, 150, 100. After each step
exactly the expected router is heard, and it answers a client that knows nothing. At the end tshark reads all that vipd said.
"""
import sys

import vrrp_dissect
from vrrp_lab import Lab, finish, need, until
from vrrp_routers import Peers, scenario


def steps(peers):
    r1, r2, r3 = peers.routers
    peers.step("elect", r1, *(r.start for r in peers.routers))
    peers.step("cut r1", r2, r1.machine.cut)
    peers.step("heal r1", r1, r1.machine.heal)
    peers.step("stop r1", r2, r1.stop)
    peers.step("start r1", r1, r1.start)
    peers.step("chain r1, r2", r3, r1.stop, lambda: peers.wait_for(r2), r2.stop)
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
            if router.program.startswith("vipd"):
                vrrp_dissect.check(lab.wire.file, router)


finish(main)
