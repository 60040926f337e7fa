#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_changes.py: the configuration of one node is changed before that of the other, which is keepalived.

Version 3: another address list or interval is told and lived with (RFC 9568 section 7.1; the interval is learned, 6.4.2).
Version 2: another interval is dropped and counted (RFC 3768 section 7.1), so both are Active, as keepalived would have it.
"""
import dataclasses
import time

from vrrp_lab import Failed, Lab, finish, need, until
from vrrp_routers import Peers, scenario


class Pair:
    """keepalived as the better r1, vipd as r2; `setting` is that of both until one is changed."""

    def __init__(self, lab, setting):
        self.peers = Peers(lab, setting, ("keepalived", "vipd"))
        self.r1, self.r2 = self.peers.routers
        self.peers.step("elect", self.r1, self.r1.start, self.r2.start)

    def change(self, router, **fields):
        router.setting = dataclasses.replace(router.setting, **fields)
        router.reload()

    def said(self, text):
        until(lambda: f"vipd says \"{text}\"", lambda: text in self.r2.log())

    def stays_backup(self, what, seconds):
        """Far longer than its own timer would wait."""
        begin, before = time.time(), self.r2.counters()
        time.sleep(seconds)
        now = self.r2.counters()
        if now["become_master"] != before["become_master"] or self.peers.lab.wire.heard_from(self.r2, begin):
            raise Failed(f"{what}: vipd does not stay Backup")
        if now["advert_rcvd"] <= before["advert_rcvd"]:
            raise Failed(f"{what}: vipd accepts nothing: {now}")
        accepted = now["advert_rcvd"] - before["advert_rcvd"]
        print(f"{what}: vipd stays Backup, and has accepted {accepted} adverts", flush=True)


def version3(lab):
    pair = Pair(lab, scenario("v3-ipv4", 0.1))
    pair.change(pair.r1, addresses=("10.9.0.101/24", "10.9.0.100/24"))
    pair.said("other virtual addresses than ours")
    pair.stays_backup("one address more on keepalived", 2)
    pair.change(pair.r2, addresses=pair.r1.setting.addresses)
    pair.stays_backup("vipd has it, too", 2)
    pair.change(pair.r1, interval=1.0)
    pair.said("another advert_int than ours")
    # Without learning: three intervals of 0.1 s and Skew_Time.
    pair.stays_backup("ten times the interval on keepalived", 5)
    begin = time.time()
    pair.peers.step("it resigns", pair.r2, pair.r1.stop)
    # R77: as Active it has its own interval again, and not the ten times longer one.
    time.sleep(2)
    if len(lab.wire.heard_from(pair.r2, begin)) < 5:
        raise Failed("as Active vipd does not speak as often as its own interval says")
    pair.r2.stop()


def version2(lab):
    pair = Pair(lab, scenario("v2-ipv4", 1))
    pair.change(pair.r1, interval=2)
    pair.peers.both_active("another interval")

    def dropped():
        return pair.r2.counters()["advert_interval_err"]

    until("another interval: vipd counts it", dropped)
    print(f"version 2, another interval: both are Active; vipd counts {dropped()}", flush=True)
    pair.change(pair.r2, interval=2)
    pair.peers.setting = pair.r2.setting
    pair.peers.step("the same interval again", pair.r1)
    pair.r2.stop()
    pair.r1.stop()


def main():
    need()
    for scene in (version3, version2):
        with Lab("chg") as lab:
            scene(lab)


finish(main)
