#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients and servers that mean harm, in mode http; the others are served meanwhile:   http_hostile.py BINARY"""
import socket
import threading
import time

from http_twin import DEFAULTS, OK, Reader, Web, ask, get, listen
from support import WAIT, Proxy, Server, main, until


def test_slowloris_is_cut_off_and_harms_nobody(binary):
    web = Web()
    with Proxy(binary, listen(web, "timeout http-request 500ms\nmaxconn 400")) as p:
        slow = [p.connect() for _ in range(200)]
        for s in slow:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 0.7:
            for s in slow[:20]:
                s.sendall(b"X: y\r\n")  # which does not prolong its time
            assert ask(p, get("/"))[1] == b"ok"
            time.sleep(0.1)
        for s in slow:
            assert Reader(s).head().status == 408


def test_endless_heads_and_chunks_are_refused(binary):
    web = Web()
    with Proxy(binary, listen(web, "option http-server-close")) as p:
        before = p.descriptors()
        for endless, start in (
            (b"X: y\r\n", b"GET / HTTP/1.1\r\n"),
            (b"a", b"GET /"),
            (b"a", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;"),
            (b"X: y\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
            (b"0", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (b"\r\n", b""),
        ):
            with p.connect() as c:
                c.sendall(start)
                sent = 0
                try:
                    while sent < 100000:
                        sent += c.send(endless * 1000)
                    c.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                assert Reader(c).head().status == 400, start
            assert ask(p, get("/"))[1] == b"ok"
        until("nothing is left of them", lambda: p.descriptors() <= before + 2)
        time.sleep(1.1)  # at most one line a second is told
        ask(p, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
        until("the log says why", lambda: "refused: malformed field name" in p.text())


def lying(data, close=True):
    def talk(_, c):
        Reader(c).head()
        c.sendall(data)
        if not close:
            c.recv(1)

    return Server(talk)


def test_lying_servers_are_told_from_good_ones(binary):
    for data, status in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 30000, 502),
        (b"HTTP/1.1 101 Switching\r\n\r\n", 502),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10001, 502),
        (b"\x00" * 100, 502),
        (b"", 502),
    ):
        server = lying(data)
        with Proxy(binary, listen(server)) as p, p.connect() as c:
            c.sendall(get("/"))
            r = Reader(c)
            head = r.head()
            while head.status == 100:
                head = r.head()
            assert head.status == status, (data[:60], head.line)
            if data and status == 502:
                until("the log says why", lambda: "answer refused" in p.text())


def test_an_answer_nobody_asked_for_reaches_nobody(binary):
    """Two answers to one request: the second must not meet the next client's request."""
    answers = []

    def talk(_, c):
        r = Reader(c)
        while r.head():
            answers.append(1)
            c.sendall(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    server = Server(talk)
    with Proxy(binary, listen(server, "http-reuse always")) as p:
        for _ in range(5):
            assert ask(p, get("/"))[1] == b"ok"
    # what comes unasked while a connection is idle closes it
    def late(_, c):
        r = Reader(c)
        while r.head():
            c.sendall(OK)
            time.sleep(0.1)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    server = Server(late)
    with Proxy(binary, listen(server, "http-reuse always")) as p:
        for _ in range(3):
            assert ask(p, get("/"))[1] == b"ok"
            time.sleep(0.2)


def test_a_request_that_met_a_closing_connection_is_asked_again(binary):
    lives = []

    def talk(_, c):
        r = Reader(c)
        if not r.head():
            return
        c.sendall(OK)
        lives.append(1)
        head = r.head()  # the second request on this connection: no answer
        lives.append(head.line if head else None)

    server = Server(talk)
    with Proxy(binary, listen(server, "http-reuse always")) as p, p.connect() as c:
        r = Reader(c)
        for _ in range(3):
            c.sendall(get("/"))
            assert r.body(r.head()) == b"ok"
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        assert r.head() is None  # not asked twice; the client sees a connection that ended
    assert [x for x in lives if isinstance(x, str)] == ["GET / HTTP/1.1", "GET / HTTP/1.1", "POST / HTTP/1.1"]


def test_a_reload_lets_go_of_private_connections(binary):
    web = Web()
    with Proxy(binary, listen(web, "http-reuse never")) as p, p.connect() as c:
        r = Reader(c)
        for i in range(3):
            c.sendall(get("/"))
            assert r.body(r.head()) == b"ok"
            p.write(listen(web, f"# {i}\nhttp-reuse never"))
            p.signal(1)
            until("it is reloaded", lambda: p.text().count("reloaded") > i)
        until("the old ones are closed", lambda: web.open == 0)
        assert web.count == 3, web.count


def test_a_server_that_takes_no_body_is_given_up(binary):
    stuck = Server(lambda _, c: c.recv(1) and time.sleep(3))
    with Proxy(binary, listen(stuck, "timeout server 300ms")) as p, p.connect() as c:
        c.settimeout(0.5)
        try:
            c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 30000000)
        except OSError:
            pass
        c.settimeout(WAIT)
        assert Reader(c).head().status == 504


def test_an_early_answer_is_not_lost(binary):
    """The server answers and closes before the body has come."""

    def talk(_, c):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")

    server = Server(talk)
    with Proxy(binary, listen(server)) as p, p.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 100000)
        r = Reader(c)
        head = r.head()
        assert head.status == 413 and r.body(head) == b"no"


def test_a_server_that_says_more_than_a_large_body_is_not_used_again(binary):
    """The bytes behind it would be the next client's answer."""
    n = 1 << 20
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (n, b"z" * n)
    web = Web(lambda h, b: answer + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    with Proxy(binary, listen(web, "http-reuse always")) as p:
        for i in range(1, 9):
            head, body = ask(p, get("/"))
            assert head.status == 200 and body == b"z" * n, (i, head.line, len(body))


def test_a_client_that_reads_nothing_stops_its_server_only(binary):
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"z" * 20000000
    web = Web(lambda h, b: big if h.line.startswith("GET /big") else OK)
    with Proxy(binary, listen(web, "timeout client 1s\noption http-server-close")) as p:
        lazy = [p.connect() for _ in range(4)]
        for c in lazy:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            c.sendall(get("/big"))
        for _ in range(20):
            assert ask(p, get("/"))[1] == b"ok"
            time.sleep(0.02)
        until("they are cut off", lambda: web.open <= 2)


def test_clients_that_vanish_leave_nothing(binary):
    silent = Server(lambda _, c: c.recv(1) and time.sleep(0.5))
    with Proxy(binary, listen(silent)) as p:
        before = p.descriptors()
        for i in range(50):
            c = p.connect()
            c.sendall(get("/")[: 5 + i])
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c.close()
        until("nothing is left of them", lambda: p.descriptors() <= before)


def test_descriptors_run_out_and_come_back(binary):
    web = Web()
    with Proxy(binary, listen(web), limit=80) as p:
        held = []
        try:
            for _ in range(100):
                c = p.connect(timeout=1)
                c.sendall(get("/"))
                held.append(c)
        except OSError:
            pass
        time.sleep(0.3)
        for c in held:
            c.close()
        until("it serves again", lambda: served(p))


def served(p):
    try:
        head, _ = ask(p, get("/"))
        return head is not None and head.status == 200
    except OSError:
        return False


def test_threads_share_servers_and_limits(binary):
    gate = {"now": 0, "peak": 0}
    lock = threading.Lock()

    def answer(h, b):
        with lock:
            gate["now"] += 1
            gate["peak"] = max(gate["peak"], gate["now"])
        time.sleep(0.002)
        with lock:
            gate["now"] -= 1
        return OK

    web = Web(answer)
    text = listen(web, "", "maxconn 3").replace("nbthread 1", "nbthread 4")
    failed = []

    def load(p):
        try:
            with p.connect() as c:
                r = Reader(c)
                for _ in range(30):
                    c.sendall(get("/"))
                    if r.body(r.head()) != b"ok":
                        failed.append("body")
        except Exception as e:
            failed.append(repr(e))

    with Proxy(binary, text) as p:
        threads = [threading.Thread(target=load, args=(p,)) for _ in range(16)]
        for t in threads:
            t.start()
        for i in range(5):
            time.sleep(0.05)
            p.write(text + f"    # {i}\n")
            p.signal(1)
        for t in threads:
            t.join()
        assert not failed, failed[:3]
    assert gate["peak"] <= 3, gate


if __name__ == "__main__":
    main(globals())
