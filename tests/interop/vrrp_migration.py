#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_migration.py: a pair of keepalived nodes becomes a pair of vipd nodes and keepalived again, one node at a time.

The configuration is the one of tools/lab/article.sh, untouched by the swap. A client pings the floating address all the
while; after each swap the better node holds it and the client is answered. The gaps are printed, not judged.
"""
import pathlib
import subprocess
import sys
import time

from vrrp_lab import Lab, finish, need, run, until
from vrrp_routers import PROGRAMS, Peers, Setting

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools/lab"
PROBE = TOOLS / "probe.py"
VIP, VRID, PRIORITY = "10.10.0.100", 1, {"lb1": 101, "lb2": 100}
PING_MS = 10


def article(name):
    return run("bash", "-c", '. "$1/article.sh"; article_dr "$2"', "article", str(TOOLS), name)


class Node:
    """One of the two, with either program."""

    def __init__(self, lab, number, setting):
        self.name = f"lb{number}"
        machine = lab.machine(self.name)
        machine.plug(10 + number, f"10.10.0.{10 + number}/24")
        text = article(self.name)
        self.with_program = {}
        for program in ("keepalived", "vipd"):
            router = PROGRAMS[program](machine, PRIORITY[self.name], setting)
            router.configuration = lambda: text
            self.with_program[program] = router
        self.now = None

    def run(self, program):
        if self.now:
            self.now.stop()
        self.now = self.with_program[program]
        self.now.start()


class Ping:
    """From the client, every PING_MS."""

    def __init__(self, client):
        self.file = client.folder / "ping"
        self.process = client.start("ping", sys.executable, PROBE, "icmp", VIP, PING_MS, self.file)

    def answered(self, since):
        if not self.file.exists():
            return False
        lines = [line.split() for line in self.file.read_text().splitlines()]
        return any(len(line) > 1 and float(line[0]) > since and line[1] != "-" for line in lines)

    def gap(self, since):
        out = subprocess.run([sys.executable, PROBE, "gap", self.file, str(since)], capture_output=True, text=True, check=True)
        return out.stdout.strip()


def main():
    need()
    setting = Setting(version=2, interval=1, addresses=(f"{VIP}/32",), vrid=VRID)
    with Lab("mig") as lab:
        peers = Peers(lab, setting, (), "10.10.0")
        nodes = {n.name: n for n in (Node(lab, 1, setting), Node(lab, 2, setting))}

        def settle(what):
            until(lambda: f"{what}: lb1 alone is heard; heard: {peers.speakers()}",
                  lambda: peers.speakers() == [PRIORITY["lb1"]] * 2)
            since = time.time()
            until(f"{what}: the client is answered", lambda: ping.answered(since))

        for node in nodes.values():
            node.run("keepalived")
        ping = Ping(peers.client)
        settle("two keepalived")
        for name, program in (("lb2", "vipd"), ("lb1", "vipd"), ("lb2", "keepalived"), ("lb1", "keepalived")):
            begin = time.time()
            nodes[name].run(program)
            if name == "lb1":
                until(f"{name} becomes {program}: lb2 takes over meanwhile",
                      lambda: any(a.priority == PRIORITY["lb2"] for a in lab.wire.since(begin, VRID)))
            settle(f"{name} becomes {program}")
            print(f"{name} becomes {program}: gap of {ping.gap(begin)} s; heard: {peers.story(begin)}", flush=True)
        ping.process.stop()
        for node in nodes.values():
            node.now.stop()


finish(main)
