#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which thread serves whom, in proxyd and HAProxy alike:   spread_twin.py BINARY"""
import collections
import re
import signal
import ssl
import sys

from support import Asked, Server, config, echo, main, read_message, read_n, until
from tls_support import Authority, context

THREADS = 4
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def http(bind="", extra=""):
    return config(extra + "frontend f\n    mode http\n    bind 127.0.0.1:{port} " + bind + "\n    http-request return status 200 "
                  "content-type text/plain lf-string %[thread]\n", threads=THREADS)


class Client:
    """Stays; `thread` is the one that serves it."""

    def __init__(self, proxy, first=b"", tls=None):
        self.socket = proxy.connect()
        if first:
            self.socket.sendall(first)
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.thread = self.ask()

    def ask(self):
        self.socket.sendall(REQUEST)
        head, body = read_message(self.file)
        assert head.startswith(b"HTTP/1.1 200 "), head
        return int(body)

    def close(self):
        self.file.close()
        self.socket.close()


def shares(clients):
    n = collections.Counter(c.thread for c in clients)
    return sorted(n[t] for t in set(n) | set(range(len(n), THREADS)))


def activity(p, row):
    return int(re.search(rf"^{row}: (\d+)", p.ask("show activity"), re.M).group(1))


def leave(p, clients, left):
    for c in clients:
        c.close()
    until("they have left", lambda: p.row("f/FRONTEND", "scur") == [str(left)])


def test_few_who_stay_have_equal_shares(binary):
    with Asked(binary, http()) as p:
        clients = [Client(p.proxy) for _ in range(2 * THREADS)]
        assert shares(clients) == [2] * THREADS, shares(clients)
        assert [c.ask() for c in clients] == [c.thread for c in clients]  # they stay there
        stay = [c for c in clients if c.thread == clients[0].thread]  # all others leave
        leave(p, [c for c in clients if c not in stay], 2)
        clients = stay + [Client(p.proxy) for _ in range(2 * THREADS - 2)]
        assert shares(clients) == [2] * THREADS, shares(clients)
        assert activity(p, "accq_pushed") > 0 and activity(p, "accq_full") == 0
        leave(p, clients, 0)


def test_what_comes_first_on_a_connection_is_read_where_it_is_served(binary):
    authority = Authority()
    try:
        name = authority.make("a.pem", ["a"])
        with Asked(binary, http("ssl accept-proxy crt " + name)) as p:
            tls = context(authority.ca)
            tls.minimum_version = ssl.TLSVersion.TLSv1_3
            clients = [Client(p.proxy, b"PROXY TCP4 10.0.0.%d 10.0.0.9 1 2\r\n" % i, tls) for i in range(2 * THREADS)]
            assert shares(clients) == [2] * THREADS, shares(clients)
            leave(p, clients, 0)
    finally:
        authority.close()


def test_all_are_counted_where_they_came(binary):
    text = http("name x").replace("frontend f\n", "frontend f\n    option socket-stats\n")
    with Asked(binary, text) as p:
        clients = [Client(p.proxy) for _ in range(2 * THREADS)]
        n = str(len(clients))
        assert p.row("f/x", "scur", "smax", "stot") == [n, n, n] == p.row("f/FRONTEND", "scur", "smax", "stot")
        leave(p, clients, 0)
        assert p.row("f/x", "scur", "stot") == ["0", n]


def test_every_thread_keeps_what_it_accepts(binary):
    with Asked(binary, http().replace("global\n", "global\n    tune.listener.multi-queue off\n")) as p:
        clients = [Client(p.proxy) for _ in range(4 * THREADS)]
        assert sum(shares(clients)) == len(clients)
        assert activity(p, "accq_pushed") == 0 and activity(p, "accepted") >= len(clients)
        leave(p, clients, 0)


def test_maxconn_holds(binary):
    s = Server(echo)
    body = "frontend f\n    bind 127.0.0.1:{port}\n    maxconn 5\n    backlog 100\n    default_backend b\nbackend b\n    server s 127.0.0.1:%d\n" % s.port
    with Asked(binary, config("    timeout client 60s\n" + body, threads=THREADS)) as p:
        clients = [p.proxy.connect() for _ in range(30)]
        for c in clients:
            c.sendall(b"x")
            c.settimeout(0.01)
        for _ in range(len(clients)):
            one = []

            def answered():
                for c in clients:
                    try:
                        if c.recv(1) == b"x":
                            one.append(c)
                            return True
                    except TimeoutError:
                        pass
                return False

            until("the next one is served", answered)
            clients.remove(one[0])
            one[0].close()
        assert s.peak <= 5, s.peak


def test_a_stop_serves_all_who_were_accepted(binary):
    s = Server(echo)
    body = "frontend f\n    bind 127.0.0.1:{port}\n    default_backend b\nbackend b\n    server s 127.0.0.1:%d\n" % s.port
    for _ in range(5):
        with Asked(binary, config(body, threads=THREADS)) as p:
            kept = [p.proxy.connect() for _ in range(THREADS)]
            for c in kept:
                c.sendall(b"a")
                assert read_n(c, 1) == b"a"
            p.proxy.signal(signal.SIGSTOP)
            clients = [p.proxy.connect() for _ in range(200)]
            for c in clients:
                c.sendall(b"x")
            p.proxy.signal(signal.SIGUSR1)
            p.proxy.signal(signal.SIGCONT)
            for c in clients + kept:
                assert c in kept or read_n(c, 1) == b"x"
                c.close()
            p.proxy.wait_end()


if __name__ == "__main__":
    # HAProxy closes its sockets with those whom it has not accepted
    main(globals(), leave_out=() if "proxyd" in sys.argv[1] else (test_a_stop_serves_all_who_were_accepted,))
