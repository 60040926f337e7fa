#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Userlists, maps and stick tables, as HAProxy has them:   table_twin.py BINARY"""
import base64
import crypt
import os
import re
import tempfile

from support import WAIT, Asked, Proxy, Server, ask_api, free_port, main, read_all, until

HEAD = """
global
    nbthread {threads}
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
"""


def config(body, threads=1, **more):
    text = (HEAD + body).replace("{threads}", str(threads))
    for name, value in more.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def ask(p, path, *fields, source=None):
    import socket

    with socket.create_connection(("127.0.0.1", p.port), WAIT, (source, 0) if source else None) as s:
        s.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]).encode())
        answer = read_all(s).decode("latin-1")
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]) if answer else 0, body, head.lower()


def basic(user, password):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_users_are_asked_for(binary):
    sha256 = crypt.crypt("secret", crypt.mksalt(crypt.METHOD_SHA256, rounds=1000))
    sha512 = crypt.crypt("other", crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))
    text = config("""
userlist people
    group admin users ada
    group staff
    user ada password {sha256}
    user bob password {sha512} groups staff
    user eve insecure-password plain groups staff,admin
    user dan insecure-password none
frontend f
    bind 127.0.0.1:{port}
    http-request auth realm Open\\ sesame unless { http_auth(people) }
    http-request return status 200 content-type text/plain string admin if { http_auth_group(people) admin }
    http-request return status 200 content-type text/plain string staff if { http_auth_group(people) staff }
    http-request return status 200 content-type text/plain lf-string "user %[http_auth_user]"
""", sha256=sha256, sha512=sha512)
    with Proxy(binary, text) as p:
        status, _, head = ask(p, "/")
        assert status == 401 and 'www-authenticate: basic realm="open sesame"' in head, head
        assert ask(p, "/", basic("ada", "secret"))[:2] == (200, "admin")
        assert ask(p, "/", basic("ada", "secre"))[0] == 401
        assert ask(p, "/", basic("bob", "other"))[:2] == (200, "staff")
        assert ask(p, "/", basic("eve", "plain"))[:2] == (200, "admin")
        assert ask(p, "/", basic("dan", "none"))[:2] == (200, "user dan")
        assert ask(p, "/", basic("nobody", ""))[0] == 401
        assert ask(p, "/", "Authorization: Basic !!!")[0] == 401


def test_maps_give_values(binary):
    with tempfile.TemporaryDirectory() as d:
        files = {
            "str": "# keys\n/a  one two\n/b\ttwo\n",
            "beg": "/ root\n/api/ api\n/api/v1/ one\n",
            "ip": "10.0.0.0/8 ten\n127.0.0.0/8 home\n127.0.0.2 two\n",
            "num": "/x 41\n/y -3\n",
            "reg": "^/user/([^/]+)/ profile-\\1\n^/(.*)$ else\n",
            "sub": "needle found\n",
            "end": ".png image\n.css style\n",
            "dom": "example site\n",
            "keys": "/a\n/b\n",
        }
        for name, content in files.items():
            with open(os.path.join(d, name), "w") as f:
                f.write(content)
        items = ["map({d}/str)", "map({d}/str,no)", "map_beg({d}/beg,no)", "map_reg({d}/reg,no)", "map_regm({d}/reg,no)",
                 "map_sub({d}/sub,no)", "map_end({d}/end,no)", "map_str_int({d}/num,7),add(1)"]
        line = "|".join(f"%[path,{i}]" for i in items)
        text = config(f"""
frontend f
    bind 127.0.0.1:{{port}}
    http-request return status 200 content-type text/plain string key if {{ path -f {{d}}/keys }} {{ req.hdr(x-key) yes }}
    http-request return status 200 content-type text/plain string mapped if {{ path -M -f {{d}}/str }} {{ req.hdr(x-map) yes }}
    http-request return status 200 content-type text/plain lf-string "%[src,map_ip({{d}}/ip,none)] %[req.hdr(x-h),map_dom({{d}}/dom,no)]" if {{ path /src }}
    http-request return status 200 content-type text/plain lf-string "{line}"
""", d=d)
        text = text.replace("{d}", d)
        with Proxy(binary, text) as p:
            assert ask(p, "/a")[1] == "one two|one two|root|else|else|no|no|8", ask(p, "/a")
            assert ask(p, "/b")[1] == "two|two|root|else|else|no|no|8", ask(p, "/b")
            assert ask(p, "/api/v1/x.png")[1] == "|no|one|else|else|no|image|8", ask(p, "/api/v1/x.png")
            assert ask(p, "/user/ada/needle")[1] == "|no|root|profile-\\1|profile-ada|found|no|8", ask(p, "/user/ada/needle")
            assert [ask(p, q)[1].split("|")[-1] for q in ("/x", "/y")] == ["42", "-2"], [ask(p, q) for q in ("/x", "/y")]
            assert ask(p, "/src", "X-H: www.example.org")[1] == "home site", ask(p, "/src", "X-H: www.example.org")
            assert ask(p, "/src", source="127.0.0.2")[1] == "two ", ask(p, "/src", source="127.0.0.2")
            assert ask(p, "/a", "X-Key: yes")[1] == "key" and ask(p, "/c", "X-Key: yes")[1] != "key"
            assert ask(p, "/a", "X-Map: yes")[1] == "mapped"


def test_a_map_chooses_the_backend(binary):
    def named(name):
        def serve(server, c):
            c.recv(65536)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(name), name))

        return Server(serve)

    a, b = named(b"a"), named(b"b")
    with tempfile.NamedTemporaryFile("w", suffix=".map") as f:
        f.write("a.example back_a\nb.example back_b\n")
        f.flush()
        text = config("""
frontend f
    bind 127.0.0.1:{port}
    use_backend %[req.hdr(x-to)] if { req.hdr(x-to) -m found }
    use_backend %[req.hdr(host),lower,map({map},back_b)]
    default_backend none
backend none
    http-request return status 200 content-type text/plain string 0
backend back_a
    server s 127.0.0.1:{a}
backend back_b
    server s 127.0.0.1:{b}
""", map=f.name, a=a.port, b=b.port)
        with Proxy(binary, text.replace("Host: h", "")) as p:
            import socket

            def host(name, fields=""):
                with p.connect() as s:
                    s.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n{fields}Connection: close\r\n\r\n".encode())
                    return read_all(s)[-1:]

            assert [host("A.example"), host("b.example"), host("c.example")] == [b"a", b"b", b"b"]
            to = [host("a.example", f"X-To: {name}\r\n") for name in ("back_b", "back_x", "", "f")]
            assert to == [b"b", b"0", b"0", b"0"], to  # the first rule that holds decides


def test_rules_change_maps(binary):
    with tempfile.TemporaryDirectory() as d:
        for name in ("m", "a"):
            open(os.path.join(d, name), "w").close()
        text = config("""
frontend f
    bind 127.0.0.1:{port}
    http-request set-map({d}/m) %[urlp(k)] %[urlp(v)] if { path /set }
    http-request del-map({d}/m) %[urlp(k)] if { path /del }
    http-request add-acl({d}/a) %[urlp(k)] if { path /ban }
    http-request del-acl({d}/a) %[urlp(k)] if { path /free }
    http-request deny if { urlp(k) -f {d}/a } { path /get }
    http-request return status 200 content-type text/plain lf-string "%[urlp(k),map({d}/m,none)]"
""", threads=2, d=d)
        with Proxy(binary, text) as p:
            assert ask(p, "/get?k=1")[1] == "none"
            ask(p, "/set?k=1&v=one")
            assert ask(p, "/get?k=1")[1] == "one"
            ask(p, "/set?k=1&v=uno")
            assert ask(p, "/get?k=1")[1] == "uno"
            for i in range(300):
                ask(p, f"/set?k={i}&v=v{i}")
            assert all(ask(p, f"/get?k={i}")[1] == f"v{i}" for i in range(0, 300, 7))
            for i in range(1, 300):
                ask(p, f"/del?k={i}")
            assert ask(p, "/get?k=0")[1] == "v0" and ask(p, "/get?k=7")[1] == "none"
            ask(p, "/ban?k=9")
            assert ask(p, "/get?k=9")[0] == 403 and ask(p, "/get?k=8")[0] == 200
            ask(p, "/free?k=9")
            assert ask(p, "/get?k=9")[0] == 200


# Rates are of a day: of a short time some of what was counted would be another period's now and then.
COUNTS = """
frontend f
    bind 127.0.0.1:{port}
    stick-table type ip size 1k expire 30s store gpc0,gpc0_rate(1d),gpt0,conn_cnt,conn_cur,conn_rate(1d),sess_cnt,http_req_cnt,http_req_rate(1d),http_err_cnt,http_err_rate(1d),bytes_in_cnt,bytes_out_cnt
    tcp-request connection track-sc0 src
    tcp-request content track-sc1 src table other
    http-request track-sc2 req.hdr(x-key) table keys if { req.hdr(x-key) -m found }
    http-request sc-inc-gpc0(0) if { path_beg /inc }
    http-request sc-set-gpt0(0) 7 if { path /tag }
    http-request deny deny_status 429 if { path /limited } { sc_http_req_rate(2) gt 3 }
    http-request deny if { path /no }
    http-request return status 200 content-type text/plain lf-string "%[sc0_conn_cnt] %[sc_conn_cur(0)] %[sc0_conn_rate] %[sc0_http_req_cnt] %[sc0_http_req_rate] %[sc0_http_err_cnt] %[sc0_get_gpc0] %[sc0_gpc0_rate] %[sc0_get_gpt0] %[src_conn_cnt] %[sc1_http_req_cnt] %[src,table_http_req_cnt(other)] %[src,in_table(other)] %[req.hdr(x-key),table_http_req_cnt(keys)] %[sc2_http_req_cnt] %[sc_tracked(2)]"
backend other
    stick-table type ipv6 size 100 expire 10s store http_req_cnt,conn_cnt
backend keys
    stick-table type string len 4 size 10 expire 10s store http_req_cnt,http_req_rate(1d)
"""


def test_what_is_tracked_is_counted(binary):
    with Proxy(binary, config(COUNTS)) as p:
        assert ask(p, "/")[1].split(" ") == ["1", "1", "1", "1", "1", "0", "0", "0", "0", "1", "1", "1", "1", "", "", "0"], ask(p, "/")
        assert ask(p, "/no")[0] == 403
        got = ask(p, "/inc")[1].split(" ")
        assert got == ["3", "1", "3", "3", "3", "1", "1", "1", "0", "3", "3", "3", "1", "", "", "0"], got
        assert ask(p, "/tag")[1].split(" ")[8] == "7"
        got = ask(p, "/", "X-Key: abcdef")[1].split(" ")
        assert got[13:] == ["1", "1", "1"], got
        got = ask(p, "/", "X-Key: abcdxx")[1].split(" ")  # the key is cut
        assert got[13:] == ["2", "2", "1"], got
        got = ask(p, "/", "X-Key: ")[1].split(" ")  # nothing is a key, too
        assert got[13:] == ["1", "1", "1"], got
        assert ask(p, "/", source="127.0.0.3")[1].split(" ")[:4] == ["1", "1", "1", "1"]
        with p.connect() as s:  # requests of one connection
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            bodies = re.findall(r"\r\n\r\n(\S+) (\S+) (\S+) (\S+)", read_all(s).decode())
        assert [b[0] for b in bodies] == ["8"] * 3 and [b[3] for b in bodies] == ["8", "9", "10"], bodies


def test_who_began_before_is_no_new_session(binary):
    """sess_cnt is of those that are tracked when they begin; conn_cnt of each that is tracked."""
    origin = Server(lambda _, c: [c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") for _ in iter(lambda: c.recv(4096), b"")])
    asked, n = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 3
    for mode, rule, conns, sessions, requests in (
        ("http", "tcp-request connection", 1, 1, n), ("http", "tcp-request session", 1, 1, n), ("http", "tcp-request content", n, 0, n),
        ("http", "http-request", n, 0, n), ("http", "http-response", n, 0, n), ("tcp", "tcp-request content", 1, 0, 0),
    ):
        with tempfile.TemporaryDirectory() as folder:
            text = config("""
listen l
    bind 127.0.0.1:{port}
    stick-table type ip size 10 expire 1h store sess_cnt,sess_rate(1d),conn_cnt,http_req_cnt
    {rule} track-sc0 src
    server s 127.0.0.1:{server}
""".replace("{rule}", rule).replace("{server}", str(origin.port))).replace("mode http", "mode " + mode)
            with Proxy(binary, text.replace("global\n", f"global\n    stats socket {folder}/s level admin\n")) as p:
                with p.connect() as c:
                    for _ in range(n):
                        c.sendall(asked)
                        assert c.recv(4096).endswith(b"ok")
                row = ask_api(f"{folder}/s", "show table l").strip().split("\n")[-1]
                for word in (f"conn_cnt={conns}", f"sess_cnt={sessions}", f"sess_rate(86400000)={sessions}", f"http_req_cnt={requests}"):
                    assert f" {word}" in row, (mode, rule, word, row)


def test_rates_are_set_and_servers_named(binary):
    origin = Server(lambda _, c: c.recv(4096) and c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"))
    text = config("""
listen l
    bind 127.0.0.1:{port}
    stick-table type ip size 10 expire 1h store gpc0,conn_rate(1h),server_id
    stick on src
    server here 127.0.0.1:{server}
""".replace("{server}", str(origin.port)))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        with Proxy(binary, text.replace("global\n", f"global\n    stats socket {path} level admin\n")) as p:
            assert ask(p, "/")[0] == 200
            assert ask_api(path, "set table l key 192.0.2.1 data.conn_rate 7 data.gpc0 3").strip() == ""

            def rows(filter):
                return [re.sub(r"^.*? key=|exp=\d+ ", "", row) for row in ask_api(path, f"show table l {filter}").strip().split("\n")[1:]]

            assert rows("data.conn_rate gt 5") == ["192.0.2.1 use=0 server_id=0 gpc0=3 conn_rate(3600000)=7 server_key=-"], rows("")
            until("its server is kept", lambda: rows("data.server_id eq 1") == ["127.0.0.1 use=0 server_id=1 gpc0=0 conn_rate(3600000)=0 server_key=here"])
            assert ask_api(path, "show table l data.gpc0 eq x").strip() == "Filter entry #1: Require a valid integer value to compare against"
            assert ask_api(path, "set table l key 192.0.2.1 data.gpc0 x").strip() == "Require a valid integer value to store"


def test_a_rate_is_limited(binary):
    with Proxy(binary, config(COUNTS)) as p:
        got = [ask(p, "/limited", "X-Key: a")[0] for _ in range(6)]
        assert got == [200, 200, 200, 429, 429, 429], got
        assert ask(p, "/limited", "X-Key: b")[0] == 200


def test_a_full_table_forgets_the_oldest(binary):
    with Proxy(binary, config(COUNTS)) as p:
        for i in range(30):
            ask(p, "/", f"X-Key: {i:04}")
        assert ask(p, "/", "X-Key: 0029")[1].split(" ")[13] == "2"
        assert ask(p, "/", "X-Key: 0000")[1].split(" ")[13] == "1"


def test_a_client_sticks_to_its_server(binary):
    def named(name):
        def serve(server, c):
            data = c.recv(65536)
            sid = b"X-Sid: " + data.split(b"X-New: ")[1].split(b"\r")[0] + b"\r\n" if b"X-New: " in data else b""
            c.sendall(b"HTTP/1.1 200 OK\r\n" + sid + b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(name), name))

        return Server(serve)

    a, b, c = named(b"a"), named(b"b"), named(b"c")
    text = config("""
listen l
    bind 127.0.0.1:{port}
    balance roundrobin
    stick-table type string len 32 size 10k expire 1m
    stick on req.hdr(x-user) if { req.hdr(x-user) -m found }
    stick match req.hdr(x-old)
    stick store-response res.hdr(x-sid)
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
    server c 127.0.0.1:{c}
""", a=a.port, b=b.port, c=c.port)
    with Proxy(binary, text) as p:
        first = {u: ask(p, "/", f"X-User: {u}")[1] for u in ("ada", "bob", "eve")}
        assert sorted(first.values()) == ["a", "b", "c"], first
        for _ in range(3):
            assert {u: ask(p, "/", f"X-User: {u}")[1] for u in reversed(first)} == first, first
        got = {i: ask(p, "/", f"X-New: s{i}")[1] for i in range(3)}
        for _ in range(2):
            assert {i: ask(p, "/", f"X-Old: s{i}")[1] for i in range(3)} == got, got
        assert len({ask(p, "/")[1] for _ in range(6)}) == 3


def test_who_got_no_answer_sticks_to_nobody(binary):
    def serve(server, c):
        if b"GET /none" not in c.recv(65536):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    text = config("""
frontend f
    bind 127.0.0.1:{port}
    use_backend %[path,field(2,/)]
backend refused
    stick-table type string len 32 size 10 expire 1m
    stick on path
    server s 127.0.0.1:9
backend answers
    stick-table type string len 32 size 10 expire 1m
    stick on url
    server s 127.0.0.1:{server}
backend none
    stick-table type string len 32 size 10 expire 1m
    stick on path
    server s 127.0.0.1:{server}
""", server=Server(serve).port)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stats")
        with Proxy(binary, text.replace("global\n", f"global\n    stats socket {path} level admin\n")) as p:
            assert [ask(p, f"/{b}")[0] for b in ("refused", "none", "answers")] == [503, 502, 200]
            used = re.findall(r"table: (\w+), .*used:(\d)", ask_api(path, "show table"))
            assert sorted(used) == [("answers", "1"), ("none", "0"), ("refused", "0")], used


def test_tcp_connections_are_limited_and_stick(binary):
    def named(name):
        def serve(server, c):
            c.recv(4096)
            c.sendall(name)

        return Server(serve)

    a, b = named(b"a"), named(b"b")
    text = config("""
listen l
    mode tcp
    bind 127.0.0.1:{port}
    stick-table type ip size 1k expire 1m store conn_rate(1d)
    tcp-request connection track-sc0 src
    tcp-request connection reject if { sc0_conn_rate gt 4 }
    stick on src
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
""", a=a.port, b=b.port)

    def one(p, source):
        import socket

        try:
            with socket.create_connection(("127.0.0.1", p.port), WAIT, (source, 0)) as s:
                s.sendall(b"x")
                return read_all(s).decode()
        except ConnectionError:
            return ""

    with Proxy(binary, text) as p:
        got = [one(p, "127.0.0.1") for _ in range(6)]
        assert len(set(got[:4])) == 1 and got[0] in "ab" and got[4:] == ["", ""], got
        assert one(p, "127.0.0.2") in ("a", "b")


def test_the_runtime_api_shows_sets_and_clears_entries(binary):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stats")
        text = config("""
listen l
    bind 127.0.0.1:{port}
    stick-table type string len 32 size 1k expire 1h store server_id,gpt0,gpc0,conn_cnt,http_req_cnt
    http-request track-sc0 path
    http-request return status 200
""")

        def command(line):
            return [x for x in ask_api(path, line).splitlines() if x]

        def rows(line):
            return {m[1]: m[2] for m in (re.match(r"0x[0-9a-f]+: key=(\S+) use=0 exp=\d+ (.*)", x) for x in command(line)) if m}

        with Proxy(binary, text.replace("global\n", f"global\n    stats socket {path} level admin\n")) as p:
            for path_asked in ("/a", "/b", "/b", "/c"):
                ask(p, path_asked)
            assert command("show table") == ["# table: l, type: string, size:1024, used:3"]
            one = "server_id=0 gpt0=0 gpc0=0 conn_cnt=1 http_req_cnt=1"
            all_of = {"/a": one, "/b": one.replace("=1", "=2"), "/c": one}
            until("all are released", lambda: rows("show table l") == all_of)
            assert list(rows("show table l data.http_req_cnt gt 1")) == ["/b"]
            assert list(rows("show table l data.http_req_cnt le 1 data.gpc0 ne 0")) == []
            assert list(rows("show table l key /c")) == ["/c"]
            assert command("set table l key /d data.gpc0 5 data.server_id 7") == []
            assert rows("show table l key /d") == {"/d": "server_id=7 gpt0=0 gpc0=5 conn_cnt=0 http_req_cnt=0"}
            assert command("set table l key /d data.foo 5") == ["Unknown data type"]
            assert command("set table l key /d data.gpc1 5") == ["Data type not stored in this table"]
            assert command("show table l data.gpc0 xx 5")[0].startswith("Filter entry #1: ")
            assert command("show table none") == ["No such table"]
            assert command("clear table l key /d") == [] and "/d" not in rows("show table l")
            assert command("clear table l data.conn_cnt gt 1") == [] and list(rows("show table l")) == ["/a", "/c"]
            assert command("clear table l") == []
            assert command("show table l") == ["# table: l, type: string, size:1024, used:0"]


STORED = """
listen l
    bind 127.0.0.1:{port}
    stick on src table sticky
    server s 127.0.0.1:9
backend plain
    stick-table type string len 20 size 10 expire 1h store gpc0
backend sticky
    stick-table type ip size 10 expire 1h store gpc0
backend numbers
    stick-table type integer size 10 expire 1h store gpc0
"""


def test_a_row_has_what_its_table_stores(binary):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stats")

        def rows(table):
            return re.findall(r"key=(.*) use=0 exp=(\d+) (.*?)(?: server_key=-)?\n", ask_api(path, f"show table {table}"))

        with Proxy(binary, config(STORED).replace("global\n", f"global\n    stats socket {path} level admin\n")):
            for key in ("plain key a\\ b=c\\\\d", "sticky key 10.0.0.1", "numbers key 7"):
                assert ask_api(path, f"set table {key} data.gpc0 1").strip() == ""
            assert [(k, data) for k, _, data in rows("plain")] == [("a\\ b\\=c\\\\d", "gpc0=1")]
            assert [(k, data) for k, _, data in rows("sticky")] == [("10.0.0.1", "server_id=0 gpc0=1")]
            assert ask_api(path, "set table plain key x data.server_id 1").strip() == "Data type not stored in this table"
            assert ask_api(path, "set table numbers key 99999999999 data.gpc0 1").strip() == "Invalid key"
            assert ask_api(path, "show table numbers key 8").strip() == ""
            until("who shows an entry does not renew it", lambda: int(rows("numbers key 7")[0][1]) < 3600000 - 100)


def test_arrays_of_counters(binary):
    text = config("""
frontend f
    bind 127.0.0.1:{port}
    stick-table type ip size 100 expire 1m store gpc(3),gpt(2),gpc_rate(3,1d),conn_cnt
    http-request track-sc0 src
    http-request sc-inc-gpc(1,0)
    http-request sc-inc-gpc0(0)
    http-request sc-set-gpt(1,0) int(77)
    http-request return status 200 content-type text/plain lf-string "%[sc_get_gpc(1,0)] %[sc_inc_gpc(2,0)] %[sc_get_gpc(2,0)] %[sc_gpc_rate(1,0)] %[sc_get_gpt(1,0)] %[src_get_gpc(1,f)] %[src_inc_gpc(1,f)] %[src,table_gpc(1,f)] %[src,table_gpt(1,f)] %[src,table_gpc_rate(1,f)] %[sc0_get_gpc0] <%[sc_get_gpc(9,0)]> %[sc_clr_gpc(1,0)] %[src_clr_gpc(2,f)] %[src_get_gpt(1,f)] %[sc_get_gpt0(0)] %[src_gpc_rate(2,f)] %[sc0_gpc0_rate]"
""")
    with Proxy(binary, text) as p:
        assert ask(p, "/")[1] == "1 1 1 1 77 1 2 2 77 2 1 <> 2 1 77 0 1 1", ask(p, "/")
        assert ask(p, "/")[1] == "1 1 1 3 77 1 2 2 77 4 2 <> 2 1 77 0 2 2", ask(p, "/")


FAULTS = """
frontend f
    bind 127.0.0.1:{port}
    http-request track-sc0 path table t
    http-request track-sc1 str(xy) table keys
    http-request sc-set-gpt0(1) int(-3)
    http-request return status 403 if { path /return }
    http-request return status 500 if { path /return5 }
    http-request deny deny_status 200 if { path /deny }
    http-request deny deny_status 500 if { path /deny5 }
    http-request tarpit if { path /tarpit }
    http-request auth realm x if { path /auth }
    http-response deny if { res.hdr(x-s) 200 } { var(txn.p) -m str /refused }
    http-response return status 404 if { var(txn.p) -m str /changed }
    http-request set-var(txn.p) path
    timeout tarpit 10ms
    default_backend b
backend b
    retries 0
    server s 127.0.0.1:{server}
backend t
    stick-table type string size 100 store http_err_cnt,http_fail_cnt
backend keys
    stick-table type binary len 4 size 100 store gpt0,gpc0,http_fail_cnt
    stick match path
"""


def test_errors_are_clients_and_failures_are_servers(binary):
    """Whatever a rule answers besides. A key's bytes are shown in hex, behind the data that HAProxy has had longer."""

    def web(_, c):
        status = c.recv(4096).split(b" ")[1][1:4]
        c.sendall(b"HTTP/1.1 %s X\r\nX-S: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, status) if status.isdigit() else b"HTTP/1.1 200 X\r\nX-S: 200\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" if status != b"non" else b"")

    server = Server(web)
    with Asked(binary, config(FAULTS, server=server.port)) as p:
        counted = {"/return": "00", "/return5": "00", "/deny": "10", "/deny5": "10", "/tarpit": "10", "/auth": "10", "/404": "10", "/500": "01",
                   "/501": "00", "/none": "01", "/refused": "00", "/changed": "00"}
        for path in counted:
            ask(p.proxy, path)
        shown = lambda: {k: a + b for k, a, b in re.findall(r"key=(\S+) use=0 .*http_err_cnt=(\d+) http_fail_cnt=(\d+)", p.ask("show table t"))}
        until("all are over", lambda: len(shown()) == len(counted))
        assert shown() == counted, shown()
        assert re.search(r"key=78790000 use=0 exp=0 server_id=0 gpt0=4294967293 gpc0=0 server_key=- http_fail_cnt=2$", p.ask("show table keys")), p.ask("show table keys")


MISSING = """
frontend f
    bind 127.0.0.1:{port}
    http-request track-sc0 src table t
    http-request return status 200 content-type text/plain lf-string "%[sc0_trackers] %[sc0_trackers(other)] %[sc0_tracked(other)] <%[sc0_conn_cnt]> <%[sc0_inc_gpc0]> <%[sc0_inc_gpc0(other)]> %[src,in_table(other)] %[src,table_conn_cnt(other)] <%[req.hdr(x-ip),table_gpc0(t)]>"
backend t
    stick-table type ip size 100 store http_req_cnt
backend other
    stick-table type ip size 100 store gpc0
"""


def test_of_a_key_that_is_not_there_all_is_0(binary):
    """Also what the table does not store; increments tell 0 of what is not stored, and make no entry in another table."""
    with Proxy(binary, config(MISSING)) as p:
        assert ask(p, "/", "X-Ip: none")[1] == "1 0 1 <> <0> <0> 0 0 <>", ask(p, "/", "X-Ip: none")


def test_tables_of_peers_sections_are_known_by_both_names(binary):
    body = """
peers shared
    bind 127.0.0.1:0
    server "$HAPROXY_LOCALPEER"
    table hits type ip size 1k expire 1m store gpc0,http_req_cnt
    table keys type string len 16 size 1k store gpc0
frontend f
    bind 127.0.0.1:{port}
    http-request track-sc0 src table shared/hits
    http-request track-sc1 hdr(x-key) table shared/keys
    http-request sc-inc-gpc0(1) if { hdr(x-key) -m found }
    http-request return status 200 content-type text/plain lf-string "%[sc0_http_req_cnt(shared/hits)] %[src,table_http_req_cnt(shared/hits)] %[sc1_get_gpc0(shared/keys)]"
"""
    with tempfile.TemporaryDirectory() as folder:
        text = config(body).replace("global\n", f"global\n    stats socket {folder}/api level admin\n    localpeer here\n")
        with Proxy(binary, text.replace("127.0.0.1:0", f"127.0.0.1:{free_port()}")) as p:
            assert [ask(p, "/")[1] for _ in range(2)] == ["1 1 ", "2 2 "]
            assert ask(p, "/", "X-Key: a")[1] == "3 3 1"
            tables = ask_api(f"{folder}/api", "show table")
            assert set(re.findall(r"# table: (\S+), type: (\S+),", tables)) >= {("shared/hits", "ip"), ("shared/keys", "string")}, tables
            assert "key=127.0.0.1 " in ask_api(f"{folder}/api", "show table shared/hits")


if __name__ == "__main__":
    main(globals())
