#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What proxyd and HAProxy must both do in mode tcp:   twin.py BINARY

The run with HAProxy shows that the expectations are not only ours; with HAProxy absent it is
skipped.
"""
import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import sys
import threading
import time

from support import WAIT, Asked, Proxy, Server, config, echo, free_port, main, named, read_all, read_n, until


def test_roundrobin_is_exact(binary):
    servers = [Server(named(f"s{i}")) for i in range(3)]
    body = "listen l\n    bind 127.0.0.1:{port}\n" + "".join(
        f"    server s{i} 127.0.0.1:{s.port}\n" for i, s in enumerate(servers)
    )
    with Proxy(binary, config(body)) as p:
        answers = [p.ask() for _ in range(30)]
    assert [answers.count(f"s{i}") for i in range(3)] == [10, 10, 10], answers


def test_weights_are_exact(binary):
    servers = [Server(named(f"s{i}")) for i in range(3)]
    body = "listen l\n    bind 127.0.0.1:{port}\n" + "".join(
        f"    server s{i} 127.0.0.1:{s.port} weight {w}\n"
        for i, (s, w) in enumerate(zip(servers, (3, 1, 0)))
    )
    with Proxy(binary, config(body)) as p:
        answers = [p.ask() for _ in range(40)]
    assert [answers.count(f"s{i}") for i in range(3)] == [30, 10, 0], answers


def test_leastconn_goes_to_the_idle_server(binary):
    servers = [Server(echo) for _ in range(2)]
    body = "listen l\n    bind 127.0.0.1:{port}\n    balance leastconn\n" + "".join(
        f"    server s{i} 127.0.0.1:{s.port}\n" for i, s in enumerate(servers)
    )
    with Proxy(binary, config(body)) as p:
        held = [p.connect() for _ in range(10)]
        until("all reach a server", lambda: sum(s.count for s in servers) == 10)
        assert [s.count for s in servers] == [5, 5], [s.count for s in servers]
        for s in held:
            s.close()


def source_map(binary):
    """Which server each of twenty clients gets."""
    servers = [Server(named(f"s{i}")) for i in range(3)]
    body = "listen l\n    bind 127.0.0.1:{port}\n    balance source\n" + "".join(
        f"    server s{i} 127.0.0.1:{s.port} weight {w}\n"
        for i, (s, w) in enumerate(zip(servers, (2, 3, 1)))
    )
    answers = []
    with Proxy(binary, config(body)) as p:
        for i in range(1, 21):
            with socket.socket() as s:
                s.bind((f"127.0.1.{i}", 0))
                s.connect(("127.0.0.1", p.port))
                s.sendall(b"x")
                answers.append(read_all(s).strip().decode())
    return answers


def test_source_chooses_by_address_as_haproxy_does(binary):
    answers = source_map(binary)
    assert set(answers) == {"s0", "s1", "s2"}, answers
    twin = shutil.which("haproxy")
    if twin:
        assert answers == source_map(twin), answers


def test_first_fills_the_first_server(binary):
    servers = [Server(echo) for _ in range(2)]
    body = "listen l\n    bind 127.0.0.1:{port}\n    balance first\n" + "".join(
        f"    server s{i} 127.0.0.1:{s.port} maxconn 3\n" for i, s in enumerate(servers)
    )
    with Proxy(binary, config(body)) as p:
        held = [p.connect() for _ in range(4)]
        until("all reach a server", lambda: sum(s.count for s in servers) == 4)
        assert [s.count for s in servers] == [3, 1]
        for s in held:
            s.close()


def test_server_dies_and_comes_back(binary):
    servers = [Server(named(f"s{i}")) for i in range(2)]
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    default-server check inter 100 fall 2 rise 2\n"
        + "".join(f"    server s{i} 127.0.0.1:{s.port}\n" for i, s in enumerate(servers))
    )
    with Proxy(binary, config(body)) as p:
        assert {p.ask() for _ in range(6)} == {"s0", "s1"}
        servers[0].stop()
        until("s0 is left out", lambda: {p.ask() for _ in range(4)} == {"s1"})
        servers[0].start()
        until("s0 is back", lambda: {p.ask() for _ in range(4)} == {"s0", "s1"})


def test_client_that_has_spoken_gets_its_answer(binary):
    """shutdown(SHUT_WR) of the client: its FIN arrives, the other way stays open."""

    def serve(server, c):
        data = read_all(c)  # to the FIN
        time.sleep(0.1)
        c.sendall(hashlib.sha256(data).hexdigest().encode())

    s = Server(serve)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect() as c:
        data = os.urandom(300000)
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        assert read_all(c).decode() == hashlib.sha256(data).hexdigest()


def test_server_that_has_spoken_still_listens(binary):
    """shutdown(SHUT_WR) of the server: the client sees the FIN, what it sends still arrives."""
    got = []

    def serve(server, c):
        c.sendall(b"go on")
        c.shutdown(socket.SHUT_WR)
        got.append(read_all(c))

    s = Server(serve)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect() as c:
        assert read_all(c) == b"go on"
        data = os.urandom(300000)
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        until("the server has it all", lambda: got)
        assert got[0] == data


def test_connections_follow_each_other_on_servers(binary):
    """Short ones, in every order of closing; proxyd connects sockets once more that earlier sessions have left."""
    ends = []

    def answer(server, c):
        """A line, then one's own FIN, then the client's; or the other way round for "wait"."""
        data = c.recv(100)
        waits = data.startswith(b"wait")
        if waits:
            data += read_all(c)
        c.sendall(b"%d " % server.port + data)
        c.shutdown(socket.SHUT_WR)
        ends.append(waits or c.recv(1) == b"")

    def greet(server, c):
        c.sendall(b"220 ready")
        ends.append(c.recv(100) == b"quit")

    def ask(p, text):
        with p.connect() as c:
            c.sendall(text)
            if text.startswith(b"wait"):
                c.shutdown(socket.SHUT_WR)
            return read_all(c).decode().split(" ", 1)

    a, b, first = Server(answer), Server(answer), Server(greet)
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    server a 127.0.0.1:%d\n    server b 127.0.0.1:%d source 127.0.0.1\n"
        "listen first\n    bind 127.0.0.1:{other}\n    server s 127.0.0.1:%d\n" % (a.port, b.port, first.port)
    )
    other = free_port()
    with Proxy(binary, config(body, other=other)) as p:
        for i in range(60):
            text = ("wait %d" if i % 3 else "go %d") % i
            assert ask(p, text.encode()) == [str((a, b)[i % 2].port), text], i
            if i % 10:
                continue
            with p.connect(other) as c:
                assert read_n(c, 9) == b"220 ready"
                c.sendall(b"quit")
                assert read_all(c) == b""
        for _ in range(15):  # all at once: many sockets are left, and taken, in one turn
            held = [p.connect() for _ in range(20)]
            for n, c in enumerate(held):
                c.sendall(b"go %d" % n)
            for n, c in enumerate(held):
                assert read_all(c).endswith(b" %d" % n)
                c.close()
        until("the servers saw each end", lambda: len(ends) == 60 + 6 + 300)
        assert all(ends)


def test_clients_may_wait_for_the_server_to_accept(binary):
    """Its connection stands before the client speaks. Uploads of FTP: who sends first has heard on another connection that this one is accepted."""
    accepted = []

    def serve(server, c):
        accepted.append(time.monotonic())
        c.sendall(b"you said " + c.recv(100))

    s = Server(serve)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port

    def upload():
        """How long the server took to accept it."""
        n, begin = len(accepted), time.monotonic()
        with p.connect() as c:
            until("the server has accepted it", lambda: len(accepted) > n)
            c.sendall(b"hi")
            assert read_all(c) == b"you said hi"
        return accepted[n] - begin

    with Proxy(binary, config(body)) as p:
        for _ in range(70):  # whoever learns from clients that speak first
            upload()
        until("one is accepted at once", lambda: upload() < 0.15)


def test_hosts_of_one_family_may_be_of_two(binary):
    """A socket that went to an IPv4 address by IPv6 is none that goes to ::1."""

    class Server6(Server):
        def start(self):
            self.socket = socket.create_server(("::1", 0), family=socket.AF_INET6)
            self.port = self.socket.getsockname()[1]
            threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()

    def answer(name):
        def serve(server, c):
            c.sendall(name + c.recv(100))
            c.shutdown(socket.SHUT_WR)
            c.recv(1)

        return serve

    a, b = Server(answer(b"a")), Server6(answer(b"b"))
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    retries 0\n"
        "    server a ipv6@[::ffff:127.0.0.1]:%d\n    server b ipv6@[::1]:%d\n" % (a.port, b.port)
    )
    with Proxy(binary, config(body)) as p:
        for i in range(20):
            assert p.ask(b"%d" % i) == "ab"[i % 2] + str(i)
            until("its server is free", lambda: not a.open and not b.open)


def test_hosts_are_told_apart(binary):
    """More of them than a thread keeps sockets for, one after the other and many at a time."""

    class Everywhere(Server):
        def start(self):
            self.socket = socket.create_server(("", 0), backlog=self.backlog)
            self.port = self.socket.getsockname()[1]
            threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()

    def serve(server, c):
        c.sendall(c.getsockname()[0].encode() + b" " + c.recv(100))
        c.shutdown(socket.SHUT_WR)
        c.recv(1)

    hosts = [f"127.0.0.{i}" for i in range(1, 41)]
    s = Everywhere(serve)
    lines = ["listen l", "bind 127.0.0.1:{port}", "retries 0", *(f"server s{h[8:]} {h}:{s.port}" for h in hosts)]
    with Proxy(binary, config("\n    ".join(lines) + "\n")) as p:
        answers = [p.ask(b"%d" % i).split() for i in range(120)]
        assert answers == [[hosts[i % 40], str(i)] for i in range(120)]
        clients = [p.connect() for _ in range(120)]
        for i, c in enumerate(clients):
            c.sendall(b"%d" % i)
        answers = [read_all(c).decode().split() for c in clients]
        for c in clients:
            c.close()
        assert [i for _, i in answers] == [str(i) for i in range(120)]
        assert sorted(h for h, _ in answers) == sorted(hosts * 3), answers


def test_server_may_speak_first(binary):
    def serve(server, c):
        c.sendall(b"220 ready\r\n")
        c.sendall(b"you said " + c.recv(100))

    s = Server(serve)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect() as c:
        assert read_n(c, 11) == b"220 ready\r\n"
        c.sendall(b"hi")
        assert read_all(c) == b"you said hi"


def test_100_MB_both_ways_at_once(binary):
    block = os.urandom(1 << 20)
    n = 100
    want = hashlib.sha256(block * n).hexdigest()

    def send(s):
        for _ in range(n):
            s.sendall(block)
        s.shutdown(socket.SHUT_WR)

    def receive(s):
        h = hashlib.sha256()
        while True:
            data = s.recv(1 << 18)
            if not data:
                return h.hexdigest()
            h.update(data)

    got = {}

    def serve(server, c):
        t = threading.Thread(target=send, args=(c,))
        t.start()
        got["server"] = receive(c)
        t.join()

    s = Server(serve)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect(timeout=60) as c:
        t = threading.Thread(target=send, args=(c,))
        t.start()
        got["client"] = receive(c)
        t.join()
        until("the server has read all", lambda: "server" in got)
    assert got == {"client": want, "server": want}, got


def test_a_reader_that_sleeps_stops_its_writer(binary):
    """Nothing is lost, and the proxy does not take more than sockets hold."""
    sent = [0]

    def serve(server, c):
        block = b"x" * 65536
        c.settimeout(1.0)
        try:
            while sent[0] < 200 << 20:
                sent[0] += c.send(block)
        except (TimeoutError, socket.timeout):
            pass

    s = Server(serve)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect() as c:
        until("the server is stopped", lambda: sent[0] and s.open == 0, 30)
        assert sent[0] < 100 << 20, sent[0]
        assert len(read_all(c)) == sent[0]


def test_all_servers_down_closes_at_once(binary):
    """Without the three retries, a second apart, that a server thought to be up would get."""
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n"
        "    server s 127.0.0.1:%d check inter 100 fall 1\n" % free_port()
    )

    def closed_at_once():
        began = time.monotonic()
        try:
            said = p.ask()
        except ConnectionResetError:  # it had closed when the client's bytes came
            said = ""
        return said == "" and time.monotonic() - began < 2.0

    with Proxy(binary, config(body)) as p:
        until("connections are closed at once", closed_at_once)


def test_who_goes_nowhere_is_told_with_a_fin(binary):
    """Also when he has spoken already: a reset would look like a fault of the network."""
    ways = ("", "    tcp-request content reject\n", "    default_backend down\nbackend down\n    retries 0\n    server s 127.0.0.1:1\n")
    for way in ways:
        with Proxy(binary, config("frontend f\n    bind 127.0.0.1:{port}\n" + way)) as p:
            for size in (5, 100000):
                p.process.send_signal(signal.SIGSTOP)
                with p.connect() as c:
                    c.sendall(b"x" * size)
                    p.process.send_signal(signal.SIGCONT)
                    assert read_all(c) == b"", (way, size)


def test_backup_serves_when_the_others_are_down(binary):
    servers = [Server(named(f"s{i}")) for i in range(3)]
    body = "listen l\n    bind 127.0.0.1:{port}\n    default-server check inter 100 fall 1 rise 1\n" + "".join(
        f"    server s{i} 127.0.0.1:{s.port} {'backup' if i else ''}\n" for i, s in enumerate(servers)
    )
    with Proxy(binary, config(body)) as p:
        assert {p.ask() for _ in range(4)} == {"s0"}
        servers[0].stop()
        until("the first backup alone serves", lambda: {p.ask() for _ in range(4)} == {"s1"})
        servers[0].start()
        until("s0 is back", lambda: {p.ask() for _ in range(4)} == {"s0"})


def test_redispatch_finds_another_server(binary):
    """Without checks: the dead server is met, and left for the living one."""
    s = Server(named("alive"))
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    option redispatch 1\n    retries 3\n"
        "    server dead 127.0.0.1:%d\n    server alive 127.0.0.1:%d\n" % (free_port(), s.port)
    )
    with Proxy(binary, config(body)) as p:
        assert [p.ask() for _ in range(6)] == ["alive"] * 6


ABORTS = """
listen l
    bind 127.0.0.1:{port}
    log stdout format raw daemon
    log-format "LINE %ts"
    server s 127.0.0.1:{server}
"""


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def test_who_aborts_is_told_and_counted(binary):
    """A server hears of a client's reset by a reset: what came until then is not all there was."""
    heard = []

    def serve(server, c):
        word = c.recv(1)
        if word == b"r":
            reset(c)
            return
        if word == b"h":  # the client has ended what it says, and goes while it is answered
            c.recv(1)
            while True:
                c.sendall(b"x" * 1000)
                time.sleep(0.02)
        try:
            heard.append(c.recv(1))
        except ConnectionResetError:
            heard.append("reset")

    server = Server(serve)
    with Asked(binary, config(ABORTS, server=server.port)) as p:
        for n, (word, state, counted) in enumerate(((b"x", "CD", "100"), (b"r", "SD", "111"), (b"h", "CD", "211")), 1):
            with p.proxy.connect() as c:
                c.sendall(word)
                if word == b"r":
                    assert read_all(c) == b""
                elif word == b"h":
                    c.shutdown(socket.SHUT_WR)
                    assert c.recv(1000)
                else:
                    until("the server is there", lambda: server.open)
                    time.sleep(0.1)
                    reset(c)
            until(f"{word} is logged", lambda: p.proxy.text().count("LINE ") == n)
            assert p.proxy.text().split("LINE ")[-1][:2] == state, (word, p.proxy.text())
            for name in ("s", "BACKEND"):
                assert "".join(p.row(f"l/{name}", "cli_abrt", "srv_abrt", "eresp")) == counted, (word, name)
        assert heard == ["reset"], heard


def test_a_client_that_resets_is_not_connected_for(binary):
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waits = [socket.socket() for _ in range(2)]
    for s in waits:
        s.setblocking(False)
        s.connect_ex(full.getsockname())
    text = config(ABORTS, server=full.getsockname()[1]).replace("timeout connect 2s", "timeout connect 60s")
    with Proxy(binary, text) as p:
        c = p.connect()
        c.sendall(b"x")
        time.sleep(0.2)
        reset(c)
        until("it is logged", lambda: "LINE CD" in p.text())


def test_the_same_server_again_is_no_choice(binary):
    """A redispatch that finds no other rests, and chooses nothing. Weight 0 is not active."""
    text = config("""
listen l
    bind 127.0.0.1:{port}
    log stdout format raw daemon
    log-format "LINE %Tt"
    retries 1
    option redispatch
    server s 127.0.0.1:9
    server zero 127.0.0.1:9 weight 0
""")
    with Asked(binary, text) as p:
        with p.proxy.connect() as c:
            c.sendall(b"x")
            assert read_all(c) == b""
        until("it is logged", lambda: "LINE " in p.proxy.text())
        assert int(re.search(r"LINE (\d+)", p.proxy.text())[1]) > 900, p.proxy.text()
        assert p.row("l/BACKEND", "act", "lbtot") == ["1", "1"], p.ask("show stat")


def test_redispatch_of_round_robin_is_at_the_first_retry(binary):
    """Whatever the number: turns are taken anyway, and no client rests for a server that refuses."""
    s = Server(named("alive"))
    log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    log.bind(("127.0.0.1", 0))
    log.settimeout(WAIT)
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    option redispatch\n    retries 3\n    option tcplog\n"
        "    log 127.0.0.1:%d local0\n    server dead 127.0.0.1:%d\n    server alive 127.0.0.1:%d\n"
        % (log.getsockname()[1], free_port(), s.port)
    )
    with Proxy(binary, config(body)) as p:
        assert [p.ask() for _ in range(2)] == ["alive"] * 2
        lines = [log.recv(2048).decode() for _ in range(2)]
        retries = {re.search(r"l/alive .*/(\+?\d+) \d+/\d+", line).group(1) for line in lines}
        assert "+1" in retries and retries <= {"0", "+1"}, lines
    log.close()


def test_abstract_names_are_as_long_as_they_can_be(binary):
    """NULs behind a name are of it: so others find HAProxy's sockets, and it theirs."""
    name = f"hawser-test-{os.getpid()}"

    def address(text):
        return ("\0" + text).ljust(108, "\0")  # all of sun_path

    there = socket.socket(socket.AF_UNIX)
    there.bind(address(name + "-s"))
    there.listen()
    body = "listen l\n    bind 127.0.0.1:{port}\n    bind abns@%s-l\n    server s abns@%s-s\n" % (name, name)
    with Proxy(binary, config(body)), socket.socket(socket.AF_UNIX) as c, there:
        c.connect(address(name + "-l"))
        c.sendall(b"hi")
        s, _ = there.accept()
        with s:
            assert read_n(s, 2) == b"hi"


def test_send_proxy_tells_the_client(binary):
    heads = []

    def serve(server, c):
        heads.append(read_all(c))

    s = Server(serve)
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n"
        "    server a 127.0.0.1:%d send-proxy\n    server b 127.0.0.1:%d send-proxy-v2\n" % (s.port, s.port)
    )
    with Proxy(binary, config(body)) as p:
        for _ in range(2):
            with p.connect() as c:
                port = c.getsockname()[1]
                c.sendall(b"data")
                c.shutdown(socket.SHUT_WR)
                read_all(c)
            if len(heads) == 1:
                assert heads[0] == b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\ndata" % (port, p.port), heads
        address = socket.inet_aton("127.0.0.1")
        ports = port.to_bytes(2, "big") + p.port.to_bytes(2, "big")
        want = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + address * 2 + ports + b"data"
        until("the second server has it", lambda: len(heads) == 2)
        assert heads[1] == want, heads[1]


def test_accept_proxy_hears_who_the_client_is(binary):
    """What is no header is refused. The server is told by send-proxy."""
    in_pieces = os.path.basename(binary) != "haproxy"  # which wants it in one segment
    heads = []

    def serve(server, c):
        heads.append(read_all(c))

    s = Server(serve)
    body = (
        "listen l\n    bind 127.0.0.1:{port} accept-proxy\n    server a 127.0.0.1:%d send-proxy\n" % s.port
    )
    one = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"
    six = b"PROXY TCP6 2001:db8::1 2001:db8::2 3 4\r\n"
    addresses = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + b"\x04\x57\x08\xae"
    two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x10" + addresses + b"\x04\x00\x01x"
    with Proxy(binary, config(body)) as p:
        for pieces, want in (
            ((one + b"data",), one + b"data"),
            ((one[:3], one[3:20], one[20:], b"data"), one + b"data"),
            ((six + b"data",), six + b"data"),
            ((two[:10], two[10:] + b"data"), one + b"data"),
        ):
            if len(pieces) > 1 and not in_pieces:
                continue
            with p.connect() as c:
                for piece in pieces:
                    c.sendall(piece)
                    time.sleep(0.05)
                c.shutdown(socket.SHUT_WR)
                until("the server has it", lambda: heads)
                assert heads[0] == want, (heads, want)
                heads.clear()
        with p.connect() as c:
            c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                assert read_all(c) == b""
            except ConnectionResetError:
                pass
        assert not heads


def test_frontend_maxconn_makes_others_wait(binary):
    s = Server(echo)
    body = (
        "frontend f\n    bind 127.0.0.1:{port}\n    maxconn 2\n    default_backend b\n"
        "backend b\n    server s 127.0.0.1:%d\n" % s.port
    )
    with Proxy(binary, config(body)) as p:
        held = [p.connect() for _ in range(2)]
        until("two are in", lambda: s.open == 2)
        third = p.connect()
        third.sendall(b"me")
        third.settimeout(0.5)
        try:
            third.recv(10)
            raise AssertionError("the third was served")
        except (TimeoutError, socket.timeout):
            pass
        held[0].close()
        third.settimeout(WAIT)
        assert read_n(third, 2) == b"me"
        assert s.peak == 2, s.peak


def test_server_maxconn_queues(binary):
    s = Server(echo)
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    timeout queue 5s\n"
        "    server s 127.0.0.1:%d maxconn 3\n" % s.port
    )
    with Proxy(binary, config(body)) as p:
        clients = [p.connect() for _ in range(12)]
        for c in clients:
            c.sendall(b"hi")
        until("three are served", lambda: s.open == 3)
        time.sleep(0.2)
        assert s.open == 3, s.open
        for c in clients:  # in the order they came
            assert read_n(c, 2) == b"hi"
            c.close()
        assert s.peak <= 3, s.peak


def test_queue_has_its_timeout(binary):
    s = Server(echo)
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    timeout queue 300\n"
        "    server s 127.0.0.1:%d maxconn 1\n" % s.port
    )
    with Proxy(binary, config(body)) as p, p.connect() as first, p.connect() as second:
        first.sendall(b"a")
        assert read_n(first, 1) == b"a"
        assert read_all(second) == b""
        first.sendall(b"b")
        assert read_n(first, 1) == b"b"


def test_silence_ends_a_connection(binary):
    s = Server(echo)
    text = config("listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port)
    text = text.replace("timeout client 60s", "timeout client 2s")
    with Proxy(binary, text) as p, p.connect() as c:
        for _ in range(6):  # words keep it alive, longer than the timeout in sum
            c.sendall(b"x")
            assert read_n(c, 1) == b"x"
            time.sleep(0.5)
        assert read_all(c) == b""


def test_refused_connection_is_closed_after_retries(binary):
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    retries 1\n    timeout connect 200\n"
        "    server s 127.0.0.1:%d\n" % free_port()
    )
    with Proxy(binary, config(body)) as p:
        assert p.ask() == ""


def test_2000_connections_at_once(binary):
    s = Server(echo, backlog=4096)
    body = "listen l\n    bind 127.0.0.1:{port} backlog 4096\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body, threads=2)) as p:
        clients = []
        for i in range(2000):
            c = p.connect(timeout=30)
            c.sendall(b"%08d" % i)
            clients.append(c)
        for i, c in enumerate(clients):
            assert read_n(c, 8) == b"%08d" % i
        for c in clients:
            c.close()
        until("the servers' ends are closed", lambda: s.open == 0, 20)


# What costs most and says least about HAProxy.
PROXYD_ONLY = [test_100_MB_both_ways_at_once, test_2000_connections_at_once, test_source_chooses_by_address_as_haproxy_does]

def test_directions_may_be_independent(binary):
    """option independent-streams: who says nothing in time has said all he had to say, and is told on."""
    ends = []

    def drip(server, c):
        c.recv(1)
        c.settimeout(0.1)
        for _ in range(20):
            c.sendall(b"x")
            try:
                if not c.recv(1):
                    ends.append(time.monotonic())
                    break
            except TimeoutError:
                pass
        c.sendall(b"end")

    s = Server(drip)
    for option in ("option independent-streams", ""):
        body = "listen l\n    bind 127.0.0.1:{port}\n    timeout client 1s\n    %s\n    server s 127.0.0.1:%d\n" % (option, s.port)
        with Proxy(binary, config(body)) as p, p.connect() as c:
            began = time.monotonic()
            c.sendall(b"a")
            got = read_all(c)
            assert got.endswith(b"xend") and len(ends) == 1 and (not option or ends[0] - began > 0.9), (option, got, ends)


if __name__ == "__main__":
    main(globals(), leave_out=PROXYD_ONLY if sys.argv[1].endswith("haproxy") else ())
