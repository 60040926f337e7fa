#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which server a client gets by what it says of itself, in proxyd and HAProxy alike:   persist_twin.py BINARY"""
import re
import socket
import struct
import threading
import time

from support import WAIT, Asked, Proxy, Server, config, main, read_all, read_head, until


def http_named(name):
    def serve(server, c):
        data = read_head(c)
        if not data:
            return
        server.counted()
        c.sendall(b"HTTP/1.1 200 OK\r\nX-Name: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % name.encode())

    return serve


def get(p, path="/", *fields, client=None):
    with p.connect() if not client else socket.create_connection(("127.0.0.1", p.port), WAIT, (client, 0)) as s:
        s.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]).encode())
        answer = read_all(s).decode("latin-1")
    name = re.search(r"(?i)\r\nx-name: (\w+)", answer)
    return name.group(1) if name else answer.split(" ")[1]


HTTP = "defaults\n    mode http\n    timeout connect 500ms\n    timeout client 5s\n    timeout server 5s\n    timeout queue 5s\n"

HASH = HTTP + """
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    balance hash req.hdr(x-key),lower
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b} weight 2
    server c 127.0.0.1:{c}
"""


def test_an_expression_is_hashed(binary):
    servers = {n: Server(http_named(n)) for n in "abc"}
    with Proxy(binary, config(HASH, **{n: s.port for n, s in servers.items()})) as p:
        got = "".join(get(p, "/", f"X-Key: Key{i}") for i in range(24))
        assert got == "bbcabbcabbbcabbcabbcbbca", got
        assert len({get(p, "/", "X-Key: SAME" if i % 2 else "X-Key: same") for i in range(6)}) == 1
        assert len({get(p, "/", "X-Key: ") for _ in range(6)}) == 1  # nothing is a key, too
        assert len({get(p) for _ in range(8)}) == 3  # without a key they take turns


# hash-type, and who gets the requests with the keys key0 … key15
TYPES = {
    "map-based": "bbcabbcabbbcabbc",
    "map-based djb2": "bcabbcabbccabbca",
    "map-based wt6": "ccccccccccbbbbaa",
    "map-based crc32": "babacbcbabbcbcab",
    "map-based crc32 avalanche": "cbacaabbbcbcbcaa",
    "consistent": "baccbbabacbbbbbb",
    "consistent sdbm": "aaaaaaaaaabbbbbb",
    "consistent djb2 avalanche": "bacabccccbbbcbbb",
    "consistent wt6": "ccccccccccbcbbbc",
    "consistent crc32": "aaabaabbccbbacbb",
}


def hash_backends():
    lines = [HTTP, "frontend f", "    bind 127.0.0.1:{port}", "    use_backend %[path,field(2,/)]"]
    for i, kind in enumerate(TYPES):
        lines += [f"backend b{i}", "    balance hdr(x-key)", "    hash-type " + kind]
        lines += [f"    server {n} 127.0.0.1:{{{n}}}" + " weight 2" * (n == "b") for n in "abc"]
    lines += ["backend addresses", "    balance source", "    hash-type consistent"]
    lines += [f"    server {n} 127.0.0.1:{{{n}}}" for n in "abc"]
    return "\n".join(lines) + "\n"


def test_hash_types(binary):
    servers = {n: Server(http_named(n)) for n in "abc"}
    with Proxy(binary, config(hash_backends(), **{n: s.port for n, s in servers.items()})) as p:
        for i, (kind, wanted) in enumerate(TYPES.items()):
            got = "".join(get(p, f"/b{i}/", f"X-Key: key{k}") for k in range(16))
            assert got == wanted, (kind, got)
            assert get(p, f"/b{i}/", "X-Key:  key1 , key2") == wanted[1], kind  # the first of a list
            assert len({get(p, f"/b{i}/", "X-Key: ,key1") for _ in range(8)}) == 3, kind
            assert len({get(p, f"/b{i}/") for _ in range(8)}) == 3, kind  # without a key they take turns
        got = "".join(get(p, "/addresses/", client=f"127.0.3.{k}") for k in range(1, 17))
        assert got == "caabcccbbbccbbaa", got


KEYED = HTTP + """
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    balance hdr(x-key)
    hash-type consistent
    default-server weight 4 {key}
"""


def keyed(binary, servers, key, *commands, **elsewhere):
    """Who gets the requests with the keys key0 … key47, the servers standing in this order."""
    lines = [f"    server {n} {elsewhere.get(n, f'{s.host}:{s.port}')}\n" for n, s in servers]
    with Asked(binary, config(KEYED + "".join(lines), key=key)) as p:
        for command in commands:
            p.ask(command)
        return "".join(get(p.proxy, "/", f"X-Key: key{k}") for k in range(48))


def test_hash_key_says_where_a_server_is_on_the_ring(binary):
    servers = [(n, Server(http_named(n), host=f"127.0.1.{i}")) for i, n in enumerate("abc", 1)]
    back = servers[::-1]
    as_usual = keyed(binary, servers, "")
    assert as_usual != keyed(binary, back, "") and set(as_usual) == set("abc"), as_usual
    if "haproxy" in binary:  # there since 3.0
        return
    assert as_usual == keyed(binary, servers, "hash-key id")
    host, port = servers[0][1].host, servers[0][1].port
    for key in "addr", "addr-port":
        got = keyed(binary, servers, f"hash-key {key}")
        assert set(got) == set("abc") and got != as_usual, got
        assert got == keyed(binary, back, f"hash-key {key}"), key  # the order of lines says nothing
        assert got == keyed(binary, servers, f"hash-key {key}", f"set server b/a addr {host} port {port}", a="127.0.1.9:1"), key


RDP = """
frontend f
    mode tcp
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 2s
    tcp-request content accept if RDP_COOKIE
    default_backend b
backend b
    mode tcp
    balance rdp-cookie
    persist rdp-cookie
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
    server c 127.0.0.1:{c}
"""


def rdp(cookie):
    """A connection request of RDP (X.224) with a cookie."""
    text = b"Cookie: " + cookie + b"\r\n"
    return struct.pack("!BBHBBHHB", 3, 0, 11 + len(text), 6 + len(text), 0xE0, 0, 0, 0) + text


def test_a_cookie_of_rdp_is_followed(binary):
    def serve(name):
        def answer(server, c):
            if c.recv(4096):
                c.sendall(name.encode())

        return answer

    servers = {n: Server(serve(n)) for n in "abc"}
    with Proxy(binary, config(RDP, **{n: s.port for n, s in servers.items()})) as p:
        def ask(cookie):
            with p.connect() as s:
                s.sendall(rdp(cookie)[:9])
                time.sleep(0.02)
                s.sendall(rdp(cookie)[9:])
                return read_all(s).decode()

        address = struct.unpack("<I", socket.inet_aton("127.0.0.1"))[0]
        for name, server in servers.items():
            port = struct.unpack("<H", struct.pack("!H", server.port))[0]
            assert ask(b"msts=%d.%d.0000" % (address, port)) == name
        same = {ask(b"mstshash=someone") for _ in range(4)}
        assert len(same) == 1, same
        assert len({ask(b"mstshash=user%d" % i) for i in range(24)}) == 3
        got = "".join(ask(b"mstshash=user%d" % i) for i in range(12))
        assert got == "cabcabcabcca", got


FULL = HTTP + """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    default_backend b
backend b
    {redispatch}
    cookie S insert
    server a 127.0.0.1:{a} cookie a maxconn 1 maxqueue {maxqueue}
    server b 127.0.0.1:{b} cookie b
"""


def with_full_server(binary, redispatch, maxqueue, wanted, logged):
    """Four requests with the cookie of "a", which serves one at a time."""
    release = threading.Event()

    def hold(server, c):
        c.recv(65536)
        server.counted()
        release.wait(8)
        c.sendall(b"HTTP/1.1 200 OK\r\nX-Name: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    a, b, got = Server(hold), Server(http_named("b")), {}
    text = config(FULL, threads=2, a=a.port, b=b.port, redispatch=redispatch, maxqueue=maxqueue)
    with Asked(binary, text) as asked:
        p = asked.proxy

        def go(i):
            got[i] = get(p, "/", "Cookie: S=a")

        threads = [threading.Thread(target=go, args=(i,)) for i in range(4)]
        for i, t in enumerate(threads):
            t.start()
            if i == 0:
                until("the server has it", lambda: a.count == 1)
            elif not maxqueue or i <= maxqueue:
                until("it waits", lambda: asked.row("b/a", "qcur") == [str(i)])
            else:
                t.join()
        release.set()
        for t in threads:
            t.join()
        assert "".join(got[i] for i in range(4)) == wanted, got
        queues = asked.row("b/a", "qcur", "qmax") + asked.row("b/BACKEND", "qcur", "qmax")
        assert queues == ["0", str(maxqueue or 3), "0", "0"], queues
        until("all is logged", lambda: p.text().count("GET") == 4)
        assert sorted(re.findall(r" - - (SQV|....)", p.text())) == logged, p.text()


def test_a_full_server_is_waited_for(binary):
    with_full_server(binary, "", 0, "aaaa", ["--VN"] * 4)
    with_full_server(binary, "option redispatch", 0, "aaaa", ["--VN"] * 4)


def test_a_full_queue_is_left(binary):
    with_full_server(binary, "option redispatch", 1, "aabb", ["--DI", "--DI", "--VN", "--VN"])
    with_full_server(binary, "", 1, "aa503503", ["--VN", "--VN", "SQV", "SQV"])


DOWN = HTTP + """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    use_backend forced if { path_beg /forced }
    use_backend always if { path_beg /always }
    use_backend redir if { path_beg /redir }
    default_backend b
backend b
    cookie S insert
    ignore-persist if { path_beg /ignored }
    server a 127.0.0.1:{a} cookie a
    server b 127.0.0.1:{b} cookie b
backend forced
    cookie S insert
    force-persist if { req.hdr(x-force) yes }
    server a 127.0.0.1:{a} cookie a disabled
    server b 127.0.0.1:{b} cookie b
backend always
    cookie S insert
    option persist
    server a 127.0.0.1:{a} cookie a disabled
    server b 127.0.0.1:{b} cookie b
backend redir
    server a 127.0.0.1:{a} redir http://other.example
"""


def test_rules_of_persistence(binary):
    servers = {n: Server(http_named(n)) for n in "ab"}
    with Proxy(binary, config(DOWN, **{n: s.port for n, s in servers.items()})) as p:
        cookie = "Cookie: S=a"
        assert [get(p, "/", cookie) for _ in range(3)] == ["a"] * 3
        assert sorted(get(p, "/ignored", cookie) for _ in range(4)) == ["a", "a", "b", "b"]
        assert get(p, "/forced", cookie) == "b"
        assert get(p, "/forced", cookie, "X-Force: yes") == "a"
        assert get(p, "/always", cookie) == "a"
        until("all is logged", lambda: p.text().count("GET") == 10)
        letters = re.findall(r" - - (....)", p.text())
        assert letters == ["--VN"] * 3 + ["--UN"] * 4 + ["--DI", "--DN", "--DN"], letters


DRAINED = """
global
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    use_backend %[path,field(2,/)]
backend cookie
    cookie S insert
    server a 127.0.0.1:{a} cookie a
    server b 127.0.0.1:{b} cookie b
backend table
    stick-table type string size 1k
    stick on req.hdr(x-key)
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
backend rule
    use-server a if { req.hdr(x-key) a }
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
backend notfound
    option httpchk
    timeout check 20s # a server that was late once is down, and 404 brings none up
    http-check disable-on-404
    cookie S insert
    server a 127.0.0.1:{a} cookie a check inter 2s port {check}
    server b 127.0.0.1:{b} cookie b
backend last
    http-reuse never
    option prefer-last-server
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
"""


def named_on(s):
    """The server's answer on a connection that stays."""
    s.sendall(b"GET /last/ HTTP/1.1\r\nHost: h\r\n\r\n")
    return re.search(rb"(?i)x-name: (\w+)", read_head(s)).group(1).decode()


def keeps(name):
    def serve(server, c):
        while read_head(c):
            c.sendall(b"HTTP/1.1 200 OK\r\nX-Name: %s\r\nContent-Length: 0\r\n\r\n" % name.encode())

    return serve


def answers_404(server, c):
    if read_head(c):
        c.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_a_drained_server_keeps_those_bound_to_it(binary):
    servers = {n: Server(keeps(n)) for n in "ab"} | {"check": Server(answers_404)}
    with Asked(binary, config(DRAINED, **{n: s.port for n, s in servers.items()})) as p:
        bound = {"cookie": ("Cookie: S=a",), "table": ("X-Key: a",), "rule": ("X-Key: a",), "notfound": ("Cookie: S=a",)}
        until("404 is seen", lambda: p.status("notfound/a") == "NOLB")
        assert get(p.proxy, "/table/", *bound["table"]) == "a"
        with p.proxy.connect() as s:
            assert [named_on(s) for _ in range(2)] == ["a", "a"]
            for backend, fields in bound.items():
                if backend != "notfound":
                    p.ask(f"set server {backend}/a state drain")
                assert [get(p.proxy, f"/{backend}/", *fields) for _ in range(3)] == ["a"] * 3, backend
                assert [get(p.proxy, f"/{backend}/") for _ in range(3)] == ["b"] * 3, backend
            for order in ("state drain", "weight 0"):
                p.ask("set server last/a " + order)
                assert [named_on(s) for _ in range(2)] == ["b", "b"], order
                p.ask("set server last/a state ready; set server last/a weight 1; set server last/b state maint")
                assert named_on(s) == "a"
                p.ask("set server last/b state ready")


def test_a_server_that_redirects(binary):
    servers = {n: Server(http_named(n)) for n in "ab"}
    with Proxy(binary, config(DOWN, **{n: s.port for n, s in servers.items()})) as p:
        for line in ("GET /redir/x?y=1", "HEAD /redir/x?y=1", "GET http://h/redir/x?y=1"):
            with p.connect() as s:
                s.sendall(f"{line} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                answer = read_all(s).decode()  # and it closes
            assert answer.startswith("HTTP/1.1 302 "), answer
            assert re.search("(?i)\r\nconnection: close\r\n", answer), answer
            assert re.search("(?i)\r\nlocation: http://other.example/redir/x.y=1\r\n", answer), answer
        with p.connect() as s:
            s.sendall(b"POST /redir HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            assert read_all(s).startswith(b"HTTP/1.1 200 ")
        assert servers["a"].count == 1
        until("all is logged", lambda: p.text().count(" /redir") + p.text().count("http://h/redir") == 4)
        assert p.text().count(" 302 ") == p.text().count(" - - LC-- ") == 3, p.text()


if __name__ == "__main__":
    main(globals())
