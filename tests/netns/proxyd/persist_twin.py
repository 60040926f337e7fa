#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which server a client gets by what it says of itself, in proxyd and HAProxy alike:   persist_twin.py BINARY"""
import re
import socket
import struct
import sys
import threading
import time

from support import Proxy, Server, config, free_port, read_all, run, until


def http_named(name):
    def serve(server, c):
        data = b""
        while b"\r\n\r\n" not in data:
            part = c.recv(65536)
            if not part:
                return
            data += part
        server.counted()
        c.sendall(b"HTTP/1.1 200 OK\r\nX-Name: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % name.encode())

    return serve


def get(p, path="/", *fields):
    with p.connect() as s:
        s.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]).encode())
        answer = read_all(s).decode("latin-1")
    name = re.search(r"(?i)\r\nx-name: (\w+)", answer)
    return name.group(1) if name else answer.split(" ")[1]


HTTP = "defaults\n    mode http\n    timeout connect 500ms\n    timeout client 5s\n    timeout server 5s\n    timeout queue 5s\n"

HASH = HTTP + """
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    balance hash req.hdr(x-key),lower
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b} weight 2
    server c 127.0.0.1:{c}
"""


def test_an_expression_is_hashed(binary):
    servers = {n: Server(http_named(n)) for n in "abc"}
    with Proxy(binary, config(HASH, **{n: s.port for n, s in servers.items()})) as p:
        got = "".join(get(p, "/", f"X-Key: Key{i}") for i in range(24))
        assert got == "bbcabbcabbbcabbcabbcbbca", got
        assert len({get(p, "/", "X-Key: SAME" if i % 2 else "X-Key: same") for i in range(6)}) == 1
        assert len({get(p) for _ in range(8)}) == 3  # without a key they take turns


RDP = """
frontend f
    mode tcp
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 2s
    tcp-request content accept if RDP_COOKIE
    default_backend b
backend b
    mode tcp
    balance rdp-cookie
    persist rdp-cookie
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
    server c 127.0.0.1:{c}
"""


def rdp(cookie):
    """A connection request of RDP (X.224) with a cookie."""
    text = b"Cookie: " + cookie + b"\r\n"
    return struct.pack("!BBHBBHHB", 3, 0, 11 + len(text), 6 + len(text), 0xE0, 0, 0, 0) + text


def test_a_cookie_of_rdp_is_followed(binary):
    def serve(name):
        def answer(server, c):
            if c.recv(4096):
                c.sendall(name.encode())

        return answer

    servers = {n: Server(serve(n)) for n in "abc"}
    with Proxy(binary, config(RDP, **{n: s.port for n, s in servers.items()})) as p:
        def ask(cookie):
            with p.connect() as s:
                s.sendall(rdp(cookie)[:9])
                time.sleep(0.02)
                s.sendall(rdp(cookie)[9:])
                return read_all(s).decode()

        address = struct.unpack("<I", socket.inet_aton("127.0.0.1"))[0]
        for name, server in servers.items():
            port = struct.unpack("<H", struct.pack("!H", server.port))[0]
            assert ask(b"msts=%d.%d.0000" % (address, port)) == name
        same = {ask(b"mstshash=someone") for _ in range(4)}
        assert len(same) == 1, same
        assert len({ask(b"mstshash=user%d" % i) for i in range(24)}) == 3
        got = "".join(ask(b"mstshash=user%d" % i) for i in range(12))
        assert got == "cabcabcabcca", got


if __name__ == "__main__":
    tests = [f for n, f in sorted(globals().items()) if n.startswith("test_")]
    sys.exit(run(tests, sys.argv[1]))
