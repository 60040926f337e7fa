#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_auth.py PASS|AH PROGRAM PROGRAM: version 2 with authentication (RFC 2338 section 10) between two makes.

With one secret they elect each other; with two, or with none on one side, both are Active and count why. Under AH a
recorded advert, sent again, says nothing to vipd.
"""
import dataclasses
import sys
import time

import vrrp_dissect
from vrrp_lab import Failed, Lab, finish, need, until
from vrrp_routers import Peers, scenario

COUNTERS = ("auth_failure", "authtype_mismatch", "invalid_authtype")


def errors(router):
    counters = router.counters()
    return {name: counters[name] for name in COUNTERS if counters[name]}


def one_secret(peers):
    r1, r2 = peers.routers
    peers.step("elect", r1, r1.start, r2.start)
    peers.step("stop r1", r2, r1.stop)
    peers.step("start r1", r1, r1.start)
    for router in peers.routers:
        if errors(router):
            raise Failed(f"{router.name} ({router.program}) has the right secret and counts {errors(router)}")


def differ(peers, what, auth, counter):
    """r2 gets another authentication: they do not believe each other any more, and both say why."""
    r1, r2 = peers.routers
    r2.stop()
    r2.setting = dataclasses.replace(peers.setting, auth=auth)
    begin = time.time()
    r2.start()
    until(f"{what}: {r2.name} takes over", lambda: peers.lab.wire.heard_from(r2, begin))
    peers.both_active(what)
    for router in (r1, r2) if counter else ():
        until(lambda r=router: f"{what}: {r.name} ({r.program}) counts {counter}: {errors(r)}",
              lambda r=router: counter in errors(r))
        print(f"{what}: {router.name} ({router.program}) counts {errors(router)}", flush=True)
    r2.stop()
    r2.setting = peers.setting


def replayed(peers):
    """What r1 said is said again after it fell silent, at ten times its rate: the Backup takes over all the same."""
    r1, r2 = peers.routers
    peers.step("elect", r1, r2.start)
    recorded = [a.frame for a in peers.lab.wire.heard_from(r1)][-3:]
    r1.machine.cut()
    stranger = peers.lab.machine("stranger")
    stranger.plug(9)
    sender, begin = stranger.sender(), time.time()

    def takes_over():
        for frame in recorded:
            sender.send(frame)
        time.sleep(peers.setting.interval / 10)
        return bool(peers.lab.wire.heard_from(r2, begin))
    until("a replayed advert keeps the Backup from taking over", takes_over)
    for _ in range(10):
        sender.send(recorded[-1])
    peers.expect("replay", r2, begin)
    r1.machine.heal()


def main():
    kind, *programs = sys.argv[1:]
    need("tshark")
    setting = dataclasses.replace(scenario("v2-ipv4", 1), auth=(kind, "secret"))
    with Lab("auth") as lab:
        peers = Peers(lab, setting, programs)
        one_secret(peers)
        agreed_until = time.time()
        differ(peers, "another secret", (kind, "another"), "auth_failure")
        # Who has AH and who has not speak other IP protocols: neither hears the other at all.
        differ(peers, "none", (), "authtype_mismatch" if kind == "PASS" else None)
        if kind == "AH" and programs[1] == "vipd":
            replayed(peers)
        for router in peers.routers:
            router.stop()
        lab.wire.end()
        for router in peers.routers:
            if router.program.startswith("vipd"):
                vrrp_dissect.check(lab.wire.file, router, agreed_until, (router.priority,))


finish(main)
