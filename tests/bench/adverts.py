#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a capture of VRRP adverts says about a takeover.

    adverts.py takeover FILE OLD NEW SINCE      ms from the last advert of OLD to the first of NEW after SINCE
    adverts.py settled FILE WINNER COUNT SINCE  s after SINCE from which on COUNT routers have WINNER as their only speaker
    adverts.py usurped FILE SOURCE SINCE        how many times SOURCE began to speak, and its adverts, after SINCE
    adverts.py gap FILE SOURCE SINCE            longest ms between two adverts of SOURCE

FILE is a pcap of Ethernet; OLD, NEW, WINNER, SOURCE are IPv4 addresses; SINCE is seconds since the epoch.
"""
import socket
import struct
import sys


def adverts(path):
    """(seconds, source, VRID, priority) of each VRRP packet over IPv4."""
    with open(path, "rb") as f:
        head = f.read(24)
        order = "<" if head[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        unit = 1e-9 if head[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e-6
        while len(record := f.read(16)) == 16:
            seconds, fraction, caught, _ = struct.unpack(order + "IIII", record)
            frame = f.read(caught)
            if len(frame) < 38 or frame[12:14] != b"\x08\x00" or frame[23] != 112:
                continue
            at = 14 + (frame[14] & 15) * 4
            yield seconds + fraction * unit, socket.inet_ntoa(frame[26:30]), frame[at + 1], frame[at + 2]


def takeover(path, old, new, since):
    last = None
    for when, source, _, _ in adverts(path):
        if when > since and source == new:
            return f"{(when - last) * 1e3:.3f}" if last else "-"
        if source == old:
            last = when
    return "-"


def settled(path, winner, count, since):
    first, wrong = {}, {}
    for when, source, vrid, _ in adverts(path):
        if source == winner:
            first.setdefault(vrid, when)
        else:
            wrong[vrid] = when
    if len(first) < int(count):
        return "-"
    return f"{max(max(first.values()), max(wrong.values(), default=0)) - since:.2f}"


def usurped(path, source, since):
    # Who was silent for half a second and speaks has begun anew.
    last, begun, n = 0, 0, 0
    for when, who, _, priority in adverts(path):
        if who != source or when < since or not priority:
            continue
        n += 1
        begun += when - last > 0.5
        last = when
    return f"{begun} {n}"


def gap(path, source, since):
    last, longest = None, 0.0
    for when, who, _, _ in adverts(path):
        if who != source or when < since:
            continue
        longest = max(longest, when - last if last else 0)
        last = when
    return f"{longest * 1e3:.1f}"


if __name__ == "__main__":
    word, capture, *args = sys.argv[1:]
    print({"takeover": takeover, "settled": settled, "usurped": usurped, "gap": gap}[word](capture, *args[:-1], float(args[-1])))
