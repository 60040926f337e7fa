#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Commands of the runtime API that change what runs, in proxyd and HAProxy alike:   api_twin.py BINARY

Those that show are in stats.py, certificates in certs_twin.py.
"""
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

from support import Asked, Proxy, Server, ask_api, free_port, main, read_all, read_head, read_message, unix_connect, until

HTTP = """
global
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
{sections}
"""


def asked(binary, sections, start="global\n", **files):
    """{NAME} in the sections is a file with that text."""
    folder = tempfile.mkdtemp(prefix="proxyd-api.")
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
        sections = sections.replace("{" + name + "}", os.path.join(folder, name))
    a = Asked(binary, HTTP.replace("global\n", start).replace("{sections}", sections))
    a.file = lambda name: os.path.join(folder, name)
    return a


def get(a, path="/", head=""):
    with a.proxy.connect() as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{head}\r\n".encode())
        return read_all(s).decode("latin-1")


def body(a, path):
    return get(a, path).split("\r\n\r\n", 1)[1]


MAPS = """
frontend f
    bind 127.0.0.1:{port}
    http-request deny if { path -f {bad} }
    http-request return status 200 content-type text/plain lf-string "%[path,map({map},none)] %[path,map_beg({map},none)]"
"""


def listed(a, what):
    """The entries, without their numbers."""
    return [line.split(" ", 1)[1] for line in a.ask(f"show {what}").splitlines()]


def test_a_version_of_a_map_takes_the_place_of_the_old_one(binary):
    with asked(binary, MAPS, map="/a A\n/b B\n", bad="/bad\n") as a:
        name = a.file("map")
        assert a.ask(f"prepare map {name}") == "New version created: 1"
        assert a.ask(f"prepare map {name}") == "New version created: 2"
        assert a.ask(f"add map @1 {name} /gone X") == ""
        assert a.ask(f"add map @2 {name} <<\n/b two\n/c three\n") == ""
        assert listed(a, f"map @1 {name}") == ["/gone X"] and listed(a, f"map @2 {name}") == ["/b two", "/c three"]
        assert listed(a, f"map {name}") == ["/a A", "/b B"]
        assert [body(a, p) for p in ("/a", "/b", "/c")] == ["A A", "B B", "none none"]
        assert "curr_ver=0 next_ver=2 " in a.ask("show map")
        assert a.ask(f"commit map {name}") == "Missing version number."
        assert a.ask(f"commit map @3 {name}") == "Version number out of range."
        assert a.ask(f"add map @3 {name} /x y") == "Version number in the future, please use 'prepare map' before."
        assert a.ask(f"commit map @2 {name}") == ""
        assert [body(a, p) for p in ("/a", "/b", "/c", "/c/d")] == ["none none", "two two", "three three", "none three"]
        assert "curr_ver=2 next_ver=2 " in a.ask("show map")
        assert a.ask(f"commit map @1 {name}") == "Version number out of range."
        assert listed(a, f"map @1 {name}") == []
        a.ask(f"add map {name} /d four")
        assert body(a, "/d") == "four four" and listed(a, f"map @2 {name}")[-1] == "/d four"
        a.ask(f"prepare map {name}")
        a.ask(f"add map @3 {name} /e five")
        assert a.ask(f"clear map @3 {name}") == "" and listed(a, f"map @3 {name}") == []
        assert a.ask(f"commit map @3 {name}") == "" and listed(a, f"map {name}") == []
        assert a.ask("prepare map /none") == "Unknown map identifier. Please use #<id> or <file>."


NETS = """
frontend f
    bind 127.0.0.1:{port}
    http-request deny if { src -f {nets} } !{ path -m reg -i -f {words} }
    http-request return status 200 content-type text/plain lf-string "%[src,map_ip({map},none)]"
"""


def test_a_value_is_looked_up_as_a_rule_does(binary):
    with asked(binary, NETS, map="10.0.0.0/8 ten\n10.1.0.0/16 one\n", nets="192.168.0.0/16\n", words="^/a+$\n") as a:
        name = a.file("map")
        assert a.ask(f"get map {name} 10.1.2.3") == (
            'type=ip, case=sensitive, found=yes, idx=tree, key="10.1.0.0/16", value="one", type="str"')
        assert a.ask(f"get map {name} 11.1.2.3") == "type=ip, case=sensitive, found=no"
        name = a.file("nets")
        assert a.ask(f"get acl {name} 192.168.7.7") == 'type=ip, case=sensitive, match=yes, idx=tree, pattern="192.168.0.0/16"'
        assert a.ask(f"get acl {name} 10.0.0.1") == "type=ip, case=sensitive, match=no"
        assert a.ask(f"get acl {a.file('words')} /AAA") == 'type=reg, case=insensitive, match=yes, idx=list, pattern="^/a+$"'


def test_a_version_of_an_acl_file(binary):
    with asked(binary, MAPS, map="/a A\n", bad="/bad\n") as a:
        name = a.file("bad")
        assert " 403 " in get(a, "/bad") and " 200 " in get(a, "/worse")
        assert a.ask(f"prepare acl {name}") == "New version created: 1"
        assert a.ask(f"add acl @1 {name} /worse") == ""
        assert " 403 " in get(a, "/bad") and " 200 " in get(a, "/worse")
        assert a.ask(f"commit acl @1 {name}") == ""
        assert " 200 " in get(a, "/bad") and " 403 " in get(a, "/worse")


COOKIES = """
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    cookie SRV insert
    dynamic-cookie-key one
    server s 127.0.0.1:{server}
backend plain
    server s 127.0.0.1:{server}
"""


def ok(server, c):
    if read_head(c):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def test_dynamic_cookies_come_and_go(binary):
    s = Server(ok)

    def cookie(a):
        found = re.search(r"(?i)set-cookie: SRV=([0-9a-f]{16});", get(a))
        return found and found.group(1)

    with asked(binary, COOKIES.replace("{server}", str(s.port))) as a:
        assert cookie(a) is None
        assert a.ask("enable dynamic-cookie backend b") == ""
        first = cookie(a)
        assert first
        assert a.ask("set dynamic-cookie-key backend b two") == ""
        assert cookie(a) not in (None, first)
        a.ask("set dynamic-cookie-key backend b one")
        assert cookie(a) == first
        assert a.ask("disable dynamic-cookie backend b") == ""
        assert a.ask("enable dynamic-cookie backend none") == "No such backend."
        assert a.ask("set dynamic-cookie-key backend b") == "String value expected."
        assert a.ask("set dynamic-cookie-key backend") == "A backend name is expected."


VARIABLES = """
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%[var(proc.text)] %[var(proc.n)]"
"""


def test_variables_of_the_process_are_read_and_set(binary):
    start = "global\n    set-var proc.text str(abc)\n    set-var proc.n int(5)\n"
    with asked(binary, VARIABLES, start=start) as a:
        assert a.ask("get var proc.text") == "proc.text: type=str value=<abc>"
        assert a.ask("get var proc.n") == "proc.n: type=sint value=<5>"
        a.ask("experimental-mode on; set var proc.n int(6),add(1); set var proc.text fmt <%[int(4)]>")
        assert a.ask("get var proc.n") == "proc.n: type=sint value=<7>"
        assert body(a, "/") == "<4> 7"
        for wrong in ("set var proc.n path", "set var txn.n int(1)", "set var proc.n", "set var proc.n none(1)"):
            assert a.ask("experimental-mode on; " + wrong)
        assert a.ask("get var proc.n") == "proc.n: type=sint value=<7>"
        for number in range(3):  # names that only an expression has go with it
            a.ask(f"experimental-mode on; set var proc.text var(txn.none{number})")
            a.ask(f"experimental-mode on; set var proc.text str(x),table_conn_cnt(none{number})")
        assert "none" not in a.ask("show table")
        assert a.ask("get var proc.none") == "Variable not found."


RING = """
ring lines
    format raw
    maxlen 1000
    size 65536
frontend f
    bind 127.0.0.1:{port}
    log ring@lines local0
    log-format "line %HU"
    http-request return status 200
"""


def test_who_waits_for_lines_gets_them(binary):
    with asked(binary, RING) as a:
        get(a, "/first")
        until("it was logged", lambda: "line /first" in a.ask("show events lines"))
        with unix_connect(a.path) as all_lines, unix_connect(a.path) as new_lines:
            all_lines.sendall(b"show events lines -w\n")
            new_lines.sendall(b"show events lines -w -n\n")
            assert b"line /first" in all_lines.recv(65536)
            got = {all_lines: b"", new_lines: b""}
            n = 0
            while not all(b"line /more" in text for text in got.values()):
                assert n < 100, got
                get(a, f"/more{n}")
                n += 1
                for s in got:
                    s.settimeout(0.3)
                    try:
                        got[s] += s.recv(65536)
                    except TimeoutError:
                        pass
            assert b"/first" not in got[new_lines]
        assert a.ask("show events none") == "No such event sink"
        assert a.ask("show events lines -n") == ""


def test_rates_are_limited_at_run_time(binary):
    def info(a):
        return dict(line.split(": ", 1) for line in a.ask("show info").splitlines() if ": " in line)

    with asked(binary, RING) as a:
        for word, name in (("connections", "ConnRateLimit"), ("sessions", "SessRateLimit"), ("ssl-sessions", "SslRateLimit")):
            assert info(a)[name] == "0"
            assert a.ask(f"set rate-limit {word} global 321") == ""
            assert info(a)[name] == "321"
            assert a.ask(f"set rate-limit {word} global 0") == ""
        assert a.ask("set rate-limit").startswith("'set rate-limit' only supports :")


def test_socat_and_a_prompt(binary):
    with asked(binary, RING) as a:
        out = subprocess.run(["socat", a.path, "-"], input=b"show version; show backend\n", capture_output=True, timeout=20)
        assert out.stdout.count(b"# name") == 1 and len(out.stdout.split(b"\n\n")) > 1, out.stdout
        with unix_connect(a.path) as s:
            s.sendall(b"prompt\nshow cli level\n")
            got = b""
            while got.count(b"> ") < 2:
                got += s.recv(65536)
            assert b"admin" in got
            s.sendall(b"quit\n")
            while s.recv(65536):
                pass


def test_lines_that_come_together_are_answered(binary):
    """Without a prompt, too; and quit says nothing."""
    text = "global\n    stats socket {socket} level admin\n" + "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n"
    text += "frontend f\n    bind 127.0.0.1:{port}\n    http-request return status 200\nbackend one\n"
    names = "# name\none\n\n"
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/api"
        with Proxy(binary, text.replace("{socket}", path)):
            for said, heard in (
                ("show backend\nshow backend\n", names * 2),
                ("show backend;show backend\nshow backend\n", names * 3),
                ("quit\nshow backend\n", ""),
                ("show backend\nquit\nshow backend\n", names),
                ("prompt\nshow backend\nquit\n", "\n> " + names + "> "),
            ):
                with unix_connect(path) as s:
                    s.sendall(said.encode())
                    assert read_all(s).decode() == heard, said


def test_a_state_file_is_taken(binary):
    """Weights, maintenance, drain, health, since when, and whether it is checked; one that was enabled stays so."""
    row = "2 b {id} {name} 127.0.0.1 {op} {admin} {weight} 1 {since} 6 3 {health} {check} 0 0 0 - {port} - 0 0 - - 0\n"
    said = {"w": (2, 0, 7, 0, 4, 6), "m": (0, 1, 1, 0, 0, 6), "d": (2, 8, 1, 0, 4, 6), "down": (0, 0, 1, 0, 0, 6), "stop": (3, 0, 1, 0, 2, 6),
            "since": (2, 0, 1, 1000, 4, 6), "unchecked": (2, 0, 1, 0, 4, 2), "off": (0, 5, 1, 0, 0, 6), "on": (2, 4, 1, 0, 4, 6)}  # fmt: skip
    text = "global\n    stats socket {socket} level admin\n    server-state-file {file}\ndefaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n"
    text += "    timeout server 1s\n    load-server-state-from-file global\nfrontend f\n    bind 127.0.0.1:{port}\n    http-request return status 200\nbackend b\n"
    for name in said:
        text += f"    server {name} 127.0.0.1:1 check inter 1h rise 2 fall 3{' disabled' if name in ('off', 'on') else ''}\n"
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/state", "w") as f:
            f.write("1\n# be_id be_name srv_id srv_name\n")
            for i, (name, (op, admin, weight, since, health, check)) in enumerate(said.items(), 1):
                f.write(row.format(id=i, name=name, op=op, admin=admin, weight=weight, since=since, health=health, check=check, port=7 if name == "w" else 1))
        with Proxy(binary, text.replace("{socket}", f"{folder}/api").replace("{file}", f"{folder}/state")):
            is_now, ports = {}, {}
            for line in ask_api(f"{folder}/api", "show servers state b").splitlines()[2:]:
                w = line.split()
                if w:
                    is_now[w[3]] = (int(w[5]), int(w[6]), int(w[7]), int(w[9]) // 1000 * 1000, int(w[13]) & 4)
                    ports[w[3]] = int(w[18])
    assert is_now == {name: (op, admin, weight, since, 4 if name not in ("unchecked",) else 0)
                      for name, (op, admin, weight, since, _, check) in said.items()}, is_now  # fmt: skip
    assert ports == {name: 7 if name == "w" else 1 for name in said}, ports


FULL = """
frontend f
    bind 127.0.0.1:{port}
    maxconn 300
    use_backend a if { path /1 }
    use_backend b if { path /2 }
    use_backend a if { path /3 }
    default_backend b
frontend g
    bind 127.0.0.2:{port}
    maxconn 200
    use_backend a
backend a
backend b
"""


def test_a_frontend_fills_a_backend_once(binary):
    """fullconn is a tenth of what may come, however many rules lead there."""
    with asked(binary, FULL) as a:
        assert [a.row(f"{b}/BACKEND", "slim") for b in "ab"] == [["50"], ["30"]]


def test_backslashes_extra_words_and_nothing(binary):
    """Each takes what is behind it for what it is; an empty command lists them all."""
    text = MAPS.replace("[path,map_beg({map},none)]", "[path,map_regm({map},none)]")
    with asked(binary, text, map="/a A\n", bad="/bad\n") as a:
        name, bad = a.file("map"), a.file("bad")
        for said in (r"/1 a\nb", r"/2 a\,b\\", "/3 a", r"/4 a\ b\;c", '/5 "a b"', r"/6 \\1\\\d more words"):
            assert a.ask(f"add map {name} {said}") == "", said
        assert listed(a, f"map {name}") == ["/a A", "/1 anb", "/2 a,b\\", "/3 a", "/4 a b;c", '/5 "a', r"/6 \1\d"]
        a.ask(f"set map {name} /1 x more; del map {name} /2 more; add acl {bad} /worse more; del acl {bad} /bad more")
        assert listed(a, f"map {name}")[1:3] == ["/1 x", "/3 a"]
        assert listed(a, f"acl {bad}") == ["/worse"]
        assert re.findall("(?m)^type=[^,]*", a.ask(f"get map {name} /a")) == ["type=str", "type=regm"]
        row = [line.split(" ", 1)[1] for line in a.ask("show map").splitlines() if name in line]
        use = "map at file '[^' ]*' line [0-9]+"
        assert len(row) == 1 and re.fullmatch(rf"\({name}\) pattern loaded from file '{name}' used by {use}, by {use}\. curr_ver=0 next_ver=0 entry_cnt=[0-9]+", row[0]), row
        for said in (";", "; ;"):
            assert "\n  show stat " in a.ask(said), said
        assert a.ask("show backend;show backend;").count("\n  show stat ") == 1


def test_checks_count_anew_with_a_state_file(binary):
    """Who was up is down after `fall` failures, whatever its count was."""
    asked = []

    def serve(_, c):
        if c.recv(1000):
            asked.append(1)
            c.sendall(b"HTTP/1.0 500 No\r\n\r\n")

    server = Server(serve)
    text = "global\n    stats socket {socket} level admin\n    server-state-file {file}\ndefaults\n    mode http\n    timeout connect 1s\n"
    text += "    timeout client 1s\n    timeout server 1s\n    load-server-state-from-file global\nfrontend f\n    bind 127.0.0.1:{port}\n"
    text += f"backend b\n    option httpchk\n    server s 127.0.0.1:{server.port} check inter 300ms rise 2 fall 3\n"
    for health in (4, 2):
        asked.clear()
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/state", "w") as f:
                f.write(f"1\n# be_id be_name srv_id srv_name\n3 b 1 s 127.0.0.1 2 0 1 1 100 6 3 {health} 6 0 0 0 - {server.port} - 0 0 - - 0\n")
            with Proxy(binary, text.replace("{socket}", f"{folder}/api").replace("{file}", f"{folder}/state")):
                until("it is down", lambda: ask_api(f"{folder}/api", "show servers state b").splitlines()[2].split()[5] == "0")
                assert len(asked) >= 3, (health, len(asked))


def test_times_and_rates_may_be_floats(binary):
    with asked(binary, MAPS, map="/a A\n", bad="/bad\n") as a:
        said = {line.split(".")[1]: line for line in a.ask("show info typed float").splitlines()}
        assert sorted(name for name, line in said.items() if ":flt:" in line) == sorted(
            ["Uptime_sec", "ConnRate", "SessRate", "SslRate", "SslFrontendKeyRate", "SslFrontendSessionReuse_pct", "SslBackendKeyRate",
             "CompressBpsIn", "CompressBpsOut", "Start_time_sec"])  # fmt: skip
        assert re.search(r":flt:\d+\.\d+$", said["Uptime_sec"]), said
        assert ":flt:" not in a.ask("show info typed")
        assert a.ask("show info json float").count('"type":"flt"') == 10


def test_forms_of_the_page(binary):
    """What an action comes to is told, also when there is nothing it could change."""
    text = "global\n    stats socket {socket} level admin\n" + "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n"
    text += "listen l\n    bind 127.0.0.1:{port}\n    stats uri /s\n    stats admin if TRUE\n    server s 127.0.0.1:1\n"
    with tempfile.TemporaryDirectory() as folder, Proxy(binary, text.replace("{socket}", f"{folder}/api")) as p:
        for form, result, status in (
            ("s=s&action=maint&b=l", "DONE", "MAINT"),
            ("s=s&action=ready&b=l", "DONE", "no check"),
            ("s=s&action=hdown&b=l", "DONE", "DOWN"),
            ("s=s&action=dhlth&b=l", "NONE", "DOWN"),
            ("s=s&action=dagent&b=l", "NONE", "DOWN"),
            ("s=s&action=disable&b=l", "DONE", "MAINT"),
            ("s=s&action=enable&b=l", "DONE", "no check"),
            ("s=s&action=start&b=l", "NONE", "no check"),
            ("s=s&action=stop&b=l", "DONE", "DRAIN"),
            ("s=s&action=stop&b=l", "NONE", "DRAIN"),
            ("s=s&action=start&b=l", "DONE", "no check"),
            ("s=s&action=drain", "NONE", "no check"),
            ("s=s&b=l", "NONE", "no check"),
            ("s=s&action=drain&b=none", "ERRP", "no check"),
            ("s=s&s=none&action=drain&b=l", "PART", "DRAIN"),
        ):
            with p.connect() as s:
                s.sendall(f"POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: {len(form)}\r\nConnection: close\r\n\r\n{form}".encode())
                assert f"/s;st={result}\r\n" in read_all(s).decode(), (form, result)
            row = ask_api(f"{folder}/api", "show stat l 4 -1").splitlines()[1].split(",")
            assert row[17] == status, (form, row[17])


def test_the_form_ends_sessions_of_a_server(binary):
    """One that waits for its answer is told so, one in mode tcp ends."""

    def hold(server, c):
        server.counted()
        c.recv(999)
        c.recv(999)

    held, tcp = Server(hold), free_port()
    text = (
        "global\ndefaults\n    mode http\n    timeout connect 2s\n    timeout client 20s\n    timeout server 20s\n"
        f"listen l\n    bind 127.0.0.1:{{port}}\n    stats uri /s\n    stats admin if TRUE\n    server s 127.0.0.1:{held.port}\n"
        f"listen t\n    mode tcp\n    bind 127.0.0.1:{tcp}\n    server s 127.0.0.1:{held.port}\n"
    )

    def end(p, backend):
        form = f"s=s&action=shutdown&b={backend}"
        with p.connect() as s:
            s.sendall(f"POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: {len(form)}\r\nConnection: close\r\n\r\n{form}".encode())
            assert "/s;st=DONE\r\n" in read_all(s).decode()

    with Asked(binary, text) as a, a.proxy.connect() as asks, a.proxy.connect(tcp) as talks:
        asks.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        talks.sendall(b"x")
        until("the server has both", lambda: held.count == 2)
        end(a.proxy, "l")
        assert read_head(asks).startswith(b"HTTP/1.1 502 ")
        assert a.row("t/s", "scur") == ["1"]
        end(a.proxy, "t")
        assert read_all(talks) == b""
        until("none is left", lambda: a.row("l/s", "scur") == a.row("t/s", "scur") == ["0"])


INLINE = """
frontend f
    bind 127.0.0.1:{port}
    acl small path_len 3 90:100 lt 2
    acl named path -i /a /B
    acl named path_beg -f {more} /c
    acl ours src 127.0.0.0/8 ::1
    acl listed path -u 40 /u
    http-request return status 200 content-type text/plain string METH if METH_POST
    http-request return status 200 content-type text/plain string small if small
    http-request return status 200 content-type text/plain lf-string "named %[path,map({map},none)]" if named ours or { path -m reg ^/x }
    http-request return status 200 content-type text/plain string none
"""


def test_patterns_of_a_line_are_listed_and_changed(binary):
    """They have numbers in the order of the file, beside files and maps."""
    with asked(binary, INLINE, more="/d\n", map="/a A\n") as a:
        rows = [line for line in a.ask("show acl").splitlines()[1:] if "httpclient" not in line]
        found = [re.fullmatch(r"(\d+) \((.*)\) (?:acl '(.*)' file '.*' line (\d+)|pattern .*)\. curr_ver=0 next_ver=0 entry_cnt=(\d+)", r) for r in rows]
        assert all(found), rows
        got = {int(m[1]): (m[3], int(m[5])) for m in found}
        assert got == {
            0: ("path_len", 3), 1: ("path", 2), 2: (None, 1), 3: ("path_beg", 1), 4: ("src", 2), 40: ("path", 1), 5: ("method", 1), 7: ("path", 1),
        }, got  # fmt: skip
        lines = [int(m[4]) for m in found if m[3] and m[1] != "40"]
        assert lines == sorted(lines), rows
        assert "\n6 (" in "\n" + a.ask("show map"), a.ask("show map")
        for number, entries in ((0, ["3", "90:100", ":1"]), (1, ["/a", "/B"]), (2, ["/d"]), (3, ["/c"]), (4, ["127.0.0.0/8", "::1"]), (40, ["/u"])):
            assert listed(a, f"acl #{number}") == entries, number
        assert a.ask("get acl #1 /b") == 'type=str, case=insensitive, match=yes, idx=list, pattern="/B"'
        assert a.ask("get acl #4 127.1.2.3") == 'type=ip, case=sensitive, match=yes, idx=tree, pattern="127.0.0.0/8"'
        served = lambda path: body(a, path).split()[0]
        assert [served(p) for p in ("/abc", "/b", "/cccc", "/dddd", "/ee", "/", "/eeee")] == ["none", "named", "named", "named", "small", "small", "none"]
        assert a.ask("add acl #1 /eeee") == "" and served("/EEEE") == "named" and listed(a, "acl #1") == ["/a", "/B", "/eeee"]
        assert a.ask("del acl #1 /B") == "" and served("/b") == "none" and listed(a, "acl #1") == ["/a", "/eeee"]
        assert a.ask("del acl #0 3") == "" and served("/ee") == "none" and served("/") == "small"
        assert a.ask("add acl #0 4:6") == "" and served("/eeee") == "small" and listed(a, "acl #0") == ["90:100", ":1", "4:6"]
        assert a.ask("clear acl #4") == "" and served("/a") == "none" and listed(a, "acl #4") == []
        assert a.ask("add acl #4 127.0.0.1") == "" and served("/a") == "named"
        assert a.ask("del acl #1 /nobody") == "Key not found."
        assert a.ask("add acl #33 /x") == "Unknown ACL identifier. Please use #<id> or <file>."


def test_hosts_in_a_line_stay_where_others_come(binary):
    """They were looked up when the configuration was read."""
    sections = """
frontend f
    bind 127.0.0.1:{port}
    acl ours src 10.1.1.1 127.1 10.2/16
    http-request return status 200 content-type text/plain string ours if ours
    http-request return status 200 content-type text/plain string none
"""
    with asked(binary, sections) as a:
        assert listed(a, "acl #0") == ["10.1.1.1", "127.1", "10.2/16"]
        assert a.ask("add acl #0 10.0.0.1") == "" and body(a, "/") == "ours"
        assert listed(a, "acl #0") == ["10.1.1.1", "127.1", "10.2/16", "10.0.0.1"]
        assert 'match=yes' in a.ask("get acl #0 10.0.0.2") and 'match=no' in a.ask("get acl #0 10.2.0.2")
        assert a.ask("del acl #0 127.0.0.1") == "Key not found." and body(a, "/") == "ours"
        assert a.ask("del acl #0 127.1") == "" and body(a, "/") == "none"
        assert listed(a, "acl #0") == ["10.1.1.1", "10.2/16", "10.0.0.1"]
        assert a.ask("clear acl #0") == "" and body(a, "/") == "none"


SESSIONS = """
listen t
    mode tcp
    timeout client 25h
    bind 127.0.0.1:{tcp} name door
    server one 127.0.0.1:{held}
listen full
    bind 127.0.0.1:{full}
    timeout queue 90s
    server only 127.0.0.1:{held} maxconn 1
listen away
    mode tcp
    timeout connect 2h
    bind 127.0.0.1:{away}
    server gone 127.0.0.1:{nobody}
listen slow
    bind 127.0.0.1:{slow}
    timeout tarpit 75s
    http-request tarpit
frontend f
    bind 127.0.0.1:{port}
    default_backend t2
backend t2
    server one 127.0.0.1:{held}
"""


def test_sessions_are_shown_as_haproxys_are(binary):
    """Who asks for nothing now is none."""

    def hold(server, c):
        server.counted()
        while c.recv(999):
            pass

    held = Server(hold)
    ports = {name: free_port() for name in ("tcp", "full", "away", "slow", "nobody")}
    sections = SESSIONS.replace("{held}", str(held.port))
    for name, port in ports.items():
        sections = sections.replace("{%s}" % name, str(port))
    get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    opened = []

    def begin(a, port, data):
        s = a.proxy.connect(port)
        s.sendall(data)
        opened.append(s)
        return s.getsockname()[1]

    with asked(binary, sections) as a:
        tcp = begin(a, ports["tcp"], b"x")
        serves = begin(a, ports["full"], get)
        until("the server has both", lambda: held.count == 2)
        waits = begin(a, ports["full"], get)
        tarpit = begin(a, ports["slow"], get)
        http = begin(a, None, get)
        begin(a, None, b"")
        begin(a, None, b"GET / HTTP/1.1\r\n")
        retries = begin(a, ports["away"], b"x")
        until("the server has the third", lambda: held.count == 3)
        listed, lines = [], {}  # by frontend and port: clients of two frontends may have one port

        def rests():
            listed[:] = a.ask("show sess").splitlines()
            return any(" scb=[3," in line and " rc=1 " in line for line in listed)

        until("one rests before it tries again", rests)
        for line in listed:
            found = re.fullmatch(
                r"0x[0-9a-f]+: proto=(\S+) src=(\S+) fe=(\S+) be=(\S+) srv=(\S+) ts=00 epoch=\S+ age=\ds calls=\d+ rate=\d+ cpu=\d+ lat=\d+"
                r" rq\[f=[0-9a-f]+h,i=\d+,an=[0-9a-f]+h,rx=\w*,wx=\w*,ax=\w*\] rp\[f=[0-9a-f]+h,i=\d+,an=[0-9a-f]+h,rx=\w*,wx=\w*,ax=\w*\]"
                r" scf=\[8,[0-9a-f]+h,fd=\d+\] scb=\[(\d+),[0-9a-f]+h,fd=-?\d+\] exp=(?:\d+[smhd])* rc=(\d) c_exp=((?:\d+[smhd])*)",
                line)  # fmt: skip
            assert found, line
            if found[1] == "tcpv4":  # HAProxy has this one's own, too
                lines[found[3], int(found[2].rsplit(":", 1)[1])] = " ".join(found.groups()[3:])
        assert lines.pop(("away", retries)) in ("away gone 3 1 0s", "away gone 3 1 1s"), listed  # of a second's rest
        assert {at: re.sub(r"1m2\ds$", "1m2.s", line) for at, line in lines.items()} == {
            ("t", tcp): "t one 8 0 ",
            ("full", serves): "full only 8 0 ",
            ("full", waits): "full <none> 2 0 1m2.s",
            ("slow", tarpit): "slow <none> 0 0 ",
            ("f", http): "t2 one 8 0 ",
        }, lines
        said = a.ask("show sess all")
        date = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{6}\]"
        for port, text in (
            (tcp, r"frontend=t \(id=\d+ mode=tcp\), listener=door \(id=1\) addr=127.0.0.1:%d\n  backend=t \(id=\d+ mode=tcp\) addr=127.0.0.1:\d+\n"
                  r"  server=one \(id=1\) addr=127.0.0.1:%d\n" % (ports["tcp"], held.port)),
            (waits, r"frontend=full \(id=\d+ mode=http\), listener=\? \(id=1\) addr=127.0.0.1:%d\n  backend=full \(id=\d+ mode=http\)\n"
                    r"  server=<none> \(id=0\)\n" % ports["full"]),
        ):  # fmt: skip
            assert re.search(rf"(?m)^0x[0-9a-f]+: {date} (id=\d+ )?proto=tcpv4 source=127.0.0.1:{port}\n(  .*\n){{1,2}}  {text}", said), said
            one = re.search(rf"(?m)^(0x[0-9a-f]+): .*source=127.0.0.1:{port}$", said)[1]
            assert a.ask(f"show sess {one}").startswith(one + ": [")
        assert re.search(r"  txn\S* .*meth=1 status=-1 req.st=MSG_DONE rsp.st=MSG_RPBEFORE", said), said
        assert "state=QUE" in said, said
        for s in opened:
            s.close()


BACKUPS = """
frontend f
    bind 127.0.0.1:{port}
    mode http
    http-request return status 200 hdr now "%[nbsrv(one)] %[avg_queue(one)] %[connslots(one)] %[be_conn_free(one)] %[nbsrv(all)] %[connslots(all)] %[be_conn_free(all)]"
backend one
    server a 127.0.0.1:1 weight 3 maxconn 3 maxqueue 5
    server b 127.0.0.1:1 weight 5 maxconn 3 maxqueue 5
    server c 127.0.0.1:1 backup weight 7 maxconn 3 maxqueue 5
    server d 127.0.0.1:1 backup weight 9 maxconn 3 maxqueue 5
backend all
    option allbackups
    server a 127.0.0.1:1 backup weight 3
    server b 127.0.0.1:1 backup weight 5
"""


def test_who_gets_no_new_connections_is_not_counted(binary):
    with asked(binary, BACKUPS) as a:

        def now():
            with a.proxy.connect() as s, s.makefile("rb") as f:
                s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return re.search(rb"now: (.*)\r", read_message(f)[0])[1].decode()

        for command, row, values in (
            ("", ["UP", "8", "2", "2"], "2 0 32 6 2 -1 -1"),
            ("set server one/a weight 0", ["UP", "5", "1", "2"], "1 0 32 3 2 -1 -1"),
            ("set server one/b state drain", ["UP", "7", "0", "2"], "1 0 32 3 2 -1 -1"),
            ("set server all/a weight 0", ["UP", "7", "0", "2"], "1 0 32 3 1 -1 -1"),
            ("disable server one/c", ["UP", "9", "0", "1"], "1 0 24 3 1 -1 -1"),
            ("set server one/d weight 0", ["DOWN", "0", "0", "0"], "0 0 24 0 1 -1 -1"),
            ("disable server one/a", ["DOWN", "0", "0", "0"], "0 0 16 0 1 -1 -1"),
            ("set server one/b state ready", ["UP", "5", "1", "0"], "1 0 16 3 1 -1 -1"),
        ):
            a.ask(command)
            assert a.row("one/BACKEND", "status", "weight", "act", "bck") == row, (command, row)
            assert now() == values, (command, values)
        assert a.row("all/BACKEND", "weight", "act", "bck") == ["5", "0", "1"]
        assert a.proxy.text().count("Running on backup.") == 2, a.proxy.text()
        assert a.proxy.text().count("has no server available!") == 1, a.proxy.text()


def test_what_becomes_of_proxies_is_logged(binary):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(30)
        target = f"    log 127.0.0.1:{log.getsockname()[1]} format raw local0\n"

        def said(*lines):
            for line in lines:
                assert log.recv(1024).decode().strip() == line, line

        body = "frontend f\n    bind 127.0.0.1:{other}\n    default_backend b\n" + target
        body += "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:1\n" + target
        with asked(binary, body.replace("{other}", str(free_port())) + "backend b\n    server s 127.0.0.1:1\n" + target) as a:
            for command, line in (
                ("disable frontend f", "Paused frontend f."),
                ("enable frontend f", "Resumed frontend f."),
                ("disable frontend l", "Paused proxy l."),
                ("enable frontend l", "Resumed proxy l."),
                ("shutdown frontend f", "Proxy f stopped (cumulated conns: FE: 0, BE: 0)."),
            ):
                a.ask(command)
                said(line)
            a.proxy.signal(signal.SIGUSR1)
            said("Proxy l stopped (cumulated conns: FE: 0, BE: 0).", "Proxy b stopped (cumulated conns: FE: 0, BE: 0).")


def test_half_a_command_does_nothing(binary):
    """A payload without its end, a line without one, and many sessions that say nothing."""
    with asked(binary, MAPS, map="/a A\n", bad="/bad\n") as a:
        for text in (f"add map {a.file('map')} <<\n/b B\n", f"add map {a.file('map')} <<\n/c C", "add map"):
            with unix_connect(a.path) as s:
                s.sendall(text.encode())
                s.shutdown(socket.SHUT_WR)
                read_all(s)
        assert listed(a, f"map {a.file('map')}") == ["/a A"]
        with unix_connect(a.path) as s:
            try:
                for _ in range(64):
                    s.sendall(b"add map x <<\n" + b"x" * 65536)
                read_all(s)
            except OSError:  # it is refused before all was sent
                pass
        silent = [unix_connect(a.path) for _ in range(8)]
        assert listed(a, f"map {a.file('map')}") == ["/a A"]
        for s in silent:
            s.close()


SEVERITIES = """
global
    stats socket {path} level admin severity-output number
    stats socket {other} level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    server s 127.0.0.1:80
"""


def test_messages_tell_how_serious_they_are(binary):
    with tempfile.TemporaryDirectory() as folder:
        path, other = folder + "/socket", folder + "/other"
        with Proxy(binary, SEVERITIES.replace("{path}", path).replace("{other}", other)):
            def ask(line, to=other):
                return ask_api(to, line)

            assert ask("set server b/nope state ready") == "No such server.\n\n"
            assert ask("set server b/nope state ready", path) == "[3]: No such server.\n\n"
            assert ask("set severity-output none; set server b/nope state ready", path) == "\nNo such server.\n\n"
            for word, of in (("number", "[%d]: "), ("string", "[%s]: ")):
                error, warning, info = (of % (x[word == "string"],) for x in ((3, "err"), (4, "warning"), (6, "info")))

                def said(line, w=word):
                    return ask(f"set severity-output {w}; {line}")[1:]

                assert said("set server b/nope state ready") == error + "No such server.\n\n", said("set server b/nope state ready")
                assert said("set timeout cli 0") == error + "Invalid timeout value.\n\n"
                assert said("show cli level") == info + "admin\n\n"
                assert said("show version").startswith(info)
                assert said("help show").startswith(info)
                assert said("nonsense").startswith(info), said("nonsense")
                assert said("get weight b/s") == "1 (initial 1)\n\n"
                assert said("show stat").startswith("# pxname")
                assert said("disable server b/s") == "\n"
                changed = said(f"set server b/s addr 127.0.0.{2 + (word == 'string')}")
                assert changed.startswith(warning + "IP changed"), changed
            for words, then in (("addr 127.0.0.9", "IP changed from '127.0.0.3' to '127.0.0.9'"), ("addr 127.0.0.9", "no need to change the addr"),
                                ("addr 127.0.0.8 port 81", "IP changed from '127.0.0.9' to '127.0.0.8', port changed from '80' to '81'"),
                                ("addr 127.0.0.8 port 81", "no need to change the addr, no need to change the port")):  # fmt: skip
                assert ask(f"set server b/s {words}") == then + " by 'stats socket command'\n\n", ask(f"set server b/s {words}")
            assert ask("set server b/s weight 257") == "Absolute weight can only be between 0 and 256 inclusive.\n\n"
            assert ask("show sess 0x1") == "Session not found.\n\n"
            assert ask("set severity-output loud") == "one of 'none', 'number', 'string' is a required argument\n\n"


HELD = """
listen l
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw daemon
    server s 127.0.0.1:{server} maxconn 1
"""


def test_whose_session_is_ended_is_told(binary):
    """Unless he has asked here before, or has been answered in part: then the connection ends."""
    release = threading.Event()

    def serve(_, c):
        while head := read_head(c):
            if b"/held" in head:
                release.wait(20)
            if b"/half" in head:
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
                release.wait(20)
                return
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def request(path):
        return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()

    def ended(before, path, mine=lambda c: "sessions server l/s"):
        """What a client gets that asks for `before`, then for `path`."""
        with a.proxy.connect() as c, c.makefile("rb") as f:
            for p in before:
                c.sendall(request(p))
                read_message(f)
            c.sendall(request(path))
            time.sleep(0.1)  # the server has it, or the queue
            a.ask("shutdown " + mine(c))
            head, _ = read_message(f)
            return head.split(b"\r\n")[0].split(b" ")[1:2]

    def session(c):
        port = c.getsockname()[1]
        return "session " + re.search(rf"(0x[0-9a-f]+): proto=\S+ src=127.0.0.1:{port} ", a.ask("show sess"))[1]

    with asked(binary, HELD.replace("{server}", str(Server(serve).port))) as a:
        assert ended([], "/held") == [b"502"]
        release.set()
        until("its server is free", lambda: get(a).endswith("ok"))
        release.clear()
        assert ended(["/"], "/held") == []
        release.set()
        until("its server is free", lambda: get(a).endswith("ok"))
        release.clear()
        assert ended([], "/half") == [b"200"]
        release.set()
        until("its server is free", lambda: get(a).endswith("ok"))
        release.clear()
        with a.proxy.connect() as first:
            first.sendall(request("/held"))
            time.sleep(0.1)
            assert ended([], "/", session) == [b"503"]
            release.set()
        until("all are logged", lambda: " 503 " in a.proxy.text())
        states = [s for s in re.findall(r" (\d+) \d+ - - (\S\S)-- ", a.proxy.text()) if s[1][0] == "K"]
        assert states == [("502", "KH"), ("200", "KD"), ("503", "KQ")], states


if __name__ == "__main__":
    main(globals(), needs=["socat"])
