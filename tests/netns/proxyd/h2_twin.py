#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients of HTTP/2, in proxyd and HAProxy alike:   h2_twin.py BINARY

As exchange_twin.py: of each case a client and a server of HTTP/1.1 are scripts. What the client got, how its streams and its connection
ended and when, what the server got, the lines of the log and the counters are the same.
"""
import concurrent.futures
import csv
import io
import os
import re
import shutil
import socket
import tempfile
import time

from exchange_twin import FIN, NEAR, RESET, act, timers
from h2_support import CANCEL, INTERNAL_ERROR, PREFACE, START, STREAM_CLOSED, Peer, data, get, head, headers, post, rst, settings, window
from support import Asked, Server, free_port, main, until
from tls_support import Authority, context

TEXT = """
global
    nbthread 1
    log stdout format raw daemon
defaults
    mode http
    log global
    timeout connect 200ms
    timeout client 500ms
    timeout server 500ms
http-errors e
    errorfile 404 PAGE
userlist u
    user me insecure-password pw
"""
FORMAT = "%f %b/%s %ST %tsc %rc %HM %HP %HV %{+Q}r %TR/%Tw/%Tc/%Tr/%Ta"
PAGE = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
COUNTED = (
    "stot hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other dreq dresp ereq econ eresp wredis cli_abrt srv_abrt intercepted lbtot "
    "scur conn_tot req_tot").split()
LAST = 1.5  # seconds until a client that nothing happened to goes
EARLY = "early"  # the server does not wait for the body

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nabc"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nabc"
EXPECT = [("content-length", "2"), ("expect", "100-continue")]
PART = headers(1, head("POST", more=[("content-length", "5")]), False) + data(1, b"ab", False)


def case(front="", back="", client=(get(),), server=(OK,), bind="proto h2", first=START):
    return front, back, [first, *client] if first else list(client), None if server is None else list(server), bind


CASES = {
    "GET": case(),
    "HEAD": case(client=[get(method="HEAD")], server=[b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"]),
    "no authority": case(client=[get(authority=None, more=[("host", "other")])]),
    "host as authority": case(client=[get(more=[("host", "h")])]),
    "a port": case("http-request set-header x %[req.hdr(host),word(2,:)]-%[url]-%[path]-%[base]", client=[get(authority="h:81", path="/a?b=c")]),
    # bodies of requests
    "a body with a length": case(client=[post(1, b"he", b"llo", more=[("content-length", "5")])]),
    "a body without one": case(client=[post(1, b"he", b"llo")]),
    "an empty body": case(client=[post(1, b"")]),
    "no body": case(client=[get(method="POST")]),
    "a length of 0": case(client=[get(method="POST", more=[("content-length", "0")])]),
    "a GET with a body": case(client=[post(1, b"hello", method="GET")]),
    "a large body": case(client=[post(1, *[b"x" * 16000] * 4)]),
    "trailers of a request": case(client=[headers(1, head("POST"), False) + data(1, b"a", False) + headers(1, [("x-sum", "1")])]),
    "expect": case(client=[headers(1, head("POST", more=EXPECT), False), 0.2, data(1, b"ab")]),
    "expect, and the server knows": case(
        client=[headers(1, head("POST", more=EXPECT), False), 0.2, data(1, b"ab")], server=[EARLY, b"HTTP/1.1 100 Continue\r\n\r\n", 0.3, OK]),
    "expect, and a rule waits": case(
        "http-request wait-for-body time 500ms", client=[headers(1, head("POST", more=EXPECT), False), 0.2, data(1, b"ab")]),
    # answers
    "interim answers": case(server=[b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 150 x\r\n\r\n" + OK]),
    "204": case(server=[b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"]),
    "304": case(server=[b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"]),
    "304 with a length": case(server=[b"HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\n"]),
    "a length of nothing": case(server=[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]),
    "chunks": case(server=[CHUNKED + b"5\r\nhello\r\n1 ;a=b\r\nx\r\n0\r\n\r\n"]),
    "chunks and trailers": case(server=[CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 5\r\nx-b:  c \r\n\r\n"]),
    "no chunks, trailers": case(server=[CHUNKED + b"0\r\nX-Sum: 5\r\n\r\n"]),
    "until close": case(server=[ENDLESS, 0.2, b"def", FIN]),
    "an answer of HTTP/1.0": case(server=[b"HTTP/1.0 200 OK\r\n\r\nabc", FIN]),
    "fields of a connection": case(
        server=[b"HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\nX-B: C\r\n\r\nx"]),
    "a large answer": case(server=[b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"z" * 50000, 0.05, b"y" * 150000]),
    "two cookies": case(server=[b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"]),
    # servers that go wrong
    "a server that says nothing": case(server=[FIN]),
    "a server that is reset": case(server=[RESET]),
    "garbage": case(server=[b"garbage\r\n\r\n", FIN]),
    "no answer": case(server=[]),
    "a length that breaks off": case(server=[LONG, 0.1, FIN]),
    "a length that is reset": case(server=[LONG, 0.1, RESET]),
    "a length that stands still": case(server=[LONG]),
    "chunks that break off": case(server=[CHUNKED + b"5\r\nhe", 0.1, FIN]),
    "an endless answer that is reset": case(server=[ENDLESS, 0.1, RESET]),
    "an endless answer that stands still": case(server=[ENDLESS]),
    "a server that is away": case("", "retries 0", server=None),
    "a server that is away, redispatch": case("", "retries 1\noption redispatch 1", server=None),
    "no server": case("use_backend none if TRUE"),
    "asked again": case("", "retry-on 503\nretries 1", server=[b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]),
    "an early answer": case(client=[PART, 0.2, data(1, b"cde")], server=[EARLY, OK]),
    # clients that go
    "a stream reset before the answer": case(client=[get(), 0.15, rst(1)], server=[0.4, OK]),
    "a stream reset in the answer": case(client=[get(), 0.2, rst(1)], server=[LONG, 0.4, b"x"]),
    "a stream reset in its body": case(client=[PART, 0.15, rst(1)]),
    "a stream reset, another goes on": case(client=[get(1, "/a") + get(3, "/b"), 0.15, rst(1)], server=[0.3, OK]),
    "a stream reset in the queue": case("", "default-server maxconn 1", [get(1, "/a"), 0.1, get(3, "/b"), 0.1, rst(3)], [0.4, OK]),
    "a stream reset while it connects": case("timeout client 3s", "retries 3", [get(), 0.3, rst(1)], None),
    "a client that ends, nobody waits": case("", "option abortonclose", [get(), 0.15, FIN], [0.4, OK]),
    "a client that is reset": case(client=[get(), 0.15, RESET], server=[0.4, OK]),
    "a client that says no more": case(client=[get(), 0.15, FIN], server=[0.4, OK]),
    "a client that says nothing": case(client=[]),
    # several of them
    "one after the other": case(client=[get(1), 0.2, get(3, "/b"), 0.2, get(5, "/c")]),
    "at once": case(client=[get(1, "/a") + get(3, "/b") + get(5, "/c")], server=[0.2, OK]),
    **{f"http-reuse {how}": case("", f"http-reuse {how}", [get(1, "/a"), 0.2, get(3, "/b")]) for how in ("never", "safe", "always", "aggressive")},
    "a queue": case("", "default-server maxconn 1", [get(1, "/a") + get(3, "/b") + get(5, "/c")], [0.1, OK]),
    "a queue that is full": case("", "default-server maxconn 1\ntimeout queue 100ms", [get(1, "/a"), 0.05, get(3, "/b")], [0.3, OK]),
    **{f"option {o}": case(f"option {o}", "", [get(1), 0.2, get(3)]) for o in ("httpclose", "http-server-close", "http-keep-alive")},
    # cookies
    "cookie crumbs": case("", "http-request set-header x %[req.cook(b)]", [get(more=[("cookie", "a=1"), ("x-a", "y"), ("cookie", "b=2")])]),
    "a cookie is set": case("", "cookie C insert indirect"),
    "a cookie is known": case("", "cookie C insert indirect", [get(more=[("cookie", "a=1"), ("cookie", "C=s")])]),
    # rules
    **{
        f"{rule}, {where}": case(*(rule if where == w else "" for w in ("front", "back")))
        for where in ("front", "back")
        for rule in (
            "http-request return status 204", "http-request return status 200 content-type text/plain string a", "http-request redirect location /x",
            "http-request redirect scheme https", "http-request redirect prefix http://x", "http-request deny", "http-request silent-drop", "http-request reject",
            "http-request deny deny_status 404 errorfiles e", "http-response redirect location /x code 303 if { status 200 }",
            "http-response return status 201", "http-response deny", "http-request set-path /p%[path]", "http-request set-uri /u?v",
 "http-request set-query a=b", "http-request set-method PUT", "http-request auth realm r",
            "http-request set-header host other", "http-response set-header X-Y z", "http-request replace-path /(.*) /r/\\1",
            "http-after-response set-header X-After %[status]", "http-response wait-for-body time 300ms")
    },
    "deny with a body": case("http-request deny", client=[PART, 0.2, data(1, b"cde")]),
    "deny, and another": case("http-request deny if { path /a }", client=[get(1, "/a"), 0.2, get(3, "/b")]),
    "reject, and another": case("http-request reject if { path /a }", client=[get(1, "/b"), 0.2, get(3, "/a")]),
    "silent-drop, and another": case("http-request silent-drop if { path /a }", client=[get(1, "/b"), 0.2, get(3, "/a")]),
    "a tarpit": case("http-request tarpit\ntimeout tarpit 300ms"),
    "a tarpit that is left": case("http-request tarpit\ntimeout tarpit 1s", client=[get(), 0.2, rst(1)]),
    "who is let in": case("http-request auth unless { http_auth(u) }", client=[get(more=[("authorization", "Basic bWU6cHc=")])]),
    "a body that rules wait for": case("http-request wait-for-body time 500ms\nhttp-request set-header x-body %[req.body]", "", [PART, 0.2, data(1, b"cde")]),
    "a body that rules wait for in vain": case("http-request wait-for-body time 300ms", "", [PART]),
    "a body that is kept": case("option http-buffer-request\ntimeout http-request 500ms", "", [PART]),
    "a body that came with its head": case("http-request set-header x %[req.body]", client=[post(1, b"hello", more=[("content-length", "5")])]),
    "a large body that is kept": case("", "option http-buffer-request", [post(1, *[b"x" * 7000] * 3, b"y" * 3000)]),
    "a large body with trailers that is kept": case(
        "", "option http-buffer-request", [headers(1, head("POST"), False) + data(1, b"x" * 16350, False) + headers(1, [("x-sum", "1" * 60)])]),
    "captures": case("http-request capture path len 20\nhttp-request return status 200 content-type text/plain lf-string %[capture.req.hdr(0)]"
                     "-%[capture.req.uri]-%[capture.req.ver]-%[capture.req.method]", client=[get(path="/a?b")]),
    "variables of a connection": case(
        "http-request set-var(sess.a) path if { path /a }\nhttp-request set-var(txn.b) path if { path /a }\nhttp-request set-header x %[var(sess.a)]-%[var(txn.b)]",
        client=[get(1, "/a"), 0.2, get(3, "/b")]),
    "what is fetched": case(
        "http-request return status 200 content-type text/plain lf-string \"%[url] %[path] %[pathq] %[query] %[base] %[req.ver] %[method] "
        "%[req.hdr(host)] %[hdr_cnt] %[fc_http_major] %[req.hdr_names] %[req.proto_http] %[ssl_fc] %[url_ip]\" if HTTP_2.0",
        client=[get(1, "/a?b=c", more=[("x", "y")]), 0.2, get(3)]),
    "names of fields": case(client=[get(more=[("x-under_score", "1"), ("x.dot", "2"), ("te", "trailers"), ("accept", "")])]),
    "forwardfor and unique-id": case("option forwardfor\nunique-id-format %HV-%ci\nunique-id-header X-Id"),
    "monitor-uri": case("monitor-uri /up", client=[get(path="/up")]),
    "errorfile": case("errorfile 503 PAGE\nhttp-request deny deny_status 503"),
    "the stats page": case("stats enable\nstats uri /s", client=[get(path="/s;csv;norefresh")]),
    # tables
    "what streams count": case(
        "stick-table type ip size 10 expire 9s store conn_cur,conn_cnt,http_req_cnt,http_err_cnt,sess_cnt,gpc0\n"
        "tcp-request connection track-sc0 src\ntcp-request content track-sc1 src table b{i}\nhttp-request track-sc2 src table b{i}\n"
        "http-request sc-inc-gpc0(0)\n"
        "http-request return status 200 content-type text/plain lf-string \"%[sc0_conn_cur] %[sc0_conn_cnt] %[sc0_http_req_cnt] %[sc0_http_err_cnt] "
        "%[sc0_sess_cnt] %[sc0_get_gpc0] %[sc1_conn_cur] %[sc1_http_req_cnt] %[sc2_conn_cur] %[sc2_http_req_cnt] %[sc2_sess_cnt]\"",
        "stick-table type ip size 10 expire 9s store conn_cur,conn_cnt,http_req_cnt,sess_cnt",
        [get(1), 0.1, get(3), 0.1, get(5) + get(7)]),
    "errors that are counted": case(
        "stick-table type ip size 10 expire 9s store http_err_cnt,http_fail_cnt\ntcp-request connection track-sc0 src\n"
        "http-request deny if { path /a }\nhttp-request return status 200 content-type text/plain lf-string %[sc0_http_err_cnt]",
        client=[get(1, "/a"), 0.1, get(3, "/a"), 0.1, get(5)]),
    "stick": case("", "stick-table type string size 10 expire 9s\nstick on path", [get(1, "/a"), 0.1, get(3, "/a")]),
    # ways in
    "compression": case("compression algo gzip\ncompression type text/plain", client=[get(more=[("accept-encoding", "gzip")])],
                        server=[b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 40\r\n\r\n" + b"a" * 40]),
    "by the preface": case(bind=""),
    "no upgrade": case("option disable-h2-upgrade", bind=""),
    "an upgrade behind a request": case(client=[b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0.2, START + get()], bind="", first=None),
    "TLS": case(bind="ssl crt CERT alpn h2,http/1.1"),
    "the PROXY protocol": case("option forwardfor", client=[get()], bind="accept-proxy proto h2", first=b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + START),
    "a TCP frontend": case("mode tcp\nlog-format '%f %b/%s 0 %ts 0/%Tw/%Tc/0/%Tt'", bind=""),
    "rules of TCP": case("tcp-request inspect-delay 300ms\ntcp-request content accept if HTTP",
                         client=[get(1, "/b"), 0.2, get(3, "/a"), 0.2, get(5, "/b")]),
    "a set-header of TCP rules": case("tcp-request content set-var(sess.p) path\nhttp-request set-header x %[var(sess.p)]", client=[get(1, "/b")]),
    # timeouts
    "timeout http-request": case("timeout http-request 300ms", client=[]),
    "timeout http-request, a part": case("timeout http-request 300ms", client=[headers(1, head(), True)[:20]]),
    "a window that opens late": case(
        client=[get(), 0.4, window(1, 1000)], server=[b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b"z" * 400], first=PREFACE + settings(window=100)),
    "timeout http-keep-alive": case("timeout http-keep-alive 300ms"),
    "timeout server": case("timeout client 1500ms", "timeout server 300ms", server=[]),
    "a body that stands still": case("timeout client 300ms", "", [PART]),
    "timeout client, a slow server": case("timeout client 300ms", server=[0.5, OK]),
}


# Cases in which an end differs, always so: what breaks off is not whole in proxyd, and who is still sending gets all of an early answer.
ENDED = {
    **{name: (INTERNAL_ERROR, "end") for name in (
        "a length that breaks off", "a length that is reset", "a length that stands still", "chunks that break off", "an endless answer that is reset",
        "an endless answer that stands still")},
    "deny with a body": ("end", STREAM_CLOSED),
    "a body that rules wait for in vain": ("end", CANCEL),
    "a body that is kept": ("end", CANCEL),
}
# Those in which more does: the status, the end and the log's flags in proxyd. HAProxy has no answer and no line for the first two.
STRICTER = {
    "a server that says nothing": ("502", "end", "SH--"),
    "a server that is reset": ("502", "end", "SH--"),
    "a client that ends, nobody waits": ("400", "end", "CH--"),
    "a body that stands still": ("408", "end", "cD--"),
}


# Those whose times differ: what a server has said is taken from it at once, as far as there is room.
UNTIMED = ("a window that opens late",)
# What counts as with HTTP/1.1: a server that a queue leads to, a frontend that goes on as another mode, who goes before there is a server.
UNCOUNTED = {
    "a queue": "lbtot",
    "a TCP frontend": "stot",
    "a stream reset in the queue": "cli_abrt",
    "a stream reset while it connects": "cli_abrt",
}


def read_request(f):
    """A head; None: nothing more."""
    lines = []
    while (line := f.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not line:
        return None
    return b"".join(lines)


def line_of(f):
    line = f.readline()
    if not line:
        raise ConnectionError
    return line


def read_body(f, lines):
    """Without chunks; trailers behind it."""
    body, text = b"", lines.lower()
    if b"transfer-encoding: chunked" in text:
        while n := int(line_of(f), 16):
            body += f.read(n)
            line_of(f)
        while (line := line_of(f)) != b"\r\n":
            body += b"+" + line
    elif m := re.search(rb"content-length: (\d+)", text):
        body = f.read(int(m[1]))
        if len(body) < int(m[1]):
            raise ConnectionError
    return body


def scripted(script, got):
    """A server that does the same for each request; `got`: what came."""

    def serve(_, c):
        f = c.makefile("rb")
        while lines := read_request(f):
            early = script[:1] == [EARLY]
            head, *fields = lines.decode("latin-1").split("\r\n")
            entry = [head, sorted(re.sub(r"^[\w-]+:", lambda m: m[0].lower(), x) for x in fields if x)]
            got.append(entry)
            if not early:
                entry.append(read_body(f, lines))
            if not act(c, script[early:]):
                return

    return serve


def plain_fields(fields):
    return sorted(f"{name}: {value}" for name, value in fields if name != "date")


def plain_answer(s):
    """An own page has sentences of its own, and 204 has no length (RFC 9110, section 8.6)."""
    heads = [plain_fields(h) for h in s.heads]
    body = s.body.decode("latin-1")
    heads = [[f for f in h if f != "content-length: 0" or ":status: 204" not in h] for h in heads]
    if body.startswith("<html>"):
        heads = [[f for f in h if not f.startswith("content-length")] for h in heads]
        body = re.sub(r"(<h1>.*?</h1>).*?</html>\s*", r"\1", body, flags=re.S)
    if body.startswith("# pxname"):
        heads, body = [[f for f in h if not f.startswith("content-length")] for h in heads], ""
    if body.startswith("\x1f\x8b"):
        body = "gzip"
    return heads, body, s.trailers and plain_fields(s.trailers), s.end


def talk(port, script, tls):
    """What a client got, and when its connection ended."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=LAST) as plain:
        peer = Peer(plain, acks=False)  # which whoever is gone would answer
        try:
            s = peer.socket = context(alpn=["h2", "http/1.1"]).wrap_socket(plain) if tls else plain
            if not act(s, script):
                return {}, (), "", 0
            while peer.read():
                s.settimeout(max(0.01, began + LAST - time.monotonic()))
        except TimeoutError:
            peer.is_over = "open"
        except OSError as e:
            peer.is_over = repr(e)
        except ValueError as e:  # not of HTTP/2
            return {}, (), repr(e), 0
        return {n: plain_answer(a) for n, a in sorted(peer.streams.items())}, [code for _, code in peer.goaways], peer.is_over, time.monotonic() - began


def outcomes(binary, authority):
    got, texts = [[] for _ in CASES], [c[0] for c in CASES.values()]
    servers = [None if c[3] is None else Server(scripted(c[3], g)) for c, g in zip(CASES.values(), got)]
    text, ports = TEXT, [free_port() for _ in CASES]
    for i, (front, back, _, _, bind) in enumerate(CASES.values()):
        lines = [f"frontend f{i}", f"bind 127.0.0.1:{ports[i]} {bind}", f"log-format '{FORMAT}'", *front.split("\n"), f"default_backend b{i}", f"backend b{i}", *back.split("\n")]
        cookie = " cookie s" if "cookie C" in back else ""
        text += "\n".join(lines).replace("{i}", str(i)) + f"\nserver s 127.0.0.1:{servers[i].port if servers[i] else 1}{cookie}\n"
    text += "backend none\nlisten l\n    bind 127.0.0.1:{port}\n"
    with tempfile.NamedTemporaryFile("w") as page:
        page.write(PAGE)
        page.flush()
        text = text.replace("PAGE", page.name).replace("CERT", authority.path("h.pem"))
        with Asked(binary, text) as a, concurrent.futures.ThreadPoolExecutor(len(CASES)) as pool:
            talks = list(pool.map(talk, ports, (c[2] for c in CASES.values()), ("ssl" in c[4] for c in CASES.values())))
            time.sleep(0.2)
            logged = lambda i: sorted(re.findall(rf"(?m)^f{i}~? .*", a.proxy.text()))
            rows = list(csv.DictReader(io.StringIO(a.ask("show stat")[2:])))
            for i in range(len(CASES)):
                counters = {f"{r['svname']} {n}": r[n] for r in rows if r["pxname"] in (f"f{i}", f"b{i}") for n in COUNTED}
                if "conn_cur" in texts[i]:
                    counters["its table"] = [re.findall(r"conn_cur=\d+", a.ask(f"show table {name}{i}")) for name in "fb"]
                yield talks[i], sorted(got[i], key=repr), logged(i), counters
    for s in servers:
        if s:
            s.stop()


def differences(name, ours, theirs):
    if name in STRICTER:
        answer = ours[0][0].get(1, ([], "", None, None))
        status, end, flags = STRICTER[name]
        if [f":status: {status}"] != [h[0] for h in answer[0]] or answer[3] != end or not re.search(f"/[^ ]* {status} {flags} ", ours[2][0]):
            yield f"{answer} and {ours[2]}"
        return
    for n, a in ours[0][0].items():
        if n in theirs[0][0] and (a[3], theirs[0][0][n][3]) == ENDED.get(name):
            ours[0][0][n] = (*a[:3], theirs[0][0][n][3])
    for what, a, b in zip(("the answers", "GOAWAY", "the end"), ours[0], theirs[0]):
        if a != b:
            yield f"{what}: {a!r} and not {b!r}"
    if abs(ours[0][3] - theirs[0][3]) > NEAR:
        yield f"ended after {ours[0][3]:.2f} and not {theirs[0][3]:.2f} s"
    if ours[1] != theirs[1]:
        yield f"the server got {ours[1]!r} and not {theirs[1]!r}"
    if [line.rsplit(" ", 1)[0] for line in ours[2]] != [line.rsplit(" ", 1)[0] for line in theirs[2]]:
        yield f"{ours[2]} and not {theirs[2]}"
    elif name not in UNTIMED and any(abs(timers(a)[4] - timers(b)[4]) > 1000 * NEAR for a, b in zip(ours[2], theirs[2])):
        yield f"times: {ours[2]} and not {theirs[2]}"
    for counter, value in theirs[3].items():
        if ours[3][counter] != value and counter.split()[1] != UNCOUNTED.get(name):
            yield f"{counter} is {ours[3][counter]} and not {value}"


def test_exchanges(binary):
    """On a busy machine now this is late and now that: what differs each time is a difference."""
    wrong = None
    authority = Authority()
    authority.make("h.pem", ["h"])
    for _ in range(int(os.environ.get("TRIES", "5"))):
        pairs = zip(CASES, list(outcomes(binary, authority)), list(outcomes(shutil.which("haproxy"), authority)))
        found = {name: list(differences(name, ours, theirs)) for name, ours, theirs in pairs}
        wrong = {name: what for name, what in found.items() if what and (wrong is None or name in wrong)}
        if not wrong:
            break
    authority.close()
    if wrong:
        raise AssertionError("".join(f"\n{name}: {what}" for name, each in wrong.items() for what in each))


if __name__ == "__main__":
    main(globals(), needs=("haproxy",))
