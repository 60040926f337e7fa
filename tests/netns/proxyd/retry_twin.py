#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is asked again, by retry-on, in proxyd and in HAProxy:   retry_twin.py BINARY

The server spoils its first answers; the line of the log says how often it was asked again, and how it ended.
"""
import os
import re
import socket
import tempfile
import time

from http_twin import OK, Web, ask, get
from support import Asked, Proxy, main, read_all, until

TEXT = """
global
    nbthread 1
    log stdout format raw daemon
defaults
    mode http
    log global
    option httplog
    timeout connect 300ms
    timeout client 5s
    timeout server 1s
    retries 2
frontend fe
    bind 127.0.0.1:{port}
    option http-buffer-request
    default_backend be
backend be
"""
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


def late(head, body):
    time.sleep(2)
    return OK


def spoiled(bad, times):
    """A server whose first answers are `bad`: bytes, None to close without one, or a function."""
    web = Web()
    web.answer = lambda h, b: OK if len(web.requests) > times else bad(h, b) if callable(bad) else bad
    return web


def outcome(binary, lines, web, request=None):
    """Status, body, how often the server was asked, flags and retries of the log."""
    body = "".join(f"    {line}\n" for line in lines) + "    server s 127.0.0.1:%d\n" % web.port
    with Proxy(binary, TEXT + body) as p:
        head, answer = ask(p, request or get())
        until("it is logged", lambda: " be/s " in p.text() or " be/<NOSRV> " in p.text())
        m = re.search(r" be/\S+ \S+ (\S+) \d+ - - (\S\S)\S\S \d+/\d+/\d+/\d+/(\+?\d+) ", p.text())
    assert head.status == int(m[1]), (head.line, p.text())
    return head.status, answer, len(web.requests), m[2], m[3]


def expect(binary, lines, web, want, request=None):
    got = outcome(binary, lines, web, request)
    assert got == want, (lines, got, want)


AGAIN = (200, b"ok", 2, "--", "1")


def test_an_empty_answer(binary):
    expect(binary, ["retry-on empty-response"], spoiled(None, 1), AGAIN)
    expect(binary, ["retry-on all-retryable-errors"], spoiled(None, 1), AGAIN)
    assert outcome(binary, ["retry-on empty-response"], spoiled(None, 9))[2:] == (3, "SH", "2")
    for lines in ([], ["retry-on none"], ["retry-on conn-failure junk-response 503"]):
        assert outcome(binary, lines, spoiled(None, 1))[2:] == (1, "SH", "0"), lines


def test_a_junk_answer(binary):
    """What is no HTTP, and what ends in the middle of its head."""

    junk = b"\x15\x03\x01 this is no HTTP\r\n\r\n"
    expect(binary, ["retry-on junk-response"], spoiled(junk, 1), AGAIN)
    for lines, asked, retries in ((["retry-on empty-response"], 1, "0"), (["retry-on junk-response"], 3, "2")):
        got = outcome(binary, lines, spoiled(junk, 9))
        assert got[0] == 502 and got[2:] == (asked, "PH", retries), (lines, got)
    half = b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Half: "
    expect(binary, ["retry-on empty-response junk-response"], spoiled(half, 1), AGAIN)


def test_an_answer_too_late(binary):
    expect(binary, ["retry-on response-timeout"], spoiled(late, 1), AGAIN)
    assert outcome(binary, ["retry-on empty-response"], spoiled(late, 9))[0] == 504


def test_a_status(binary):
    expect(binary, ["retry-on 503"], spoiled(BUSY, 1), AGAIN)
    expect(binary, ["retry-on 401 404 503"], spoiled(BUSY, 2), (200, b"ok", 3, "--", "2"))
    expect(binary, ["retry-on 503"], spoiled(BUSY, 9), (503, b"busy", 3, "--", "2"))
    expect(binary, ["retry-on 502 504"], spoiled(BUSY, 1), (503, b"busy", 1, "--", "0"))
    expect(binary, ["retry-on 503", "retries 0"], spoiled(BUSY, 1), (503, b"busy", 1, "--", "0"))
    expect(binary, ["retry-on all-retryable-errors"], spoiled(BUSY, 1), AGAIN)


def test_a_post_with_its_body(binary):
    web = spoiled(BUSY, 1)
    expect(binary, ["retry-on 503"], web, AGAIN, POST)
    assert web.bodies == [b"hello", b"hello"], web.bodies
    web = spoiled(None, 1)
    expect(binary, ["retry-on empty-response"], web, AGAIN, POST)
    assert web.bodies == [b"hello", b"hello"], web.bodies


def test_not_when_a_rule_says_so(binary):
    lines = ["retry-on 503", "http-request disable-l7-retry if METH_POST"]
    expect(binary, lines, spoiled(BUSY, 1), AGAIN)
    expect(binary, lines, spoiled(BUSY, 1), (503, b"busy", 1, "--", "0"), POST)


def test_a_connection_that_fails(binary):
    for lines, retries in ((["retries 1"], "1"), (["retries 1", "retry-on conn-failure"], "1"), (["retry-on 503"], "0"), (["retry-on none"], "0")):
        web = Web()
        web.stop()
        got = outcome(binary, lines, web)
        assert (got[0], got[3], got[4]) == (503, "SC", retries), (lines, got)


def test_where_no_way_goes_there_is_no_rest(binary):
    """
    The second between tries is for servers. Nine of them would be more than this client's patience. What never left is no
    session of the server's.
    """
    head = TEXT[: TEXT.index("frontend")].replace("timeout connect 300ms", "timeout connect 5s")
    listen = "listen l\n    bind 127.0.0.1:{port}\n    mode %s\n    option %slog\n    retries 9\n    server s %s\n"
    with tempfile.TemporaryDirectory() as folder:
        nobody = os.path.join(folder, "nobody")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(nobody)
        for mode in ("http", "tcp"):
            for server in ("192.0.2.1:80", "unix@" + nobody):
                with Asked(binary, head + listen % (mode, mode, server)) as a, a.proxy.connect(timeout=6) as c:
                    c.sendall(get("/", "Connection: close"))
                    answer = read_all(c)
                    assert answer.startswith(b"HTTP/1.1 503 ") if mode == "http" else answer == b"", answer
                    until("it is logged", lambda: re.search(r" l/s .* SC(--)? 1/1/0/0/9 0/0", a.proxy.text()))
                    assert a.row("l/s", "stot", "connect", "econ", "lastsess") == ["0", "10", "1", "-1"]


def test_redispatch_without_another_server(binary):
    """Who is given the same one again has only tried once more."""
    for lines in (["option redispatch"], ["option redispatch 1"]):
        web = Web()
        web.stop()
        got = outcome(binary, lines, web)
        assert (got[0], got[3], got[4]) == (503, "SC", "2"), (lines, got)


def test_redispatch_asks_another_server(binary):
    """When, and that the cookie then names the server that answered."""
    sticky = ["Cookie: S=bad"]
    for redispatch, balance, fields, asked, end in (
        ("option redispatch 1", "roundrobin", [], 1, "good NI +1"),
        ("option redispatch 1", "source", sticky, 1, "good DI +1"),
        ("option redispatch", "roundrobin", [], 1, "good NI +1"),
        ("option redispatch", "source", sticky, 2, "good DI +2"),
        ("option redispatch", "leastconn", [], 1, "good NI +1"),
        ("option redispatch", "first", [], 1, "good NI +1"),
        ("no option redispatch", "roundrobin", [], 3, "bad NI 2"),
        ("no option redispatch", "source", sticky, 3, "bad VN 2"),
    ):
        bad, good = spoiled(BUSY, 99), Web()
        body = f"    retry-on 503\n    balance {balance}\n    cookie S insert\n    {redispatch}\n"
        body += "".join(f"    server {n} 127.0.0.1:{s.port} cookie {n}\n" for n, s in (("bad", bad), ("good", good)))
        with Proxy(binary, TEXT + body) as p:
            head, _ = ask(p, get("/", *fields))
            until("it is logged", lambda: " be/" in p.text())
            m = re.search(r" be/(\w+) .* --(\S\S) \d+/\d+/\d+/\d+/(\S+) ", p.text())
        assert (" ".join(m.groups()), len(bad.requests)) == (end, asked), (redispatch, balance, p.text())
        assert head.status == (200 if "good" in end else 503), head.line
        if "good" in end:
            assert head["set-cookie"].startswith("S=good"), head


def test_redispatch_from_a_server_that_none_would_pick(binary):
    """The only one that is up is another one than a cookie's; backups all are, or the first alone."""
    for cookie, lines, status in (
        ("b", ["server a {up} cookie a", "server b {down} cookie b weight 0"], 200),
        ("b", ["server a {up} cookie a", "server b {down} cookie b backup"], 200),
        ("b", ["server a {up} cookie a backup", "server b {down} cookie b backup"], 200),
        ("", ["option allbackups", "server a {down} backup", "server b {up} backup"], 200),
        ("", ["server a {down} backup", "server b {up} backup"], 503),
        ("", ["server a {down}", "server b {up} backup"], 503),
    ):
        up, down = Web(), Web()
        down.stop()
        body = "    retries 1\n    option redispatch\n    cookie S insert\n" + "".join(
            f"    {line}\n" for line in lines
        ).format(up=f"127.0.0.1:{up.port}", down=f"127.0.0.1:{down.port}")
        with Proxy(binary, TEXT + body) as p:
            head, _ = ask(p, get("/", f"Cookie: S={cookie}"))
        assert head.status == status, (lines, head.line)


if __name__ == "__main__":
    main(globals())
