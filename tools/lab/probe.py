# SPDX-License-Identifier: MIT
"""Probes an address every few milliseconds and measures the longest time nobody answered.

probe.py http|icmp ADDRESS INTERVAL_MS FILE [SOURCE]   until SIGTERM; FILE gets one line per probe: sent answered|- what
probe.py gap FILE SINCE                                longest gap around and after SINCE, in seconds

http: a TCP connection of its own per probe, GET /, `what` is the page. icmp: `what` is the TTL of the reply.
A probe gives up before TCP's first retransmission (1 s): an answer belongs to the moment it was sent.
"""
import asyncio
import os
import signal
import socket
import struct
import sys
import time

GIVE_UP = 0.5


async def http(address, source):
    where = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(address, 80, local_addr=where)
    try:
        writer.write(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % address.encode())
        reply = await reader.read(65536)
        while more := await reader.read(65536):
            reply += more
    finally:
        writer.transport.abort()
    if not reply.startswith(b"HTTP/1.1 200"):
        raise OSError("not the page")
    return reply.split(b"\r\n\r\n", 1)[1].decode().strip()


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Icmp:
    """One raw socket; replies find their probe by the sequence number."""

    def __init__(self, address, source):
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.raw.setblocking(False)
        if source:
            self.raw.bind((source, 0))
        self.address, self.ident, self.sequence, self.open = address, os.getpid() & 0xFFFF, 0, {}
        asyncio.get_running_loop().add_reader(self.raw, self.receive)

    def receive(self):
        packet = self.raw.recv(2048)
        head = (packet[0] & 15) * 4
        kind, _, _, ident, sequence = struct.unpack_from("!BBHHH", packet, head)
        waiter = self.open.get(sequence)
        if kind == 0 and ident == self.ident and waiter and not waiter.done():
            waiter.set_result("ttl%d" % packet[8])

    async def probe(self):
        self.sequence = sequence = (self.sequence + 1) & 0xFFFF
        head = struct.pack("!BBHHH", 8, 0, 0, self.ident, sequence)
        head = struct.pack("!BBHHH", 8, 0, checksum(head), self.ident, sequence)
        self.open[sequence] = asyncio.get_running_loop().create_future()
        try:
            self.raw.sendto(head, (self.address, 0))
            return await self.open[sequence]
        finally:
            del self.open[sequence]


async def run(kind, address, interval, path, source=None):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    icmp = Icmp(address, source) if kind == "icmp" else None

    async def one(out):
        sent = time.time()
        try:
            what = await asyncio.wait_for(icmp.probe() if icmp else http(address, source), GIVE_UP)
            out.write("%.6f %.6f %s\n" % (sent, time.time(), what))
        except (OSError, asyncio.TimeoutError) as error:
            out.write("%.6f - %s\n" % (sent, error or "no answer"))

    with open(path, "w", buffering=1, encoding="utf-8") as out:
        probes, turn = set(), time.monotonic()
        while not stop.is_set():
            task = asyncio.create_task(one(out))
            probes.add(task)
            task.add_done_callback(probes.discard)
            turn += interval
            await asyncio.sleep(max(0, turn - time.monotonic()))
        await asyncio.gather(*probes)


def gap(path, since):
    with open(path, encoding="utf-8") as lines:
        probes = sorted((float(sent), answered != "-") for sent, answered in (line.split()[:2] for line in lines))
    answered = [sent for sent, ok in probes if ok]
    before = [sent for sent in answered if sent <= since]
    points = before[-1:] + [sent for sent in answered if sent > since] + [probes[-1][0]]
    if not before:
        sys.exit("nothing answered before %.6f" % since)
    print("%.3f" % max(b - a for a, b in zip(points, points[1:])))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "gap":
        gap(sys.argv[2], float(sys.argv[3]))
    elif len(sys.argv) in (5, 6) and sys.argv[1] in ("http", "icmp"):
        asyncio.run(run(sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000, *sys.argv[4:]))
    else:
        sys.exit(__doc__)
