#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bytes are counted while they move, and once, in proxyd and HAProxy alike:   contstats_twin.py BINARY"""
import threading

from support import Asked, Server, config, echo, main, read_all, read_head, read_n, until

SIZE = 20000
ROWS = ("l/FRONTEND", "l/BACKEND", "l/s")
BODY = """
listen l
    {mode}
    option contstats
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{server}
"""


def counted(p, field):
    return [int(p.row(name, field)[0]) for name in ROWS]


def test_a_connection(binary):
    s = Server(echo)
    with Asked(binary, config(BODY, server=s.port, mode="mode tcp")) as p:
        with p.proxy.connect() as c:
            for n in (1, 2):
                c.sendall(b"x" * SIZE)
                assert len(read_n(c, SIZE)) == SIZE
                until("it is counted", lambda: counted(p, "bin") == counted(p, "bout") == [n * SIZE] * 3)
        until("it is over", lambda: p.row("l/s", "scur") == ["0"])
        assert counted(p, "bin") == counted(p, "bout") == [2 * SIZE] * 3


def test_an_answer(binary):
    go_on = threading.Event()

    def serve(server, c):
        if not read_head(c):
            return
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (2 * SIZE, b"x" * SIZE))
        go_on.wait(30)
        c.sendall(b"x" * SIZE)

    s = Server(serve)
    with Asked(binary, config(BODY, server=s.port, mode="mode http")) as p:
        with p.proxy.connect() as c:
            c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            until("half of it is counted", lambda: min(counted(p, "bout")) >= SIZE)
            go_on.set()
            length = len(read_all(c))
        until("all of it is", lambda: min(counted(p, "bout")) >= 2 * SIZE)
        until("it is over", lambda: p.row("l/s", "scur") == ["0"])
        assert max(counted(p, "bout")) <= length + 100, (counted(p, "bout"), length)  # HAProxy counts its own form of heads


def test_a_tunnel(binary):
    def serve(server, c):
        if read_head(c):
            c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            echo(server, c)

    s = Server(serve)
    with Asked(binary, config(BODY, server=s.port, mode="mode http\n    timeout tunnel 60s")) as p:
        with p.proxy.connect() as c:
            c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            assert read_head(c)
            c.sendall(b"x" * SIZE)
            assert len(read_n(c, SIZE)) == SIZE
            until("it is counted", lambda: min(counted(p, "bin") + counted(p, "bout")) >= SIZE)
        until("it is over", lambda: p.row("l/s", "scur") == ["0"])
        assert max(counted(p, "bin") + counted(p, "bout")) < SIZE + 1000, (counted(p, "bin"), counted(p, "bout"))


if __name__ == "__main__":
    main(globals())
