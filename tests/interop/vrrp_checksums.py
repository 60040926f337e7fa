#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_checksums.py: which of the three checksum forms of version 3 over IPv4 is accepted by whom.

An Active, played by this script, speaks one form after the other to Backups of each make, each with a VRID of its own. Who
accepts it stays silent; who does not becomes Active. vipd and the bare engine must accept all forms, by multicast and by
unicast, and the engine must count each. What the peers do is printed: it is why the pseudo-header form is the default.
"""
import threading
import time

from vrrp_lab import Failed, Lab, finish, need, until
from vrrp_packet import CHECKSUM_FORMS, GROUP, GROUP_MAC, Advert, ethernet, ipv4
from vrrp_routers import PROGRAMS, Setting
from vrrp_targets import Bare

INTERVAL = 0.1
SPEAKER = "10.9.0.9"
ENGINE_NAMES = ("pseudo", "message", "pseudo group")  # of CHECKSUM_FORMS


class Speaker(threading.Thread):
    """Active of all VRIDs, with priority 200."""

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.socket, self.mac = machine.sender(), machine.mac
        self.form = CHECKSUM_FORMS[0]
        self.to = {}  # VRID -> None (the group), or the machine
        self.ended = False

    def frame(self, vrid, machine):
        destination = machine.address if machine else GROUP[4]
        advert = Advert(3, vrid, 200, round(INTERVAL * 100), ["10.9.0.100"], SPEAKER, destination, form=self.form)
        return ethernet(self.mac, machine.mac if machine else GROUP_MAC[4], ipv4(SPEAKER, destination, advert.bytes()))

    def run(self):
        while not self.ended:
            for vrid, machine in self.to.items():
                self.socket.send(self.frame(vrid, machine))
            time.sleep(INTERVAL)


class Backups:
    def __init__(self, lab):
        self.lab = lab
        self.names, self.engines = {}, {}
        machine = lab.machine("speaker")
        machine.plug(9, f"{SPEAKER}/24")
        self.speaker = Speaker(machine)
        self.speaker.start()

    def add(self, program, unicast):
        vrid = 51 + len(self.names)
        self.names[vrid] = f"{program}, {'unicast' if unicast else 'multicast'}"
        machine = self.lab.machine(f"r{vrid - 50}")
        machine.address = f"10.9.0.{vrid}"
        machine.plug(vrid, f"{machine.address}/24")
        self.speaker.to = {**self.speaker.to, vrid: machine if unicast else None}
        if program == "engine":
            words = ["-", SPEAKER] if unicast else []
            self.engines[vrid] = Bare(machine, vrid, "10.9.0.100", 100, round(INTERVAL * 100), 3, *words)
            return
        words = ("unicast_peer {", f"    {SPEAKER}", "}") if unicast else ()
        PROGRAMS[program](machine, 100, Setting(3, 4, INTERVAL, words=words, vrid=vrid)).start()

    def promoted(self):
        """VRIDs whose router does not accept what it hears."""
        return {a.vrid for a in self.lab.wire.since(time.time() - 3 * INTERVAL) if a.priority == 100}

    def try_form(self, form):
        """Down is 3.6 intervals: after 12 all have decided."""
        counted = {vrid: e.counters() for vrid, e in self.engines.items()}
        self.speaker.form = form
        time.sleep(12 * INTERVAL)
        rejected = self.promoted()
        print(f"{form}:")
        for vrid, name in self.names.items():
            print(f"    {name}: {'rejected' if vrid in rejected else 'accepted'}")
        for vrid, name in self.names.items():
            if vrid in rejected and name.startswith(("vipd", "engine")):
                raise Failed(f"{form}: {name}: should be accepted")
        for vrid, engine in self.engines.items():
            self.check_count(form, self.names[vrid], counted[vrid], engine.counters())
        self.speaker.form = CHECKSUM_FORMS[0]
        until(f"after {form}: all are Backup again: {self.promoted()}", lambda: not self.promoted())

    @staticmethod
    def check_count(form, name, before, now):
        # By multicast the destination is the group: the first and the third form are one.
        index = CHECKSUM_FORMS.index(form) if "unicast" in name else CHECKSUM_FORMS.index(form) % 2
        key = ENGINE_NAMES[index]
        if now["checksums"].get(key, 0) <= before["checksums"].get(key, 0) or now["dropped"] != before["dropped"]:
            raise Failed(f"{form}: {name} did not count it: {before}, then {now}")


def main():
    need()
    with Lab("sum") as lab:
        backups = Backups(lab)
        for program in ("engine", "vipd", "keepalived"):
            backups.add(program, False)
            backups.add(program, True)
        backups.add("frr", False)
        until(lambda: f"all are Backup: {backups.promoted()}", lambda: not backups.promoted())
        for form in CHECKSUM_FORMS:
            backups.try_form(form)
        backups.speaker.ended = True
        backups.speaker.join()


finish(main)
