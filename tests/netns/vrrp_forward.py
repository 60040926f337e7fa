#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""R5 (RFC 9568 section 5.1.1.2): a router must not forward a packet to 224.0.0.18, whatever its TTL. Nothing of Hawser
forwards; this holds the kernel to it, at the worst: a router with multicast routes for everything. Another group is
forwarded, so the routes are right; adverts are not."""
import ctypes
import os
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC = 200, 202, 204
VIFF_USE_IFINDEX = 8
LAN, OTHER = "lan0", "wan0"          # the router's interfaces; the other ends are lan1, wan1
SOURCE = "10.9.0.2"


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def network():
    """Two cables in a namespace of our own; all ends are here, told apart by their sockets."""
    if os.getuid() or ctypes.CDLL(None).unshare(CLONE_NEWNET):
        skip("needs root to make a network namespace")
    for name in (LAN, OTHER):
        ip("link", "add", name, "type", "veth", "peer", "name", name[:-1] + "1")
        for end in (name, name[:-1] + "1"):
            ip("link", "set", end, "up")
    ip("addr", "add", "10.9.0.1/24", "dev", LAN)
    ip("addr", "add", "10.8.0.1/24", "dev", OTHER)
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
        f.write("1")
    for name in ("all", LAN):
        with open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w", encoding="ascii") as f:
            f.write("0")


def routes(groups):
    """A multicast route for each group, from LAN to OTHER."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
    try:
        s.setsockopt(socket.IPPROTO_IP, MRT_INIT, 1)
    except OSError as e:
        skip(f"this kernel has no multicast routing ({e.strerror})")
    for vif, name in enumerate((LAN, OTHER)):
        s.setsockopt(socket.IPPROTO_IP, MRT_ADD_VIF, struct.pack(
            "@HBBIiI", vif, VIFF_USE_IFINDEX, 1, 0, socket.if_nametoindex(name), 0))
    for group in groups:
        ttls = bytes([0, 1]).ljust(32, b"\0")
        s.setsockopt(socket.IPPROTO_IP, MRT_ADD_MFC, struct.pack(
            "@4s4sH32sxxIIIi", socket.inet_aton(SOURCE), socket.inet_aton(group), 0, ttls, 0, 0, 0, 0))
    return s


def frame(group):
    payload = bytes.fromhex("3133640100640000") + socket.inet_aton("10.9.0.100")
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xc0, 20 + len(payload), 1, 0, 255, 112, 0,
                       socket.inet_aton(SOURCE), socket.inet_aton(group))
    total = sum(struct.unpack("!10H", head))
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    head = head[:10] + struct.pack("!H", total) + head[12:]
    mac = bytes([1, 0, 0x5e]) + bytes([socket.inet_aton(group)[1] & 0x7f]) + socket.inet_aton(group)[2:]
    return mac + bytes.fromhex("020000000002") + b"\x08\x00" + head + payload


def packet_socket(name, protocol):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
    s.bind((name, protocol))
    s.settimeout(0.5)
    return s


def forwarded(listener, group):
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            got = listener.recv(2048)
        except TimeoutError:
            return False
        if got[23] == 112 and got[30:34] == socket.inet_aton(group):
            return True
    return False


def main():
    network()
    groups = ("239.1.1.1", "224.0.0.18")
    router = routes(groups)
    sender, listener = packet_socket("lan1", 0), packet_socket("wan1", 0x0800)
    got = {}
    for group in groups:
        sender.send(frame(group))
        got[group] = forwarded(listener, group)
        print(f"R5: {group}: {'forwarded' if got[group] else 'not forwarded'}")
    router.close()
    sys.exit(0 if got == {"239.1.1.1": True, "224.0.0.18": False} else 1)


main()
