#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same hostile bytes to proxyd and to HAProxy: what each is answered, what the log says, what the server sees.

    hostile_twin.py BINARY

Where proxyd refuses what HAProxy 2.6 passes on in a reading of its own, the case says so.
"""
import os
import re
import shutil
import socket
import struct
import time

from http_twin import OK, Reader, is_haproxy
from support import Proxy, Server, ask_api, free_port, main, until

CONFIG = """
global
    nbthread 1
    log stdout format raw daemon
    stats socket {socket} level admin
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-server-close
    retries 0
    timeout connect 1s
    timeout client 2s
    timeout server 1200ms
    timeout http-request 1600ms
    timeout http-keep-alive 100ms
frontend other
    bind 127.0.0.1:{other}
    no log
    timeout http-keep-alive 20s
    timeout client 20s
    default_backend others
backend others
    server s 127.0.0.1:{peer}
frontend fe
    bind 127.0.0.1:{port}
    default_backend be
backend be
    server s1 127.0.0.1:{server}
"""


def answering(server, c):
    """Answers each head, and keeps what it saw in server.seen."""
    data = b""
    while True:
        part = c.recv(65536)
        if not part:
            return
        server.seen += part
        data += part
        while b"\r\n\r\n" in data:
            data = data.split(b"\r\n\r\n", 1)[1]
            c.sendall(OK)


class Box:
    """A proxy, its server, and somebody else who is to be served all the time."""

    def __init__(self, binary, serve):
        self.server, self.peer, other = Server(serve), Server(answering), free_port()
        self.server.seen = self.peer.seen = b""
        text = CONFIG.replace("{server}", str(self.server.port)).replace("{peer}", str(self.peer.port))
        self.socket = f"/tmp/proxyd-test.{os.getpid()}.{other}.sock"
        self.proxy = Proxy(binary, text.replace("{other}", str(other)).replace("{socket}", self.socket))
        self.neighbour = self.proxy.connect(other)
        self.reader = Reader(self.neighbour)
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.neighbour.close()
        self.proxy.__exit__(*what)

    def neighbour_is_served(self):
        self.neighbour.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = self.reader.head()
        assert head and head.status == 200 and self.reader.take(2) == b"ok"

    def statuses(self, c):
        """Of all answers until the connection ends."""
        data = b""
        try:
            while True:
                part = c.recv(65536)
                if not part:
                    break
                data += part
        except OSError:
            pass
        return [int(s) for s in re.findall(rb"HTTP/1\.[01] (\d+)", data)]

    def logged(self):
        """The next log line without its beginning: names, times as T, status, termination, the request."""
        found = []

        def there():
            found[:] = re.findall(r"\] fe (\S+ \S+ -?\d+) \d+ - - (\S+) \S+ \S+ (.*)", self.proxy.text()[self.at :])
            return found

        until("a line is logged", there)
        names, state, what = found[0]
        self.at = len(self.proxy.text())
        names = re.sub(r"(?<=[ /])\d+(?=[/ ])", "T", names.rsplit(" ", 1)[0] + " ").strip() + " " + names.rsplit(" ", 1)[1]
        return f"{names} {state} {what}"

    def stat(self, proxy, name, field):
        text = ask_api(self.socket, "show stat")
        rows = [line.split(",") for line in text.lstrip("# ").splitlines() if line]
        return next(int(r[rows[0].index(field)] or 0) for r in rows[1:] if r[:2] == [proxy, name])


def post(fields, body=b""):
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body


def get(fields=b"", target=b"/", version=b"HTTP/1.1", method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\nHost: a\r\n" + fields + b"\r\n"


NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

# ---- Refused by both ----

REFUSED = {
    "lengths that differ": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
    "lengths in a list": post(b"Content-Length: 5, 6\r\n", b"hello"),
    "a signed length": post(b"Content-Length: +5\r\n", b"hello"),
    "a negative length": post(b"Content-Length: -5\r\n", b"hello"),
    "a length in hexadecimal": post(b"Content-Length: 0x5\r\n", b"hello"),
    "an empty length": post(b"Content-Length: \r\n", b"hello"),
    "a length with a tail": post(b"Content-Length: 5a\r\n", b"hello"),
    "a length of 2^63": post(b"Content-Length: 9223372036854775808\r\n", b"hello"),
    "a length beyond 2^64": post(b"Content-Length: 18446744073709551621\r\n", b"hello"),
    "a space behind a name": post(b"Content-Length : 5\r\n", b"hello"),
    "a tab behind a name": post(b"Content-Length\t: 5\r\n", b"hello"),
    "a vertical tab before a length": post(b"Content-Length: \x0b5\r\n", b"hello"),
    "a first field that is folded": b"POST / HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello",
    "another coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "chunked twice": post(CHUNKED * 2, b"0\r\n\r\n"),
    "chunked and then another": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n"),
    "a vertical tab before chunked": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "chunked in quotes": post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"),
    "chunked with parameters": post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n"),
    "chunked with NUL": post(b"Transfer-Encoding: chunked\0\r\n", b"0\r\n\r\n"),
    "chunked with a high byte": post(b"Transfer-Encoding: chunked\xff\r\n", b"0\r\n\r\n"),
    "no coding at all": post(b"Transfer-Encoding: \r\n", b"0\r\n\r\n"),
    "a space before the colon of a coding": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "CR alone before a field": post(b"X: y\rTransfer-Encoding: chunked\r\n"),
    "CR in a value": get(b"X: a\rb\r\n"),
    "CR CR LF": b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "NUL in a name": get(b"X\0: ab\r\n"),
    "NUL in the target": get(target=b"/\0"),
    "an empty name": get(b": x\r\n"),
    "a field without a colon": get(b"foo\r\n"),
    "a control byte in a name": get(b"X\x01: a\r\n"),
    "a high byte in a name": get(b"X\xe9: a\r\n"),
    "no token": get(b"X(: a\r\n"),
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a target of another host": get(target=b"http://b/"),
    "CONNECT to another host": get(target=b"b:80", method=b"CONNECT"),
    "a fragment": get(target=b"/#x"),
    "a control byte in the target": get(target=b"/\x01"),
    "a high byte in the target": get(target=b"/\xe9"),
    "DEL in the target": get(target=b"/\x7f"),
    "a space in the target": get(target=b"/a b"),
    "a tab in the target": get(target=b"/a\tb"),
    "no target": get(target=b""),
    "a space behind the version": get(version=b"HTTP/1.1 "),
    "no method": get(method=b"G{T"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "http in small letters": get(version=b"http/1.1"),
    "HTTP/1.10": get(version=b"HTTP/1.10"),
    "HTTP/1.x": get(version=b"HTTP/1.x"),
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"x" * 60,
    "102 fields": get(b"X: y\r\n" * 101),
    "a target of 20 KiB": get(target=b"/" + b"a" * 20000),
    "a field of 16 KiB": get(b"X: " + b"y" * 16000 + b"\r\n"),
    "a query right behind the host": get(target=b"http://a?b"),
    "the same behind a port": get(target=b"http://a:80?/b"),
}
# What came with the head: HAProxy has not read the request then, proxyd has.
BAD_CHUNKS = {
    "0x before a size": post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a negative size": post(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"),
    "a size beyond 2^64": post(CHUNKED, b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "a size of 2^64 - 1": post(CHUNKED, b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "a space before a size": post(CHUNKED, b" 5\r\nhello\r\n0\r\n\r\n"),
    "LF in an extension": post(CHUNKED, b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "CR in an extension": post(CHUNKED, b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is too long": post(CHUNKED, b"5\r\nhelloXX0\r\n\r\n"),
    "no size": post(CHUNKED, b"\r\nhello\r\n0\r\n\r\n"),
    "a trailer without a colon": post(CHUNKED, b"0\r\nfoo\r\n\r\n"),
}

# ---- Refused by proxyd, passed on by HAProxy 2.6 ----

STRICTER = {
    "equal lengths in a list": post(b"Content-Length: 5, 5\r\n", b"hello"),
    "a length of 2^64": post(b"Content-Length: 18446744073709551616\r\n", b"hello"),  # HAProxy takes it as 0
    "a folded length": post(b" Content-Length: 5\r\n", b"hello"),
    "both lengths": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    "both lengths, the other way": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "a comma before chunked": post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n"),
    "chunked in a folded line": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "chunked behind LF": post(b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunked in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "LF alone": b"GET / HTTP/1.1\nHost: a\n\n",
    "LF in a head": b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "LF before a request": b"\n\n" + get(),
    "NUL in a value": get(b"X: a\0b\r\n"),
    "a folded value": get(b"X: a\r\n b\r\n"),
    "a control byte in a value": get(b"X: a\x01b\r\n"),
    "DEL in a value": get(b"X: a\x7fb\r\n"),
    "one host twice": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "hosts in a list": b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "a user in the host": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a path in the host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a user in the target": b"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
    "a target that is no path": get(target=b"a"),
    "* for GET": get(target=b"*"),
    "two spaces": get(target=b" /"),
    "a tab for a space": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
}
STRICTER_CHUNKS = {
    "LF behind a size": post(CHUNKED, b"5\nhello\r\n0\r\n\r\n"),
    "a space behind a size": post(CHUNKED, b"5 \r\nhello\r\n0\r\n\r\n"),
    "LF behind data": post(CHUNKED, b"5\r\nhello\n0\r\n\r\n"),
    "a length in the trailer": post(CHUNKED, b"0\r\nContent-Length: 5\r\n\r\n"),
    "a folded trailer": post(CHUNKED, b"0\r\nA: b\r\n c\r\n\r\n"),
    "LF behind a trailer": post(CHUNKED, b"0\r\nA: b\n\r\n"),
}

# ---- Passed on by both, in one reading ----

PASSED = {
    "zeros before a length": (post(b"Content-Length: 0005\r\n", b"hello") + NEXT, 2),
    "an underscore": (post(b"Content_Length: 5\r\n") + NEXT, 2),
    "a tab before chunked": (post(b"Transfer-Encoding:\tchunked\r\n", b"0\r\n\r\n") + NEXT, 2),
    "spaces behind chunked": (post(b"Transfer-Encoding: chunked \r\n", b"0\r\n\r\n") + NEXT, 2),
    "chunked in any letters": (post(b"Transfer-Encoding: ChUnKeD\r\n", b"0\r\n\r\n") + NEXT, 2),
    "an extension": (post(CHUNKED, b"5;a=b\r\nhello\r\n0\r\n\r\n") + NEXT, 2),
    "many zeros": (post(CHUNKED, b"000\r\n\r\n") + NEXT, 2),
    "a high byte in a value": (get(b"X: a\xe9b\r\n"), 1),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 1),
    "an empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 1),
    "HTTP/1.0 without a host": (b"GET / HTTP/1.0\r\n\r\n", 1),
    "a target of the same host": (get(target=b"http://a/"), 1),
    "the port that is so anyway": (get(target=b"http://a:80/"), 1),
    "quotes in a target": (get(target=b'/a"b<>^`{|}\\'), 1),
    "* for OPTIONS": (get(target=b"*", method=b"OPTIONS"), 1),
    "a method nobody knows": (get(method=b"FOO"), 1),
    "a method in small letters": (get(method=b"get"), 1),
    "HTTP/1.2": (get(version=b"HTTP/1.2"), 1),
    "empty lines before": (b"\r\n\r\n" + get(), 1),
    "a body of GET": (get(b"Content-Length: 5\r\n") + b"hello" + NEXT, 2),
    "a length that Connection names": (post(b"Connection: Content-Length\r\nContent-Length: 5\r\n", b"hello") + NEXT, 2),
    "a field of 14,000 bytes": (get(b"X: " + b"y" * 14000 + b"\r\n"), 1),
}


def refused(box, cases, line, status=400):
    for name, data in cases.items():
        box.server.seen = b""
        with box.proxy.connect() as c:
            c.sendall(data)
            got = box.statuses(c)
        assert got == [status], (name, got)
        assert not box.server.seen, (name, box.server.seen)
        said = box.logged()
        assert re.fullmatch(line, said), (name, said)
        box.neighbour_is_served()


BADREQ = r"fe/<NOSRV> -1/-1/-1/-1/T %d PR-- \"<BADREQ>\""


def test_what_is_ambiguous_is_refused(binary):
    with Box(binary, answering) as box:
        refused(box, REFUSED, BADREQ % 400)
        refused(box, BAD_CHUNKS, BADREQ % 400)
        n = len(REFUSED) + len(BAD_CHUNKS)
        if not is_haproxy(binary):
            refused(box, STRICTER, BADREQ % 400)
            refused(box, STRICTER_CHUNKS, BADREQ % 400)
            refused(box, {"HTTP/2.0": get(version=b"HTTP/2.0"), "HTTP/9.9": get(version=b"HTTP/9.9")}, BADREQ % 505, 505)
            n += len(STRICTER) + len(STRICTER_CHUNKS) + 2
        assert box.stat("fe", "FRONTEND", "ereq") == n, (box.stat("fe", "FRONTEND", "ereq"), n)
        assert box.stat("fe", "FRONTEND", "hrsp_4xx") + box.stat("fe", "FRONTEND", "hrsp_5xx") == n
        assert box.stat("be", "BACKEND", "eresp") == 0


def test_what_is_clear_passes(binary):
    with Box(binary, answering) as box:
        for name, (data, n) in PASSED.items():
            box.server.seen = b""
            with box.proxy.connect() as c:
                c.sendall(data)
                got = box.statuses(c)
            assert got == [200] * n, (name, got)
            # the second request was no part of the first one's body
            assert box.server.seen.count(b"GET /next ") == n - 1, (name, box.server.seen)
        assert box.stat("fe", "FRONTEND", "ereq") == 0


def test_no_tunnel_for_http2(binary):
    """h2c: requests within a tunnel would pass all rules. HAProxy 2.6 lets it pass."""
    if is_haproxy(binary):
        return
    with Box(binary, answering) as box, box.proxy.connect() as c:
        c.sendall(get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"))
        assert box.statuses(c) == [200]
        assert b"pgrade:" not in box.server.seen, box.server.seen


# ---- In time: who says what when ----

HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 10\r\n\r\n"
POST = post(b"Content-Length: 10\r\n")
GET = get()
FULL = r".(?:GET|POST) / HTTP/1.1."
ANSWERED, BROKEN = r"be/s1 T/T/T/T/T 200 %s " + FULL, r"be/s1 T/T/T/-1/T %d %s " + FULL

# name: (what the client does, what the server does, statuses, log line). A number is a pause.
PLAYS = {
    "a bad chunk, later": ([post(CHUNKED), 0.1, b"5\r\nhelloXX"], [0.8], [400], BROKEN % (400, "PH--")),
    "a bad chunk behind the answer": ([post(CHUNKED), b"5\r\nhello\r\n", 0.2, b"zz\r\n"], [0.05, OK, 0.3], [200], None),
    "FIN within a head": ([b"GET / HTTP/1.1\r\nHo", "fin"], [], [400], r"fe/<NOSRV> -1/-1/-1/-1/T 400 CR-- .<BADREQ>."),
    "a reset within a head": ([b"GET / HTTP/1.1\r\nHo", 0.05, "rst"], [], [], r"fe/<NOSRV> -1/-1/-1/-1/T 400 CR-- .<BADREQ>."),
    "a head that does not end": ([b"GET / HT"], [], [408], r"fe/<NOSRV> -1/-1/-1/-1/T 408 cR-- .<BADREQ>."),
    "FIN within a body": ([POST, b"abc", 0.05, "fin"], [0.8], [], BROKEN % (-1, "CD--")),
    "a reset within a body": ([POST, b"abc", 0.05, "rst"], [0.8], [], BROKEN % (-1, "CD--")),
    "FIN behind a request": ([GET, "fin"], [0.1, OK], [200], ANSWERED % "----"),
    "a reset within the answer": ([GET, 0.1, "rst"], [HEAD + b"Content-Length: 100000000\r\n\r\n", b"x" * 3000000, 0.3, b"x" * 1000000], [], ANSWERED % "CD--"),
    "no answer": ([GET], ["fin"], [502], BROKEN % (502, "SH--")),
    "a reset for an answer": ([GET], ["rst"], [502], BROKEN % (502, "SH--")),
    "silence": ([GET], [1.8], [504], BROKEN % (504, "sH--")),
    "half a head": ([GET], [HEAD + b"X:"], [502], BROKEN % (502, "SH--")),
    "half a head and silence": ([GET], [HEAD + b"X:", 1.8], [504], BROKEN % (504, "sH--")),
    "a head line by line": ([GET], [HEAD, 0.7, b"X: y\r\n", 0.7, OK[17:]], [504], BROKEN % (504, "sH--")),
    "half a head and a reset": ([GET], [HEAD + b"X:", 0.05, "rst"], [502], BROKEN % (502, "SH--")),
    "a body that is too short": ([GET], [LENGTH + b"abc"], [200], ANSWERED % "SD--"),
    "a body and a reset": ([GET], [LENGTH + b"abc", 0.05, "rst"], [200], ANSWERED % "SD--"),
    "a body and silence": ([GET], [LENGTH + b"abc", 1.8], [200], ANSWERED % "sD--"),
    "a body that is too long": ([GET], [OK + b"EXTRA"], [200], ANSWERED % "----"),
    "an answer nobody asked for": ([GET, 0.05, GET], [OK + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", 0.3], [200, 200], ANSWERED % "----"),
    "a bad chunk of the server": ([GET], [HEAD + CHUNKED + b"\r\n2\r\nok\r\n", 0.1, b"zz\r\n", 0.1], [200], ANSWERED % "[SP]D--"),
    "chunks without an end": ([GET], [HEAD + CHUNKED + b"\r\n2\r\nok\r\n", 0.1], [200], ANSWERED % "SD--"),
    "the connection's end as the body's": ([GET], [HEAD + b"\r\nabc"], [200], ANSWERED % "----"),
    "lengths of an answer that differ": ([GET], [HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"], [502], BROKEN % (502, "PH--")),
    "a negative length of an answer": ([GET], [HEAD + b"Content-Length: -2\r\n\r\nok"], [502], BROKEN % (502, "PH--")),
    "a coding of an answer": ([GET], [HEAD + b"Transfer-Encoding: gzip\r\n\r\nok"], [502], BROKEN % (502, "PH--")),
    "a space in the name of an answer's field": ([GET], [HEAD + b"X Y: z\r\n\r\n"], [502], BROKEN % (502, "PH--")),
    "no HTTP": ([GET], [b"hello\r\n\r\n"], [502], BROKEN % (502, "PH--")),
    "the banner of SSH": ([GET], [b"SSH-2.0-OpenSSH_9\r\n", 0.1], [502], BROKEN % (502, "PH--")),
    "a head of 20 KiB": ([GET], [HEAD + b"X: " + b"y" * 20000 + b"\r\n\r\n"], [502], BROKEN % (502, "PH--")),
    "a head without an end": ([GET], [HEAD] + [b"X: y\r\n" * 1000] * 10, [502], BROKEN % (502, "PH--")),
    "101 that nobody asked for": ([GET], [b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc"], [502], BROKEN % (502, "PH--")),
    "interim answers": ([GET], [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK], [103, 200], ANSWERED % "----"),
    "many interim answers": ([GET], [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 1000 + OK], [103] * 1000 + [200], ANSWERED % "----"),
    "an interim answer in time": ([GET], [0.7, b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 0.7, OK], [103, 200], ANSWERED % "----"),
    "a head behind the close": (
        [GET, 0.05, GET], [HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 0.02, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"],
        [200, 200], ANSWERED % "----"),
    "an answer before the body": ([POST, 0.1, b"0123456789"], [OK, 0.2], [200], ANSWERED % "----"),
    "both lengths of an answer": ([GET], [HEAD + b"Content-Length: 2\r\n" + CHUNKED + b"\r\n0\r\n\r\n"], [200], ANSWERED % "----"),
    "LF for an answer's lines": ([GET], [b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"], [200], ANSWERED % "----"),
    "a folded line of an answer": ([GET], [HEAD + b"X: y\r\n z\r\nContent-Length: 2\r\n\r\nok"], [200], ANSWERED % "----"),
}
OURS = {  # HAProxy passes these on
    "interim answers without an end": ([GET], [b"HTTP/1.1 100 Continue\r\n\r\n" * 10001 + OK], None, BROKEN % (502, "PH--")),
    "NUL in an answer": ([GET], [HEAD + b"X: y\0\r\nContent-Length: 2\r\n\r\nok"], [502], BROKEN % (502, "PH--")),
    "status 099": ([GET], [b"HTTP/1.1 099 OK\r\n\r\n"], [502], BROKEN % (502, "PH--")),
    "status 1000": ([GET], [b"HTTP/1.1 1000 OK\r\n\r\n"], [502], BROKEN % (502, "PH--")),
    "an answer in HTTP/2.0": ([GET], [b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], [502], BROKEN % (502, "PH--")),
}


def play(c, script):
    for act in script:
        if isinstance(act, float):
            time.sleep(act)
        elif act == "fin":
            c.shutdown(socket.SHUT_WR)
        elif act == "rst":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c.close()
        else:
            c.sendall(act)


def test_who_lies_or_leaves_is_named(binary):
    script = []

    def serve(_, c):
        if Reader(c).head():
            play(c, script)

    with Box(binary, serve) as box:
        before = box.stat("be", "BACKEND", "eresp")
        for name, (client, server, statuses, line) in [*PLAYS.items(), *([] if is_haproxy(binary) else OURS.items())]:
            script[:] = server
            with box.proxy.connect() as c:
                try:
                    play(c, client)
                except OSError:
                    pass
                got = box.statuses(c) if c.fileno() >= 0 else []
            assert statuses is None or got == statuses, (name, got)
            said = box.logged()
            assert line is None or re.fullmatch(line, said), (name, said)
            if got[1:]:
                time.sleep(0.05)
                box.at = len(box.proxy.text())
            box.neighbour_is_served()
        assert box.stat("be", "BACKEND", "eresp") - before >= 15
        assert box.stat("fe", "FRONTEND", "ereq") == 4 if not is_haproxy(binary) else True
        assert box.stat("be", "BACKEND", "cli_abrt") >= 3 and box.stat("be", "BACKEND", "srv_abrt") >= 4


# ---- PROXY headers ----

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ADDRESSES = struct.pack("!4s4sHH", b"\x01\x02\x03\x04", b"\x05\x06\x07\x08", 1000, 80)
LINE = b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n"


def v2(command=0x21, family=0x11, body=ADDRESSES, length=None):
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body) if length is None else length) + body


GREETINGS = {  # each is followed by a request
    LINE: "1.2.3.4", b"PROXY TCP6 ::1 ::2 1000 80\r\n": "::1", b"PROXY UNKNOWN\r\n": "127.0.0.1",
    v2(): "1.2.3.4", v2(command=0x20): "127.0.0.1", v2(command=0x20, family=0, body=b""): "127.0.0.1",
    v2(body=ADDRESSES + b"\x02\0\x03abc"): "1.2.3.4",
    v2(body=ADDRESSES + b"\x04" + struct.pack("!H", 1900) + b"\0" * 1900): "1.2.3.4",
    v2(body=ADDRESSES + b"\x03\0\x04" + bytes.fromhex("ae5bd574")): None,  # a checksum that is wrong
    b"": None, LINE.replace(b"\r", b""): None, LINE.lower(): None,
    LINE.replace(b" 80", b""): None, LINE.replace(b" 80", b" 80 90"): None, LINE.replace(b" 80", b" -1"): None,
    LINE.replace(b"TCP4 ", b"TCP4  "): None, LINE.replace(b"TCP4", b"TCP5"): None, LINE.replace(b"TCP4", b"TCP6"): None,
    LINE.replace(b".4 ", b".4\0 "): None, b"PROXY\r\n": None, b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n": None,
    v2(body=b"\1\2\3"): None, v2(command=0x11): None, v2(command=0x31): None, v2(command=0x22): None, v2(command=0x2F): None,
    v2(body=ADDRESSES + b"\x02\xff\xffabc"): None, v2(body=ADDRESSES + b"\x02\0"): None, v2(length=65535): None,
    SIGNATURE[:-1] + b"X" + v2()[12:]: None,
}
GREETINGS_OURS = {LINE.replace(b"1.2.3.4", b"1.2.3.400"): None, LINE.replace(b" 80", b" 70000"): None}  # HAProxy 2.6 takes them modulo


def test_proxy_headers(binary):
    for mode in ("http", "tcp"):
        from_whom = []

        def serve(_, c):
            head = Reader(c).head()
            from_whom.append(head and head.get("x-forwarded-for"))
            c.sendall(OK)

        server = Server(serve)
        log = f"option {mode}log\n    option dontlognull\n    " + ("option forwardfor" if mode == "http" else "")
        text = CONFIG[: CONFIG.index("frontend other")].replace("option httplog\n    option dontlognull", log).replace("mode http", "mode " + mode)
        text = text.replace("option http-server-close", "").replace("    stats socket {socket} level admin\n", "")
        text += "frontend fe\n    bind 127.0.0.1:{port} accept-proxy name edge\n    default_backend be\nbackend be\n    server s 127.0.0.1:%d\n" % server.port
        with Proxy(binary, text) as p:
            cases = {**GREETINGS, **({} if is_haproxy(binary) else GREETINGS_OURS)}
            for greeting, client in cases.items():
                at = len(p.text())
                from_whom.clear()
                with p.connect() as c:
                    c.sendall(greeting + get(b"Connection: close\r\n"))
                    try:
                        got = Reader(c).head()
                    except OSError as e:
                        got = e
                if client:
                    assert got and got.status == 200 and from_whom == [client if mode == "http" else None], (mode, greeting, from_whom)
                else:
                    assert isinstance(got, ConnectionResetError) and not from_whom, (mode, greeting, got)
                    until(f"the log says why: {mode} {greeting}", lambda: re.search(r" fe/edge: (?:Received|Truncated) .*PROXY protocol header", p.text()[at:]))
            # a header that does not come, or not all of it; and a client that says nothing, which dontlognull keeps from the log
            at = len(p.text())
            for part in (b"PROXY TC", SIGNATURE[:5], b""):
                with p.connect() as c:
                    c.sendall(part)
                    try:
                        assert not c.recv(1)
                    except OSError:
                        pass
            until("two lines", lambda: p.text()[at:].count("fe/edge: Truncated PROXY protocol header received") == 2)


# ---- Nothing left to give ----


def has_thread_sanitizer(binary):
    with open(shutil.which(binary), "rb") as f:
        return b"__tsan_init" in f.read()


def test_descriptors_and_memory_run_out(binary):
    """Who has a connection is served on; who comes waits or is refused; when some leave all is well again."""
    limits = [dict(limit=60), dict(args=["-m", "40"])]
    if has_thread_sanitizer(binary):
        print("    memory: skipped, the thread sanitizer needs more")
        limits.pop()
    for limit in limits:
        server = Server(answering)
        server.seen = b""
        text = CONFIG[: CONFIG.index("frontend other")].replace("    stats socket {socket} level admin\n", "").replace("1600ms", "9s").replace("1200ms", "9s")
        text = text.replace("    nbthread 1\n", "    nbthread 1\n    maxconn 20\n") if is_haproxy(binary) else text
        text += "frontend fe\n    bind 127.0.0.1:{port}\n    default_backend be\nbackend be\n    server s 127.0.0.1:%d\n" % server.port
        with Proxy(binary, text, **limit) as p:
            c, r = p.connect(), None
            r = Reader(c)

            def served():
                c.sendall(get())
                return r.head().status == 200 and r.take(2) == b"ok"

            assert served()
            crowd = []
            for _ in range(150):
                try:
                    s = p.connect(timeout=0.5)
                    s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 8000)
                    crowd.append(s)
                except OSError:
                    break
            time.sleep(0.1)
            cpu = p.cpu_seconds()
            time.sleep(0.3)
            assert p.cpu_seconds() - cpu < 0.15, "it spins"
            for s in crowd:
                s.close()
            c.close()

            def again():
                try:
                    with p.connect(timeout=1) as s:
                        s.sendall(get(b"Connection: close\r\n"))
                        head = Reader(s).head()
                        return head is not None and head.status == 200
                except OSError:
                    return False

            until("it serves again", again)
            assert p.process.poll() is None


if __name__ == "__main__":
    main(globals())
