#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Log lines, captures and formats, byte for byte as HAProxy writes them:   log_twin.py BINARY

Times, ports and process ids are numbers of the moment and are named by what they are; all else stands as it is.
"""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from http_twin import is_haproxy
from support import WAIT, Proxy, Server, ask_api, free_port, main, read_all, read_head, unix_connect, until
from tls_support import Authority

HEAD = """
global
    nbthread 1
    log {log} daemon {level}
defaults
    mode {mode}
    log global
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    retries 1
{defaults}
frontend fe
    bind 127.0.0.1:{port}
{front}
    default_backend be
backend be
    server s1 127.0.0.1:{server}
backend down
    server d 127.0.0.1:{dead}
"""


def config(front, server, mode="http", defaults="", log="stdout format raw", level=""):
    text = HEAD
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        dead = s.getsockname()[1]
    for name, value in dict(front=front, server=server.port, mode=mode, defaults=defaults, log=log, level=level, dead=dead).items():
        text = text.replace("{" + name + "}", str(value))
    return text


def web(server, c):
    data = read_head(c)
    if not data:
        return
    status = b"500 Oops" if b" /oops " in data else b"200 OK"
    c.sendall(b"HTTP/1.1 " + status + b"\r\nServer: us\r\nX-Kind: a|b\r\nSet-Cookie: SID=xyz; path=/\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def ask(p, line="GET / HTTP/1.1", *fields):
    with p.connect() as s:
        s.sendall("\r\n".join([line, "Host: h", "Connection: close", *fields, "", ""]).encode("latin-1"))
        return read_all(s).decode("latin-1")


def lines(p):
    return [line for line in p.text().splitlines() if re.search(r" \"?fe\b[ \"]", line) or "LOG" in line]


def normal(line):
    """Numbers of the moment by their names."""
    line = re.sub(r"127\.0\.0\.1:\d+", "CLIENT", line)
    line = re.sub(r"(?<= )(\d{3}) (\+?)\d+(?= \S+ \S+ \S\S\S\S )", r"\1 \2BYTES", line)
    line = re.sub(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d( [+-]\d{4}|\.\d{3})?\]", "[DATE]", line)
    return re.sub(r"(?<= )\+?-?\d+(/-?\d+)+/\+?\d+(?= )", lambda m: "/".join("T" if x != "-1" else x for x in m.group(0).split("/")), line, count=1)


def logged(binary, front, requests, expected, **more):
    server = Server(web)
    with Proxy(binary, config(front, server, **more)) as p:
        for r in requests:
            ask(p, *r)
        until("lines", lambda: len(lines(p)) >= len(expected))
        time.sleep(0.05)
        got = [normal(line) for line in lines(p)]
    assert len(got) == len(expected), got
    for g, e in zip(got, expected):
        assert g == e or re.fullmatch(e, g), f"\n got {g}\n not {e}"


def test_what_is_captured(binary):
    """The last of several fields, also when it is empty, and the first of several cookies that has a value."""
    logged(binary, """
    capture request header X-A len 10
    capture response header X-None len 10
    capture cookie SI len 6
    http-request deny if { path /no }
    http-after-response set-status 299 if { status 403 }
    log-format "LOG %hr|%hrl|%{+Q}hrl|%hsl|%CC|%CS|%[capture.req.hdr(0)] %hrl  %ST"
""", [
        ("GET / HTTP/1.1", "X-A: 1", "X-A:", "Cookie: SI; b=1; SID=2; SI=3", "Cookie: SI=4"),
        ("GET / HTTP/1.1", "X-A:", "X-A: 1", "Cookie: SI", "Cookie: SI="),
        ("GET /no HTTP/1.1", "Cookie: SI"),
    ], ['LOG {}||""|-|SID=2|SID=xy|-  200', 'LOG {1}|1|"1"|-|SI=|SID=xy|1 1 200', 'LOG {}|-|""|-|-|-|- - 299'])


def test_httplog(binary):
    logged(binary, """
    option httplog
    capture request header User-Agent len 4
    capture request header X-None len 10
    capture response header X-Kind len 20
    capture cookie SID= len 20
    http-request deny if { path /no }
    http-request redirect location /x if { path /go }
    http-request reject if { path /gone }
    http-request tarpit if { path /tar }
    timeout tarpit 10ms
    use_backend down if { path /down }
""", [
        ("GET /a?b HTTP/1.1", "User-Agent: abcdef", 'Cookie: a="b;SID=0",SID=12'),
        ('GET /x"y HTTP/1.1',),
        ("GET /no HTTP/1.1", "Cookie: SID=12"),
        ("GET /go HTTP/1.1", "Cookie: SID=12"),
        ("GET /gone HTTP/1.1", "Cookie: SID=12"),
        ("GET /tar HTTP/1.1", "Cookie: SID=12"),
        ("GET /oops HTTP/1.1",),
        ("GET /down HTTP/1.1",),
        ("nonsense",),
    ], [
        'CLIENT [DATE] fe be/s1 T/T/T/T/T 200 BYTES SID=12 SID=xyz ---- 1/1/0/0/0 0/0 {abcd|} {a#7Cb} "GET /a?b HTTP/1.1"',
        'CLIENT [DATE] fe be/s1 T/T/T/T/T 200 BYTES - SID=xyz ---- 1/1/0/0/0 0/0 {|} {a#7Cb} "GET /x#22y HTTP/1.1"',
        r'CLIENT \[DATE\] fe fe/<NOSRV> T/-1/-1/-1/T 403 BYTES SID=12 - PR-- 1/1/0/0/0 0/0 \{\|\} \{\} "GET /no HTTP/1.1"',
        r'CLIENT \[DATE\] fe fe/<NOSRV> T/-1/-1/-1/T 302 BYTES - - LR-- 1/1/0/0/0 0/0 \{\|\} \{\} "GET /go HTTP/1.1"',
        r'CLIENT \[DATE\] fe fe/<NOSRV> -1/-1/-1/-1/T -1 0 - - PR-- 1/1/0/0/0 0/0 \{\|\} \{\} "GET /gone HTTP/1.1"',
        r'CLIENT \[DATE\] fe fe/<NOSRV> -1/T/-1/-1/T 500 BYTES SID=12 - PT-- 1/1/0/0/0 0/0 \{\|\} \{\} "GET /tar HTTP/1.1"',
        'CLIENT [DATE] fe be/s1 T/T/T/T/T 500 BYTES - SID=xyz ---- 1/1/0/0/0 0/0 {|} {a#7Cb} "GET /oops HTTP/1.1"',
        r'CLIENT \[DATE\] fe down/d T/T/-1/-1/T 503 BYTES - - SC-- 1/1/0/0/1 0/0 \{\|\} \{\} "GET /down HTTP/1.1"',
        r'CLIENT \[DATE\] fe fe/<NOSRV> -1/-1/-1/-1/T 400 BYTES - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"',
    ])


def test_json_is_ours(binary):
    if is_haproxy(binary):
        return
    server = Server(web)
    front = """
    option httplog json
    capture request header User-Agent len 20
    capture response header X-Kind len 20
    capture cookie SID= len 20
    unique-id-format %[path]
    http-request deny if { path /no }
"""

    def objects(p, n):
        until("lines", lambda: p.text().count('{"time"') == n)
        return [json.loads(line[line.index("{"):]) for line in p.text().splitlines() if '{"time"' in line]

    with Proxy(binary, config(front, server)) as p:
        ask(p, "GET /a?b=c HTTP/1.1", 'User-Agent: "me"', "Cookie: SID=12")
        ask(p, "GET /\xe9 HTTP/1.1")
        ask(p, "GET /no HTTP/1.1")
        ask(p, "no request")
        plain, odd, denied, bad = objects(p, 4)
    for o in (plain, odd, denied, bad):
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", o.pop("time")) and o["client"] == "127.0.0.1" and o["client_port"]
    assert {k: v for k, v in plain.items() if not k.endswith(("_ms", "_port", "connections"))} == {
        "client": "127.0.0.1", "frontend": "fe", "backend": "be", "server": "s1", "status": 200, "bytes": plain["bytes"],
        "bytes_uploaded": plain["bytes_uploaded"], "termination": "----", "retries": 0, "server_queue": 0, "backend_queue": 0,
        "unique_id": "/a", "request_cookie": "SID=12", "response_cookie": "SID=xyz", "request_captures": ['"me"'],
        "response_captures": ["a|b"], "method": "GET", "version": "HTTP/1.1", "path": "/a", "query": "b=c"}, plain
    assert {"request_ms", "queue_ms", "connect_ms", "response_ms", "data_ms", "total_ms"} <= plain.keys()
    assert (odd["status"], bad["status"]) == (400, 400) and "path" not in bad and bad["termination"] == "PR--", (odd, bad)
    assert denied["status"] == 403 and denied["server"] == "<NOSRV>" and "connect_ms" not in denied, denied

    with Proxy(binary, config(front, server, log="stdout len 900 format rfc5424")) as p:  # the line's head included
        ask(p, f"GET /{'x' * 300}?{'y' * 300} HTTP/1.1", "User-Agent: me")
        cut, = objects(p, 1)
    assert cut["cut"] and cut["status"] == 200 and cut["path"].startswith("/xxx") and len(cut["path"] + cut.get("query", "")) < 500, cut

    front = "\n    option httplog\n    option tcplog json\n"
    with Proxy(binary, config(front, server, mode="tcp")) as p:
        ask(p, "GET / HTTP/1.1")
        tcp, = objects(p, 1)
    assert tcp["server"] == "s1" and tcp["bytes"] > 50 and tcp["total_ms"] >= 0 and tcp["termination"][:2] == "--", tcp
    assert not {"status", "method", "request_ms"} & tcp.keys(), tcp


def test_a_failure_in_json_is_ours(binary):
    if is_haproxy(binary):
        return
    with Proxy(binary, config("    bind 127.0.0.1:{port} accept-proxy name {port}\n    option httplog json\n", Server(web)).replace(
            "    bind 127.0.0.1:{port}\n", "", 1)) as p:
        with p.connect() as s:
            s.sendall(b"GARBAGE\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                read_all(s)
        until("a line", lambda: '{"time"' in p.text())
        o = json.loads(next(line for line in p.text().splitlines() if line.startswith('{"time"')))
        assert o.pop("time") and o.pop("client_port") and o == {
            "client": "127.0.0.1", "frontend": "fe", "listener": str(p.port), "failure": "Received something which does not look like a PROXY protocol header"}, o


def test_what_no_server_answers(binary):
    """Statistics are a server's that is there at once; who has nowhere to go never asked."""
    text = config("    stats uri /stats\n    stats auth a:b\n    option httplog", Server(web)).replace("    default_backend be\n", "")
    with Proxy(binary, text) as p:
        ask(p, "GET /stats HTTP/1.1")
        ask(p, "GET /stats HTTP/1.1", "Authorization: Basic YTpi")
        ask(p, "GET /none HTTP/1.1")
        until("all are told", lambda: len(lines(p)) >= 3)
        told = [re.search(r"fe/\S+ (-?)\d+/(-?)\d+/(-?)\d+/(-?)\d+/", line) for line in lines(p)]
        assert [m[0].split()[0] for m in told] == ["fe/<STATS>", "fe/<STATS>", "fe/<NOSRV>"], lines(p)
        assert [m.groups() for m in told] == [("", "", "", "-"), ("",) * 4, ("-",) * 4], lines(p)


def test_what_answers_for_a_server_has_a_name(binary):
    """It is the frontend's, which has a backend for the others."""
    stats, metrics = "    stats uri /stats\n    option httplog", "    http-request use-service prometheus-exporter if { path /metrics }"
    for front, line, name in ((stats, "GET /stats HTTP/1.1", "<STATS>"), (f"{stats}\n{metrics}", "GET /metrics HTTP/1.1", "<PROMEX>")):
        logged(binary, front, [(line,)], [rf'CLIENT \[DATE\] fe fe/{name} T/T/T/T/T 200 BYTES - - LR-- 1/1/0/0/0 0/0 "{line}"'])


def test_dontlognull_is_about_clients(binary):
    """What a server says does not make the connection of a client that says nothing worth a line."""
    server = Server(lambda _, c: (c.sendall(b"220 ready\r\n"), read_all(c)))
    for front, said in (("    use_backend down", b""), ("", b"220 ready\r\n")):
        with Proxy(binary, config("    option tcplog\n    option dontlognull\n" + front, server, mode="tcp")) as p:
            for text in (b"", b"hello"):
                with p.connect() as c:
                    c.sendall(text)
                    assert c.recv(100) == said
            until("who spoke is logged", lambda: lines(p))
            time.sleep(0.05)
            assert len(lines(p)) == 1, lines(p)


def test_long_request_lines_are_cut(binary):
    for more, n in (("", 1023), ("    tune.http.logurilen 40\n", 40)):
        text = config('    log-format "LOG %r"', Server(web), log="stdout len 4096 format raw").replace("\nglobal\n", "\nglobal\n" + more)
        with Proxy(binary, text) as p:
            ask(p, f"GET /{'a' * 1500} HTTP/1.1")
            until("it is logged", lambda: lines(p))
            assert lines(p)[0].split("LOG ", 1)[1] == ("GET /" + "a" * 1500)[:n], lines(p)


def test_a_format_may_have_many_parts(binary):
    text = config("    log-format LOG" + 200 * ".%ST", Server(web), log="stdout len 4096 format raw")
    with Proxy(binary, text) as p:
        ask(p)
        until("it is logged", lambda: lines(p))
        assert lines(p)[0].endswith("LOG" + 200 * ".200"), lines(p)


def test_clf(binary):
    logged(binary, "    option httplog clf\n    capture request header Referer len 20\n", [("GET /a HTTP/1.1", "Referer: there")], [
        r'127.0.0.1 - - \[DATE\] "GET /a HTTP/1.1" 200 \d+ "" "" \d+ \d+ "fe" "be" "s1" \d+ \d+ \d+ \d+ \d+ ---- 1 1 0 0 0 0 0 "" "" "there"\s*',
    ])


def test_tcplog(binary):
    logged(binary, "    option tcplog\n", [("GET /a HTTP/1.1",)], [
        r"CLIENT \[DATE\] fe be/s1 T/T/T 113 -- 1/1/0/0/0 0/0",
    ], mode="tcp")


FORMAT = (
    "LOG %HM|%HP|%HQ|%HU|%HV|%HPO|%ST|%B|%U|%f|%ft|%b|%s|%bi|%si|%sp|%fi|%lc? %ts|%tsc|%rc|%CC|%CS|%{+Q}CC"
    "|%{+X}ci|%{+X}fi|%[capture.req.hdr(0)]|%{+Q}[capture.req.hdr(0)]|%[var(txn.none)]|%{+Q}[var(txn.none)]|%hr|%hrl|%hs|%hsl|"
    "%{+E}[var(txn.q)]|%{+Q,+E}[var(txn.q)]|%[capture.req.method],%[capture.req.uri],%[capture.req.ver]|%ms|%[meth(PUT)]|a   b|%hs end%%"
).replace("|%lc?", "|")


def test_every_variable(binary):
    logged(binary, f"""
    capture request header X-A len 8
    http-request set-var(txn.q) req.hdr(x-q)
    declare capture request len 4
    http-request capture path id 1
    http-request capture str(kept) len 2
    log-format "{FORMAT}"
""", [("GET /p/q?r=1 HTTP/1.1", "X-A: v w", 'X-Q: a"]b')], [
        r'LOG GET\|/p/q\|\?r=1\|/p/q\?r=1\|HTTP/1.1\|/p/q\|200\|\d+\|\d+\|fe\|fe\|be\|s1\|127.0.0.1\|127.0.0.1\|\d+\|127.0.0.1\| --\|----\|0\|-\|-\|""'
        r'\|7F000001\|7F000001\|v w\|"v w"\|-\|""\|\{v w\|/p/q\|ke\}\|v w /p/q ke\|\|\|a\\"\\\]b\|"a\\"\\\]b"\|GET,/p/q\?r=1,HTTP/1.1\|\d{3}\|PUT\|a b\| end%',
    ])


def test_until_one_is_chosen_the_backend_is_the_frontend(binary):
    logged(binary, '    http-request deny\n    id 7\n    log-format "LOG %ST %b %[be_name] %[be_id]"\n', [("GET / HTTP/1.1",)], ["LOG 403 fe fe 7"])


def test_what_came_is_encoded_before_it_is_escaped(binary):
    logged(binary, """
    capture request header X-A len 9
    log-format "LOG %{+E}HU|%{+Q,+E}hrl|%{+E}hr|%{+Q,+X}ci|%{+Q,+X}fi|%[http_first_req]"
""", [('GET /a"\\]b HTTP/1.1', 'X-A: q"\\]z')], [
        r'LOG /a#22\\\\\\]b\|"q#22\\\\\\]z"\|\{q#22\\\\\\]z\}\|7F000001\|7F000001\|1',
    ])


def test_errors_are_told_apart(binary):
    for option, count in (("", 3), ("    option dontlog-normal\n", 1)):
        server = Server(web)
        front = "    option httplog\n    option log-separate-errors\n    http-request set-log-level silent if { path /quiet }\n    http-request set-log-level debug if { path /debug }\n" + option
        with Proxy(binary, config(front, server, log="stdout format short")) as p:
            for path in ("/", "/oops", "/quiet", "/debug"):
                ask(p, f"GET {path} HTTP/1.1")
            until("lines", lambda: len(lines(p)) >= count)
            time.sleep(0.05)
            got = [re.match(r"<(\d)>.*\"GET (\S+) ", line).groups() for line in lines(p)]
        assert got == ([("6", "/"), ("3", "/oops"), ("7", "/debug")] if count == 3 else [("3", "/oops")]), got


def test_formats_of_targets(binary):
    host = "localhost"
    iso = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d"
    old = r"\w{3} [ \d]\d \d\d:\d\d:\d\d"
    for name, pattern in {
        "local": rf"<134>{old} tag\[\d+\]: LOG /x",
        "rfc3164": rf"<134>{old} {host} tag\[\d+\]: LOG /x",
        "rfc5424": rf"<134>1 {iso} - tag \d+ - \[a@1 p=\"/x\"\] LOG /x",
        "priority": r"<134>LOG /x",
        "short": r"<6>LOG /x",
        "timed": rf"<6>{iso} LOG /x",
        "iso": rf"{iso} LOG /x",
        "raw": r"LOG /x",
    }.items():
        server = Server(web)
        front = '    log-format "LOG %HP"\n    log-format-sd [a@1\\ p=\\"%HP\\"]\n    log-tag tag\n'
        text = config(front, server).replace("format raw daemon", f"len 400 format {name} local0 info")
        with Proxy(binary, text) as p:
            ask(p, "GET /x HTTP/1.1")
            until("a line", lambda: lines(p))
            assert re.fullmatch(pattern, lines(p)[0]), (name, lines(p)[0], pattern)
    for word, pattern in (("format local", rf"<134>{old} tag\[\d+\]: LOG /x"), ("", rf"<134>{old} here tag\[\d+\]: LOG /x")):
        text = config(front, server).replace("format raw daemon", f"len 400 {word} local0 info").replace("global\n", "global\n    log-send-hostname here\n", 1)
        with Proxy(binary, text) as p:
            ask(p, "GET /x HTTP/1.1")
            until("a line", lambda: lines(p))
            assert re.fullmatch(pattern, lines(p)[0]), (word, lines(p)[0], pattern)


def test_samples_lengths_and_sockets(binary):
    if os.path.basename(binary) == "haproxy":
        return  # 2.6 samples by another count
    server = Server(web)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.bind(("127.0.0.1", 0))
        u.settimeout(WAIT)
        front = '    log-format "LOG %HP"\n'
        log = f"127.0.0.1:{u.getsockname()[1]} format raw sample 1,3-4:5"
        with Proxy(binary, config(front, server, log=log)) as p:
            for i in range(7):
                ask(p, f"GET /{i} HTTP/1.1")
            got = [u.recv(1000).decode().strip() for _ in range(4)]
    assert got == ["LOG /0", "LOG /2", "LOG /3", "LOG /5"], got
    with Proxy(binary, config('    log-format "LOG %HP"\n', server, log="stdout len 80 format raw")) as p:
        ask(p, "GET /" + "x" * 200 + " HTTP/1.1")
        until("a line", lambda: lines(p))
        assert len(lines(p)[0]) == 79, lines(p)


def test_unique_ids(binary):
    got = []

    def serve(server, c):
        got.append(c.recv(65536).decode().lower())
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    server = Server(serve)
    front = '    unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid\n    unique-id-header X-Id\n    log-format "LOG %ID %[unique-id]"\n'
    with Proxy(binary, config(front, server)) as p:
        ask(p)
        until("a line", lambda: lines(p))
        line = lines(p)[0]
    m = re.fullmatch(r"LOG (7F000001:[0-9A-F]{4}_7F000001:[0-9A-F]{4}_[0-9A-F]{8}_[0-9A-F]{4}:[0-9A-F]{4,}) (\S+)", line)
    assert m and m.group(1) == m.group(2), line
    assert f"x-id: {m.group(1).lower()}\r\n" in got[0], got


ID_LATER = """
defaults
    log stdout format raw daemon
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    unique-id-format <%[var(txn.at)]>
    log-format "LOG %ID %[unique-id] %[var(txn.early)] %ST"
frontend http
    mode http
    bind 127.0.0.1:{port}
    http-request set-var(txn.at) str(first)
    http-request set-var(txn.early) unique-id if { path /early }
    http-request set-var(txn.at) str(second)
    http-request deny if { path /no }
    http-response set-header X-Id %[unique-id]
    default_backend b
backend b
    mode http
    http-request set-var(txn.at) str(backend)
    server s 127.0.0.1:{server}
frontend tcp
    mode tcp
    bind 127.0.0.1:{tcp}
    tcp-request inspect-delay 50ms
    tcp-request content set-var(txn.at) str(tcp)
    tcp-request content reject if { req.len 2 }
    default_backend t
backend t
    mode tcp
    server s 127.0.0.1:{server} send-proxy-v2 proxy-v2-options unique-id
"""


def test_a_unique_id_is_made_when_it_is_asked_for(binary):
    """By a rule, else for the server, else for the log; in mode tcp, too. What has no value leaves nothing."""
    got = []

    def serve(server, c):
        got.append(c.recv(65536))
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    server, tcp = Server(serve), free_port()
    text = ID_LATER.replace("{server}", str(server.port)).replace("{tcp}", str(tcp))
    with Proxy(binary, text) as p:
        for i, (target, status, line) in enumerate((
            ("/", " 200 ", "LOG <backend> <backend> - 200"),
            ("/early", " 200 ", "LOG <first> <first> <first> 200"),
            ("/no", " 403 ", "LOG <second> <second> - 403"),
        )):
            head = ask(p, f"GET {target} HTTP/1.1")
            assert status in head and ("x-id" not in head.lower() or f"{line.split()[1]}\r" in head), head
            until("it is logged", lambda: len(lines(p)) > i)
            assert lines(p)[i].endswith(line), (target, lines(p)[i])
        for data, line in ((b"abc", "LOG <tcp> <tcp> - 0"), (b"no", "LOG <tcp> <tcp> - 0")):
            n = len(lines(p))
            with socket.create_connection(("127.0.0.1", tcp)) as c:
                c.sendall(data)
                read_all(c)
            until("it is logged", lambda: len(lines(p)) > n)
            assert lines(p)[n].endswith(line), lines(p)[n]
        assert b"\x05\0\x05<tcp>" in got[-1] and len(got) == 3, got


def test_a_unique_id_is_cut_and_shown_when_it_is_there(binary):
    front = "    unique-id-format %[path]\n    http-request return content-type text/plain lf-string %ID.%ci.%[unique-id].%ID\n"
    with Proxy(binary, config(front, Server(web))) as p:
        for n in (125, 126, 127, 128, 300):
            target = "/" + ("%03d" % n * 100)[:n]
            kept = target[:127]
            assert ask(p, f"GET {target} HTTP/1.1").endswith(f"\r\n\r\n.127.0.0.1.{kept}.{kept}"), n


def test_logasap(binary):
    """It is logged while the server may be there still, or may not."""
    logged(binary, "    option httplog\n    option logasap\n", [("GET /a HTTP/1.1",)], [
        r'CLIENT \[DATE\] fe be/s1 T/T/T/T/T 200 \+BYTES - - ---- 1/1/1/[01]/0 0/0 "GET /a HTTP/1\.1"',
    ])


ODD_ENDS = """
defaults
    mode http
    log 127.0.0.1:{udp} local0
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout queue 300ms
frontend f
    bind 127.0.0.1:{port}
    option logasap
    capture request header X len 5
    log-format "%f %B %U %Ta %Tt %{+Q}r %HQ %HM %hr"
    http-request wait-for-body time 200ms if { path /wait }
    http-request return status 200
listen t
    mode tcp
    option tcplog
    bind 127.0.0.1:{tcp}
    server s 127.0.0.1:{echo} maxconn 1
"""


def test_odd_ends(binary):
    """What comes by UDP ends with its line; logasap's numbers have a plus whenever they are written."""
    echo, tcp = Server(lambda server, c: [c.sendall(x) for x in iter(lambda: c.recv(100), b"")]), free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.bind(("127.0.0.1", 0))
        u.settimeout(WAIT)
        text = ODD_ENDS.replace("{udp}", str(u.getsockname()[1])).replace("{tcp}", str(tcp)).replace("{echo}", str(echo.port))
        with Proxy(binary, text) as p:

            def told(data, pattern, port=None):
                with p.connect(port) as c:
                    c.sendall(data)
                    read_all(c)
                    while True:  # what the proxy says of itself comes first
                        line = u.recv(2000).decode()
                        if f"]: {pattern[:2]}" in line or " t t/" in line:
                            break
                assert re.search("]: .*" + pattern + r"\n\Z", line), (data, line)

            head = b"HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            told(b"GET /a?b=1 " + head + b"\r\n", r'f \+\d+ \d+ \+\d+ \+\d+ "GET /a\?b=1 HTTP/1.1" \?b=1 GET \{\}')
            told(b"x\r\n\r\n", r'f \+\d+ \d+ \+\d+ \+\d+ "<BADREQ>" <BADREQ> <BADREQ> ')
            told(b"POST /wait " + head + b"Content-Length: 9\r\n\r\n", r'f \+\d+ \d+ \+\d+ \+\d+ "POST /wait HTTP/1.1" \S* ?POST \{\}')
            with p.connect(tcp) as first:
                first.sendall(b"x")
                assert first.recv(1) == b"x"
                told(b"", r"t t/<NOSRV> \d{3,}/-1/\d{3,} 0 sQ 2/2/1/0/0 0/1", tcp)


def test_captures_serve_rules(binary):
    server = Server(web)
    front = """
    capture request header X-A len 3
    declare capture response len 10
    http-response set-header X-Was %[capture.req.hdr(0)],%[capture.req.uri]
    http-response capture res.hdr(server) id 0
    http-response set-header X-Server %[capture.res.hdr(0)]
"""
    with Proxy(binary, config(front, server)) as p:
        answer = ask(p, "GET /u HTTP/1.1", "X-A: hello").lower()
    assert "x-was: hel,/u\r\n" in answer and "x-server: us\r\n" in answer, answer


CONNECTS = """
global
    log stdout format raw daemon
defaults
    log global
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend web
    mode http
    bind 127.0.0.1:{port}
    bind unix@{unix}
    http-request return status 200
listen words
    mode tcp
    bind 127.0.0.1:{tcp} accept-proxy
    tcp-request connection reject if { src 127.0.0.9 }
    server s 127.0.0.1:{port}
"""

BEFORE_HTTP = """
global
    log stdout format raw daemon
defaults
    log global
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend plain
    mode tcp
    bind 127.0.0.1:{port}
    default_backend web
frontend told
    mode tcp
    bind 127.0.0.1:{told}
    option tcplog
    default_backend web
backend web
    mode http
    http-request return status 200
"""


def test_mode_tcp_before_an_http_backend_is_logged_as_mode_tcp(binary):
    get, told = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", free_port()
    with Proxy(binary, BEFORE_HTTP.replace("{told}", str(told))) as p:
        with p.connect() as c:
            for n in (1, 2):  # the connection, then each request behind the first
                c.sendall(get)
                assert c.recv(4096)
                line = f"Connect from 127.0.0.1:{c.getsockname()[1]} to 127.0.0.1:{p.port} (plain/TCP)"
                until("it is told", lambda: p.text().splitlines().count(line) == n)
        with p.connect() as c:
            c.sendall(b"\1\2\r\n\r\n")
            assert b" 400 " in read_all(c)
            line = f"Connect from 127.0.0.1:{c.getsockname()[1]} to 127.0.0.1:{p.port} (plain/TCP)"
            until("a connection that asks for nothing is told", lambda: p.text().splitlines().count(line) == 1)
        for data, wanted in ((get, r"told web/<NOSRV> \S+ \d+ PR|told web/<NOSRV> \S+ \d+ LR"), (b"\1\2\r\n\r\n", r"told told/<NOSRV> -1/-1/\d+ 0 PR")):
            with p.connect(told) as c:
                c.sendall(data)
                assert c.recv(4096)
                head = rf"127.0.0.1:{c.getsockname()[1]} \[[^]]*\] "
            until("it is told in the form of tcplog", lambda: re.search(rf"(?m)^{head}(?:{wanted}) \d+/\d+/\d+/\d+/\d+ 0/0$", p.text()))


def test_without_a_format_each_beginning_is_logged(binary):
    """Of a connection in mode tcp, of a request in mode http."""
    get, tcp = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", free_port()

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/web"
        with Proxy(binary, CONNECTS.replace("{unix}", path).replace("{tcp}", str(tcp))) as p:
            told = []

            def wait(line):
                told.append(line)
                until(line, lambda: [x for x in p.text().splitlines() if x.startswith("Connect ")] == told)

            with p.connect() as c:
                for _ in range(2):
                    c.sendall(get)
                    assert c.recv(4096)
                    wait("Connect from 127.0.0.1:%d to 127.0.0.1:%d (web/HTTP)" % (c.getsockname()[1], p.port))
            with p.connect():
                pass  # who asks nothing is not told of
            with unix_connect(path) as c:
                c.sendall(get)
                assert c.recv(4096)
                wait("Connect to unix:2 (web/HTTP)")
            with socket.create_connection(("127.0.0.1", tcp), source_address=("127.0.0.9", 0)) as c, \
                    contextlib.suppress(ConnectionResetError):
                assert read_all(c) == b""
            for there in ("1.2.3.4:11 to 5.6.7.8:22", "::1:11 to ::2:22"):
                family, words = ("TCP6" if there[0] == ":" else "TCP4"), re.findall(r"\S+(?=:\d)|\d+(?= |$)", there)
                with p.connect(tcp) as c:
                    c.sendall(f"PROXY {family} {words[0]} {words[2]} {words[1]} {words[3]}\r\n".encode())
                    wait(f"Connect from {there} (words/TCP)")


def test_halog_reads_it(binary):
    server = Server(web)
    with Proxy(binary, config("    option httplog\n", server, log="stdout format rfc3164")) as p:
        for _ in range(5):
            ask(p)
        ask(p, "GET /oops HTTP/1.1")
        until("lines", lambda: len(lines(p)) >= 6)
        text = "\n".join(lines(p)) + "\n"
    for path in ("/usr/bin/halog", "/usr/sbin/halog", "/usr/lib/haproxy/halog"):
        if os.path.exists(path):
            out = subprocess.run([path, "-st"], input=text, capture_output=True, text=True).stdout
            assert re.search(r"200\s*:?\s*5|5 200", out), (out, text)
            return
    print("    (no halog here)", flush=True)


class Collector:
    """Takes log lines over TCP: each begins with its length, or ends with its line."""

    def __init__(self, counted):
        self.counted, self.lines = counted, []
        self.server = Server(self.take)
        self.port = self.server.port

    def take(self, server, c):
        data = b""
        while part := c.recv(65536):
            data += part
            while True:
                size, _, rest = data.partition(b" " if self.counted else b"\n")
                if self.counted:
                    if not rest or len(rest) < int(size):
                        break
                    line, data = rest[: int(size)], rest[int(size) :]
                elif len(data) == len(size):
                    break
                else:
                    line, data = size, rest
                self.lines.append(line.decode())


def test_rings_send_over_tcp(binary):
    counted, plain, third, server = Collector(True), Collector(False), Collector(False), Server(web)
    front = f"""
    option httplog
    log tcp@127.0.0.1:{third.port} format raw local0
    use_backend long if {{ path_beg /long }}
"""
    rings = f"""
backend long
    server s1 127.0.0.1:{server.port}
ring r
    description lines to be sent
    format raw
    maxlen 300
    size 32768
    timeout connect 1s
    timeout server 5s
    server one 127.0.0.1:{counted.port} log-proto octet-count
    server two 127.0.0.1:{plain.port}
"""
    with tempfile.TemporaryDirectory() as folder:
        text = config(front, server, log="ring@r") + rings
        with Proxy(binary, text.replace("nbthread 1\n", f"nbthread 1\n    stats socket {folder}/api level admin\n")) as p:

            def same(n):
                return all(sum(" fe " in x for x in c.lines) == n for c in (counted, plain, third))

            for path in ("/a", "/b", "/long/" + 400 * "x"):
                ask(p, f"GET {path} HTTP/1.1")
            until("all have them", lambda: same(3))
            got = [[x for x in c.lines if " fe " in x] for c in (counted, plain, third)]
            assert got[0] == got[1] and got[0][:2] == got[2][:2], got
            assert normal(got[0][0]) == 'CLIENT [DATE] fe be/s1 T/T/T/T/T 200 BYTES - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"'
            assert len(got[0][2]) == 300 and len(got[2][2]) > 400, [len(x[2]) for x in got]
            kept = [x for x in ask_api(f"{folder}/api", "show events r").splitlines() if " fe " in x]
            assert kept == got[0], kept
            assert " r " in ask_api(f"{folder}/api", "show events") and "No such event sink" in ask_api(f"{folder}/api", "show events x")
            # who is away has them when he is back
            for c in counted.server, plain.server, third.server:
                c.stop()
                for open_one in list(c.live):
                    open_one.shutdown(socket.SHUT_RDWR)
            ask(p, "GET /away HTTP/1.1")
            for c in counted.server, plain.server, third.server:
                c.start()
            until("all have that one, too", lambda: all(any("/away" in x for x in c.lines) for c in (counted, plain, third)), 30)


def test_a_ring_has_a_file(binary):
    """Its lines are there when the process has died; the next one puts them aside."""
    server = Server(web)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "ring")
        text = config("    option httplog\n", server, log="ring@r") + f"\nring r\n    format raw\n    size 32768\n    maxlen 1000\n    backing-file {file}\n"
        with open(file, "w") as f:
            f.write("what was there")
        with Proxy(binary, text) as p:
            for i in range(3):
                ask(p, f"GET /line{i} HTTP/1.1")
            until("all are there", lambda: all(b"/line%d" % i in open(file, "rb").read() for i in range(3)))
            assert os.stat(file).st_mode & 0o777 == 0o600
            p.process.kill()
            p.process.wait()
        with open(file + ".bak") as f:
            assert f.read() == "what was there"
        with Proxy(binary, text) as p:
            with open(file + ".bak", "rb") as f:
                assert f.read().count(b" fe ") == 3
            assert b" fe " not in open(file, "rb").read()


def test_rings_send_over_tls(binary):
    """To whom they trust, and to nobody else; a reload sends no line again."""
    ca, other, server = Authority(), Authority("another authority"), Server(web)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.make("collector.pem", ["collector.example"]))
    lines, names = [], []
    context.sni_callback = lambda s, name, c: names.append(name)

    def collect(counted):
        def serve(s, c):
            with context.wrap_socket(c, server_side=True) as t:
                while data := t.recv(65536):
                    lines.append(data)
        return serve

    trusted, foreign = Server(collect(True)), Server(collect(False))
    rings = "".join(f"""
ring {name}
    format raw
    size 32768
    timeout connect 2s
    timeout server 5s
    server one 127.0.0.1:{s.port} log-proto octet-count ssl verify required ca-file {a.ca} sni str(collector.example)
""" for name, s, a in (("r", trusted, ca), ("no", foreign, other)))
    try:
        with Proxy(binary, config("    option httplog\n    log ring@no local0\n", server, log="ring@r") + rings) as p:
            for i in range(3):
                ask(p, f"GET /{i} HTTP/1.1")
            until("all are there", lambda: b"".join(lines).count(b" fe ") == 3)
            assert set(names) == {"collector.example"} and re.match(rb"\d+ ", lines[0]), (names, lines)
            if "haproxy" not in binary:  # there it is another process
                p.signal(signal.SIGUSR2)
                until("it is read again", lambda: "reload" in p.text().lower() or "read again" in p.text())
                ask(p, "GET /after HTTP/1.1")
                until("that one, too", lambda: b"/after" in b"".join(lines))
                assert b"".join(lines).count(b" fe ") == 4, lines
    finally:
        ca.close()
        other.close()


ERRORS = """
global
    nbthread 1
defaults
    mode http
    timeout client 1s
    timeout server 5s
    timeout connect 1s
    log stdout format raw daemon
    option httplog
    error-log-format "ERR %ci %f %b/%s %ST %ts [%[fc_err] %[fc_err_str]] %B %TR/%Tw/%Tc/%Tr %{+Q}r"
frontend f
    bind 127.0.0.1:{other} accept-proxy
    bind 127.0.0.1:{port}
    http-request deny
"""


def test_connections_that_fail_have_a_format(binary):
    cases = [
        ("other", b"PROXY NONSENSE\r\n", "0 PR [17 Received an unhandled protocol in the PROXY protocol header]"),
        ("other", b"GET / HTTP/1.1\r\n\r\n", "0 PR [15 Received something which does not look like a PROXY protocol header]"),
        ("other", b"PROXY TCP4 1.2.3.4 x 1 2\r\n", "0 PR [16 Received an invalid PROXY protocol header]"),
        ("port", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400 PR [0 Success]"),
        ("port", b"GET / HT", "408 cR [0 Success]"),
    ]
    other = free_port()
    with Proxy(binary, ERRORS.replace("{other}", str(other))) as p:
        for i, (port, data, wanted) in enumerate(cases):
            with socket.create_connection(("127.0.0.1", other if port == "other" else p.port)) as s:
                s.sendall(data)
                line = f'ERR 127.0.0.1 f f/<NOSRV> {wanted} 0 -1/-1/-1/-1 "<BADREQ>"'
                until(f"line {i} is logged", lambda: line in p.text())
        with p.connect() as s:
            s.sendall(b"GET /denied HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            read_all(s)
        until("what was asked has the usual line", lambda: re.search(r" 403 .* PR-- .*/denied", p.text()))


def test_numbers_and_parts_of_requests(binary):
    origin = Server(web)
    parts = "%lc %rt %{+X}lc %{+X}rt %{+Q}lc|%HM|%HP|%HPO|%HQ|%HU|%HV|%{+Q}HQ|"
    text = config("    http-request deny if { path /deny }\n    http-request set-header x-empty a%CC%sslv%{+Q}ID", origin).replace(
        "default_backend be", f'log-format "L={parts}"\n    default_backend be')
    cases = (
        (b"GET /a?b=c HTTP/1.1\r\nHost: h", "GET|/a|/a|?b=c|/a?b=c|HTTP/1.1|\"?b=c\"|"),
        (b"GET /a HTTP/1.1\r\nHost: h", 'GET|/a|/a||/a|HTTP/1.1|""|'),
        (b"GET /a? HTTP/1.0\r\nHost: h", 'GET|/a|/a|?|/a?|HTTP/1.0|"?"|'),
        (b"OPTIONS * HTTP/1.1\r\nHost: h", 'OPTIONS|*|||*|HTTP/1.1|""|'),
        (b"GET http://h/x?y HTTP/1.1\r\nHost: h", 'GET|http://h/x|/x|?y|http://h/x?y|HTTP/1.1|"?y"|'),
        (b"GET /deny?q HTTP/1.1\r\nHost: h", 'GET|/deny|/deny|?q|/deny?q|HTTP/1.1|"?q"|'),
        (b"junk", "|".join(["<BADREQ>"] * 6) + '|"<BADREQ>"|'),
        (b"GET /a HTTP/1.1\r\nHost: h", 'GET|/a|/a||/a|HTTP/1.1|""|'),
    )
    with Proxy(binary, text) as p:
        for i, (request, wanted) in enumerate(cases):
            with p.connect() as c:
                c.sendall(request + b"\r\nConnection: close\r\n\r\n")
                read_all(c)
            until("its line is there", lambda: p.text().count("L=") == i + 1)
            line = p.text().split("L=")[-1].split("\n")[0]
            assert line == f"{i} {i} {i:04X} {i:04X} {i}|{wanted}", (request, line)


if __name__ == "__main__":
    main(globals())
