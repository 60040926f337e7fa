#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What options change in heads, in proxyd and HAProxy alike:   heads_twin.py BINARY"""
import os
import re
import socket
import time

from support import WAIT, Proxy, Server, config, main, read_all, read_head, until

HTTP = "defaults\n    mode http\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n"


def config_of(body, **more):
    return config(HTTP + body, **more)


class Mirror(Server):
    """Keeps the heads that it gets; answers with some fields of its own."""

    def __init__(self):
        self.heads = []
        super().__init__(Mirror.answer)

    def answer(self, c):
        head = read_head(c)
        if head:
            self.heads.append(head.decode("latin-1"))
            c.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-odd-name: a\r\nConnection: close\r\n\r\n")


def ask(p, fields="", target="/", port=None):
    with p.connect(port) as c:
        c.sendall(f"GET {target} HTTP/1.1\r\nHost: some.host:80\r\n{fields}Connection: close\r\n\r\n".encode("latin-1"))
        return read_all(c).decode("latin-1")


def values(head, name):
    return re.findall(rf"(?im)^{name}: (.*?)\r$", head)


ORIGINAL = """
listen l
    bind 127.0.0.1:{port}
    bind 127.0.0.2:{port}
    option originalto except 127.0.0.2
    server s 127.0.0.1:{server}
backend named
    option originalto header X-To
    server s 127.0.0.1:{server}
frontend f
    bind 127.0.0.3:{port}
    option originalto except 127.0.0.0/8
    default_backend named
frontend g
    bind 127.0.0.4:{port}
    default_backend named
"""


def test_what_a_client_wanted_is_told(binary):
    s = Mirror()
    with Proxy(binary, config_of(ORIGINAL, server=s.port)) as p:
        for i in (1, 2, 3, 4):
            with socket.create_connection((f"127.0.0.{i}", p.port), timeout=WAIT) as c:
                c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                assert b" 200 " in read_all(c)
    assert [values(h, "X-Original-To") for h in s.heads] == [["127.0.0.1"], [], [], []], s.heads
    assert [values(h, "X-To") for h in s.heads] == [[], [], [], ["127.0.0.4"]], s.heads


NAMES = """
frontend f
    bind 127.0.0.1:{port}
    option http-restrict-req-hdr-names {how}
    http-request set-header X-Seen %[req.hdr_cnt(x_under)]
    default_backend b
backend b
    server s 127.0.0.1:{server}
backend strict
    option http-restrict-req-hdr-names reject
    server s 127.0.0.1:{server}
"""


def test_odd_names(binary):
    s = Mirror()
    fields = "X_Under: 1\r\nX-Even: 2\r\nx.dot: 3\r\n"
    for how, kept in (("preserve", True), ("delete", False)):
        with Proxy(binary, config_of(NAMES, server=s.port, how=how)) as p:
            assert " 200 " in ask(p, fields)
        head = s.heads.pop()
        assert values(head, "X-Even") == ["2"], head
        assert values(head, "X_Under") == (["1"] if kept else []), head
        assert values(head, r"x\.dot") == (["3"] if kept else []), head
        assert values(head, "X-Seen") == ["1"], head  # the rules have seen it
    with Proxy(binary, config_of(NAMES, server=s.port, how="reject")) as p:
        assert ask(p, fields).startswith("HTTP/1.1 403 ")
        assert " 200 " in ask(p, "X-Even: 2\r\n")
    with Proxy(binary, config_of(NAMES.replace("default_backend b", "default_backend strict"), server=s.port, how="preserve")) as p:
        assert ask(p, fields).startswith("HTTP/1.1 403 ")


CASE = """
global
    h1-case-adjust x-odd-name X-oDD-Name
    h1-case-adjust-file {file}
""" + HTTP + """
frontend f
    bind 127.0.0.1:{port}
    option h1-case-adjust-bogus-client
    default_backend b
backend b
    option h1-case-adjust-bogus-server
    server s 127.0.0.1:{server}
"""


def test_names_look_as_is_wanted(binary):
    s = Mirror()
    file = f"/tmp/proxyd-case.{os.getpid()}"
    with open(file, "w") as f:
        f.write("# a comment\n\nx-from-file   x-FROM-file\nhost HOST\n")
    try:
        with Proxy(binary, CASE.replace("{server}", str(s.port)).replace("{file}", file)) as p:
            answer = ask(p, "X-Odd-Name: 1\r\nx-from-file: 2\r\nx-other: 3\r\n")
        assert "\r\nX-oDD-Name: a\r\n" in answer, answer
        for line in ("X-oDD-Name: 1", "x-FROM-file: 2", "HOST: some.host:80", "x-other: 3"):
            assert f"\r\n{line}\r\n" in s.heads[0], s.heads
    finally:
        os.unlink(file)


PROBES = """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    timeout http-request 300ms
    {option}
    http-request return status 200
"""


def test_who_says_nothing(binary):
    for option in ("", "option dontlognull", "option http-ignore-probes"):
        ignored = option == "option http-ignore-probes"
        with Proxy(binary, config_of(PROBES, option=option)) as p:
            p.connect().close()
            with p.connect() as c:
                answer = read_all(c)
            assert answer.startswith(b"HTTP/1.1 408 ") if not ignored else answer == b"", answer
            with p.connect() as c:
                c.shutdown(socket.SHUT_WR)
                answer = read_all(c)
            assert answer.startswith(b"HTTP/1.1 400 ") if not ignored else answer == b"", answer
            with p.connect() as c:  # that one has said something
                c.sendall(b"GET")
                assert read_all(c).startswith(b"HTTP/1.1 408 ")
            assert " 200 " in ask(p)
            until("all is logged", lambda: '"GET' in p.text())
            time.sleep(0.1)
            # a connection may be there when the next one is accepted
            assert len(re.findall('408 0 - - cR-- [12]/[12]/0/0/0 0/0 "<BADREQ>"', p.text())) == (1 if option else 2), p.text()
            assert len(re.findall('400 0 - - CR-- [12]/[12]/0/0/0 0/0 "<BADREQ>"', p.text())) == (0 if option else 2), p.text()


def test_a_message_has_so_many_fields(binary):
    def answers(server, c):
        if read_head(c):
            c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + b"X: y\r\n" * (fields - 1) + b"\r\n")

    s = Server(answers)
    for limit in (20, 200):
        text = "global\n    tune.http.maxhdr %d\n" % limit + HTTP
        text += "frontend f\n    bind 127.0.0.1:{port}\n    default_backend b\nbackend b\n    server s 127.0.0.1:%d\n" % s.port
        with Proxy(binary, text) as p:
            for asked, fields, status in ((limit // 2, 1, 200), (limit + 2, 1, 400), (2, limit - 5, 200), (2, limit + 2, 502)):
                assert ask(p, "X: y\r\n" * (asked - 2)).startswith(f"HTTP/1.1 {status} "), (limit, asked, fields)


# HAProxy has it since 2.8: what its manual says.
FORWARDED = """
frontend f
    bind 127.0.0.1:{port}
    use_backend %[path,bytes(1)]
""" + "".join(
    f"backend b{i}\n    option forwarded {words}\n    server s 127.0.0.1:{{server}}\n"
    for i, words in enumerate(
        (
            "",
            "proto for",
            "host for-expr src,xxh32,hex for_port",
            "host-expr str(host.com) by-expr str(_haproxy) for for_port-expr int(10)",
            "for-expr req.hdr(x-for)",
            "by by_port for-expr str(a:b)",
            "host",
        )
    )
)


def test_forwarded(binary):
    if "haproxy" in binary:
        return
    s = Mirror()

    def forwarded(path, fields=""):
        assert " 200 " in ask(p, fields, target=path)
        return values(s.heads.pop(), "Forwarded")

    with Proxy(binary, config_of(FORWARDED, server=s.port)) as p:
        assert forwarded("/b0") == forwarded("/b1") == ["proto=http;for=127.0.0.1"]
        (value,) = forwarded("/b2")
        assert re.fullmatch(r'host="some\.host:80";for="_[0-9A-F]+:\d+"', value), value
        assert forwarded("/b3") == ['host="host.com";by=_haproxy;for="127.0.0.1:10"']
        assert forwarded("/b4", "X-For: 2001:db8::1\r\n") == ['for="[2001:db8::1]"']
        assert forwarded("/b4", "X-For: 192.0.2.1\r\n") == ["for=192.0.2.1"]
        assert forwarded("/b4", 'X-For: a"b\r\n') == ["for=unknown"] == forwarded("/b4")
        assert forwarded("/b5") == [f'by="127.0.0.1:{p.port}";for=unknown']
        assert forwarded("/b6", "Forwarded: for=1.2.3.4\r\n") == ["for=1.2.3.4", 'host="some.host:80"']


OLD = """
frontend f
    bind 127.0.0.1:{port}
    use_backend lenient if { path /lenient }
    default_backend strict
backend strict
    server s 127.0.0.1:{server}
backend lenient
    option accept-invalid-http-response
    server s 127.0.0.1:{server}
"""
OLD_ANSWERS = {  # what a server says: what the client gets in place of it
    b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nok": b"HTTP/1.1 200 OK|content-length: 2|x-a: b||ok",
    b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b \nX-B: c\n\nok": b"HTTP/1.1 200 OK|content-length: 2|x-a: b|x-b: c||ok",
    b"HTTP/1.1 100 Go on\nX: y\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok": b"HTTP/1.1 100 Go on|x: y||HTTP/1.1 200 OK|content-length: 2||ok",
    b"HTTP/1.1 200 OK\r\nX-A: b\r\n\tc\r\nContent-Length: 2\r\n\r\nok": b"HTTP/1.1 200 OK|x-a: b  \tc|content-length: 2||ok",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok": b"HTTP/1.1 200 OK|content-length: 2||ok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok": b"HTTP/1.1 200 OK|content-length: 2||ok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":
        b"HTTP/1.1 200 OK|transfer-encoding: chunked||2|ok|0||",
}
ODD_NAME = b"HTTP/1.1 200 OK\r\nX{\xe9}: b\r\nContent-Length: 2\r\n\r\nok"


def lower_names(data):
    return re.sub(rb"(?m)^[^:\r\n]+: ", lambda m: m[0].lower(), data).replace(b"\r\n", b"|")


def test_old_servers_are_put_right(binary):
    says = []

    def serve(server, c):
        if read_head(c):
            c.sendall(says[-1])

    s = Server(serve)
    with Proxy(binary, config_of(OLD, server=s.port)) as p:
        for data, wanted in OLD_ANSWERS.items():
            says.append(data)
            with p.connect() as c:
                c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                got = lower_names(read_all(c).replace(b"Connection: close\r\n", b"").replace(b"connection: close\r\n", b""))
            assert got == wanted, (data, got)
        says.append(ODD_NAME)
        assert ask(p).startswith("HTTP/1.1 502 ")
        assert "x{\xe9}: b\r\n" in ask(p, target="/lenient").lower()


def test_who_told_two_lengths_is_not_asked_again(binary):
    """What follows in that connection may be no answer. HAProxy 2.6 goes on."""
    if "haproxy" in binary:
        return

    def serve(server, c):
        server.counted()
        while read_head(c):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    s = Server(serve)
    with Proxy(binary, config_of(OLD, server=s.port)) as p, p.connect() as c:
        for _ in range(3):
            c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            data = b""
            while not data.endswith(b"0\r\n\r\n"):
                data += c.recv(4096)
        assert s.count == 3


LENIENT = """
frontend f
    bind 127.0.0.1:{port}
    default_backend b
frontend g
    bind 127.0.0.2:{port}
    option accept-invalid-http-request
    default_backend b
backend b
    server s 127.0.0.1:{server}
"""


def test_odd_requests_pass_where_they_may(binary):
    s = Mirror()
    with Proxy(binary, config_of(LENIENT, server=s.port)) as p:
        for target, fields, passes in (
            ("/\xc3\xa9", "", True), ("/a#b", "", True), ("/", "X{\xe9}: y\r\n", True),
            ("/\x01", "", False), ("/", ": y\r\n", False), ("/", "X\r\n", False), ("/", "Content-Length: 1\r\nContent-Length: 2\r\n", False),
        ):
            for i, wanted in ((1, False), (2, passes)):
                with socket.create_connection((f"127.0.0.{i}", p.port), timeout=WAIT) as c:
                    c.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\n{fields}Connection: close\r\n\r\n".encode("latin-1"))
                    got = read_all(c)
                assert got.startswith(b"HTTP/1.1 200 " if wanted else b"HTTP/1.1 400 "), (i, target, fields, got)
                if wanted:
                    assert s.heads[-1].startswith(f"GET {target} HTTP/1.1\r\n") and fields.lower() in s.heads[-1].lower(), s.heads[-1]


if __name__ == "__main__":
    main(globals())
