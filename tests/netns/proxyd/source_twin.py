#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where connections to servers come from, in proxyd and in HAProxy:   source_twin.py BINARY"""
import os
import socket
import sys

from support import WAIT, Asked, Proxy, Server, config, main, read_all, until


def near(server, c):
    """Answers each request with the address and port it came from."""
    ip, port = c.getpeername()
    asked = True
    while asked:
        request = c.recv(65536)
        asked = request and b"close" not in request
        if not request:
            return
        text = f"{ip} {port}"
        server.counted()
        c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())


def seen(p, client="127.0.0.1", header=""):
    """As whom the server saw this client: address, port; and the client's own port."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its address is bound once more, by the proxy
        s.settimeout(WAIT)
        s.bind((client, 0))
        s.connect(("127.0.0.1", p.port))
        s.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n".encode())
        ip, port = read_all(s).split(b"\r\n\r\n")[1].decode().split()
        return ip, int(port), s.getsockname()[1]


def listen(server, section="", parameters="", mode="http", defaults=""):
    body = f"listen l\n    bind 127.0.0.1:{{port}}\n    mode {mode}\n    {section}\n    {defaults}\n"
    return config(body + f"    server s 127.0.0.1:{server.port} {parameters}\n")


def test_an_address_of_the_section_or_of_the_server(binary):
    web = Server(near)
    for mode in ("tcp", "http"):
        with Proxy(binary, listen(web, "source 127.0.0.7", mode=mode)) as p:
            assert seen(p)[0] == "127.0.0.7"
        with Proxy(binary, listen(web, "source 127.0.0.7", "source 127.0.0.8", mode=mode)) as p:
            assert seen(p)[0] == "127.0.0.8"
        with Proxy(binary, listen(web, "source 127.0.0.7", defaults="default-server source 127.0.0.9", mode=mode)) as p:
            assert seen(p)[0] == "127.0.0.9"


def test_a_port_range_is_used_port_by_port(binary):
    web, low = Server(near), 21000 + os.getpid() % 20000
    with Proxy(binary, listen(web, "", f"source 127.0.0.7:{low}-{low + 9}", "tcp")) as p:
        held, ports = [], set()
        for _ in range(10):
            s = p.connect()
            held.append(s)
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            data = s.recv(4096)
            ports.add(int(data.split()[-1]))
        assert ports == set(range(low, low + 10)), ports
        with p.connect() as s:  # no port is left
            s.sendall(b"x")
            assert s.recv(4096) == b""
        held.pop().close()
        for s in held:
            s.close()


def test_an_interface(binary):
    web = Server(near)
    with Proxy(binary, listen(web, "", "source 127.0.0.7 interface lo")) as p:
        assert seen(p)[0] == "127.0.0.7"
    with Proxy(binary, listen(web, "source 0.0.0.0 interface lo")) as p:
        assert seen(p)[0] == "127.0.0.1"


def test_usesrc_is_the_client_or_his_address_or_any(binary):
    web = Server(near)
    for mode in ("tcp", "http"):
        with Proxy(binary, listen(web, "source 0.0.0.0 usesrc clientip", mode=mode)) as p:
            assert [seen(p, f"127.0.0.{n}")[0] for n in (21, 22, 21)] == ["127.0.0.21", "127.0.0.22", "127.0.0.21"]
        with Proxy(binary, listen(web, "", "source 0.0.0.0 usesrc client", mode=mode)) as p:
            ip, port, own = seen(p, "127.0.0.23")
            assert (ip, port) == ("127.0.0.23", own), (ip, port, own)
        with Proxy(binary, listen(web, "source 127.0.0.7 usesrc 127.0.0.31", mode=mode)) as p:
            assert seen(p)[0] == "127.0.0.31"


def test_usesrc_a_header(binary):
    web = Server(near)
    for occurrence, want in (("", "127.0.0.43"), (",1", "127.0.0.41"), (",-2", "127.0.0.42")):
        with Proxy(binary, listen(web, f"source 127.0.0.7 usesrc hdr_ip(x-from{occurrence})")) as p:
            got = seen(p, header="X-From: 127.0.0.41, 127.0.0.42\r\nx-from: 127.0.0.43\r\n")[0]
            assert got == want, (occurrence, got)


def test_a_connection_made_as_one_client_serves_no_other(binary):
    web = Server(near)
    with Proxy(binary, listen(web, "http-reuse always\n    source 0.0.0.0 usesrc clientip")) as p:
        clients = [socket.create_connection(("127.0.0.1", p.port), WAIT, (f"127.0.0.{n}", 0)) for n in (51, 52)]
        for _ in range(3):
            for n, s in zip((51, 52), clients):
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert f"127.0.0.{n} ".encode() in s.recv(4096)
        for s in clients:
            s.close()


def test_checks_come_from_the_same_address(binary):
    with socket.create_server(("127.0.0.1", 0)) as web:
        port = web.getsockname()[1]
        body = f"listen l\n    bind 127.0.0.1:{{port}}\n    mode http\n    option httpchk\n    source 127.0.0.7\n    server s 127.0.0.1:{port} check inter 100ms\n"
        with Proxy(binary, config(body)):
            web.settimeout(WAIT)
            assert web.accept()[1][0] == "127.0.0.7"


def test_a_server_that_cannot_be_reached_from_there_is_down(binary):
    web = Server(near)
    for check in "", "option httpchk", "option tcp-check":
        body = f"listen l\n    bind 127.0.0.1:{{port}}\n    mode http\n    {check}\n    server s 127.0.0.1:{web.port} check inter 100ms source 203.0.113.7\n"
        with Asked(binary, config(body)) as p:
            until("its check has failed", lambda: p.row("l/s", "status", "check_status") == ["DOWN", "L4CON"])
            text, failures, downs = p.row("l/s", "last_chk", "chkfail", "chkdown")
            where = " at initial connection step of tcp-check" if "tcp" in check else ""
            assert text == "Can't bind to source address (Cannot assign requested address)" + where, text
            assert (failures, downs) == ("1", "1"), (failures, downs)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    main(globals())
