#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bandwidth limits. Debian's HAProxy is older than they are, so it is no twin here:   bandwidth.py BINARY"""
import re
import threading
import time

from support import Proxy, Server, config, main, read_all, read_head, read_n

SIZE = 200_000
BODY = bytes(i * 7 & 255 for i in range(SIZE))
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
EACH = "default-limit 100000 default-period 1s"
LISTEN = """
listen l
    {mode}
    bind 127.0.0.1:{port}
    {lines}
    server s 127.0.0.1:{server}
"""


def listen(server, mode, *lines):
    return config(LISTEN, mode="mode " + mode, lines="\n    ".join(lines), server=server.port)


def download(server, c):
    head = read_head(c)
    if b"GET /chunks" in head:
        c.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, SIZE, 50_000):
            c.sendall(b"%x\r\n%s\r\n" % (50_000, BODY[at:at + 50_000]))
        c.sendall(b"0\r\n\r\n")
    elif head:
        c.sendall(OK + b"Content-Length: %d\r\n\r\n" % SIZE + BODY)


def upload(server, c):
    head = read_head(c)
    if head:
        body = head.split(b"\r\n\r\n", 1)[1]
        body += read_n(c, SIZE - len(body))
        c.sendall(OK + b"Content-Length: 4\r\n\r\n" + (b"good" if body == BODY else b"bad!"))


def plain(server, c):
    """Mode tcp: gets all, then gives all."""
    if read_n(c, SIZE) == BODY:
        c.sendall(BODY)


def get(p, path="/x"):
    with p.connect(timeout=60) as c:
        c.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % path.encode())
        return read_all(c).split(b"\r\n\r\n", 1)[1]


def timed(what):
    began = time.monotonic()
    return what(), time.monotonic() - began


def test_downloads(binary):
    """The server's timeout is shorter than a period: nobody waits for it meanwhile."""
    lines = (f"filter bwlim-out down {EACH} min-size 1000", "timeout server 700ms", "timeout client 700ms",
             "http-request set-var(txn.path) path",
             "http-response set-bandwidth-limit down if { var(txn.path) -m str /x }",
             "http-request set-bandwidth-limit down limit 50k period 300ms if { path /chunks }",
             "http-response set-bandwidth-limit down limit int(70000) period int(500) if { var(txn.path) -m str /fetched }")
    with Proxy(binary, listen(Server(download), "http", *lines)) as p:
        for path in "/x", "/fetched":
            cpu = p.cpu_seconds()
            body, took = timed(lambda: get(p, path))
            assert body == BODY, (path, len(body))
            assert took > 0.9, (path, took)
            assert p.cpu_seconds() - cpu < took / 2  # it waits, and does nothing
        body, took = timed(lambda: get(p, "/chunks"))
        assert body.endswith(b"\r\n0\r\n\r\n") and len(body) > SIZE and took > 0.8, (len(body), took)
        assert get(p, "/free") == BODY


def test_no_limit_without_a_rule(binary):
    with Proxy(binary, listen(Server(download), "http", "filter bwlim-out down default-limit 10 default-period 10s")) as p:
        assert get(p) == BODY  # else it takes two days


def test_uploads(binary):
    with Proxy(binary, listen(Server(upload), "http", f"filter bwlim-in up {EACH}", "http-request set-bandwidth-limit up")) as p:
        with p.connect(timeout=60) as c:
            began = time.monotonic()
            c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % SIZE + BODY)
            answer = read_all(c)
        assert answer.endswith(b"good"), answer
        assert time.monotonic() - began > 0.9


def test_uploads_that_rest_first(binary):
    """A rule waits for the body, or for a time, before or behind the one that limits: all of it comes, and no faster than it may."""
    for rules in (("wait-for-body time 5s at-least 4000", "set-bandwidth-limit up"), ("set-bandwidth-limit up", "wait-for-body time 5s at-least 4000"),
                  ("set-bandwidth-limit up", "pause 300ms"), ("pause 300ms", "wait-for-body time 5s", "set-bandwidth-limit up", "pause 200ms")):
        lines = ("filter bwlim-in up default-limit 150000 default-period 500ms", *("http-request " + r for r in rules))
        with Proxy(binary, listen(Server(upload), "http", *lines)) as p, p.connect(timeout=60) as c:
            began = time.monotonic()
            c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % SIZE)
            for at in range(0, SIZE, 50_000):
                c.sendall(BODY[at:at + 50_000])
                time.sleep(0.01)
            answer = read_all(c)
            assert answer.endswith(b"good"), (rules, answer)
            assert time.monotonic() - began > 0.4, rules


def post(p, body):
    with p.connect(timeout=60) as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return read_all(c)


def take(server, c):
    """Any body."""
    head, body = read_head(c).split(b"\r\n\r\n", 1)
    size = int(re.search(rb"Content-Length: (\d+)", head)[1])
    read_n(c, size - len(body))
    c.sendall(OK + b"Content-Length: 0\r\n\r\n")


def test_what_comes_with_a_head_counts(binary):
    """Not held back itself, it leaves the less for what follows: of one request, and of the next under one key."""
    lines = ("filter bwlim-in up default-limit 16000 default-period 1s", "http-request set-bandwidth-limit up")
    with Proxy(binary, listen(Server(take), "http", *lines)) as p:
        answer, took = timed(lambda: post(p, BODY[:31_000]))
        assert answer.startswith(OK) and took > 0.9, took
    lines = ("stick-table type ip size 100 expire 10m store bytes_in_rate(2s)", "filter bwlim-in all limit 18000 key src",
             "http-request set-bandwidth-limit all")
    with Proxy(binary, listen(Server(take), "http", *lines)) as p:
        post(p, BODY[:14_000])  # in one piece
        answer, took = timed(lambda: post(p, BODY[:18_000]))
        assert answer.startswith(OK) and took > 0.5, took


def test_mode_tcp(binary):
    lines = (f"filter bwlim-in up {EACH}", f"filter bwlim-out down {EACH}", "timeout client 700ms", "timeout server 700ms",
             "tcp-request content set-bandwidth-limit up", "tcp-response content set-bandwidth-limit down")
    with Proxy(binary, listen(Server(plain), "tcp", *lines)) as p, p.connect(timeout=60) as c:
        began = time.monotonic()
        c.sendall(BODY)
        body = read_all(c)
        assert body == BODY, len(body)
        assert time.monotonic() - began > 1.8


def test_shared(binary):
    """Two at once have one limit: 400 kB at 200 kB/s."""
    lines = ("stick-table type ip size 100 expire 10m store bytes_out_rate(200ms)", "filter bwlim-out all limit 40000 key src",
             "http-response set-bandwidth-limit all")
    with Proxy(binary, listen(Server(download), "http", *lines)) as p:
        bodies = []
        threads = [threading.Thread(target=lambda: bodies.append(get(p))) for _ in range(2)]
        began = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert bodies == [BODY, BODY], [len(b) for b in bodies]
        assert time.monotonic() - began > 1.8


if __name__ == "__main__":
    main(globals())
