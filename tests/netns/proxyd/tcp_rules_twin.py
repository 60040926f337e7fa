#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tcp-request, tcp-response, use-server and SNI in mode tcp, as HAProxy has them:   tcp_rules_twin.py BINARY"""
import re
import socket
import ssl
import struct
import threading
import time

from support import WAIT, Asked, Proxy, Server, config, free_port, main, read_all, read_head, read_n, until
from tls_support import Authority, connect

TLS_CONFIG = """
frontend f
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 1s
    acl is_tls req.ssl_hello_type 1
    tcp-request content accept if is_tls
    tcp-request content accept if { req.len gt 4 } !{ req.ssl_hello_type 1 }
    tcp-request content reject if WAIT_END !{ req.len gt 0 }
    use_backend a if { req_ssl_sni -i a.example }
    use_backend b if { req.ssl_sni -m end .b.example }
    use_backend h2 if { req.ssl_alpn -i h2 }
    use_backend new if is_tls { req.ssl_ver 3.3 3.4 }
    default_backend plain
"""


def named_server(name):
    """Says its name after the client's first byte."""

    def serve(server, c):
        c.recv(4096)
        server.counted()
        c.sendall(name + b"\n")

    return Server(serve)


def backends(servers):
    return "".join(f"\nbackend {n}\n    server s 127.0.0.1:{s.port}\n" for n, s in servers.items())


def hello(name, alpn=None):
    """The bytes of a ClientHello."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols(alpn)
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def ask(p, pieces, pause=0.05):
    with p.connect() as s:
        for i, piece in enumerate(pieces):
            if i:
                time.sleep(pause)
            s.sendall(piece)
        try:
            return read_all(s).strip().decode()
        except ConnectionResetError:
            return ""


def test_a_server_name_chooses_the_backend(binary):
    servers = {n: named_server(n.encode()) for n in ("a", "b", "h2", "new", "plain")}
    with Proxy(binary, config(TLS_CONFIG) + backends(servers)) as p:
        whole = hello("A.example")
        assert ask(p, [whole]) == "a"
        assert ask(p, [whole[:3], whole[3:50], whole[50:]]) == "a"
        assert ask(p, [whole[i : i + 1] for i in range(12)] + [whole[12:]], 0.005) == "a"
        assert ask(p, [hello("www.b.example")]) == "b"
        assert ask(p, [hello("other.example", ["h2", "http/1.1"])]) == "h2"
        assert ask(p, [hello("other.example")]) == "new"
        assert ask(p, [b"hello\n"]) == "plain"
        assert ask(p, [b"\x16\x03\x01\x00\x05junk!"]) == "plain"


def test_a_silent_client_is_sent_away_at_the_end_of_the_delay(binary):
    servers = {n: named_server(n.encode()) for n in ("a", "b", "h2", "new", "plain")}
    with Proxy(binary, config(TLS_CONFIG) + backends(servers)) as p, p.connect() as s:
        began = time.monotonic()
        assert read_all(s) == b""
        assert 0.9 < time.monotonic() - began < 3, time.monotonic() - began


def test_bytes_pass_unchanged_behind_an_inspection(binary):
    def echo_all(server, c):
        while True:
            data = c.recv(65536)
            if not data:
                return
            c.sendall(data)

    server = Server(echo_all)
    with Proxy(binary, config(TLS_CONFIG) + backends({n: server for n in ("a", "b", "h2", "new", "plain")})) as p:
        data = hello("a.example") + bytes(range(256)) * 2000
        with p.connect() as s:
            threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
            assert read_all(s) == data


def test_connections_are_refused_before_they_say_anything(binary):
    server = named_server(b"s")
    text = config("""
listen l
    bind 127.0.0.1:{port}
    tcp-request connection accept if { src 127.0.0.9 }
    tcp-request connection reject if { src 127.0.0.8/31 }
    tcp-request session reject if { dst_port 1 }
    server s 127.0.0.1:{server}
""", server=server.port)

    def from_(p, source):
        try: # the reset may come as early as in connect
            with socket.create_connection(("127.0.0.1", p.port), WAIT, (source, 0)) as s:
                s.sendall(b"x\n")
                return read_all(s)
        except ConnectionError:
            return b""

    with Proxy(binary, text) as p:
        assert from_(p, "127.0.0.1") == b"s\n"
        assert from_(p, "127.0.0.9") == b"s\n"
        assert from_(p, "127.0.0.8") == b""


def test_who_is_dropped_in_silence_hears_nothing(binary):
    """Also with bytes that nobody read, for which a close would be a reset. Nothing of it is a session."""
    kinds = ("connection reject", "connection silent-drop", "session reject", "session silent-drop", "content silent-drop if { req.len gt 0 }")
    text = config("global\n" + "".join(f"listen l{i}\n    bind 127.0.0.1:{{p{i}}}\n    tcp-request inspect-delay 9s\n    tcp-request {kind}\n    server s 127.0.0.1:9\n" for i, kind in enumerate(kinds)),
                  **{f"p{i}": free_port() for i in range(len(kinds))})
    ports = [int(port) for port in re.findall(r"bind 127.0.0.1:(\d+)", text)]
    with Asked(binary, text.replace(str(ports[0]), "{port}", 1)) as p:
        ports[0] = p.proxy.port
        for port, kind in zip(ports, kinds):
            with socket.create_connection(("127.0.0.1", port)) as c:
                c.settimeout(0.3 if "drop" in kind else 30)
                try:
                    c.sendall(b"hello\n" if "content" in kind else b"")
                    assert c.recv(1) == b"" and "reject" in kind, kind
                except ConnectionError:
                    assert "reject" in kind, kind
                except TimeoutError:
                    assert "drop" in kind, kind
        counted = [tuple(p.row(f"l{i}/FRONTEND", "dcon", "dses", "dreq", "conn_tot", "stot")) for i in range(len(kinds))]
        assert counted == [tuple(x) for x in ("10010", "00110", "01010", "00110", "00111")], counted


def test_a_proxy_header_is_expected_of_some(binary):
    servers = {"one": named_server(b"one"), "two": named_server(b"two")}
    text = config("""
frontend f
    bind 127.0.0.1:{port}
    tcp-request connection expect-proxy layer4 if { src 127.0.0.5 }
    tcp-request session reject if { src 192.0.2.66 }
    use_backend two if { src 192.0.2.7 }
    default_backend one
""") + backends(servers)

    def from_(p, source, data):
        with socket.create_connection(("127.0.0.1", p.port), WAIT, (source, 0)) as s:
            try:
                s.sendall(data)
                return read_all(s)
            except ConnectionError:
                return b""

    with Proxy(binary, text) as p:
        assert from_(p, "127.0.0.1", b"x\n") == b"one\n"
        assert from_(p, "127.0.0.5", b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 80\r\nx\n") == b"two\n"
        assert from_(p, "127.0.0.5", b"PROXY TCP4 192.0.2.8 192.0.2.1 1000 80\r\nx\n") == b"one\n"
        assert from_(p, "127.0.0.5", b"PROXY TCP4 192.0.2.66 192.0.2.1 1000 80\r\nx\n") == b""
        assert from_(p, "127.0.0.5", b"x\n") == b""


def test_rules_change_where_a_client_is_from(binary):
    got = []

    def serve(server, c):
        got.append(c.recv(4096))
        c.sendall(b"ok\n")

    server = Server(serve)
    text = config("""
listen l
    bind 127.0.0.1:{port}
    tcp-request content set-src str(192.0.2.9)
    tcp-request content set-src-port int(1234)
    tcp-request content set-dst str(192.0.2.10)
    tcp-request content set-dst-port int(99)
    server s 127.0.0.1:{server} send-proxy
""", server=server.port)
    with Proxy(binary, text) as p:
        assert p.ask(b"x\n") == "ok"
    assert got[0].startswith(b"PROXY TCP4 192.0.2.9 192.0.2.10 1234 99\r\n"), got


def test_use_server_chooses_among_servers(binary):
    a, b = named_server(b"a"), named_server(b"b")
    text = config("""
listen l
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 2s
    tcp-request content accept if { req.len ge 3 }
    use-server b if { req.payload(0,2) -m str B: }
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b} weight 0
""", a=a.port, b=b.port)
    with Proxy(binary, text) as p:
        assert [ask(p, [b"A:x\n"]) for _ in range(3)] == ["a"] * 3
        assert [ask(p, [b"B:", b"x\n"]) for _ in range(3)] == ["b"] * 3


def test_variables_and_payloads(binary):
    servers = {"x": named_server(b"x"), "y": named_server(b"y")}
    text = config("""
frontend f
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 2s
    tcp-request content set-var(sess.kind) req.payload_lv(0,1) if { req.payload_lv(0,1) -m found }
    tcp-request content accept if { var(sess.kind) -m found }
    use_backend y if { var(sess.kind) -m str why }
    default_backend x
""") + backends(servers)
    with Proxy(binary, text) as p:
        assert ask(p, [b"\x03", b"w", b"hy"]) == "y"
        assert ask(p, [b"\x03no!"]) == "x"


WAITS = """
defaults
    mode tcp
    log stdout format raw daemon
    log-format "LINE %f %ts %Tw/%Tc"
    timeout client 20s
    timeout server 20s
    timeout connect 20s
"""


def test_what_cannot_come_is_not_waited_for(binary):
    """And how long was waited is told as the time of the queue, as it is no time of the server's."""
    hour = b"\x16\x03\x01" + hello("a.example")[3:]
    asked = (
        ("req.payload_lv(0,2) -m found", b"hello\n", "PR"),  # 26,725 bytes are more than are looked at
        ("req.payload(20000,1) -m found", b"x", "PR"),
        ("req.payload(0,0) -m found", b"", "SC"),
        ("req.rdp_cookie_cnt(x) 0", b"no cookie in these bytes", "SC"),
        ("req.rdp_cookie -m found", b"\3\0\0\x20\x1b\xe0\0\0\0\0\0Cookie: a=b\rc", "PR"),
        ("distcc_param(ARGC) -m found", b"ARGC0\x16000001", "PR"),
        ("req.ssl_ver 3.3", hour, "SC"),  # of TLS 1.3 it is an extension that tells
        ("req.ssl_ver 3.1:3.2 3.4:", hour, "PR"),
        ("req.ssl_ver le 3.3", hour, "SC"),
        ("req.ssl_ver 3", hour, "PR"),
        ("req.len gt 100", b"x", "waits"),
        ("req.rdp_cookie -m found", b"\3\0\0\x20\x1b\xe0\0\0\0\0\0Cookie: a=b", "waits"),
    )
    text = WAITS + "".join(
        f"frontend f{i}\n    bind 127.0.0.1:{{p{i}}}\n    tcp-request inspect-delay {'400ms' if said == 'waits' else '20s'}\n"
        f"    tcp-request content accept if {{ {test} }}\n{'' if said == 'waits' else '    tcp-request content reject'}\n    default_backend b\n" for i, (test, _, said) in enumerate(asked))
    ports = [free_port() for _ in asked]
    for i, port in enumerate(ports):
        text = text.replace(f"{{p{i}}}", str(port))
    with Proxy(binary, text + "backend b\n    retries 0\n    server s 127.0.0.1:9\n", port=ports[0]) as p:
        for i, (test, data, said) in enumerate(asked):
            with p.connect(ports[i]) as c:
                c.sendall(data)
                assert read_all(c) == b""
            until(test, lambda: f"LINE f{i} " in p.text())
            state, queue = re.search(rf"LINE f{i} (..) (-?\d+)/", p.text()).groups()
            assert state == ("SC" if said == "waits" else said), (test, p.text())
            assert int(queue) >= 395 if said == "waits" else int(queue) < 9999, (test, p.text())


def test_a_server_s_answer_is_judged(binary):
    def serve(server, c):
        word = c.recv(4096)
        c.sendall(word[:2])
        time.sleep(0.05)
        c.sendall(word[2:])

    server = Server(serve)
    text = config("""
listen l
    bind 127.0.0.1:{port}
    tcp-response inspect-delay 1s
    tcp-response content reject if { res.payload(0,4) -m str EVIL }
    tcp-response content accept
    server s 127.0.0.1:{server}
""", server=server.port)
    with Proxy(binary, text) as p:
        assert ask(p, [b"GOOD morning\n"]) == "GOOD morning"
        assert ask(p, [b"EVIL morning\n"]) == ""
        assert ask(p, [b"no\n"]) == "no"


def test_answers_are_judged_from_the_connection_on(binary):
    """Without inspect-delay by what has come until then: nothing. Each with its end, its state, and who has denied what."""

    def serve(server, c):
        time.sleep(0.2)
        c.sendall(b"ab")
        c.recv(1)

    server = Server(serve)
    table = "stick-table type string len 20 size 10"
    cases = (
        ("tcp-response content reject", b"", "PD", "0", "01"),
        ("tcp-response content close", b"", "--", "0", "00"),
        ("tcp-response content close if { res.len gt 0 }", b"ab", "--", "2", "00"),
        ("tcp-response inspect-delay 9s\n    tcp-response content reject if { res.len gt 0 }", b"", "PD", "2", "01"),
        ("tcp-response inspect-delay 9s\n    tcp-response content silent-drop if { res.len gt 0 }", None, "PR", "2", "10"),
        (f"{table}\n    stick store-response str(z)", b"ab", "--", "2", "00"),
        (f"{table}\n    stick store-response res.payload(0,2)", b"ab", "--", "2", "00"),
        (f"tcp-response inspect-delay 9s\n    tcp-response content accept if {{ res.len gt 1 }}\n    {table}\n    stick store-response res.payload(0,2)", b"ab", "--", "2", "00"),
    )
    ports = [free_port() for _ in cases]
    text = "global\ndefaults\n    mode tcp\n    log stdout format raw daemon\n    timeout client 20s\n    timeout server 20s\n    timeout connect 20s\n" + "".join(
        f"listen l{i}\n    bind 127.0.0.1:{'{port}' if not i else ports[i]}\n    log-format \"LINE %b %ts %B\"\n    {rules}\n    server s 127.0.0.1:{server.port}\n" for i, (rules, *_) in enumerate(cases))
    with Asked(binary, text) as p:
        ports[0] = p.proxy.port
        for i, (rules, heard, state, n, denied) in enumerate(cases):
            with socket.create_connection(("127.0.0.1", ports[i])) as c:
                c.settimeout(0.6 if heard is None else 30)
                try:
                    assert heard is not None or c.recv(1) is None, rules
                except TimeoutError:
                    pass
                if heard is not None:
                    data = read_n(c, len(heard))
                    if heard:
                        c.shutdown(socket.SHUT_WR)
                    assert data + read_all(c) == heard, (rules, data)
            until(f"{rules} is logged", lambda: f"LINE l{i} {state} {n}\n" in p.proxy.text())
            assert "".join(p.row(f"l{i}/BACKEND", "dreq", "dresp")) == denied, rules
        for i, keys in ((5, ["z"]), (6, []), (7, ["ab"])):
            assert re.findall(r"key=(\S+) .*server_id=1", p.ask(f"show table l{i}")) == keys, i


def test_rdp_cookies_choose(binary):
    servers = {"x": named_server(b"x"), "y": named_server(b"y")}
    text = config("""
frontend f
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 2s
    tcp-request content accept if RDP_COOKIE
    use_backend y if { req.rdp_cookie(mstshash) -m beg ad }
    default_backend x
""") + backends(servers)
    with Proxy(binary, text) as p:
        head = b"\x03\x00\x00\x2a\x25\xe0\x00\x00\x00\x00\x00"
        assert ask(p, [head, b"Cookie: mstshash=", b"ada\r\n\x01\x00"]) == "y"
        assert ask(p, [head + b"Cookie: mstshash=bob\r\n\x01\x00"]) == "x"


def test_rejected_content_is_logged(binary):
    server = named_server(b"s")
    text = config("""
listen l
    bind 127.0.0.1:{port}
    log stdout format raw daemon
    option tcplog
    tcp-request inspect-delay 1s
    tcp-request content reject if { req.payload(0,1) -m str x }
    server s 127.0.0.1:{server}
""", server=server.port)
    with Proxy(binary, text) as p:
        assert ask(p, [b"x\n"]) == ""
        assert ask(p, [b"y\n"]) == "s"
        until("two lines", lambda: len(re.findall(r" l l/", p.text())) == 2)
        assert re.search(r"\] l l/<NOSRV> -1/-1/\d+ 0 PR ", p.text()), p.text()


def test_who_is_inspected_ends_without_a_reset(binary):
    server = named_server(b"s")
    text = config("""
frontend fe
    bind 127.0.0.1:{port}
    log stdout format raw daemon
    option tcplog
    timeout client 300ms
    tcp-request inspect-delay 20s
    tcp-request content reject if { req.len ge 3 }
    tcp-request content accept if { req.len ge 2 }
    default_backend be
backend be
    server s 127.0.0.1:{server}
""", server=server.port)
    with Proxy(binary, text) as p:
        for said, line in ((b"x", r"\] fe be/<NOSRV> -1/-1/\d+ 0 cR "), (b"xyz", r"\] fe fe/<NOSRV> -1/-1/\d+ 0 PR ")):
            with p.connect() as c:
                c.sendall(said)
                assert read_all(c) == b""
            until("it is logged: " + line, lambda: re.search(line, p.text()))


def test_http_is_told_from_others_in_mode_tcp(binary):
    """One port for several protocols: what the head of a request says holds in mode tcp, too."""
    servers = {n: named_server(n.encode()) for n in ("web", "api", "http", "other")}
    text = config("""
frontend f
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 2s
    tcp-request content reject if { path /forbidden }
    tcp-request content accept if HTTP
    tcp-request content accept if { req.len gt 0 }
    use_backend web if { hdr(host) -i web.example }
    use_backend api if METH_POST { path_beg /api }
    use_backend http if HTTP
    default_backend other
""" + backends(servers))
    with Proxy(binary, text) as p:
        for pieces, want in (
            ([b"GET / HTTP/1.1\r\nHost: web.example\r\n\r\n"], "web"),
            ([b"GET / HT", b"TP/1.1\r\nHost: web.ex", b"ample\r\n\r\n"], "web"),
            ([b"POST /api HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"], "api"),
            ([b"GET /api HTTP/1.0\r\n\r\n"], "http"),
            ([b"SSH-2.0-client\r\n"], "other"),
            ([b"GET / HTTP/1.1\r\nHost: web.ex"], "other"),  # the delay ends
        ):
            assert ask(p, pieces) == want, pieces
        try:
            assert ask(p, [b"GET /forbidden HTTP/1.1\r\nHost: web.example\r\n\r\n"]) == ""
        except ConnectionResetError:
            pass  # what was looked at is not read


MIXED = """
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend f
    mode tcp
    http-request deny if { path /web/never }
    http-request set-header X-Web yes if { path_beg /api }
    http-response set-header X-Front yes
    monitor-uri /web/monitor
    bind 127.0.0.1:{port}
    log stdout format raw daemon
    option tcplog
    stick-table type ip size 10 store gpc0
    tcp-request inspect-delay 2s
    tcp-request content track-sc0 src
    tcp-request content accept if HTTP
    tcp-request content accept if { req.len gt 12 }
    use_backend %[str(api)] if { path_beg /api } { sc0_inc_gpc0 ge 0 }
    use_backend web if { path_beg /web } { sc0_inc_gpc0 ge 0 }
    default_backend raw
backend web
    mode http
    http-request deny deny_status 429 if { path /web/denied }
    http-request set-header X-Web %[req.body_len]
    server s 127.0.0.1:{web}
backend api
    mode http
    tcp-request content set-var(txn.at) path
    http-response set-header X-At %[var(txn.at)]
    server s 127.0.0.1:{api}
backend raw
    mode tcp
    server s 127.0.0.1:{raw}
"""


def http_server(name):
    """Says its name, the path and how much body there was; then the next."""

    def serve(server, c):
        with c.makefile("rwb") as f:
            while True:
                head = [line.rstrip() for line in iter(f.readline, b"\r\n") if line] if f.peek(1) else []
                if not head:
                    return
                server.counted()
                length = sum(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:"))
                text = b"%s %s %d %d" % (name, head[0].split()[1], len(f.read(length)), any(line.lower().startswith(b"x-web:") for line in head))
                f.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
                f.flush()

    return Server(serve)


def answer(f):
    head = [line.rstrip().lower() for line in iter(f.readline, b"\r\n") if line]
    length = [int(line.split(b":")[1]) for line in head if line.startswith(b"content-length:")]
    return head, f.read(length[0]) if length else f.read()


def test_http_begins_behind_mode_tcp(binary):
    """A frontend of mode tcp with backends of both modes: who speaks HTTP is served as such, request by request."""
    web, api, raw = http_server(b"web"), http_server(b"api"), named_server(b"raw")
    with Asked(binary, config(MIXED, web=web.port, api=api.port, raw=raw.port)) as p:
        with p.proxy.connect() as c, c.makefile("rb") as f:
            c.sendall(b"POST /web HTTP/1.1\r\nHo")
            c.sendall(b"st: h\r\nContent-Length: 100000\r\n\r\n" + bytes(100000))
            assert answer(f)[1] == b"web /web 100000 1"
            for path, status in ((b"/web/monitor", b" 200 "), (b"/web/never", b" 403 ")):
                c.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
                assert status in answer(f)[0][0], path
            c.sendall(b"GET /web/denied HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b" 429 " in answer(f)[0][0]
        with p.proxy.connect() as c, c.makefile("rb") as f:
            c.sendall(b"GET /api/1 HTTP/1.1\r\nHost: h\r\n\r\nGET /web/2 HTTP/1.1\r\nHost: h\r\n\r\n")
            head, text = answer(f)
            assert text == b"api /api/1 0 1" and {b"x-at: /api/1", b"x-front: yes"} < set(head), (head, text)
            assert answer(f)[1] == b"web /web/2 0 1"
            # too late for a server of mode tcp
            c.sendall(b"GET /raw HTTP/1.1\r\nHost: h\r\n\r\n")
            assert read_all(c) == b""
        assert raw.count == 0
        assert ask(p.proxy, [b"SSH-2.0-client\r\n"]) == "raw"
        assert ask(p.proxy, [b"GET /raw HTTP/1.1\r\nHost: h\r\n\r\n"]) == "raw"
        until("each request ran the rules once", lambda: "gpc0=4" in p.ask("show table f"))
        for line in (r" f web/s \d+/\d+/\d+ \d+ -- ", r" f api/s ", r" f web/<NOSRV> .* PR ", r" f raw/<NOSRV> -1/-1/\d+ 0 IR ", r" f raw/s "):
            until("it is logged: " + line, lambda: re.search(line, p.proxy.text()))


def test_http_begins_behind_tls(binary):
    """… and may become a tunnel again."""
    def tunnel(server, c):
        if read_head(c):
            c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            c.sendall(c.recv(100)[::-1])

    web, api, raw = http_server(b"web"), Server(tunnel), named_server(b"raw")
    ca = Authority()
    text = config(MIXED, web=web.port, api=api.port, raw=raw.port).replace("{port}", "{port} ssl crt " + ca.make("a", ["a"]), 1)
    with Proxy(binary, text) as p:
        with connect(p.port) as c, c.makefile("rb") as f:
            c.sendall(b"GET /web HTTP/1.1\r\nHost: h\r\n\r\n")
            assert answer(f)[1] == b"web /web 0 1"
            c.sendall(b"GET /api HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            assert b" 101 " in f.readline()
            while f.readline() != b"\r\n":
                pass
            c.sendall(b"abc")
            assert f.read(3) == b"cba"
        with connect(p.port) as c, c.makefile("rb") as f:
            c.sendall(b"SSH-2.0-client\r\n")
            assert f.read(4) == b"raw\n"
    ca.close()


SWITCH = """
frontend f
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 5s
    tcp-request content reject if { req.payload(0,3) -m str BAD }
    tcp-request content switch-mode http if HTTP
    tcp-request content reject if { req.len gt 3 }
    http-request deny deny_status 403 if { path /denied }
    http-response set-header X-Front yes
    use_backend api if { path_beg /api }
    default_backend web
backend web
    mode http
    server s 127.0.0.1:{web}
backend api
    mode http
    server s 127.0.0.1:{api}
"""


def test_a_rule_switches_to_http(binary):
    """switch-mode: the frontend's rules of HTTP hold, for the first request as for others; who speaks something else does not pass."""
    web, api = http_server(b"web"), http_server(b"api")
    with Proxy(binary, config(SWITCH, web=web.port, api=api.port)) as p:
        assert ask(p, [b"BADLY"]) == "" and ask(p, [b"SSH-2.0-client\r\n"]) == ""
        with p.connect() as c, c.makefile("rb") as f:
            c.sendall(b"GE")
            time.sleep(0.05)
            c.sendall(b"T /denied HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b" 403 " in answer(f)[0][0]
        with p.connect() as c, c.makefile("rb") as f:
            c.sendall(b"POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))
            head, text = answer(f)
            assert text.startswith(b"api /api 50000") and b"x-front: yes" in head, (head, text)
            c.sendall(2 * b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert [answer(f)[1][:7] for _ in range(2)] == 2 * [b"web / 0"]
            c.sendall(b"GET /denied HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b" 403 " in answer(f)[0][0]


IP4 = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, b"\1\2\3\4", b"\5\6\7\10") + struct.pack("!HHIIBBHHH", 1234, 80, 0, 0, 0x50, 2, 0, 0, 0)
MAGIC = 1234567


def cip(headers, magic=MAGIC, typed=False):
    """NetScaler's header, in its older form or with a type."""
    return struct.pack("!II", magic, len(headers)) + headers if not typed else struct.pack("!IIHH", magic, len(headers) + 12, 1, len(headers)) + headers


def test_netscaler_says_where_clients_are_from(binary):
    s = Server(lambda server, c: c.sendall(b"<" + c.recv(99) + b">"))
    lines = """
listen l
    bind 127.0.0.1:{port} %s
    %s
    log stdout format raw local0
    log-format "from %%ci:%%cp to %%[dst]:%%[dst_port]"
    server s 127.0.0.1:%d
"""
    bound, ruled = ("accept-netscaler-cip %d" % MAGIC, ""), ("", "tcp-request connection expect-netscaler-cip layer4 if { src 127.0.0.0/8 }")
    for (word, rule), headers in ((bound, (cip(IP4), cip(IP4, typed=True), cip(IP4 + b"options"))), (ruled, (cip(IP4, 0),))):
        with Proxy(binary, config(lines % (word, rule, s.port))) as p:
            for n, header in enumerate(headers, 1):
                with p.connect() as c:
                    c.sendall(header + b"hello")
                    assert read_all(c) == b"<hello>", header
                until("it is logged", lambda: p.text().count("from 1.2.3.4:1234 to 5.6.7.8:80") == n)
    with Proxy(binary, config(lines % (*bound, s.port))) as p:
        for bad, why in ((cip(IP4, 9), "Received an invalid NetScaler Client IP magic number"), (cip(b"\x55" + IP4[1:]), "an unhandled protocol in the NetScaler"),
                         (cip(IP4[:9] + b"\x11" + IP4[10:]), "an unhandled protocol in the NetScaler"), (cip(IP4)[:30], "Truncated NetScaler Client IP header received")):  # fmt: skip
            n = p.text().count(why)
            with p.connect() as c:
                c.sendall(bad)
                try:
                    c.shutdown(socket.SHUT_WR)
                    assert read_all(c) == b"", bad
                except OSError:  # it was reset
                    pass
            until(why, lambda: p.text().count(why) == n + 1)


def test_a_proxy_header_follows_netscalers(binary):
    s = Server(lambda server, c: c.sendall(b"<" + c.recv(99) + b">"))
    lines = """
listen l
    bind 127.0.0.1:{port} %s
    %s
    log stdout format raw local0
    log-format "from %%ci:%%cp to %%[dst]:%%[dst_port]"
    server s 127.0.0.1:%d
"""
    proxied, number = b"PROXY TCP4 192.0.2.7 192.0.2.8 333 444\r\n", "accept-netscaler-cip %d" % MAGIC
    ways = [("accept-proxy " + number, ""), ("accept-proxy", "tcp-request connection expect-netscaler-cip layer4"),
            (number, "tcp-request connection expect-proxy layer4")]
    for word, rule in ways:
        magic = MAGIC if "cip" in word else 0
        with Proxy(binary, config(lines % (word, rule, s.port))) as p:
            for n, pieces in enumerate(((cip(IP4, magic) + proxied + b"hello",), (cip(IP4, magic), proxied, b"hello")), 1):
                with p.connect() as c:
                    for piece in pieces:
                        c.sendall(piece)
                        time.sleep(0.05)
                    assert read_all(c) == b"<hello>", (word, rule, n)
                until("it is logged", lambda: p.text().count("from 192.0.2.7:333 to 192.0.2.8:444") == n)
            for alone in (proxied, cip(IP4, magic) + b"hello"):
                with p.connect() as c:
                    c.sendall(alone)
                    try:
                        c.shutdown(socket.SHUT_WR)
                        assert read_all(c) == b"", (word, rule, alone)
                    except OSError:  # it was reset
                        pass


if __name__ == "__main__":
    main(globals())
