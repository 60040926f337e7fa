#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Statistics and the runtime API. Run with proxyd, and with HAProxy as a twin:

    stats.py PROXY
"""
import base64
import csv
import io
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import time

from support import Proxy, Server, ask_api, config, free_port, main, read_all, unix_connect, until

HEAD = "mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n timeout http-keep-alive 5s\n"


def web(name, status="200 OK"):
    """Answers every request of a connection."""

    def serve(server, c):
        data = b""
        while True:
            part = c.recv(65536)
            if not part:
                return
            data += part
            while b"\r\n\r\n" in data:
                data = data.split(b"\r\n\r\n", 1)[1]
                server.counted()
                c.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode())

    return serve


class Box:
    """A proxy with a socket of each level: two servers behind one frontend, a page at /stats."""

    def __init__(self, binary, extra="", page="stats enable\n stats uri /stats\n", one="200 OK", servers=2, threads=2, defaults="", globals="", waits=True):
        self.one, self.two = Server(web("one", one)), Server(web("two"))
        self.extra, self.page, self.binary = extra, page, binary
        self.sockets = {}
        self.weight = 3
        self.servers, self.threads = servers, threads
        self.defaults, self.globals, self.waits = defaults, globals, waits

    def text(self):
        two = f" server two 127.0.0.1:{self.two.port} weight 5 maxconn 7\n" if self.servers > 1 else ""
        levels = "".join(
            f"    stats socket {self.folder}/{level} mode 600 level {level}\n" for level in ("user", "operator", "admin")
        )
        return (
            f"global\n    nbthread {self.threads}\n    maxconn 200\n    node alpha\n    description a test\n{self.globals}{levels}"
            f"defaults\n {HEAD}{self.defaults}"
            f"frontend fe\n bind 127.0.0.1:{{port}}\n {self.page}\n default_backend be\n"
            f"backend be\n balance roundrobin\n server one 127.0.0.1:{self.one.port} weight {self.weight}\n{two}"
            f"listen lt\n mode tcp\n bind 127.0.0.1:{self.tcp}\n server t 127.0.0.1:{self.one.port} check inter 200ms\n"
            f"backend empty\n{self.extra}"
        )

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="proxyd-stats.")
        self.tcp = free_port()
        self.proxy = Proxy(self.binary, self.text())
        until("the sockets are there", self.answers)
        if self.waits:
            until("the server of lt is checked", lambda: self.row("lt", "t", "check_status") == "L4OK")
        return self

    def __exit__(self, *what):
        self.proxy.__exit__(*what)
        shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self):
        try:
            return all(self.cli("show version", level).strip() for level in ("user", "operator", "admin"))
        except OSError:
            return False

    def cli(self, line, level="admin"):
        return ask_api(f"{self.folder}/{level}", line)

    def rows(self):
        text = self.cli("show stat")
        return list(csv.DictReader(io.StringIO(text[2:])))

    def row(self, proxy, name, field):
        for r in self.rows():
            if r["pxname"] == proxy and r["svname"] == name:
                return r[field]
        return None

    def http(self, request, body="", fields=()):
        lines = [request + " HTTP/1.1", "Host: here", *fields, "Connection: close"]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self.proxy.connect() as s:
            s.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
            return unchunk(read_all(s).decode())

    def get(self, n):
        for _ in range(n):
            assert " 200 " in self.http("GET /"), "an answer"


def unchunk(answer):
    """HAProxy's page comes in chunks."""
    head, _, body = answer.partition("\r\n\r\n")
    if "transfer-encoding: chunked" not in head.lower():
        return answer
    out = ""
    while body:
        size, _, body = body.partition("\r\n")
        n = int(size or "0", 16)
        out, body = out + body[:n], body[n + 2 :]
        if not n:
            break
    return head + "\r\n\r\n" + out


def ours(binary):
    return "proxyd" in os.path.basename(binary)


# ---- The interface: names, order, types, as HAProxy's


def shape(box):
    info = [line.split(":")[0] for line in box.cli("show info").splitlines() if ":" in line]
    typed = [re.sub(r":[^:]*$", "", l) for l in box.cli("show info typed").splitlines() if l]
    stat = box.cli("show stat").splitlines()
    fields = [re.sub(r":(str|...):.*", r":\1", l) for l in box.cli("show stat typed").splitlines() if l]
    return {
        "info": info,
        "typed info": [t for t in typed if "Uptime" not in t],
        "header": stat[0],
        "rows": [",".join(l.split(",")[:2]) for l in stat[1:] if l],
        "typed": fields,
        "state": box.cli("show servers state").splitlines()[:2],
        "backend": box.cli("show backend"),
        "metrics": sorted(set(re.findall(r"(?m)^# TYPE (\S+ \S+)$", box.http("GET /metrics")))),
    }


def test_names_and_order_are_haproxys(binary):
    page = "http-request use-service prometheus-exporter if { path /metrics }\n stats enable\n stats uri /stats\n"
    peer = shutil.which("haproxy")
    if not peer:
        return
    with Box(binary, page=page) as a, Box(peer, page=page) as b:
        mine, theirs = shape(a), shape(b)
    for what, want in theirs.items():
        if isinstance(want, list):
            odd = sorted(set(want) ^ set(mine[what]))
            assert not odd, (what, odd[:6])
        assert mine[what] == want, (what, "another order")


def test_what_fields_tell_is_shown(binary):
    with Box(binary) as box:
        for command, text in (
            ("show info desc", r"[^:]+: .*"),
            ("show info typed desc", r"\d+\.[^:]+\.1:...:(str|u32|u64):.*"),
            ("show stat typed desc", r"[FBSL]\.\d+\.\d+\.\d+\.\w+\.1:...:(str|u32|u64|s32):.*"),
        ):
            lines = [line for line in box.cli(command).splitlines() if line]
            odd = [line for line in lines if not re.fullmatch(text + r':"[^"]{4,}"', line)]
            assert len(lines) > 60 and not odd, (command, odd)
            assert '"' not in box.cli(command.replace(" desc", ""))
        assert box.cli("show stat desc").split("\n")[0] == box.cli("show stat").split("\n")[0]
        assert [list(x) for x in json.loads(box.cli("show info json desc"))] == [list(x) for x in json.loads(box.cli("show info json"))]


def test_json_is_well_formed(binary):
    with Box(binary) as box:
        stat, info = json.loads(box.cli("show stat json")), json.loads(box.cli("show info json"))
        assert [r[1]["value"]["value"] for r in stat][:4] == ["FRONTEND", "one", "two", "BACKEND"], stat[0]
        assert info[0]["field"] == {"pos": 0, "name": "Name"}, info[0]
        json.loads(box.cli("show schema json"))
        page = box.http("GET /stats;json")
        assert len(json.loads(page.split("\r\n\r\n", 1)[1])) == len(stat), page


# ---- Counting


def test_requests_are_counted(binary):
    with Box(binary, one="404 Not Found", threads=1) as box:  # each thread has turns of its own
        got = [box.http("GET /")[9:12] for _ in range(8)]
        # eight turns of weights 3 and 5
        assert got.count("404") == 3 and got.count("200") == 5, got
        until("the last one is over", lambda: box.row("fe", "FRONTEND", "scur") == "0")
        n = {r["svname"] + "." + r["pxname"]: r for r in box.rows()}
        fe, be, one, two = n["FRONTEND.fe"], n["BACKEND.be"], n["one.be"], n["two.be"]
        assert [r["hrsp_4xx"] for r in (fe, be, one, two)] == ["3", "3", "3", "0"], (fe, be, one, two)
        assert [r["hrsp_2xx"] for r in (fe, be, one, two)] == ["5", "5", "0", "5"], (fe, be, one, two)
        assert [r["stot"] for r in (fe, be, one, two)] == ["8", "8", "3", "5"], (fe, be, one, two)
        assert [r["lbtot"] for r in (be, one, two)] == ["8", "3", "5"], (be, one, two)
        assert fe["req_tot"] == be["req_tot"] == "8" and fe["conn_tot"] == "8", fe
        assert int(fe["bin"]) == int(be["bin"]) > 300 and int(fe["bout"]) == int(be["bout"]), (fe, be)
        assert int(one["bin"]) + int(two["bin"]) == int(be["bin"]), (one, two, be)
        assert fe["smax"] in ("1", "2") and fe["scur"] == "0" and int(fe["rate_max"]) >= 1, fe
        assert two["slim"] == "7" and be["slim"] == "20" and fe["slim"] == "200", (two, be, fe)


def test_what_goes_wrong_is_counted(binary):
    with Box(binary, page="http-request deny if { path /no }\n", servers=1) as box:
        assert " 403 " in box.http("GET /no")
        with box.proxy.connect() as s:
            s.sendall(b"\x01bad\r\n\r\n")
            assert b" 400 " in read_all(s)
        box.one.stop()
        assert " 503 " in box.http("GET /")
        until("the last one is over", lambda: box.row("fe", "FRONTEND", "scur") == "0")
        n = {r["svname"] + "." + r["pxname"]: r for r in box.rows()}
        fe, be, one = n["FRONTEND.fe"], n["BACKEND.be"], n["one.be"]
        assert fe["dreq"] == "1" and fe["ereq"] == "1", fe
        assert be["dreq"] == "0" and be["stot"] == be["req_tot"] == "1", be  # the others never came there
        assert be["econ"] == one["econ"] == "1" and be["wretr"] == one["wretr"] == "3", (be, one)
        assert fe["hrsp_4xx"] == "2" and fe["hrsp_5xx"] == "1", fe


def test_refused_messages_are_shown(binary):
    with Box(binary) as box:
        assert box.cli("show errors").rstrip().endswith(": 0")
        with box.proxy.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nBad\x01 name: \\x\r\n\r\n")
            assert b" 400 " in read_all(s)
        said = box.cli("show errors")
        assert "  backend <NONE> (#-1), server <NONE> (#-1), event #0, src 127.0.0.1:" in said, said
        assert re.search(r"frontend fe \(#2\): invalid request", said) and "Bad\\x01 name: \\\\x\\r\\n\n" in said, said
        with box.proxy.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nB\x1b\t\\\xff\x7f" + b"x" * 150 + b"\0" * 20 + b"\r\n\r\n")
            assert b" 400 " in read_all(s)
        said = box.cli("show errors fe").split("\n")
        at = said.index(r"  00000  GET / HTTP/1.1\r\n")
        assert [line for line in said[at + 2 :] if line] == [
            r"  00025  B\e\t\\\xFF\x7F" + "x" * 55,
            "  00086+ " + "x" * 70,
            "  00156+ " + "x" * 25 + r"\x00" * 11,
            "  00192+ " + r"\x00" * 9 + r"\r\n",
            r"  00203  \r\n",
        ], said
        box.one.serve = box.two.serve = lambda server, c: c.recv(999) and c.sendall(b"HTTP/9 what\r\n\r\n")
        assert " 502 " in box.http("GET /")
        said = box.cli("show errors be response")
        assert re.search(r"backend be \(#3\): invalid response", said) and "HTTP/9 what" in said, said
        assert re.search(r"  frontend fe \(#2\), server (one \(#1|two \(#2)\), event #2, src 127.0.0.1:", said), said
        assert "invalid request" not in said, said
        assert box.row("be", "BACKEND", "eresp") == "1"


def test_a_backend_counts_a_session_when_it_begins(binary):
    """Not when it ends, which may be days later; and one that waits in a queue was given to its backend, too."""

    def hold(server, c):
        c.recv(999)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        c.recv(999)

    held, port, ruled = Server(hold), free_port(), free_port()
    line = f" server s 127.0.0.1:{held.port}"
    extra = f"{line} maxconn 1\n timeout queue 1m\n timeout server 1m\n"
    extra += f"frontend f\n bind 127.0.0.1:{port}\n timeout client 1m\n default_backend empty\n"
    extra += f"listen ruled\n mode tcp\n bind 127.0.0.1:{ruled}\n tcp-request content accept\n{line}\n"
    with Box(binary, extra=extra) as box:

        def counts(proxy):
            rows = {r["svname"]: r["stot"] for r in box.rows() if r["pxname"] == proxy}
            return [n for name, n in rows.items() if name != "FRONTEND"]

        box.one.serve = hold
        for proxy, to in (("empty", port), ("lt", box.tcp), ("ruled", ruled)):
            before = int(counts(proxy)[1])
            with box.proxy.connect(to) as s, box.proxy.connect(to) as queued:
                s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert s.recv(999), "the server has it"
                until(f"{proxy} counts it", lambda: counts(proxy)[1] != str(before))
                if proxy == "empty":
                    told = lambda name: [box.row("empty", name, f) or "0" for f in ("req_tot", "hrsp_2xx")]
                    until("its server's answer counts", lambda: told("s") == ["1", "1"])
                    assert told("BACKEND") == ["0", "0"], "the backend's when it is over"
                    queued.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    until("it counts one that waits", lambda: counts(proxy) == ["1", "2"])
            until(f"{proxy} has counted both", lambda: counts(proxy)[1] == "2")
    held.stop()


def test_a_tcp_frontend_of_an_http_backend_is_shown_as_written(binary):
    port = free_port()
    with Box(binary, extra=f"frontend f\n mode tcp\n bind 127.0.0.1:{port}\n default_backend be\n") as box:
        with box.proxy.connect(port) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert b" 200 " in read_all(s)
        until("it is counted", lambda: box.row("be", "BACKEND", "hrsp_2xx") == "1")
        row = [box.row("f", "FRONTEND", field) for field in ("mode", "stot", "req_tot", "hrsp_2xx", "intercepted")]
        assert row == ["tcp", "1", "1", "", ""], row
        assert box.row("be", "BACKEND", "mode") == box.row("fe", "FRONTEND", "mode") == "http"


def test_show_stat_up_tells_how_many_servers_are(binary):
    extra = " server a 127.0.0.1:1\n server b 127.0.0.1:1 disabled\nbackend off\n server c 127.0.0.1:1 disabled\nbackend none\n"
    with Box(binary, extra=extra) as box:

        def backends(how):
            rows = csv.DictReader(io.StringIO(box.cli("show stat" + how)[2:]))
            return {r["pxname"]: r["status"] for r in rows if r["svname"] == "BACKEND" and r["pxname"] not in ("be", "lt")}

        assert backends("") == {"empty": "UP", "off": "DOWN", "none": "UP"}
        assert backends(" up") == {"empty": "UP (1/2)", "off": "DOWN (0/1)", "none": "UP (0/0)"}


def test_counters_are_cleared(binary):
    with Box(binary) as box:
        box.get(4)
        until("the last one is over", lambda: box.row("fe", "FRONTEND", "scur") == "0")
        assert box.row("be", "BACKEND", "stot") == "4"
        assert box.cli("clear counters") == "\n"
        assert box.row("be", "BACKEND", "stot") == "4" and box.row("fe", "FRONTEND", "smax") == "0"
        assert "ermission denied" in box.cli("clear counters all", "operator")
        assert box.cli("clear counters all") == "\n"
        assert box.row("be", "BACKEND", "stot") == "0" and box.row("fe", "FRONTEND", "bin") == "0"
        box.get(3)
        assert box.row("be", "BACKEND", "stot") == "3" and box.row("fe", "FRONTEND", "conn_tot") == "3"


# ---- Commands


def test_weight_and_state_are_set(binary):
    with Box(binary) as box:
        assert box.cli("get weight be/one") == "3 (initial 3)\n\n"
        assert box.cli("set weight be/one 0%") == "\n"
        assert box.cli("get weight be/one; get weight be/two") == "0 (initial 3)\n\n5 (initial 5)\n\n"
        box.get(6)
        assert box.one.count == 0 and box.two.count == 6, (box.one.count, box.two.count)
        box.cli("set server be/one weight 3; set server be/two state maint")
        assert box.row("be", "two", "status") == "MAINT" and box.row("be", "BACKEND", "act") == "1"
        box.get(4)
        assert box.one.count == 4 and box.two.count == 6, (box.one.count, box.two.count)
        box.cli("enable server be/two; disable server be/one")
        box.get(3)
        assert box.two.count == 9 and box.row("be", "two", "status") == "no check"
        box.cli("set server be/one state ready; set server be/two state drain")
        box.get(3)
        assert box.one.count == 7, box.one.count
        assert box.row("be", "two", "status") == "DRAIN", box.row("be", "two", "status")
        state = box.cli("show servers state be").splitlines()
        assert state[0] == "1" and state[2].split()[3] == "one" and state[3].split()[6] == "8", state
        for wrong in ("get weight be", "set weight nobe/one 1", "set weight be/nobody 1", "set weight be/one 257",
                      "set weight be/one x", "set server be/one state asleep", "set server be/one"):
            assert box.cli(wrong).strip(), wrong


def test_a_server_moves(binary):
    with Box(binary, servers=1) as box:
        box.get(2)
        there = box.two.port
        assert box.cli(f"set server be/one addr 127.0.0.1 port {there}").startswith("no need to change the addr, port changed from")
        box.get(3)
        assert box.one.count == 2 and box.two.count == 3, (box.one.count, box.two.count)
        assert box.row("be", "one", "addr") == f"127.0.0.1:{there}"
        assert box.cli(f"set server be/one addr 127.0.0.2 port {there}").startswith("IP changed from '127.0.0.1' to '127.0.0.2'")
        assert box.row("be", "one", "addr") == f"127.0.0.2:{there}"
        assert "no need" in box.cli(f"set server be/one addr 127.0.0.2 port {there}")
        for wrong in ("addr", "addr nowhere", "addr 1.2.3") + (("addr 127.0.0.1 port x",) if ours(binary) else ()):
            said = box.cli("set server be/one " + wrong)
            assert said.strip() and box.row("be", "one", "addr") == f"127.0.0.2:{there}", (wrong, said)
        # its checks follow
        box.cli(f"set server lt/t addr 127.0.0.1 port {free_port()}")
        until("nobody is there", lambda: box.row("lt", "t", "status").startswith("DOWN"))
        box.cli(f"set server lt/t check-port {there}")
        until("it is checked elsewhere", lambda: box.row("lt", "t", "status") == "UP")
        if ours(binary):
            box.cli("reload")
            assert box.row("be", "one", "addr") == f"127.0.0.2:{there}", "what was set stays"


def test_listeners_have_rows_of_their_own(binary):
    port = free_port()
    page = f"bind 127.0.0.1:{port} name second\n option socket-stats\n http-request deny if {{ path /no }}\n"
    with Box(binary, page=page, servers=1) as box:

        def second(*fields):
            return [box.row("fe", "second", f) for f in fields]

        box.get(3)
        for data in (b"GET /no HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"\1bad\r\n\r\n"):
            with box.proxy.connect(port) as s:
                s.sendall(data)
                assert b"HTTP/1.1 40" in read_all(s)
        until("they are gone", lambda: second("scur") == ["0"])
        with box.proxy.connect(port), box.proxy.connect(port):
            until("both are there", lambda: second("scur", "stot") == ["2", "4"])
            assert second("dreq", "ereq", "eint") == ["1", "1", "0"], second("dreq", "ereq", "eint")
            assert second("smax") == ["2"] and box.row("fe", "sock-1", "stot") == "3"
            until("the others are over", lambda: box.row("fe", "sock-1", "scur") == "0")
            for f in ("bin", "bout"):
                sums = [int(box.row("fe", name, f)) for name in ("sock-1", "second", "FRONTEND")]
                # what is refused before it is a request counts for one of them in HAProxy, for none here
                assert 0 < sums[0] <= sums[2] and sums[1] <= sums[2], (f, sums)
            box.cli("clear counters all")
            assert second("scur", "stot") == ["2", "0"], second("scur", "stot")
            if ours(binary):
                box.cli("reload")
                assert second("scur", "stot") == ["2", "0"]
        until("both have left", lambda: second("scur") == ["0"])


def test_idle_connections_are_counted(binary):
    with Box(binary, servers=1) as box, box.proxy.connect() as s:
        for _ in range(2):
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 200 " in s.recv(4096)
        until("one waits for the next request", lambda: box.row("be", "one", "srv_icur") == box.row("be", "one", "safe_conn_cur") == "1")


def test_servers_come_and_go(binary):
    with Box(binary, servers=1) as box:
        new = Server(web("new"))

        def names():
            return {r["svname"] for r in box.rows() if r["pxname"] == "be"} - {"BACKEND"}

        for line, said in (("add server be", "Require 'backend/server'."), ("add server no/x 127.0.0.1:1", "No such backend."),
                           ("add server be/one 127.0.0.1:1", "Already exists a server with the same name in backend."),
                           ("add server be/x", "'server' expects <name> and <addr>[:<port>] as arguments."),
                           ("add server be/x 127.0.0.1:1 cookie c", "'cookie' option is not accepted for dynamic server"),
                           ("add server be/x,y 127.0.0.1:1", "character ',' is not permitted in server name 'x,y'."),
                           ("del server be/x", "No such server."),
                           ("del server be/one", "Only servers in maintenance mode can be deleted.")):  # fmt: skip
            assert box.cli(line).strip() == said, (line, box.cli(line))
        for wrong in ("127.0.0.1:99999", "127.0.0.1:1 no-such-word", "127.0.0.1:1 weight 999", "127.0.0.1:1 track be/none"):
            assert box.cli("add server be/x " + wrong).strip() != "New server registered.", wrong
        assert names() == {"one"}
        words = f"127.0.0.1:{new.port} weight 7 maxconn 9 check inter 200 rise 1 id 70"
        assert box.cli("add server be/new " + words) == "New server registered.\n\n"
        assert [box.row("be", "new", f) for f in ("status", "uweight", "slim", "sid")] == ["MAINT", "7", "9", "70"]
        box.get(5)
        assert (box.one.count, new.count) == (5, 0)
        assert "custom id 70" in box.cli("add server be/second 127.0.0.1:1 id 70")
        box.cli("set server be/one state maint")  # the one that came serves alone
        assert box.cli("enable health be/new; set server be/new state ready").strip() == ""
        until("it is checked", lambda: box.row("be", "new", "check_status") == "L4OK")
        box.get(5)
        assert (box.one.count, new.count) == (5, 5)
        new.stop()
        until("it is found down", lambda: box.row("be", "new", "status").startswith("DOWN"))
        assert box.cli("del server be/one") == "Server deleted.\n"
        assert names() == {"new"} and " 503 " in box.http("GET /")
        box.cli("set server be/new state maint")
        assert box.cli("del server be/new") == "Server deleted.\n" and names() == set()
        # the same name again is another server
        assert box.cli(f"add server be/new 127.0.0.1:{box.one.port}") == "New server registered.\n\n"
        assert box.row("be", "new", "stot") == "0"
        box.cli("enable server be/new")
        box.get(3)
        with box.proxy.connect(box.tcp) as c:  # and nobody takes it away from a session
            c.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b" 200 " in c.recv(999)
            if ours(binary):  # since 3.0
                assert box.cli("wait 1ms srv-removable lt/t") == "Only servers in maintenance mode can be deleted.\n\n"
            box.cli("set server lt/t state maint")
            assert "still has connections" in box.cli("del server lt/t")
            if ours(binary):
                assert "Wait delay expired. Server still has" in box.cli("wait 50ms srv-removable lt/t")
                threading.Timer(0.3, c.close).start()
                said = box.cli("wait 20s srv-removable lt/t; del server lt/t").split("\n")
                assert said[0] == "Done." and "Server deleted." in said, said
                assert "No such server." in box.cli("wait 1s srv-removable lt/t")


def test_commands_wait(binary):
    if not ours(binary):  # since 3.0
        return
    with Box(binary) as box, unix_connect(f"{box.folder}/admin") as s:
        began = time.monotonic()
        s.sendall(b"show cli level; wait 300; show version\n")
        s.shutdown(socket.SHUT_WR)  # as socat does
        said = read_all(s).decode()
        assert time.monotonic() - began > 0.29 and re.fullmatch(r"admin\n\nDone.\n\n\d.*\n\n", said), said
        for line in ("wait", "wait soon", "wait 1s be-removable be", "wait 1s srv-removable be/none", "wait 99d"):
            assert box.cli(line).strip() and "Done" not in box.cli(line), line
        with unix_connect(f"{box.folder}/admin") as gone:  # what was to be done later is not done then
            gone.sendall(b"show cli level; wait 1h; set weight be/one 99\n")
            while b"admin" not in gone.recv(99):
                pass
        with unix_connect(f"{box.folder}/admin") as stays:  # whom an end does not wait for
            stays.sendall(b"prompt i\nwait 200ms\nshow cli level\nwait 1h\n")
            said = b""
            while b"admin" not in said:
                said += stays.recv(99)
            assert said.index(b"Done.") < said.index(b"admin"), said
        assert not box.cli("get weight be/one").startswith("99")


def test_an_agent_is_commanded(binary):
    said = Server(lambda server, c: (server.counted(), c.sendall(b"drain\n" if c.recv(99) == b"hello" else b"ready\n")))
    with Box(binary, extra=f" server a 127.0.0.1:1 agent-check agent-port {said.port} agent-inter 200ms\n server n 127.0.0.1:1\n") as box:
        until("it is asked", lambda: said.count > 0)
        assert box.cli("set server empty/a agent down").strip() == "" and box.row("empty", "a", "status").startswith("DOWN")
        assert box.cli("set server empty/a agent up").strip() == "" and not box.row("empty", "a", "status").startswith("DOWN")
        assert box.cli("disable agent empty/a; set server empty/a agent up").strip() == "agent checks are not enabled on this server."
        assert box.cli("enable agent empty/a; set server empty/a agent-send hello").strip() == ""
        until("it is asked again", lambda: box.row("empty", "a", "status").startswith("DRAIN"))
        for line in ("agent up", "agent-addr 127.0.0.1", "agent-port 8", "agent-send x"):
            assert box.cli("set server empty/n " + line).strip().startswith("agent checks are not enabled on this server"), line
        assert "cannot enable" in box.cli("enable agent empty/n") and box.cli("disable agent empty/n").strip() == ""
        assert box.cli("set server empty/a agent-port x").strip() == "provided port is not an integer"
        assert "expects 'up' or 'down'" in box.cli("set server empty/a agent sideways")
        for line in ("check-addr 127.0.0.1", "check-port 8"):
            assert box.cli("set server empty/n " + line).strip() == "health checks are not enabled on this server", line
        other = Server(web("other"))
        assert box.cli(f"set server lt/t check-addr 127.0.0.1 port {other.port}").strip() == ""
        box.one.stop()
        time.sleep(0.5)
        assert box.row("lt", "t", "status") == "UP"


def test_health_is_set(binary):
    with Box(binary) as box:
        assert box.cli("disable health lt/t") == "\n"
        assert box.cli("set server lt/t health down") == "\n"
        assert box.row("lt", "t", "status").startswith("DOWN") and box.row("lt", "BACKEND", "status") == "DOWN"
        assert box.cli("enable health lt/t") == "\n"
        until("checks bring it up again", lambda: box.row("lt", "t", "status") == "UP")
        assert box.row("lt", "t", "chkdown") == "1" and box.row("lt", "BACKEND", "chkdown") == "1"
        assert box.cli("set server be/one health down; set server be/one health up") == "\n\n"


def test_levels_are_kept(binary):
    with Box(binary) as box:
        for level, line, ok in (
            ("user", "show stat", True), ("user", "show sess", False), ("user", "disable server be/one", False),
            ("operator", "show sess", True), ("operator", "set weight be/one 1", False), ("admin", "set weight be/one 1", True),
            ("admin", "user; show sess", False), ("admin", "operator; set weight be/one 1", False),
        ):
            said = box.cli(line, level)
            denied = "denied" in said or "Unknown" in said
            assert denied != ok, (level, line, said)
        assert box.cli("get weight be/one").startswith("1 "), "none but the admin's came through"
        assert ",127.0.0.1:" in box.cli("show stat", "operator") and ",127.0.0.1:" not in box.cli("show stat", "user")


def test_a_prompt_stays(binary):
    with Box(binary) as box, unix_connect(f"{box.folder}/admin") as s:
        f = s.makefile("rwb", buffering=0)

        def said():
            data = b""
            while not data.endswith(b"\n> "):
                part = s.recv(4096)
                assert part, data
                data += part
            return data

        f.write(b"prompt\n")
        said()
        f.write(b"get weight be/one\n")
        assert said() == b"3 (initial 3)\n\n> "
        f.write(b"get weight be/two\nquit\n")
        assert read_all(s).startswith(b"5 (initial 5)\n")


def test_limits_are_set(binary):
    with Box(binary) as box:
        assert box.cli("set maxconn frontend fe 33; set maxconn server be/two 4") == "\n\n"
        assert box.row("fe", "FRONTEND", "slim") == "33" and box.row("be", "two", "slim") == "4"
        assert box.cli("set maxconn global 77") == "\n"
        assert "\nMaxconn: 77\n" in box.cli("show info")


def test_sessions_are_listed_and_ended(binary):
    with Box(binary) as box, box.proxy.connect(box.tcp) as s, box.proxy.connect(box.tcp) as t:
        def listed():
            return re.findall(r"(?m)^(0x[0-9a-f]+): proto=tcpv4 src=(\S+) fe=lt be=lt srv=t ", box.cli("show sess"))

        until("both are there", lambda: len(listed()) == 2)
        mine = [i for i, src in listed() if src == "127.0.0.1:%d" % s.getsockname()[1]]
        assert len(mine) == 1, listed()
        assert f"{mine[0]}" in box.cli(f"show sess {mine[0]}") or not ours(binary)
        box.cli(f"shutdown session {mine[0]}")
        assert s.recv(1) == b""
        until("one is left", lambda: len(listed()) == 1)
        box.cli("shutdown sessions server lt/t")
        assert t.recv(1) == b""
        assert "No such session" in box.cli("shutdown session 0x1")


def test_maps_and_acls_change(binary):
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/m", "w") as m, open(d + "/a", "w") as a:
            m.write("a.example one\nb.example two\n")
            a.write("/never\n")
        page = (
            f"http-request deny status 429 if {{ path -f {d}/a }}\n"
            f" http-request return status 200 content-type text/plain lf-string "
            f'"%[path,regsub(^/,),map_str({d}/m,none)]"\n'
        )
        with Box(binary, page=page) as box:
            def value(key):
                return box.http("GET /" + key).split("\r\n\r\n", 1)[1]

            listed = re.search(rf"(?m)^(\d+) \({d}/m\) .*entry_cnt=2$", box.cli("show map"))
            assert listed and f"({d}/a)" in box.cli("show acl") and f"({d}/a)" not in box.cli("show map")
            by_id = "#" + listed.group(1)
            assert [value(k) for k in ("a.example", "b.example", "c")] == ["one", "two", "none"]
            assert box.cli(f"add map {d}/m c three; set map {by_id} a.example 1") == "\n\n"
            assert box.cli(f"add map {d}/m <<\nd four five\ne six\n") == "\n"
            assert [value(k) for k in ("a.example", "c", "d", "e")] == ["1", "three", "four five", "six"]
            entry = re.search(r"(?m)^(0x[0-9a-f]+) c three$", box.cli(f"show map {d}/m")).group(1)
            assert box.cli(f"set map {d}/m #{entry} 3; del map {d}/m b.example") == "\n\n"
            assert [value(k) for k in ("b.example", "c")] == ["none", "3"]
            assert 'value="3"' in box.cli(f"get map {d}/m c") and "found=no" in box.cli(f"get map {d}/m zz")
            assert box.cli(f"add acl {d}/a /c") == "\n" and " 429 " in box.http("GET /c")
            assert box.cli(f"del acl {d}/a /c") == "\n" and " 200 " in box.http("GET /c")
            assert box.cli(f"clear map {d}/m") == "\n" and value("c") == "none"
            for wrong in (f"add map {d}/m one", "add map #99 a b", f"del map {d}/m none", f"set map {d}/m none x", "show map nowhere"):
                assert box.cli(wrong).strip(), wrong


def test_a_frontend_rests(binary):
    with Box(binary) as box:
        assert box.cli("disable frontend fe") == "\n"
        assert box.row("fe", "FRONTEND", "status") in ("PAUSED", "STOP"), box.row("fe", "FRONTEND", "status")
        assert box.cli("disable frontend fe").strip(), "it is disabled already"
        assert box.cli("enable frontend fe") == "\n"
        box.get(1)
        box.cli("shutdown frontend fe")
        until("nobody listens", lambda: refused(box.proxy.port))
        assert box.row("fe", "FRONTEND", "status") == "STOP"


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return False
    except OSError:
        return True


# ---- The page


def test_the_page_asks_for_a_name(binary):
    page = "stats enable\n stats uri /stats\n stats realm A\\ place\n stats auth joe:secret:1\n stats auth ann:other\n"
    with Box(binary, page=page) as box:
        answer = box.http("GET /stats")
        assert " 401 " in answer[:16] and 'Basic realm="A place"' in answer, answer[:300]
        for user, ok in (("joe:secret:1", True), ("ann:other", True), ("joe:other", False), ("joe:secret", False)):
            value = base64.b64encode(user.encode()).decode()
            answer = box.http("GET /stats", fields=[f"Authorization: Basic {value}"])
            assert (" 200 " in answer[:16]) == ok, (user, answer[:100])
        box.get(1)


def test_the_page_is_seen_by_whom_rules_let(binary):
    page = "stats uri /stats\n stats http-request deny if { hdr(x-no) 1 }\n stats scope be\n"
    with Box(binary, page=page) as box:
        assert " 403 " in box.http("GET /stats", fields=["X-No: 1"])[:16]
        text = box.http("GET /stats;csv").split("\r\n\r\n", 1)[1]
        assert {l.split(",")[0] for l in text.splitlines()[1:]} == {"be"}, text


def test_the_form_changes_servers(binary):
    page = "stats enable\n stats uri /stats\n stats admin if { hdr(x-admin) 1 }\n"
    with Box(binary, page=page) as box:
        admin = ["X-Admin: 1", "Content-Type: application/x-www-form-urlencoded"]

        def post(body, fields=admin):
            answer = box.http("POST /stats", body, fields)
            assert " 303 " in answer[:16], answer
            return re.search(r"(?i)\nlocation: \S*;st=(\w+)", answer).group(1)

        shown = box.http("GET /stats", fields=["X-Admin: 1"])
        assert "<form" in shown and 'name="s" value="one"' in shown, shown
        assert 'name="s"' not in box.http("GET /stats")
        assert post("s=one&action=maint&b=be") == "DONE"
        assert box.row("be", "one", "status") == "MAINT"
        assert post("s=one&s=two&action=ready&b=be") == "DONE" and box.row("be", "one", "status") == "no check"
        assert post("s=one&action=drain&b=%233") == "DONE" and box.row("be", "one", "status") == "DRAIN"
        assert post("s=one&action=maint&b=be", admin[1:]) == "DENY"
        assert post("action=maint&b=be") == "NONE" and post("s=one&action=maint&b=nobody") == "ERRP"
        assert box.row("be", "one", "status") == "DRAIN"
        if not ours(binary):
            return
        for who in ("http://elsewhere", "null", "https://here.elsewhere"):
            assert post("s=one&action=maint&b=be", admin + ["Origin: " + who]) == "DENY", who
        assert post("s=one&action=maint&b=be", admin + ["Sec-Fetch-Site: cross-site"]) == "DENY"
        assert post("s=one&action=ready&b=be", admin + ["Origin: http://here"]) == "DONE"


def test_hostile_requests_for_the_page(binary):
    if not ours(binary):
        return
    with Box(binary, page="stats enable\n stats uri /stats\n stats admin if TRUE\n") as box:
        assert " 413 " in box.http("POST /stats", "x" * 20000)[:16]
        with box.proxy.connect() as s:
            s.sendall(b"POST /stats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            assert b" 411 " in read_all(s)
        for _ in range(40):  # gone before the answer
            with box.proxy.connect() as s:
                s.sendall(b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n")
        with box.proxy.connect() as s:  # in pieces, then a second request behind it
            s.sendall(b"POST /stats HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\ns=one&action=")
            time.sleep(0.1)
            s.sendall(b"drain&b=beGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = read_all(s)
        assert answer.count(b"HTTP/1.1 ") == 2 and b";st=" in answer and b" 200 " in answer, answer
        text = box.http("GET /stats;scope=<script>;st=<b>")
        assert "<script>" not in text and "<b>" not in text


# ---- Bad command lines


def test_hostile_command_lines(binary):
    if not ours(binary):
        return
    with Box(binary) as box:
        try:
            assert "longer than" in box.cli("x" * 20000)
        except ConnectionResetError:  # closed before all was sent
            pass
        assert "More than 64 words" in box.cli("a " * 70)
        for line in (";", ";;;", "\\", "show\\ stat", "<<\n", "show stat <<\na\n", "get weight /", "get weight a/b/c/d", "\x01\x02"):
            box.cli(line)
        for _ in range(30):  # more than may be connected at once
            with unix_connect(f"{box.folder}/user") as s:
                s.sendall(b"show stat\n")
        assert box.cli("show version").strip()


# ---- Over a reload


def test_a_prompt_may_tell_how_long_the_process_runs(binary):
    if "haproxy" in os.path.basename(binary):  # since 2.9
        return
    with Box(binary) as box, unix_connect(f"{box.folder}/admin") as s:
        s.sendall(b"prompt timed\nshow cli level\nprompt timed p\nprompt timed n\n")
        s.shutdown(socket.SHUT_WR)
        said = read_all(s).decode()
        time_of = r"\n\[0:00:\d\d:\d\d\]> "
        assert re.fullmatch(time_of + "admin\n" + time_of + "\n> \n", said), said


# Of HAProxy 2.6's help; enough of each that it is known by.
COMMANDS = """abort ssl ca-file x|abort ssl cert x|abort ssl crl-file x|add acl x y|add map x y z|add server be/x|add ssl crt-list x y|clear acl x
clear counters|clear map x|clear table x|commit acl @1 x|commit map @1 x|commit ssl ca-file x|commit ssl cert x|commit ssl crl-file x|del acl x y
del map x y|del server be/x|del ssl ca-file x|del ssl cert x|del ssl crl-file x|del ssl crt-list x y|disable agent be/one
disable dynamic-cookie backend be|disable frontend x|disable health be/x|disable server be/x|enable agent be/one|enable dynamic-cookie backend be
enable frontend x|enable health be/x|enable server be/x|get acl x y|get map x y|get var proc.x|get weight be/one|new ssl ca-file x|new ssl cert x
new ssl crl-file x|operator|prepare acl x|prepare map x|set dynamic-cookie-key backend be k|set map x y z|set maxconn frontend x 1
set maxconn global 100|set maxconn server be/x 1|set profiling tasks off|set rate-limit connections global 0|set server be/one weight 1
set severity-output none|set ssl ca-file x|set ssl cert x|set ssl crl-file x|set ssl ocsp-response x|set ssl tls-key x y|set table x key y
set timeout cli 5|set weight be/one 3|show acl|show activity|show backend|show cache|show cli level|show cli sockets|show env|show errors|show events
show fd|show info|show libs|show map|show peers|show pools|show profiling|show resolvers|show schema json|show servers conn|show servers state|show sess
show ssl ca-file|show ssl cert|show ssl crl-file|show ssl crt-list|show ssl ocsp-response|show ssl providers|show startup-logs|show stat|show table
show tasks|show threads|show tls-keys|show trace|show version|shutdown frontend x|shutdown session x|shutdown sessions server be/x|trace|debug dev fd|user|help|quit""".replace("\n", "|").split("|")


def test_threads_tell_what_they_did(binary):
    with Box(binary) as b:
        def activity():
            rows = dict(line.split(": ", 1) for line in b.cli("show activity").strip().split("\n"))
            for name in "loops", "poll_io", "accepted":  # the sum, then each thread's
                total, each = re.fullmatch(r"(\d+) \[((?: \d+)+) \]", rows[name]).groups()
                assert int(total) == sum(map(int, each.split())), rows
                rows[name] = int(total)
            return rows

        before = activity()
        b.get(3)
        after = activity()
        assert after["accepted"] >= before["accepted"] + 3, (before, after)
        assert after["poll_io"] >= before["poll_io"] + 3 and after["loops"] > before["loops"], (before, after)


def test_every_command_of_haproxy_gets_an_answer(binary):
    with Box(binary) as b:
        unknown = [c for c in COMMANDS if b.cli(c).lstrip("\n> ").startswith("Unknown command")]
        assert not unknown, unknown


def test_a_masters_socket_takes_whom_a_command_is_for(binary):
    if "haproxy" in os.path.basename(binary):
        return  # there it takes a master and its worker
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "master")

        def cli(line):
            return ask_api(path, line).strip()

        text = config("listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:1\n")
        with Proxy(binary, text, args=["-S", path]) as p:
            version = cli("show version")
            assert version and "Unknown" not in version
            for to in ("@1", "@master", f"@!{p.process.pid}", "@1;"):
                assert cli(f"{to} show version") == version, to
            for to in ("@2", "@!1", "@!"):
                assert cli(f"{to} show version") == f"Can't find the target PID matching the prefix '{to}'", to


def test_a_reload_keeps_counters_and_what_was_set(binary):
    if not ours(binary):
        return
    with Box(binary) as box:
        box.get(3)
        box.cli("set weight be/one 9; disable server be/two; set maxconn frontend fe 44")
        assert "read again" in box.cli("reload")
        assert box.cli("get weight be/one") == "9 (initial 3)\n\n" and box.row("be", "two", "status") == "MAINT"
        assert box.row("fe", "FRONTEND", "req_tot") == "3" and box.row("fe", "FRONTEND", "slim") == "44"
        box.weight = 4  # what the file says anew counts
        box.proxy.write(box.text())
        box.cli("reload")
        assert box.cli("get weight be/one") == "4 (initial 4)\n\n" and box.row("be", "two", "status") == "MAINT"


def test_a_restart_takes_the_state_from_a_file(binary):
    with tempfile.TemporaryDirectory() as d:
        with Box(binary) as box:
            box.cli("set weight be/one 7; set server be/two state drain; disable server lt/t")
            state = box.cli("show servers state")
        lines = state.rstrip("\n").split("\n")
        with open(d + "/state", "w") as f:
            f.write("\n".join(lines) + "\n9 nobe 1 x - 2 0 1 1 0 1 0 0 0 0 0 0 - 0 - 0 0 - - 0\n")
        with open(d + "/be", "w") as f:
            f.write("\n".join(l for l in lines if " lt " not in l).replace(" one 127.0.0.1 2 0 7 ", " one 127.0.0.1 2 0 9 ") + "\n")
        for extra, want in (
            (" load-server-state-from-file global\n", ("7", "DRAIN", "MAINT")),
            (" load-server-state-from-file local\n", ("9", "DRAIN", "UP")),
            ("", ("3", "no check", "UP")),
        ):
            head = f"    server-state-base {d}\n    server-state-file state\n"
            with Box(binary, defaults=extra, globals=head, waits=False) as box:
                until("checks are through", lambda: box.row("lt", "t", "status") == want[2])
                got = (box.row("be", "one", "weight"), box.row("be", "two", "status"))
                assert got == want[:2], (extra, got)


if __name__ == "__main__":
    main(globals())
