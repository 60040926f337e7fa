#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers that are compressed, and those that are not, in proxyd and HAProxy alike:   compression_twin.py BINARY"""
import csv
import io
import os
import re
import threading
import time
import zlib

from support import Asked, Proxy, Server, config, main, read_all, read_head, read_n, until

HEAD = """
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
"""
TEXT = b"All work and no play makes Jack a dull boy.\n" * 2000
WAYS = {"gzip": 31, "deflate": 15, "raw": -15}


def serve(server, c):
    """Answers with TEXT as the path asks: /chunked, /close, /empty, /slow; with the request's X-Fields, X-Status, X-Version."""
    head = read_head(c).decode()
    if not head:
        return
    said = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)}
    path = head.split(" ")[1]
    lines = [said.get("x-version", "HTTP/1.1") + " " + said.get("x-status", "200") + " OK", "Connection: close",
             "X-Accepts: " + said.get("accept-encoding", "-")]
    lines += [f for f in said.get("x-fields", "").split("#") if f]
    body = b"" if "empty" in path else TEXT
    chunked = "chunked" in path or "slow" in path
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif "close" not in path:
        lines.append("Content-Length: %d" % len(body))
    c.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    if head.startswith("HEAD"):
        return
    if not chunked:
        c.sendall(body)
        return
    for at in range(0, len(body), 7001):
        piece = body[at:at + 7001]
        c.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        if "slow" in path:
            time.sleep(0.02)
    c.sendall(b"0\r\n\r\n")


def dechunked(data):
    out = b""
    while True:
        size, data = data.split(b"\r\n", 1)
        n = int(size, 16)
        if not n:
            assert data == b"\r\n", data
            return out
        assert data[n:n + 2] == b"\r\n"
        out, data = out + data[:n], data[n + 2:]


def ask(p, path, accepts="gzip", fields="", method="GET", version="HTTP/1.1", **more):
    """In a few words: how it came, and whether it is whole."""
    lines = [f"{method} {path} {version}", "Host: h", "Connection: close"]
    lines += ["Accept-Encoding: " + accepts] if accepts else []
    lines += ["X-Fields: " + fields] if fields else []
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in more.items()]
    with p.connect() as s:
        s.sendall("\r\n".join(lines + ["", ""]).encode())
        head, body = read_all(s).split(b"\r\n\r\n", 1)
    said = {}
    for line in head.decode().split("\r\n")[1:]:
        k, v = line.split(": ", 1)
        said.setdefault(k.lower(), []).append(v)
    coding = said.get("content-encoding", [""])[0]
    if said.get("transfer-encoding") == ["chunked"] and method != "HEAD":
        body = dechunked(body)
    way = coding
    if coding in WAYS and "x-coded" not in said:
        if coding == "deflate" and "raw" in path:
            way = "raw"
        assert len(body) < len(TEXT) / 4, len(body)
        body = zlib.decompress(body, WAYS[way])
    words = [way or "plain"]
    words += ["chunked"] if said.get("transfer-encoding") == ["chunked"] else []
    words += ["vary " + " + ".join(said["vary"])] if "vary" in said else []
    words += ["etag " + said["etag"][0]] if "etag" in said else []
    words += ["asked for " + said["x-accepts"][0]] if "offload" in path else []
    words += [] if body in (TEXT, b"") else ["not whole"]
    return ", ".join(words)


CONFIG = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    use_backend %[path,field(2,/)]
backend all
    compression algo gzip deflate
    server s 127.0.0.1:{s}
backend raw
    compression algo raw-deflate
    server s 127.0.0.1:{s}
backend identity
    compression algo identity
    server s 127.0.0.1:{s}
backend both
    compression algo identity gzip
    server s 127.0.0.1:{s}
backend types
    compression algo gzip
    compression type text/ application/json
    server s 127.0.0.1:{s}
backend offload
    filter compression
    compression algo gzip
    compression offload
    server s 127.0.0.1:{s}
"""

# What is asked (path, Accept-Encoding, fields of the answer; more), and what comes.
CASES = [
    (("/all",), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all/chunked",), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all/slow",), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all/close",), {}, "plain"),
    (("/all/empty",), {}, "plain"),
    (("/all", ""), {}, "plain"),
    (("/all", "br, deflate"), {}, "deflate, chunked, vary Accept-Encoding"),
    (("/all", "gzip, deflate"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all", "deflate, gzip"), {}, "deflate, chunked, vary Accept-Encoding"),
    (("/all", "gzip;q=0.5, deflate;q=0.8"), {}, "deflate, chunked, vary Accept-Encoding"),
    (("/all", "gzip;q=0"), {}, "plain"),
    (("/all", "gzip;q=0, *;q=0.1"), {}, "deflate, chunked, vary Accept-Encoding"),
    (("/all", "GZip"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all", "gzipped"), {}, "plain"),
    (("/all", "gzip; x=1; q=0.2, deflate;q=0.1"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all", "*"), {}, "deflate, chunked, vary Accept-Encoding"),
    (("/raw", "deflate"), {}, "raw, chunked, vary Accept-Encoding"),
    (("/raw", "gzip"), {}, "plain"),
    (("/identity", "gzip"), {}, "plain, chunked, vary Accept-Encoding"),
    (("/identity", ""), {}, "plain, chunked, vary Accept-Encoding"),
    (("/both", "br"), {}, "plain, chunked, vary Accept-Encoding"),
    (("/both", "gzip"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/all",), {"method": "HEAD"}, "plain"),
    (("/all",), {"version": "HTTP/1.0"}, "plain"),
    (("/all",), {"X_Version": "HTTP/1.0"}, "plain"),
    (("/all",), {"X_Status": "201"}, "gzip, chunked, vary Accept-Encoding"),
    (("/all",), {"X_Status": "206"}, "plain"),
    (("/all",), {"X_Status": "404"}, "plain"),
    (("/all", "gzip", "Content-Encoding: gzip#X-Coded: 1"), {}, "gzip"),
    (("/all", "gzip", "Cache-Control: a, no-transform"), {}, "plain"),
    (("/all", "gzip", 'ETag: "x"'), {}, 'gzip, chunked, vary Accept-Encoding, etag W/"x"'),
    (("/all", "gzip", 'ETag: W/"x"'), {}, 'gzip, chunked, vary Accept-Encoding, etag W/"x"'),
    (("/all", "gzip", "ETag: x"), {}, "plain, etag x"),
    (("/all", "gzip", 'ETag: "x"#ETag: "y"'), {}, 'plain, etag "x"'),
    (("/all", "gzip", "Vary: Origin"), {}, "gzip, chunked, vary Origin + Accept-Encoding"),
    (("/all", "gzip", "Content-Type: multipart/mixed"), {}, "plain"),
    (("/all", "gzip", "Content-Type: image/png"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/types", "gzip", "Content-Type: text/html; charset=utf-8"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/types", "gzip", "Content-Type: Application/JSON"), {}, "gzip, chunked, vary Accept-Encoding"),
    (("/types", "gzip", "Content-Type: image/png"), {}, "plain"),
    (("/types",), {}, "plain"),
    (("/offload", "gzip, br"), {}, "gzip, chunked, vary Accept-Encoding, asked for -"),
    (("/offload", "br"), {}, "plain, asked for br"),
    (("/all",), {"User_Agent": "Mozilla/4.0 (compatible; MSIE 5.5; Windows 98)"}, "plain"),
    (("/all",), {"User_Agent": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.0)"}, "gzip, chunked, vary Accept-Encoding"),
    (("/all",), {"User_Agent": "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)"}, "gzip, chunked, vary Accept-Encoding"),
    (("/all",), {"User_Agent": "Mozilla/5.0"}, "gzip, chunked, vary Accept-Encoding"),
]


def test_who_gets_what(binary):
    s = Server(serve)
    with Proxy(binary, config(CONFIG, s=s.port)) as p:
        for words, more, wanted in CASES:
            got = ask(p, *words, **more)
            assert got == wanted, (words, more, got)


DEFAULTS = HEAD + """
    compression algo gzip
    compression type text/
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    compression type image/
    server s 127.0.0.1:{s}
"""


def test_defaults_are_the_beginning_of_a_section(binary):
    s = Server(serve)
    with Proxy(binary, config(DEFAULTS, s=s.port)) as p:
        for kind, wanted in (("text/css", "gzip"), ("image/svg", "gzip"), ("video/x", "plain")):
            assert ask(p, "/", "gzip", "Content-Type: " + kind).split(",")[0] == wanted, kind


def read_chunk(c, data):
    """The next chunk's content, and what came behind it."""

    def more():
        part = c.recv(65536)
        assert part, "the end, in the middle"
        return data + part

    while b"\r\n" not in data:
        data = more()
    size, data = data.split(b"\r\n", 1)
    n = int(size, 16) + 2
    while len(data) < n:
        data = more()
    return data[:n - 2], data[n:]


def test_small_ones_are_left_alone(binary):
    if os.path.basename(binary) == "haproxy":  # has it since 3.2
        return
    s = Server(serve)
    for size, wanted in ((len(TEXT), "gzip"), (len(TEXT) + 1, "plain")):
        body = f"listen l\n    bind 127.0.0.1:{{port}}\n    compression algo gzip\n    compression minsize-res {size}\n    server s 127.0.0.1:{s.port}\n"
        with Proxy(binary, config(HEAD + body)) as p:
            assert ask(p, "/").split(",")[0] == wanted, size
            assert ask(p, "/chunked").split(",")[0] == "gzip", size


def test_a_piece_is_passed_on_at_once(binary):
    """Debian's HAProxy keeps the last bytes until more come (libslz)."""
    if os.path.basename(binary) == "haproxy":
        return
    go_on = threading.Event()

    def wait(server, c):
        read_head(c)
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait(8)
        c.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    s = Server(wait)
    with Proxy(binary, config(CONFIG, s=s.port)) as p, p.connect() as c:
        c.sendall(b"GET /all HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        rest = read_head(c).split(b"\r\n\r\n", 1)[1]
        z = zlib.decompressobj(31)
        got = b""
        while got != b"first":
            piece, rest = read_chunk(c, rest)
            got += z.decompress(piece)
        go_on.set()
        assert got + z.decompress(dechunked(rest + read_all(c))) == b"firstsecond"


def test_connections_are_kept(binary):
    """Several answers over one connection, the client's and the server's."""

    def serve_all(server, c):
        server.counted()
        while read_head(c):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(TEXT), TEXT))

    s = Server(serve_all)
    with Proxy(binary, config(CONFIG, s=s.port)) as p, p.connect() as c:
        for accepts in (b"gzip", b"br", b"deflate", b"gzip"):
            c.sendall(b"GET /all HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n\r\n" % accepts)
            data = read_head(c)
            head, body = data.split(b"\r\n\r\n", 1)
            if accepts == b"br":
                assert body + read_n(c, len(TEXT) - len(body)) == TEXT
                continue
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += c.recv(65536)
            assert zlib.decompress(dechunked(body), 31 if accepts == b"gzip" else 15) == TEXT
        assert s.count == 1


def test_it_is_counted(binary):
    """Bytes of bodies before and after, and answers, of the section that has it and of the backend."""
    s = Server(serve)
    with Asked(binary, "global\n" + config(CONFIG, s=s.port).replace("global\n", "", 1)) as a:
        ask(a.proxy, "/all/length")
        ask(a.proxy, "/all/length", accepts="")
        rows = [r for r in csv.DictReader(io.StringIO(a.ask("show stat")[2:])) if r["svname"] in ("FRONTEND", "BACKEND")]
        counted = {tuple(int(r[f]) for f in ("comp_in", "comp_byp", "comp_rsp")) for r in rows if r["comp_in"] not in ("", "0")}
        assert counted == {(len(TEXT), 0, 1)}, counted
        assert all(0 < int(r["comp_out"]) < len(TEXT) / 10 for r in rows if r["comp_in"] not in ("", "0"))


def test_half_an_answer_has_no_end(binary):
    """The client must see that it is not whole."""

    def break_off(server, c):
        read_head(c)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(TEXT) + 1, TEXT))

    s = Server(break_off)
    with Proxy(binary, config(CONFIG, s=s.port)) as p, p.connect() as c:
        c.sendall(b"GET /all HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        data = read_all(c)
        assert b"chunked" in data and not data.endswith(b"\r\n0\r\n\r\n"), data[-20:]


def test_a_rate_limits_compression(binary):
    """maxcomprate: who comes while too much is compressed gets an answer as it is; the runtime API changes the limit."""
    s = Server(serve)
    text = config(CONFIG, s=s.port).replace("global\n", "global\n    maxcomprate 1\n")
    with Asked(binary, text) as p:
        assert re.search("CompressBpsRateLim: 1024", p.ask("show info"))
        first = ask(p.proxy, "/all/slow")
        assert first.startswith("gzip"), first
        until("an answer passes as it is", lambda: ask(p.proxy, "/all") == "plain")
        assert int(re.search(r"CompressBpsIn: (\d+)", p.ask("show info")).group(1)) > 1024
        p.ask("set rate-limit http-compression global 0")
        assert re.search("CompressBpsRateLim: 0", p.ask("show info"))
        assert ask(p.proxy, "/all").startswith("gzip")
        p.ask("set rate-limit http-compression global 3")
        assert re.search("CompressBpsRateLim: 3072", p.ask("show info"))


if __name__ == "__main__":
    main(globals())
