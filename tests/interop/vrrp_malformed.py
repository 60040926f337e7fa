#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vrrp_malformed.py engine|vipd: everything wrong that a neighbour can send, to an Active and its Backup on a real LAN.

After each packet: neither state has changed, and exactly the expected counter has moved by one. All the while the Active
speaks as often as ever, and when it falls silent no rejected packet keeps the Backup from taking over. The packets with
what is expected of them are `catalogue` below; floods come at the end.
"""
import random
import sys
import time

from vrrp_lab import Failed, Lab, finish, need, until
from vrrp_packet import CHECKSUM_FORMS, GROUP, GROUP_MAC, Advert, ethernet, ipv4, ipv6
from vrrp_targets import INTERVAL_CS, ROUTERS, TARGETS, advert

STRANGER = {4: "10.9.0.9", 6: "fe80::9"}
ACTIVE, BACKUP = 1, 2
ACCEPTED, NOTHING = "accepted", "nothing"  # else the name of the counter


class Probe:
    """A packet and what each of the two has to make of it."""

    def __init__(self, row, what, expect, message, vrid=51, on_backup=None, **ip):
        self.row, self.what, self.vrid, self.ip = row, what, vrid, ip
        self.expect = {ACTIVE: expect, BACKUP: on_backup or expect}
        self.message = message  # an Advert, or bytes

    def frame(self, sender_mac):
        ip = dict(self.ip)
        family = ROUTERS[self.vrid][1]
        advert_source = self.message.source if isinstance(self.message, Advert) else STRANGER[family]
        source, destination = ip.pop("source", advert_source), ip.pop("destination", GROUP[family])
        mac = ip.pop("mac", GROUP_MAC[family])
        data = self.message.bytes() if isinstance(self.message, Advert) else self.message
        packet = (ipv4 if family == 4 else ipv6)(source, destination, data, **ip)
        return ethernet(sender_mac, mac, packet)


def right(router, **changes):
    return advert(router, **{"source": STRANGER[ROUTERS[router][1]], **changes})


def both_families(vrid):
    """Rows that hold for each kind of router. Numbers are those of the catalogue in tests/unit/libha/vrrp/test_wire.c."""
    vip = ROUTERS[vrid][2]
    other = "10.9.0.77" if ROUTERS[vrid][1] == 4 else "fe80::77"
    version = ROUTERS[vrid][0]
    size = len(right(vrid).bytes())

    def probe(row, what, expect, **changes):
        return Probe(row, what, expect, right(vrid, **changes), vrid)
    yield probe(0, "a right one of lower priority", ACCEPTED)
    for wrong in (0, 1, 4, 15, 5 - version):
        yield probe(1, f"version {wrong}", "version", version=wrong)
    for kind in (0, 2, 15):
        yield probe(6, f"type {kind}", "type", kind=kind)
    for nobody in (99, 0):
        yield probe(9, f"VRID {nobody}", NOTHING, vrid=nobody)
    for ttl in (254, 1, 0):
        yield Probe(11, f"TTL {ttl}", "ttl", right(vrid), vrid, ttl=ttl)
    for csum in (0, 0xffff, 0x1234):
        yield probe(14, f"checksum {csum:#x}", "checksum", csum=csum)
    yield probe(20, "cut to 1 byte", NOTHING, cut=1)  # no VRID in it: the link counts it
    for cut in (4, 7, 8, size - 1):
        yield probe(20, f"cut to {cut} bytes", "length", cut=cut)
    yield probe(25, "no address", "length", addresses=[])
    yield probe(26, "an address, but count 0", "length", count=0)
    yield probe(27, "count one too high", "length", count=2)
    yield probe(28, "count 255", "length", count=255)
    yield probe(29, "4 bytes after the message", "length", tail=b"\0\0\0\0")
    yield probe(30, "another address", "address list" if version == 2 else ACCEPTED, addresses=[other])
    yield probe(31, "one address more", "address list" if version == 2 else ACCEPTED, addresses=[vip, other])
    yield probe(62, "priority 1", ACCEPTED, priority=1)


def version3(vrid):
    for reserved in (1, 8, 15):
        yield Probe(37, f"reserved bits {reserved:#x}", ACCEPTED, right(vrid, reserved=reserved), vrid)
    for other in (1, 100, 4095):
        yield Probe(38, f"interval {other} cs", ACCEPTED, right(vrid, interval=other), vrid)
    yield Probe(36, "interval 0", "advert interval", right(vrid, interval=0), vrid)


def version3_ipv4():
    yield from version3(51)
    yield Probe(17, "checksum of the message only", ACCEPTED, right(51, form=CHECKSUM_FORMS[1]))
    for address in ("0.0.0.0", "255.255.255.255", "224.0.0.5"):
        yield Probe(33, f"address {address}", ACCEPTED, right(51, addresses=[address]))
    yield Probe(48, "an authentication header in front", NOTHING, b"\x70\4\0\0" + bytes(20) + right(51).bytes(), protocol=51)
    yield Probe(50, "another group", NOTHING, right(51), destination="224.0.0.19", mac="01:00:5e:00:00:13")
    # The kernel keeps its own addresses and impossible ones from coming in.
    yield Probe(53, "the Active's own source", NOTHING, right(51, source="10.9.0.1"), on_backup=ACCEPTED)
    yield Probe(57, "source multicast", NOTHING, right(51), source="224.0.0.18")
    yield Probe(54, "source 0.0.0.0", "source address", right(51, source="0.0.0.0"))
    yield Probe(58, "IPv4 options", ACCEPTED, right(51), options=b"\1\1\1\0")
    yield Probe(59, "more fragments", NOTHING, right(51), more_fragments=True)
    yield Probe(60, "IPv4 length short", "length", right(51), length=28)


def version2():
    def probe(row, what, expect, **changes):
        return Probe(row, what, expect, right(52, **changes), 52)
    yield probe(19, "a pseudo-header in the checksum", "checksum", form=CHECKSUM_FORMS[2])
    for other in (0, 2):
        yield probe(40, f"interval {other} s", "advert interval", interval=other)
    for kind, expect in ((1, "auth mismatch"), (2, "auth mismatch"), (3, "auth type"), (255, "auth type")):
        yield probe(42, f"authentication type {kind}", expect, auth_type=kind)
    yield probe(46, "authentication data missing", "length", cut=len(right(52).bytes()) - 8)
    yield probe(47, "authentication data beside type 0", ACCEPTED, auth_data=b"whatever")


def version3_ipv6():
    yield from version3(53)
    yield Probe(53, "the Active's own source", "own address", right(53, source="fe80::1"), 53, on_backup=ACCEPTED)
    yield Probe(54, "source ::", "source address", right(53, source="::"), 53)
    yield Probe(55, "source is the virtual address", "source address", right(53, source="fe80::100"), 53)
    yield Probe(56, "source global", "source address", right(53, source="fd09::9"), 53)


def unicast(machines):
    """To one of the two; the other hears nothing. Both have only each other as peers."""
    for number, machine in machines.items():
        own, peer = f"10.9.0.{number}", f"10.9.0.{3 - number}"

        def probe(row, what, expect, message, vrid=54, number=number, own=own, mac=machine.mac):
            p = Probe(row, f"{what} (to {own})", NOTHING, message, vrid, destination=own, mac=mac)
            p.expect[number] = expect
            return p
        yield probe(49, "unicast to a multicast router", "destination address", right(51, destination=own), vrid=51)
        yield probe(51, "unicast of a stranger", "source address", right(54, destination=own))
        yield probe(0, "unicast of the peer", ACCEPTED, advert(54, peer, destination=own))
        yield probe(18, "unicast, but the checksum is for the group", ACCEPTED,
                    advert(54, peer, destination=own, form=CHECKSUM_FORMS[2]))
        yield probe(17, "unicast, checksum of the message only", ACCEPTED,
                    advert(54, peer, destination=own, form=CHECKSUM_FORMS[1]))
        yield probe(14, "unicast, wrong checksum", "checksum", advert(54, peer, destination=own, csum=0x1234))
    yield Probe(49, "multicast to a unicast router", "source address", right(54), 54)


def catalogue(machines):
    for vrid in (51, 52, 53):
        yield from both_families(vrid)
    yield from version3_ipv4()
    yield from version2()
    yield from version3_ipv6()
    yield from unicast(machines)


class Prober:
    def __init__(self, lab, kind):
        self.lab = lab
        self.machines, self.targets = {}, {}
        for number, priority in ((ACTIVE, 200), (BACKUP, 100)):
            machine = lab.machine(f"r{number}")
            machine.plug(number, f"10.9.0.{number}/24")
            self.machines[number] = machine
            self.targets[number] = TARGETS[kind](machine, number, priority)
        self.stranger = lab.machine("stranger")
        self.stranger.plug(9)
        self.socket = self.stranger.sender()

    def send(self, frame):
        self.socket.send(frame)

    def counters(self, vrid):
        return {number: target.counters(vrid) for number, target in self.targets.items()}

    def settle(self):
        for vrid in ROUTERS:
            until(lambda v=vrid: f"VRID {v}: the first is Active, the second Backup: {self.counters(v)}",
                  lambda v=vrid: [c["state"] for c in self.counters(v).values()] == ["active", "backup"])

    def mark(self, vrid):
        """A cut message at the end of what was sent: when both have counted it, they have seen all before it."""
        for number, machine in self.machines.items():
            where = {"destination": f"10.9.0.{number}", "mac": machine.mac} if ROUTERS[vrid][3] else {}
            source = f"10.9.0.{3 - number}" if ROUTERS[vrid][3] else STRANGER[ROUTERS[vrid][1]]
            self.send(Probe(0, "mark", "length", advert(vrid, source, cut=7), vrid, **where).frame(self.stranger.mac))
            if not ROUTERS[vrid][3]:
                break

    def after(self, vrid, before):
        """The counters once both have seen the mark."""
        self.mark(vrid)
        now = {}
        for number, target in self.targets.items():
            marks = before[number]["dropped"].get("length", 0) + 1

            def seen(number=number, target=target, marks=marks):
                now[number] = target.counters(vrid)
                return now[number]["dropped"].get("length", 0) >= marks
            until(f"VRID {vrid}: {self.machines[number].name} did not see the mark", seen)
            now[number]["dropped"]["length"] -= 1
        return now

    def shoot(self, probe):
        before = self.counters(probe.vrid)
        self.send(probe.frame(self.stranger.mac))
        now = self.after(probe.vrid, before)
        for number, target in self.targets.items():
            self.judge(probe, number, target, before[number], now[number])

    def judge(self, probe, number, target, before, now):
        expect = probe.expect[number]
        where = f"row {probe.row}, VRID {probe.vrid}, {probe.what}, to {self.machines[number].name}"
        for name in ("state", "became_active", "priority_zero"):
            if before[name] != now[name]:
                raise Failed(f"{where}: {name} was {before[name]} and is {now[name]}")
        moved = {name: now["dropped"].get(name, 0) - before["dropped"].get(name, 0)
                 for name in set(before["dropped"]) | set(now["dropped"])}
        moved = {name: n for name, n in moved.items() if n}
        wanted = {expect: 1} if expect in moved or target.knows(expect) else {}
        if moved != wanted:
            raise Failed(f"{where}: counted as {moved}, should be {wanted}")
        heard = now["accepted"] - before["accepted"]
        # A Backup hears its Active, too.
        if heard < (expect == ACCEPTED) or number == ACTIVE and heard > (expect == ACCEPTED):
            raise Failed(f"{where}: {heard} adverts were accepted, should be {int(expect == ACCEPTED)}")

    def adverts(self, vrid, begin):
        return sum(a.priority == 200 for a in self.lab.wire.since(begin, vrid))


def beats(vrid, seconds):
    return seconds / (1.0 if ROUTERS[vrid][0] == 2 else INTERVAL_CS / 100)


def keeps_its_beat(prober, what, begin, answers):
    """R71, I8: half of what is due is far more than a starved timer gives, and no more than that and the answers left."""
    seconds = time.time() - begin
    for vrid in (51, 52, 53):
        due, n = beats(vrid, seconds), prober.adverts(vrid, begin)
        if not due / 2 - 1 <= n <= due + answers[vrid] + 2:
            raise Failed(f"{what}, VRID {vrid}: {n} adverts of the Active in {seconds:.1f} s; "
                         f"{due:.0f} were due, {answers[vrid]} answers")
    return seconds


def all_rows(prober):
    begin, answers, n = time.time(), dict.fromkeys(ROUTERS, 0), 0
    for probe in catalogue(prober.machines):
        prober.shoot(probe)
        answers[probe.vrid] += probe.expect[ACTIVE] == ACCEPTED
        n += 1
    seconds = keeps_its_beat(prober, "the catalogue", begin, answers)
    print(f"catalogue: {n} packets to both, each counted where it belongs; {seconds:.1f} s", flush=True)


def flood(prober, row, what, n, message, vrid, pause=0.0):
    """n packets as fast as they go; how many answers the Active gave at most."""
    before, begin = prober.counters(vrid), time.time()
    for i in range(n):
        prober.send(message(i).frame(prober.stranger.mac))
        if pause:
            time.sleep(pause)
    lasted = time.time() - begin
    # The queue of the socket is finite, so marks may be lost, too: until one comes through.
    until(f"row {row}, {what}: the mark was seen", lambda: settled(prober, vrid))
    seconds = time.time() - begin
    for number, now in prober.counters(vrid).items():
        if now["state"] != before[number]["state"] or now["became_active"] != before[number]["became_active"]:
            raise Failed(f"row {row}, {what}: {prober.machines[number].name} was {before[number]} and is {now}")
    sent, due = prober.adverts(vrid, begin), beats(vrid, seconds)
    # One answer in 10 ms at most (R76, R72), beside what is due.
    if not due / 2 - 1 <= sent <= due + seconds * 100 + 2:
        raise Failed(f"row {row}, {what}: {sent} adverts of the Active in {seconds:.1f} s")
    print(f"row {row}: {what}: {n} packets in {lasted:.2f} s, read after {seconds:.2f} s, {sent} adverts meanwhile", flush=True)


def settled(prober, vrid):
    before = prober.counters(vrid)
    prober.mark(vrid)
    time.sleep(0.05)
    return all(now["dropped"].get("length", 0) > before[number]["dropped"].get("length", 0)
               for number, now in prober.counters(vrid).items())


def floods(prober):
    seed = random.Random(9568)

    def wrong_checksum(_):
        return Probe(64, "", "checksum", right(51, csum=0x1234))

    def foreign(i):
        return Probe(65, "", NOTHING, right(51, vrid=100 + i % 150))

    def garbage(_):
        data = bytearray(seed.randbytes(seed.choice((2, 7, 8, 12, 16, 20, 64, 1240, 1480))))
        data[1] = 51
        return Probe(66, "", NOTHING, bytes(data))

    def resigned(_):
        return Probe(61, "", ACCEPTED, right(51, priority=0))
    flood(prober, 64, "wrong checksums at ten times the rate", 100, wrong_checksum, 51, INTERVAL_CS / 1000)
    flood(prober, 65, "adverts of other VRIDs", 10000, foreign, 51)
    flood(prober, 66, "random bytes", 2000, garbage, 51)
    flood(prober, 61, "priority 0 of a stranger", 2000, resigned, 51)


def takeover(prober):
    """I7: rejected packets stop no timer. The Active is cut off while they go on at ten times its rate."""
    prober.machines[ACTIVE].cut()
    wrong = {vrid: Probe(64, "", "checksum", right(vrid, csum=0x1234)).frame(prober.stranger.mac) for vrid in (51, 52)}
    wrong[53] = Probe(64, "", "checksum", right(53, csum=0x1234), 53).frame(prober.stranger.mac)
    begin, missing = time.time(), set(wrong)
    while missing:
        for frame in wrong.values():
            prober.send(frame)
        missing -= {a.vrid for a in prober.lab.wire.since(begin) if a.priority == 100}
        if time.time() - begin > 30:
            raise Failed(f"rejected packets keep the Backup from taking over: VRID {sorted(missing)}")
        time.sleep(INTERVAL_CS / 1000)
    print("row 64: the Backup took over under rejected packets")
    prober.machines[ACTIVE].heal()
    prober.settle()


def second_owner(prober):
    """Row 63, erratum 8298: priority 255 of another is elected as any higher one, and forgotten when it is gone."""
    before = prober.counters(51)
    prober.send(Probe(63, "", ACCEPTED, right(51, priority=255)).frame(prober.stranger.mac))
    until("row 63: the Active yields to priority 255", lambda: prober.counters(51)[ACTIVE]["state"] == "backup")
    until("row 63: it comes back when nobody speaks", lambda: prober.counters(51)[ACTIVE]["state"] == "active")
    now = prober.counters(51)
    if now[ACTIVE]["became_active"] != before[ACTIVE]["became_active"] + 1:
        raise Failed(f"row 63: became Active more than once: {now[ACTIVE]}")
    print("row 63: priority 255 was elected, and forgotten")



def told(prober, begin):
    """R35: a daemon says who sent what, and for how many thousand packets ever it does so once a minute and router."""
    minutes = int((time.time() - begin) / 60) + 1
    for number, target in prober.targets.items():
        lines = target.warnings()
        for vrid in ROUTERS:
            n = sum(f"({vrid}) dropped an advert of " in line for line in lines)
            if not 1 <= n <= minutes:
                raise Failed(f"{prober.machines[number].name}, VRID {vrid}: {n} lines about dropped adverts in {minutes} min")
    print(f"R35: dropped adverts were told, at most {minutes} times for each router")


def main():
    need()
    begin = time.time()
    with Lab("mal") as lab:
        prober = Prober(lab, sys.argv[1])
        prober.settle()
        all_rows(prober)
        floods(prober)
        takeover(prober)
        second_owner(prober)
        if sys.argv[1] == "vipd":
            told(prober, begin)


finish(main)
