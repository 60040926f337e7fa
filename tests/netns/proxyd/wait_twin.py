#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Requests that wait for their body, clients that do not wait, and other targets, in proxyd and HAProxy alike:   wait_twin.py BINARY"""
import re
import socket
import sys
import threading
import time

from http_twin import Web
from support import Asked, Proxy, Server, config, main, read_all, read_head, read_message, until


def config_of(body, **more):
    return config("defaults\n    mode http\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n" + body, **more)


class Pieces(Server):
    """Answers a request that ends with END, and keeps each piece of it as it came."""

    def __init__(self):
        self.got = []
        super().__init__(Pieces.answer)

    def answer(self, c):
        data = b""
        while not data.endswith(b"END"):
            piece = c.recv(65536)
            if not piece:
                return
            self.got.append(piece)
            data += piece
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


BODY = """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    http-request set-header X-Before yes
    http-request set-var(req.n) int(1)
    http-request wait-for-body time 2s if { path /wait }
    http-request wait-for-body time 2s at-least 4 if { path /least }
    http-request set-var(req.n) var(req.n),add(1)
    http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-before)] %[var(req.n)] %[req.body] %[req.body_len]" if { path /wait /least }
    use_backend buffer if { path /buffer }
    default_backend late
backend buffer
    option http-buffer-request
    server s 127.0.0.1:{server}
backend late
    http-request wait-for-body time 2s if { path /late }
    http-request set-header X-Len %[req.body_len]
    server s 127.0.0.1:{server}
"""


def post(p, path, *pieces, length=None, fields=b"", gap=0.05):
    with p.connect() as c:
        size = sum(len(x) for x in pieces) if length is None else length
        framing = b"" if b"chunked" in fields else b"Content-Length: %d\r\n" % size
        c.sendall(b"POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s\r\n" % (path.encode(), framing, fields))
        for piece in pieces:
            time.sleep(gap)
            c.sendall(piece)
        return read_all(c).decode("latin-1")


def test_a_rule_waits_for_the_body(binary):
    s = Pieces()
    with Proxy(binary, config_of(BODY, server=s.port)) as p:
        answer = post(p, "/wait", b"a" * 10, b"bcEND")
        assert answer.endswith("\r\n\r\nyes 2 " + "a" * 10 + "bcEND 15"), answer
        assert post(p, "/least", b"a" * 10, length=20).endswith(" " + "a" * 10 + " 10")
        answer = post(p, "/wait", b"a" * 10, length=20)
        assert answer.startswith("HTTP/1.1 408 "), answer
        answer = post(p, "/wait", b"a" * 10, fields=b"Expect: 100-continue\r\n")
        assert answer.startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), answer
        answer = post(p, "/wait", b"3\r\nabc\r\n", b"2;x\r\nde\r\n", b"0\r\n\r\n", fields=b"Transfer-Encoding: chunked\r\n")
        assert answer.endswith("\r\n\r\nyes 2 abcde 5"), answer
        answer = post(p, "/wait", b"3\r\nabc\r\n", b"zz\r\n", fields=b"Transfer-Encoding: chunked\r\n")
        assert answer.startswith("HTTP/1.1 400 "), answer
        until("all is logged", lambda: p.text().count("POST") == 6)
        states = re.findall(r" ([-\d]+)/-1/-1/-1/\d+ (\d+) \d+ - - (....)", p.text())
        assert [x[2] for x in states] == ["LR--", "LR--", "cR--", "LR--", "LR--", "PR--"], states
        assert int(states[0][0]) >= 90 and states[2][0] == "-1", states


def test_a_server_gets_it_in_one(binary):
    s = Pieces()
    with Proxy(binary, config_of(BODY, server=s.port)) as p:
        for path in ("/buffer", "/late"):
            assert post(p, path, b"a" * 1000, b"b" * 1000, b"END").endswith("ok")
            assert len(s.got) == 1, (path, [len(x) for x in s.got])
            s.got.clear()
        with p.connect() as c:
            c.sendall(b"POST /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1003\r\n\r\n" + b"a" * 1000)
            until("the server has what came first", lambda: s.got)
            c.sendall(b"END")
            assert read_all(c).endswith(b"ok")
        s.got.clear()
        # what does not fit goes on when the buffer is full
        assert post(p, "/buffer", b"a" * 15000, b"b" * 15000, b"END").endswith("ok")
        assert len(b"".join(s.got).split(b"\r\n\r\n")[1]) == 30003
        s.got.clear()
        assert post(p, "/late", b"a" * 100, b"END").endswith("ok")
        assert b"x-len: 103" in s.got[0].lower(), s.got


def test_who_waits_for_a_word_has_it_here(binary):
    """Also when the body came along; the server is not asked for one. Where there is no body nobody waits."""
    web = Web()
    with Proxy(binary, config_of(BODY, server=web.port)) as p:
        for path, fields, body, told in (
            ("/buffer", "Content-Length: 3", "abc", True), ("/late", "Content-Length: 3", "abc", True),
            ("/buffer", "Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", True), ("/now", "Content-Length: 3", "abc", False),
            ("/buffer", "Content-Length: 0", "", False), ("/buffer", "X: y", "", False),
        ):
            with p.connect() as c:
                c.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\n{fields}\r\n\r\n{body}".encode())
                answer = read_all(c)
            assert answer.count(b"HTTP/1.1 200 ") == 1, answer
            assert (answer.count(b"HTTP/1.1 100 "), "expect" in web.requests[-1]) == (told, not told), (path, fields, answer)


def test_keep_alive_behind_a_body(binary):
    s = Pieces()
    with Proxy(binary, config_of(BODY, server=s.port)) as p, p.connect() as c:
        c.sendall(b"POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(0.05)
        c.sendall(b"cdPOST /wait HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nef")
        bodies = re.findall(rb"yes 2 (\w+) \d", read_all(c))
        assert bodies == [b"abcd", b"ef"], bodies


ABORT = """
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    timeout queue 5s
    option abortonclose
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    default_backend b
backend b
    server s 127.0.0.1:{server} maxconn 1
"""


def test_a_client_that_closes_is_no_request(binary):
    release = threading.Event()
    ended = []

    def serve(server, c):
        server.counted()
        if b"/wait" in c.recv(65536):
            c.settimeout(5)
            try:
                ended.append(c.recv(1))
            except OSError as e:
                ended.append(e)
            return
        release.wait(5)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    s = Server(serve)
    with Asked(binary, config(ABORT, server=s.port)) as asked:
        p = asked.proxy
        with p.connect() as first:
            first.sendall(b"GET /first HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            until("the server has one", lambda: s.count == 1)
            with p.connect() as c:
                c.sendall(b"GET /queued HTTP/1.1\r\nHost: h\r\n\r\n")
                until("it waits", lambda: asked.row("b/BACKEND", "qcur") == ["1"])
                c.shutdown(socket.SHUT_WR)
                assert read_all(c) == b""
            release.set()
            assert read_all(first).endswith(b"ok")
        with p.connect() as c:
            c.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            until("the server has it", lambda: s.count == 2)
            c.shutdown(socket.SHUT_WR)
            assert read_all(c).startswith(b"HTTP/1.1 400 ")
        until("the server is left", lambda: ended)
        until("all is logged", lambda: p.text().count('"GET') == 3)
        states = re.findall(r" (\d+) \d+ - - (....)", p.text().replace(" -1 0 - -", " 0 0 - -"))
        assert sorted(states) == [("0", "CQ--"), ("200", "----"), ("400", "CH--")], states


# HAProxy 2.6 counts the server's timeout from the end of the client's on.
TIMEOUT = """
frontend f
    timeout client 1s
    bind 127.0.0.1:{port}
    default_backend b
backend b
    http-request set-timeout server 200ms if { path /short }
    http-request set-timeout server req.hdr(x-ms),mul(1) if { path /asked }
    http-request set-timeout tunnel 200ms if { path /tunnel }
    server s 127.0.0.1:{server}
"""


def test_a_rule_sets_a_timeout(binary):
    def serve(server, c):
        if b"/tunnel" in c.recv(65536):
            c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello")
        while c.recv(65536):
            pass

    s = Server(serve)
    with Proxy(binary, config_of(TIMEOUT, server=s.port)) as p:
        for path, fields in (("/short", b""), ("/asked", b"X-Ms: 200\r\n")):
            began = time.monotonic()
            with p.connect() as c:
                c.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n" % (path.encode(), fields))
                assert read_all(c).startswith(b"HTTP/1.1 504 ")
            assert 0.15 < time.monotonic() - began < 5, path
        began = time.monotonic()
        with p.connect() as c:
            c.sendall(b"GET /tunnel HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            assert read_all(c).endswith(b"hello")
        assert 0.15 < time.monotonic() - began < 5


NORMALIZERS = {
    "percent-decode-unreserved": [("/%41%2d%2F%7e?%61=%26", "/A-%2F~?a=%26"), ("/%zz%41", "/%zzA")],
    "percent-decode-unreserved strict": [("/%41", "/A"), ("/%zz", 400)],
    "percent-to-uppercase": [("/%ab%2f?x=%aF", "/%AB%2F?x=%AF"), ("/%zz", "/%zz")],
    "percent-to-uppercase strict": [("/%ab", "/%AB"), ("/a%", 400)],
    "path-merge-slashes": [("/a//b///c?x=//", "/a/b/c?x=//"), ("//a", "/a")],
    "path-strip-dot": [("/a/./b/.", "/a/b/"), ("/./a", "/a"), ("/a/.x/..", "/a/.x/.."), ("/.", "/")],
    "path-strip-dotdot": [
        ("/a/../b", "/b"), ("/a/b/..", "/a/"), ("/../a", "/../a"), ("/a/../../b", "/../b"), ("/..", "/../"),
        ("/a/..", "/"), ("/a/b/../../c?x=/..", "/c?x=/.."), ("/../../a/../b", "/../../b"), ("/a//../b", "/a/b"),
    ],
    "path-strip-dotdot full": [("/../a", "/a"), ("/a/../../b", "/b"), ("/..", "/"), ("/../../..", "/")],
    "query-sort-by-name": [
        ("/?b=2&a=1&c", "/?a=1&b=2&c"), ("/?b=1&a=2&b=0&a=1", "/?a=2&a=1&b=1&b=0"), ("/?", "/?"), ("/x", "/x"),
        ("/?ab=1&a=2&&", "/?&a=2&ab=1"),
    ],
    "fragment-strip": [("/a", "/a")],
}


def test_targets_are_normalized(binary):
    # without a condition: HAProxy 2.6 takes another normalizer when "if" stands where "strict" or "full" may
    backends = "".join(
        f"backend {i}\n    http-request normalize-uri {name}\n"
        '    http-request return status 200 content-type text/plain lf-string "%[url]"\n'
        for i, name in enumerate(NORMALIZERS)
    )
    text = (
        "global\n    expose-experimental-directives\ndefaults\n    mode http\n    timeout client 5s\n    timeout connect 1s\n"
        "    timeout server 5s\nfrontend f\n    bind 127.0.0.1:{port}\n    use_backend %[req.hdr(x-rule)]\n" + backends
    )
    with Proxy(binary, text) as p:
        for i, cases in enumerate(NORMALIZERS.values()):
            for target, wanted in cases:
                with p.connect() as c:
                    c.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\nX-Rule: %d\r\nConnection: close\r\n\r\n" % (target.encode(), i))
                    head, body = read_all(c).decode().split("\r\n\r\n", 1)
                got = body if " 200 " in head else int(head.split()[1])
                assert got == wanted, (list(NORMALIZERS)[i], target, got, wanted)


PAUSED = """
global
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 9s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    http-request set-header X-Before yes
    http-request pause 300ms if { path /time }
    http-request pause req.hdr(x-ms) if { path /asked }
    http-request set-header X-After "%[req.hdr(x-before)]"
    default_backend b
backend b
    http-request pause 200ms if { path /time }
    server s 127.0.0.1:{server}
"""


def test_a_request_pauses(binary):
    def mirror(server, c):
        f = c.makefile("rb")
        while (got := read_message(f))[0]:
            after = re.search(rb"(?i)x-after: ([^\r]*)", got[0]).group(1)
            c.sendall(b"HTTP/1.1 200 OK\r\nX-After: %s\r\nContent-Length: %d\r\n\r\n%s" % (after, len(got[1]), got[1]))

    server = Server(mirror)
    with Proxy(binary, PAUSED.replace("{server}", str(server.port))) as p, p.connect() as s:
        f = s.makefile("rb")
        for path, more, at_least in ((b"/time", b"", 0.5), (b"/asked", b"X-Ms: 250\r\n", 0.25), (b"/asked", b"X-Ms: no\r\n", 0)):
            began = time.monotonic()
            s.sendall(b"POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: 4\r\n\r\nbody" % (path, more))
            s.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")  # behind it, and it waits as well
            head, body = read_message(f)
            assert time.monotonic() - began >= at_least, path
            assert re.search(rb"(?i)x-after: yes\r", head) and body == b"body", (head, body)
            assert read_message(f)[0].startswith(b"HTTP/1.1 200")
        with p.connect() as gone:
            gone.sendall(b"GET /time HTTP/1.1\r\nHost: h\r\n\r\n")
        s.sendall(b"GET /time HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_message(f)[0].startswith(b"HTTP/1.1 200")


HELD = """
global
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 9s
    timeout server 9s
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    http-request set-var(txn.path) path
    http-response set-header X-Front "%[res.hdr(x-back)] %[res.body,bytes(0,20)] %[res.body_len] %[res.body_size]"
    http-response set-header X-N "%[var(txn.n)]"
    http-response wait-for-body time 2s if { var(txn.path) -m str /twice }
    http-response return status 200 content-type text/plain lf-string "<%[res.body]>" if { var(txn.path) -m str /twice }
    default_backend b
backend b
    http-response set-header X-Back yes
    http-response set-var(txn.n) int(1)
    http-response wait-for-body time 300ms if { var(txn.path) -m str /short }
    http-response wait-for-body time 5s at-least 4 if { var(txn.path) -m str /least }
    http-response wait-for-body time 5s if !{ var(txn.path) -m str /short /least /now }
    http-response set-var(txn.n) var(txn.n),add(1)
    server s 127.0.0.1:{server}
"""

OK = b"HTTP/1.1 200 OK\r\n"
SEEN = threading.Event()  # the client has some of the answer
ANSWERS = {  # what the server sends, in pieces, or waits for in between; then it waits, or closes
    b"/whole": ([OK + b"Content-Length: 6\r\n\r\n", b"abc", b"def"], False),
    b"/twice": ([OK + b"Content-Length: 6\r\n\r\nabc", b"def"], False),
    b"/chunks": ([OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"3\r\ndef\r\n", b"0\r\n\r\n"], False),
    b"/close": ([OK + b"\r\nabc", b"def"], True),
    b"/least": ([OK + b"Content-Length: 8\r\n\r\n", b"abc", b"def", SEEN, b"gh"], False),
    b"/short": ([OK + b"Content-Length: 8\r\n\r\nabc"], False),
    b"/cut": ([OK + b"Content-Length: 8\r\n\r\nabc"], True),
    b"/none": ([b"HTTP/1.1 204 No Content\r\n\r\n"], False),
    b"/large": ([OK + b"Content-Length: 90000\r\n\r\n" + b"x" * 30000, b"x" * 30000, b"x" * 30000], False),
    b"/broken": ([OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"zz\r\n"], False),
}


def in_pieces(server, c):
    f = c.makefile("rb")
    while (got := read_message(f))[0]:
        pieces, closes = ANSWERS[got[0].split()[1]]
        for piece in pieces:
            if piece is SEEN:
                SEEN.wait(20)
                continue
            c.sendall(piece)
            time.sleep(0.1)
        if closes:
            return


def test_an_answer_waits_for_its_body(binary):
    server = Server(in_pieces)
    with Proxy(binary, HELD.replace("{server}", str(server.port))) as p:

        def ask(path):
            with p.connect() as c:
                SEEN.clear()
                c.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % path)
                begin = read_head(c)
                SEEN.set()
                head, _, body = (begin + read_all(c)).decode("latin-1").partition("\r\n\r\n")
            front = re.search(r"(?i)x-front: ([^\r]*)", head)
            n = re.search(r"(?i)x-n: ([^\r]*)", head)
            return int(head.split()[1]), front and front.group(1), n and n.group(1), body

        assert ask(b"/whole") == (200, "yes abcdef 6 6", "2", "abcdef")
        assert ask(b"/twice")[3] in ("<abcdef>", "<>")  # HAProxy 2.6 has forgotten it by then
        chunks = ask(b"/chunks")
        assert chunks[:3] == (200, "yes abcdef 6 6", "2") and "abc" in chunks[3] and "def" in chunks[3], chunks
        assert ask(b"/close") == (200, "yes abcdef 6 6", "2", "abcdef")
        assert ask(b"/least") == (200, "yes abcdef 6 8", "2", "abcdefgh")
        assert ask(b"/none") == (204, "yes  0 0", "2", "")
        assert ask(b"/short")[0] == 504
        assert ask(b"/cut") == (200, "yes abc 3 8", "2", "abc")
        large = ask(b"/large")
        assert large[0] == 200 and large[2:] == ("2", "x" * 90000), (large[0], large[2], len(large[3]))
        assert ask(b"/broken")[0] == 502
        until("all is logged", lambda: p.text().count('"GET') == 10)
        states = {path: state for state, path in re.findall(r" (....) \d+/\d+/\d+/\d+/\d+ \d+/\d+ \"GET (\S+)", p.text())}
        assert (states.pop("/short"), states.pop("/cut"), states.pop("/broken"), states.pop("/twice")) == ("sR--", "SD--", "PH--", "LH--"), states
        assert set(states.values()) == {"----"}, states


ANSWER_PAUSED = """
global
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 9s
    timeout server 9s
frontend f
    bind 127.0.0.1:{port}
    http-response set-header X-After "%[res.hdr(x-before)]"
    http-response pause 200ms
    default_backend b
backend b
    http-response set-header X-Before yes
    http-response pause res.hdr(x-ms)
    server s 127.0.0.1:{server}
"""


def test_an_answer_pauses(binary):
    def serve(server, c):
        f = c.makefile("rb")
        while read_message(f)[0]:
            c.sendall(b"HTTP/1.1 200 OK\r\nX-Ms: 200\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30000)

    server = Server(serve)
    with Proxy(binary, ANSWER_PAUSED.replace("{server}", str(server.port))) as p, p.connect() as s:
        f = s.makefile("rb")
        for _ in range(2):
            began = time.monotonic()
            s.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            with p.connect() as gone:
                gone.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            head, body = read_message(f)
            assert time.monotonic() - began >= 0.4
            assert re.search(rb"(?i)x-after: yes\r", head) and body == b"x" * 30000, (head, len(body))


WHEN = """
defaults
    mode http
    timeout connect 1s
    timeout client 9s
    timeout server 9s
frontend f
    bind 127.0.0.1:{port}
    log stdout format raw local0
    log-format "<%[var(txn.path),when(error)] %[var(txn.path),when(normal)] %[var(txn.path),when(forwarded)] %[var(txn.path),when(processed)] %[var(txn.path),when(toapplet)] %[var(txn.path),when(stopping)]>"
    http-request set-var(txn.path) path
    http-request return status 503 if { path /fail }
    http-request return status 200 if { path /own }
    http-request use-service prometheus-exporter if { path /metrics }
    default_backend b
backend b
    server s 127.0.0.1:{server}
"""


def test_a_sample_passes_when(binary):
    def serve(server, c):
        if read_message(c.makefile("rb"))[0]:
            c.sendall(OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nok")

    server = Server(serve)
    with Proxy(binary, WHEN.replace("{server}", str(server.port))) as p:
        for path in (b"/fail", b"/own", b"/metrics", b"/server"):
            with p.connect() as c:
                c.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % path)
                read_all(c)
        until("all is logged", lambda: p.text().count(">\n") == 4)
        lines = sorted(re.findall("<(.*)>", p.text()))
        assert lines == sorted(["/fail - - - - -", "- /own - - - -", "- /metrics - /metrics /metrics -",
                                "- /server /server /server - -"]), lines


NEWER = [test_a_request_pauses, test_an_answer_pauses, test_a_sample_passes_when]  # than Debian's HAProxy


if __name__ == "__main__":
    main(globals(), leave_out=NEWER if sys.argv[1].endswith("haproxy") else ())
