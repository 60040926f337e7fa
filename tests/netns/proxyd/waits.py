#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What nobody is to wait for:   waits.py BINARY

ACKs that are put off while the other end waits for them, a SYN that finds no room, turns that one connection takes for itself.
Counted: ACKs that the kernel sent only when their timer ended, and what the worker does between two looks at its events.
"""
import re
import shutil
import signal
import socket
import subprocess
import threading

from http_twin import Reader, is_haproxy
from support import Proxy, Server, config, main, read_all, read_n, until

LISTEN = """
listen l
    bind 127.0.0.1:{port}
    mode {mode}
    server s 127.0.0.1:{server}
"""
TIMES = 20
SOMAXCONN = "/proc/sys/net/core/somaxconn"


def late_acks():
    """Of this network, since its beginning."""
    with open("/proc/net/netstat") as f:
        names, values = (line.split() for line in f if line.startswith("TcpExt:"))
    return int(values[names.index("DelayedACKs")])


def pieces(server, c):
    """Answers in three pieces, each held back until the one before is acknowledged (Nagle's algorithm)."""
    r = Reader(c)
    while True:
        h = r.head()
        if h is None:
            return
        r.take(int(h.get("content-length", 0)))
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
        c.sendall(b"x" * 100)
        c.sendall(b"y" * 100)


def ask(s, *parts):
    """In these pieces, by Nagle's algorithm, too."""
    for part in parts:
        s.sendall(part)
    r = Reader(s)
    assert r.head() is not None
    assert r.take(200) == b"x" * 100 + b"y" * 100


def count_late(binary, mode, kept, *parts):
    """How many ACKs came late in TIMES exchanges, on one connection or each on its own."""
    web = Server(pieces)
    with Proxy(binary, config(LISTEN, mode=mode, server=web.port)) as p:
        before = late_acks()
        if kept:
            with p.connect() as s:
                for _ in range(TIMES):
                    ask(s, *parts)
        else:
            for _ in range(TIMES):
                with p.connect() as s:
                    ask(s, *parts)
        return late_acks() - before


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"


def check(binary, mode, kept, *parts):
    n = count_late(binary, mode, kept, *parts)
    assert n < TIMES // 2, f"{n} late ACKs in {TIMES} exchanges: {mode} {kept} {parts}"


def test_new_servers_that_answer_in_pieces_are_acknowledged(binary):
    for mode in "http", "tcp":
        check(binary, mode, False, GET)


def test_bodies_in_pieces_are_acknowledged(binary):
    if is_haproxy(binary):  # it puts off the ACKs of answers on kept connections
        return
    check(binary, "http", True, POST, b"123456789")
    check(binary, "http", True, POST, b"1234", b"56789")


def test_kept_connections_are_acknowledged(binary):
    if is_haproxy(binary):  # as above, and those of heads in pieces
        return
    check(binary, "http", True, GET)
    check(binary, "http", True, GET[:9], GET[9:20], GET[20:])


def push(server, c):
    """Becomes a tunnel, and says two words, the second held back until the first is acknowledged."""
    assert Reader(c).head()
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: words\r\n\r\n")
    c.sendall(b"one")
    c.sendall(b"two")
    read_all(c)


def test_who_pushes_through_a_tunnel_is_acknowledged(binary):
    with Proxy(binary, config(LISTEN, mode="http", server=Server(push).port)) as p:
        before = late_acks()
        for _ in range(TIMES):
            with p.connect() as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: words\r\n\r\n")
                r = Reader(s)
                assert r.head().status == 101
                assert r.take(6) == b"onetwo"
        n = late_acks() - before
    assert n < TIMES // 2, f"{n} late ACKs of {TIMES} tunnels"


def early(server, c):
    if Reader(c).head():
        c.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        read_all(c)


def test_interim_answers_are_acknowledged(binary):
    with Proxy(binary, config(LISTEN, mode="http", server=Server(early).port)) as p:
        before = late_acks()
        for _ in range(TIMES):
            with p.connect() as s:
                s.sendall(GET)
                r = Reader(s)
                assert r.head().status == 103
                assert r.head().status == 200
        n = late_acks() - before
    assert n < TIMES // 2, f"{n} late ACKs of {TIMES} answers"


def backlog(port):
    out = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], check=True, capture_output=True, text=True).stdout
    return {int(line.split()[2]) for line in out.splitlines()}


def somaxconn():
    with open(SOMAXCONN) as f:
        return int(f.read())


def test_all_who_are_allowed_may_come_at_once(binary):
    """The backlog is maxconn, and in proxyd at least 1024: a small maxconn makes clients wait, not lose their SYN."""
    least = 0 if is_haproxy(binary) else 1024
    most = somaxconn()
    for maxconn, lines, wanted in ((3000, "", 3000), (3000, "    maxconn 1500\n", 1500), (3000, "    maxconn 200\n", max(200, least)),
                                   (3000, "    backlog 77\n", 77)):
        with Proxy(binary, config(LISTEN + lines, maxconn=maxconn, mode="tcp", server=1)) as p:
            assert backlog(p.port) == {min(wanted, most)}, (lines, backlog(p.port))


def test_a_reload_changes_how_many_may_come_at_once(binary):
    if is_haproxy(binary):  # whose reload is another process
        return
    with Proxy(binary, config(LISTEN + "    maxconn 1500\n", mode="tcp", server=1)) as p:
        for n in 3000, 1200:
            p.write(config(LISTEN + f"    maxconn {n}\n", mode="tcp", server=1))
            p.signal(signal.SIGHUP)
            until(f"the backlog is {n}", lambda: backlog(p.port) == {min(n, somaxconn())})


# ---- Turns ----

LOOKS = "epoll_pwait", "epoll_wait"  # the second by libc, for sanitizers


class Traced:
    """What the worker calls between two looks at its events."""

    def __init__(self, p, calls):
        self.file = p.folder + "/calls"
        self.process = subprocess.Popen(["strace", "-f", "-q", "-e", f"trace={','.join('?' + name for name in LOOKS)},{calls}", "-o", self.file, "-p",
                                         str(p.process.pid)], stderr=subprocess.DEVNULL)

        def attached():
            with open(f"/proc/{p.process.pid}/status") as f:
                return "TracerPid:\t0" not in f.read()

        until("it is traced", attached)

    def text(self):
        with open(self.file) as f:
            return f.read()

    def calls(self):
        """Names and results."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        found = [re.search(r"(\w+)(?:\(| resumed>).*= (-?\d+)", line) for line in self.text().splitlines()]
        return [(m.group(1), int(m.group(2))) for m in found if m]

    def turns(self):
        """Results of the calls other than looks, by turns."""
        turns = [[]]
        for name, result in self.calls():
            if name in LOOKS:
                turns.append([])
            elif result >= 0:
                turns[-1].append(result)
        return turns


MUCH = 8 << 20
CLIENTS = 8


def much(server, c):
    if not Reader(c).head():
        return
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH)
    c.sendall(bytes(MUCH))


def download(p):
    with p.connect() as s:
        s.sendall(GET)
        head = Reader(s)
        assert head.head()
        n = len(head.buffer)
        while n < MUCH:
            n += len(s.recv(1 << 20))


def take(server, c):
    r = Reader(c)
    if r.head() and len(r.take(MUCH)) == MUCH:
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def upload(p):
    with p.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MUCH)
        s.sendall(bytes(MUCH))
        assert Reader(s).head().status == 200


def test_large_transfers_share_a_turn(binary):
    """All of them together move at most what one may, and a little for each event: others are not kept waiting."""
    if is_haproxy(binary) or not shutil.which("strace"):
        return
    for mode, client, serve in (("http", download, much), ("tcp", download, much), ("http", upload, take), ("tcp", upload, take)):
        with Proxy(binary, config(LISTEN, mode=mode, server=Server(serve).port)) as p:
            traced = Traced(p, "splice")
            clients = [threading.Thread(target=client, args=(p,)) for _ in range(CLIENTS)]
            for c in clients:
                c.start()
            for c in clients:
                c.join()
            moved = [sum(t) // 2 for t in traced.turns()]  # into the pipe, and out of it
            assert sum(moved) > MUCH, "they are spliced"
            assert max(moved) <= 4 << 20, max(moved)  # at first each of them what one may


def endless(server, c):
    if Reader(c).head():
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            c.sendall(bytes(MUCH))


def drain(s):
    """All that has come."""
    s.setblocking(False)
    try:
        while s.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def test_newcomers_come_before_large_transfers(binary):
    """What one asks for goes to its server in the turn that accepts it, in front of all that others could move."""
    if is_haproxy(binary) or not shutil.which("strace"):
        return
    for mode in "http", "tcp":
        with Proxy(binary, config(LISTEN, mode=mode, server=Server(endless).port)) as p:
            large = [p.connect() for _ in range(CLIENTS)]
            for s in large:
                s.sendall(GET)
                read_n(s, 1 << 20)
            traced = Traced(p, "splice,accept4,connect")
            p.signal(signal.SIGSTOP)
            for s in large:
                drain(s)
            with p.connect() as s:
                s.sendall(GET)
                p.signal(signal.SIGCONT)
                assert read_n(s, 9) == b"HTTP/1.1 "
            names = [name for name, _ in traced.calls()]
            for s in large:
                s.close()
            began = names.index("accept4")
            assert "splice" in names[began:], "there are large transfers"
            assert "splice" not in names[began : names.index("connect", began)], mode


def test_short_answers_leave_before_large_transfers(binary):
    """What is left of an answer when its connection is closed, and that FIN."""
    if is_haproxy(binary) or not shutil.which("strace"):
        return
    lines = "    http-request return status 200 if { path /short }\n"
    with Proxy(binary, config(LISTEN + lines, mode="http", server=Server(endless).port)) as p:
        large = [p.connect() for _ in range(CLIENTS)]
        for s in large:
            s.sendall(GET)
            read_n(s, 1 << 20)
        traced = Traced(p, "splice,accept4,close")
        p.signal(signal.SIGSTOP)
        for s in large:
            drain(s)
        with p.connect() as s:
            s.sendall(b"GET /short HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            p.signal(signal.SIGCONT)
            assert read_all(s).startswith(b"HTTP/1.1 200 ")
        until("the large transfers go on", lambda: "splice" in traced.text().partition("accept4")[2])
        names = [name for name, _ in traced.calls()]
        for s in large:
            s.close()
        began = names.index("accept4")
        assert "splice" not in names[began : names.index("close", began)]


def progress(server, c):
    if Reader(c).head():
        c.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9000 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def test_interim_answers_leave_turns_to_others(binary):
    """Each has a call of its own: of many of them those that one read brings are a turn."""
    if is_haproxy(binary) or not shutil.which("strace"):
        return
    with Proxy(binary, config(LISTEN, mode="http", server=Server(progress).port)) as p:
        traced = Traced(p, "sendto")
        with p.connect() as s:
            s.sendall(GET)
            r = Reader(s)
            for _ in range(9000):
                assert r.head().status == 103
            assert r.head().status == 200
        sent = [len(t) for t in traced.turns()]
        assert sum(sent) > 9000, sum(sent)
        assert max(sent) < 1500, max(sent)


def test_accepting_leaves_turns_to_others(binary):
    if is_haproxy(binary) or not shutil.which("strace"):
        return

    def banner(server, c):
        c.sendall(b"x")
        read_all(c)

    with Proxy(binary, config(LISTEN, mode="tcp", server=Server(banner).port)) as p:
        traced = Traced(p, "accept4")
        p.signal(signal.SIGSTOP)
        clients = [p.connect() for _ in range(100)]
        p.signal(signal.SIGCONT)
        for c in clients:
            assert read_n(c, 1) == b"x"
            c.close()
        accepted = [len(t) for t in traced.turns()]
        assert sum(accepted) == 100, sum(accepted)
        assert max(accepted) <= 4, max(accepted)


if __name__ == "__main__":
    main(globals())
