#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where a server is, and how long its connections are used, in proxyd and HAProxy alike:   server_words_twin.py BINARY"""
import contextlib
import ctypes
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

from support import Asked, Proxy, Server, config, free_port, main, named, read_all, read_head, read_message, read_n, unix_connect, until
from tls_support import Authority

HTTP = "defaults\n    mode http\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n"
LISTEN = "listen l\n    bind 127.0.0.1:{port}\n    http-reuse always\n    server s {address} {words}\n"


def config_of(words, address, body=LISTEN):
    return config(HTTP + body, words=words, address=address)


def keep_alive(server, c):
    """Answers as often as it is asked."""
    server.counted()
    while read_head(c):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def held(server, c):
    """Answers when it is let."""
    server.counted()
    while read_head(c):
        server.go_on.wait(60)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def ask(c, target="/"):
    c.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    data = b""
    while not data.endswith(b"ok"):
        more = c.recv(4096)
        assert more, data
        data += more


PROTOCOLS = """
global
    log {log}127.0.0.1:{udp} format raw local0
listen l
    bind {bind}127.0.0.1:{{port}}
    log global
    log-format heard
    server s {server}127.0.0.1:{there}
listen u
    bind {unix}{folder}/in
    server s 127.0.0.1:{there}
"""


def test_addresses_say_how_bytes_go(binary):
    there = Server(named("there"))
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(20)
        for log, bind, server, unix in (
            ("udp@", "tcp@", "tcp4@", "uxst@"),
            ("udp4@", "tcp4@", "stream+ipv4@", "stream+unix@"),
            ("dgram+ip@", "stream+ip@", "ip@", "unix@"),
        ):
            text = PROTOCOLS.format(log=log, bind=bind, server=server, unix=unix, folder=folder, there=there.port, udp=heard.getsockname()[1])
            with Proxy(binary, config(text)) as p:
                assert p.ask() == "there" and heard.recv(100) == b"heard\n", (log, bind, server)
                with unix_connect(f"{folder}/in") as c:
                    c.sendall(b"x")
                    assert read_all(c) == b"there\n", unix


def test_a_port_is_relative_to_the_clients(binary):
    s = Server(named("there"))
    port = free_port()
    for address in (f"127.0.0.1:{s.port - port:+d}", f":{s.port}", f"0.0.0.0:{s.port}"):
        text = config(f"listen l\n    bind 127.0.0.1:{{port}}\n    server s {address}\n")
        with Proxy(binary, text, port=port) as p:
            assert p.ask() == "there", address


def test_a_connection_is_used_so_often(binary):
    for words, wanted in (("", 1), ("max-reuse 1", 3), ("max-reuse 0", 6), ("max-reuse -1", 1)):
        if "haproxy" in binary and wanted > 1:  # 2.6 counts in HTTP/2 alone
            continue
        s = Server(keep_alive)
        with Proxy(binary, config_of(words, f"127.0.0.1:{s.port}")) as p, p.connect() as c:
            for _ in range(6):
                ask(c)
            assert s.count == wanted, (words, s.count)


def test_none_waits(binary):
    for words in ("pool-max-conn 0", "pool-purge-delay 0"):
        s = Server(keep_alive)
        with Proxy(binary, config_of(words, f"127.0.0.1:{s.port}")) as p:
            for _ in range(3):
                with p.connect() as c:
                    ask(c)
            until("all are closed", lambda: s.open == 0)
            assert s.count == 3, (words, s.count)


def test_they_wait_so_long(binary):
    """As many as are needed at a time; in each turn the estimate is halved, and half of what is beyond it closed."""
    short, long = Server(keep_alive), Server(keep_alive)
    body = (
        "frontend f\n    bind 127.0.0.1:{port}\n    use_backend long if { path /long }\n    default_backend short\n"
        "backend long\n    http-reuse always\n    server s 127.0.0.1:{long} pool-purge-delay 1h\n"
        "backend short\n    http-reuse always\n    server s 127.0.0.1:{short} pool-purge-delay 100ms\n"
    )
    with Proxy(binary, config(HTTP + body, long=long.port, short=short.port)) as p:
        with p.connect() as c:
            ask(c)
            ask(c, "/long")  # not first: HAProxy would look again in an hour
        until("the short one has ended", lambda: short.open == 0)
        assert long.open == 1


def test_no_more_wait_than_are_needed(binary):
    """First requests of clients take none that others had (http-reuse safe): theirs are too many when they end."""
    for words, wanted in (("", 1), ("pool-low-conn 3", 4), ("pool-low-conn 3 pool-max-conn 2", 2)):
        s = Server(keep_alive)
        text = config_of(f"pool-purge-delay 1h {words}", f"127.0.0.1:{s.port}", LISTEN.replace("always", "safe"))
        with Asked(binary, text) as p:
            for _ in range(8):
                with p.proxy.connect() as c:
                    ask(c)
            until("so many wait", lambda: p.row("l/s", "idle_conn_cur", "safe_conn_cur", "need_conn_est")[2:] == ["1"] and s.open == wanted)
            assert s.count == 8, (words, s.count)


def test_a_burst_is_forgotten(binary):
    s, n = Server(held), 9
    s.go_on = threading.Event()
    with Asked(binary, config_of("pool-purge-delay 100ms", f"127.0.0.1:{s.port}")) as p:
        clients = [p.proxy.connect() for _ in range(n)]
        for c in clients:
            c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        until("all are used", lambda: s.count == n)
        assert p.row("l/s", "need_conn_est") == [str(n)]
        s.go_on.set()
        for c in clients:
            read_head(c)
        until("none waits", lambda: s.open == 0)
        for c in clients:
            c.close()


def test_a_table_does_not_keep_it(binary):
    s = Server(keep_alive)
    body = LISTEN + "    stick-table type ip size 1k\n    stick on src\n"
    for words, wanted in (("stick", True), ("non-stick", False)):
        text = config_of(words, f"127.0.0.1:{s.port}", body=body)
        with Asked(binary, text) as p:
            with p.proxy.connect() as c:
                ask(c)
            until("it is asked", lambda: p.row("l/s", "stot") == ["1"])
            assert ("server_id=1" in p.ask("show table l")) == wanted, p.ask("show table l")


DISPATCH = """
listen l
    bind 127.0.0.1:{port}
    mode http
    option httplog
    log stdout format raw local0
    cookie C
    dispatch 127.0.0.1:{a}
    server b 127.0.0.1:{b} cookie b
"""


def one(name):
    def serve(server, c):
        if read_head(c):
            c.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{name}".encode())

    return Server(serve)


def test_all_go_there(binary):
    """dispatch: but for those whom a cookie sends elsewhere."""
    a, b = one("a"), one("b")
    with Proxy(binary, config(HTTP + DISPATCH, a=a.port, b=b.port)) as p:
        for fields, wanted in (("", "a"), ("Cookie: C=b\r\n", "b"), ("Cookie: C=x\r\n", "a"), ("", "a")):
            with p.connect() as c:
                c.sendall(f"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n".encode())
                assert read_all(c).decode().endswith("\r\n\r\n" + wanted), fields
        until("all is logged", lambda: p.text().count('"GET') == 4)
        assert p.text().count(" l/<NOSRV> ") == 3 and p.text().count(" l/b ") == 1, p.text()


def test_where_the_client_wanted_to_go(binary):
    """option transparent: with the address of another one that the kernel brings here."""
    if os.geteuid() != 0:
        return
    s = Server(named("there"))
    port = free_port()
    subprocess.run(["ip", "address", "add", "192.0.2.9/32", "dev", "lo"], check=False)
    text = config("frontend f\n    bind 127.0.0.1:{port}\n    tcp-request session set-dst-port int({server})\n    default_backend b\nbackend b\n    option transparent\n", server=s.port)
    if "haproxy" in binary:  # 2.6 has no such rule there
        text = text.replace("session set-dst-port", "connection set-dst-port")
    with Proxy(binary, text, port=port) as p:
        assert p.ask() == "there"


INIT = """
listen l
    bind 127.0.0.1:{port}
    server a 127.0.0.1:{a} check inter 100ms rise 2 init-state {state}
"""


def test_before_the_first_check(binary):
    if "haproxy" in binary:  # has it since 3.1
        return
    for state, up in (("up", True), ("fully-up", True), ("down", False), ("fully-down", False)):
        go_on = threading.Event()

        def serve(server, c):
            server.counted()
            go_on.wait(30)

        a = Server(serve, backlog=0)
        text = config(INIT, a=a.port, state=state)
        # a check that cannot be over: the server says nothing
        text = text.replace("    bind", "    timeout check 60s\n    option tcp-check\n    tcp-check expect string yes\n    bind").replace("inter 100ms", "inter 60s")
        with Asked(binary, text) as p:
            assert p.status("l/a").startswith("UP" if up else "DOWN"), (state, p.status("l/a"))
            go_on.set()


LAST = """
listen l
    id 77
    bind 127.0.0.1:{port}
    http-reuse {reuse}
    {words}
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
frontend f
    default_backend l
backend u
    id 2
"""


def test_a_client_stays(binary):
    """With the server that a connection is kept to."""
    for reuse, words, wanted in (
        ("never", "option prefer-last-server", {0, 6}),
        ("never", "option prefer-last-server\n    max-keep-alive-queue 0", {0, 6}),  # there is room: nobody waits
        ("never", "", {3}),
        ("safe", "option prefer-last-server", {3}),  # connections are everybody's
    ):
        a, b = Server(keep_alive), Server(keep_alive)
        with Asked(binary, config(HTTP + LAST, a=a.port, b=b.port, reuse=reuse, words=words)) as p:
            with p.proxy.connect() as c:
                for _ in range(6):
                    ask(c)
            until("all are counted", lambda: p.row("l/BACKEND", "stot") == ["6"])
            assert {int(p.row(f"l/{s}", "stot")[0]) for s in "ab"} == wanted, (reuse, words, p.ask("show stat"))
            ids = [p.row(name, "iid")[0] for name in ("l/FRONTEND", "f/FRONTEND", "u/BACKEND")]
            assert ids == ["77", "3", "2"], ids


NETNS = """
listen l
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{there} namespace {name} check inter 100ms fall 1
listen a
    server s 127.0.0.1:{there} namespace {name} agent-check agent-port {agent} agent-inter 100ms
frontend f
    bind 127.0.0.1:{port} namespace {name}
    default_backend b
backend b
    server s 127.0.0.1:{here}
"""


@contextlib.contextmanager
def inside(name):
    """Sockets that this thread makes meanwhile are in that network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open("/run/netns/" + name) as there:
        assert libc.setns(there.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), 0) == 0, os.strerror(ctypes.get_errno())


def asked_inside(name, p):
    with inside(name):
        c = p.connect()
    with c:
        c.sendall(b"hello\n")
        return read_all(c).strip().decode()


def test_another_network_namespace(binary):
    """Of a bind line, and of a server, its checks and its agent; the same address and port twice."""
    if os.geteuid() != 0:
        return
    ours = "haproxy" not in binary
    name = f"proxyd-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        for user in ("", "    user nobody\n") if ours else ("",):  # HAProxy 2.6 keeps no right to enter it
            with inside(name):
                there, agent = Server(named("there")), Server(lambda s, c: c.sendall(b"drain\n"))
            text = config(NETNS, there=there.port, agent=agent.port, name=name, here=Server(named("here")).port)
            with Asked(binary, text.replace("global\n", "global\n" + user)) as p:
                assert p.proxy.ask() == "there"
                assert asked_inside(name, p.proxy) == "here"
                until("the agent is heard", lambda: p.status("a/s").startswith("DRAIN"))
                if ours and not user:  # nobody may not read this file
                    p.proxy.signal(signal.SIGHUP)
                    until("it is read again", lambda: "reloaded:" in p.proxy.text())
                    assert p.proxy.ask() == "there" and asked_inside(name, p.proxy) == "here"
                until("it is checked", lambda: p.row("l/s", "check_status") == ["L4OK"])
                there.stop()
                until("the check fails", lambda: p.status("l/s") == "DOWN")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


class Socks(Server):
    """Leads where it is asked to, in pieces; says `verdict` first."""

    def __init__(self, verdict=90, length=8):
        self.verdict = verdict
        self.length = length  # of an answer that is no yes
        self.asked = []
        super().__init__(Socks.lead)

    def lead(self, c):
        request = read_n(c, 8)
        while not request.endswith(b"\0"):
            request += c.recv(1)
        self.asked.append(request)
        answer = bytes([0, self.verdict]) + request[2:8]
        if self.verdict != 90:
            c.sendall(answer[: self.length])
            return
        with socket.create_connection((socket.inet_ntoa(request[4:8]), int.from_bytes(request[2:4], "big"))) as there:
            c.sendall(answer[:3])
            c.sendall(answer[3:])
            back = threading.Thread(target=pump, args=(there, c))
            back.start()
            pump(c, there)
            back.join()


def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)


SOCKS = """
listen l
    bind 127.0.0.1:{port}
    mode {mode}
    retries 0
    server s 127.0.0.1:{there} socks4 127.0.0.1:{socks} {words}
"""


def test_through_a_socks_proxy(binary):
    for mode, serve in (("tcp", named("there")), ("http", keep_alive)):
        there, socks = Server(serve), Socks()
        wanted = b"\4\1" + there.port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + b"HAProxy\0"
        with Proxy(binary, config(SOCKS, mode=mode, there=there.port, socks=socks.port, words="")) as p:
            if mode == "tcp":
                assert p.ask() == "there"
            else:
                with p.connect() as c:
                    for _ in range(3):
                        ask(c)
            assert socks.asked == [wanted], socks.asked
        for no in (Socks(91), Socks(91, length=1)):
            with Proxy(binary, config(SOCKS, mode=mode, there=there.port, socks=no.port, words="")) as p:
                with p.connect() as c:
                    c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                    try:
                        answer = read_all(c)
                    except ConnectionResetError:  # in mode tcp the request was not read before the end
                        answer = b""
                assert answer.startswith(b"HTTP/1.1 503") if mode == "http" else not answer, answer
                assert no.asked == [wanted], no.asked
        first = Server(lambda s, c: c.sendall(read_head(c).split(b"\r\n")[0]))  # a PROXY header goes to the server
        with Proxy(binary, config(SOCKS, mode="tcp", there=first.port, socks=socks.port, words="send-proxy")) as p:
            with p.connect() as c:
                c.sendall(b"x\r\n\r\n")
                assert read_all(c).startswith(b"PROXY TCP4 127.0.0.1 ")


def test_checks_go_through_a_socks_proxy(binary):
    """Where the check's own port says, with a PROXY header and TLS behind the proxy's yes; its no takes the server down."""
    ca = Authority()
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(ca.make("server.pem", ["server.example"]))
    seen = []

    def over_tls(server, c):
        seen.append(c.recv(10, socket.MSG_PEEK)[:5])
        if seen[-1] == b"PROXY":
            while c.recv(1) != b"\n":
                pass
        with ours.wrap_socket(c, server_side=True) as t:
            seen.append(t.recv(7))
            t.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    http = Server(lambda s, c: read_head(c) and c.sendall(b"HTTP/1.0 200 OK\r\n\r\n"))
    tls, there, socks, no = Server(over_tls), Server(named("there")), Socks(), Socks(91)
    lines = (("http", f"{socks.port} port {http.port}", "up"), ("tls", f"{socks.port} port {tls.port} check-ssl verify none check-send-proxy", "up"),
             ("no", f"{no.port}", "down"))
    text = config("listen l\n bind 127.0.0.1:{port}\n mode http\n option httpchk GET /\n default-server check check-via-socks4 inter 200ms fall 1\n" + "".join(
        f" server {n} 127.0.0.1:{there.port} socks4 127.0.0.1:{words}\n" for n, words, _ in lines))
    try:
        with Asked(binary, text) as p:
            for name, _, state in lines:
                until(name, lambda: p.status("l/" + name) == ("UP" if state == "up" else "DOWN"))
            until("both were asked", lambda: http.port in (q := [int.from_bytes(a[2:4], "big") for a in socks.asked]) and tls.port in q)
            until("TLS came behind the header", lambda: b"PROXY" in seen and b"GET / H" in seen)
            assert p.row("l/no", "check_status") == ["SOCKERR"] and no.asked
    finally:
        ca.close()


class Socks6(Socks):
    def start(self):
        self.socket = socket.socket(socket.AF_INET6)
        self.socket.bind(("::1", self.port))
        self.port = self.socket.getsockname()[1]
        self.socket.listen(9)
        threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()


def test_checks_find_an_ipv6_proxy_in_spite_of_an_ipv4_source(binary):
    """The source is not of that family: the system's choice. HAProxy 2.6 fails."""
    if "haproxy" in binary:
        return
    http, socks = Server(lambda s, c: read_head(c) and c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")), Socks6()
    text = config("listen l\n bind 127.0.0.1:{port}\n mode http\n option httpchk GET /\n"
                  f" server s 127.0.0.1:{http.port} socks4 ::1:{socks.port} source 127.0.0.3 check check-via-socks4 inter 200ms\n")  # fmt: skip
    with Asked(binary, text) as p:
        until("it was asked", lambda: socks.asked and p.row("l/s", "status", "check_status") == ["UP", "L7OK"])


def test_who_speaks_first_behind_a_socks_proxy(binary):
    there, socks = Server(lambda s, c: c.sendall(b"welcome\n")), Socks()
    with Proxy(binary, config(SOCKS, mode="tcp", there=there.port, socks=socks.port, words="")) as p:
        with p.connect() as c:
            assert read_all(c) == b"welcome\n"


KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def test_a_websocket_has_a_key(binary):
    def upgrade(server, c):
        if read_head(c):
            c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello")

    s = Server(upgrade)
    with Proxy(binary, config_of("ws h1", f"127.0.0.1:{s.port}")) as p:
        for protocol, key, wanted in (
            ("websocket", KEY, "101"),
            ("websocket", "", "400"),
            ("WebSocket", "Sec-WebSocket-Key: short\r\n", "400"),
            ("other", "", "101"),
        ):
            with p.connect() as c:
                c.sendall(f"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n{key}\r\n".encode())
                answer = read_all(c).decode("latin-1")
            status = re.match(r"HTTP/1\.1 (\d+) ", answer).group(1)
            assert status == wanted, (protocol, key, answer)
            assert wanted != "101" or answer.endswith("hello"), answer


NAMES = """
listen l
    mode http
    bind 127.0.0.1:{port}
    http-send-name-header X-Backend
    option redispatch
    retries 1
    balance roundrobin
    server one 127.0.0.1:{one}
    server the-second-one 127.0.0.1:{two} maxconn 1
    server closed 127.0.0.1:{closed}
"""


def test_a_server_is_told_its_name(binary):
    def serve(server, c):
        f = c.makefile("rb")
        while (head := read_message(f)[0]):
            name, = re.findall(rb"(?i)\r\nx-backend:[ \t]*(.*?)\r", head)
            names.append((server, name))
            server.counted()
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    names = []
    one, two, closed = Server(serve), Server(serve), free_port()
    with Proxy(binary, config(NAMES, one=one.port, two=two.port, closed=closed)) as p:
        with p.connect() as c:
            f = c.makefile("rb")
            for body in b"", b"x" * 40000:
                for _ in range(6):
                    c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nX-Backend: mine\r\nx-backend: too\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    assert read_message(f)[1] == b"ok"
        assert len(names) == 12 and set(names) == {(one, b"one"), (two, b"the-second-one")}, names


if __name__ == "__main__":
    main(globals())
