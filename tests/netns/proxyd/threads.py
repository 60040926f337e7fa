#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything that threads share, changed while they use it:   threads.py BINARY"""
import contextlib
import signal
import threading

from support import Asked, Server, config, free_port, main, read_message, until
from tls_support import Authority, context

BODY = """
listen l
    mode http
    bind 127.0.0.1:{port}
    bind 127.0.0.1:{tls} ssl crt {pem}
    balance leastconn
    option redispatch
    timeout queue 20s
    cookie s insert
    stick-table type string len 16 size 200 expire 2s store gpc0,http_req_cnt,http_req_rate(1s)
    http-request track-sc0 path
    http-request sc-inc-gpc0(0)
    http-request set-var(proc.last) path
    default-server maxconn 2 check inter 100
    server a 127.0.0.1:{a} cookie a
    server b 127.0.0.1:{b} cookie b
{more}
"""
MORE = "listen m{i}\n    mode http\n    bind 127.0.0.1:{second}\n    http-request return status 200\n"


def answer(server, c):
    f = c.makefile("rb")
    while read_message(f)[0]:
        server.counted()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Clients:
    """Each asks some times over a connection, then over the next one."""

    def __init__(self, proxy, tls_port, n):
        self.proxy, self.tls_port, self.stopping, self.done, self.failed = proxy, tls_port, False, 0, []
        self.context = context()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(n)]
        for t in self.threads:
            t.start()

    def _run(self, i):
        while not self.stopping:
            try:
                self._connection(i)
            except OSError as e:
                self.failed.append(repr(e))

    def connect(self, i):
        return self.proxy.connect() if i % 4 else self.context.wrap_socket(self.proxy.connect(self.tls_port))

    def _connection(self, i):
        with self.connect(i) as s, s.makefile("rb") as f:
            for k in range(1 + i % 5):
                s.sendall(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % (self.done % 300))
                head, body = read_message(f)
                if not head and k:
                    return  # it rested between two requests while the configuration changed
                if not head.startswith(b"HTTP/1.1 200 ") or body != b"ok":
                    self.failed.append(head.decode("latin-1")[:60])
                self.done += 1

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()


def change(p, i, server):
    """What an operator may do meanwhile; one of the two servers stays."""
    for line in (
        "set server l/a state maint", "show stat", "set server l/b weight %d" % (1 + i % 200), "show table l",
        f"add server l/new{i} 127.0.0.1:{server.port} maxconn 2", f"enable server l/new{i}", "show servers state", "show sess all",
        "set server l/a state ready", "set server l/a state drain", f"set table l key /{i} data.gpc0 7", "show errors",
        "set maxconn server l/b %d" % (1 + i % 3), "clear counters all" if i % 2 else "clear counters", "set server l/a state ready",
        f"set server l/a addr 127.0.0.1 port {server.port}", f"set server l/new{i} state maint", "clear table l", "show activity",
    ):
        p.ask(line)
    until("it is without connections", lambda: "deleted" in p.ask(f"del server l/new{i}"))


def test_everything_changes_under_load(binary):
    a, b = Server(answer), Server(answer)
    authority = Authority()
    pem, second, tls = authority.make("a.pem", ["a"]), free_port(), free_port()

    def text(i):
        more = MORE.replace("{i}", str(i)).replace("{second}", str(second)) if i % 2 else ""
        return config(BODY, threads=4, a=a.port, b=b.port, tls=tls, pem=pem, more=more)

    with contextlib.closing(authority), Asked(binary, text(0)) as p:
        socket_line = f"global\n    stats socket {p.path} level admin\n"
        clients = Clients(p.proxy, tls, 24)
        for i in range(8):
            change(p, i, a)
            before = p.proxy.text().count("reload")
            p.proxy.write(text(i + 1).replace("global\n", socket_line))
            p.proxy.signal(signal.SIGHUP)
            until("the reload is told", lambda: p.proxy.text().count("reload") > before)
        clients.stop()
        assert clients.done > 200 and not clients.failed, (clients.done, len(clients.failed), clients.failed[:3])
        until("nobody is left", lambda: p.row("l/FRONTEND", "scur") == ["0"] and p.row("l/BACKEND", "qcur") == ["0"])


if __name__ == "__main__":
    main(globals())
