#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who waits for a server, and how long, in proxyd and in HAProxy:   queue_twin.py BINARY"""
import contextlib
import re
import socket
import threading
import time

from http_twin import DEFAULTS, OK, Reader, Web, ask, get, listen
from support import Asked, Proxy, Server, config, echo, main, read_all, until


def reached(binary, servers, lines, parameters, wanted):
    """Connections are opened one by one; `wanted` says for each number of them how many reach a server."""
    body = "listen l\n    bind 127.0.0.1:{port}\n    timeout queue 20s\n" + "".join(f"    {line}\n" for line in lines)
    body += "".join(f"    server s{i} 127.0.0.1:{s.port} {parameters}\n" for i, s in enumerate(servers))
    with Proxy(binary, config(body)) as p:
        held = []
        for want in wanted:
            held.append(p.connect())
            held[-1].sendall(b"x")
            if want is None:
                time.sleep(0.05)
                continue
            until(f"of {len(held)} connections {want} reach a server", lambda: sum(s.open for s in servers) == want)
        time.sleep(0.1)
        assert sum(s.open for s in servers) == want, [s.open for s in servers]
        spread = [s.open for s in servers]
        # whoever is served makes room for who waits
        while held:
            for c in list(held):
                c.setblocking(False)
                try:
                    assert c.recv(1) == b"x"
                    c.close()
                    held.remove(c)
                except BlockingIOError:
                    pass
            time.sleep(0.005)
        until("all are gone", lambda: not any(s.open for s in servers))
        return spread


def test_minconn_grows_to_maxconn_with_the_load(binary):
    """
    A tenth of fullconn gets a tenth of maxconn, but minconn at least; beyond fullconn it is maxconn. With leastconn:
    HAProxy's roundrobin looks at a full server again only when a connection to it has ended.
    """
    wanted = [min(n, min(10, max(2, n // 2))) for n in range(1, 25)]
    reached(binary, [Server(echo)], ["fullconn 20", "balance leastconn"], "minconn 2 maxconn 10", wanted)


def test_maxconn_holds_beyond_fullconn(binary):
    for balance in ("leastconn", "source"):
        reached(binary, [Server(echo)], ["fullconn 1", f"balance {balance}"], "minconn 1 maxconn 3", [1, 2, 3, 3, 3])


def test_minconn_is_of_each_server(binary):
    wanted = [1, 2, 2, 2, 2, 2, 2, None, 4]  # the eighth makes it two; HAProxy then serves only who comes
    spread = reached(binary, [Server(echo), Server(echo)], ["fullconn 24", "balance leastconn"], "minconn 1 maxconn 6", wanted)
    assert spread == [2, 2], spread


def test_minconn_without_a_larger_maxconn_is_maxconn(binary):
    for parameters in ("minconn 3", "minconn 3 maxconn 2", "maxconn 3"):
        reached(binary, [Server(echo)], ["fullconn 5"], parameters, [min(n, 3) for n in range(1, 8)])


def places(binary, timeout, cookies):
    """%sq/%bq and status of requests that come one by one to a server of one connection, which the first one holds."""
    first, held = threading.Event(), []
    web = Web(lambda h, b: (first.wait(5), OK)[1])
    lines = f"timeout queue {timeout}\n    log stdout format raw local0\n    log-format \"place %sq/%bq %ST\"\n    cookie S insert indirect"
    with Proxy(binary, listen(web, lines, "maxconn 1 cookie s")) as p:
        for cookie in cookies:
            held.append(p.connect())
            held[-1].sendall(get("/", *(["Cookie: S=s"] if cookie else []), "Connection: close"))
            time.sleep(0.05)
        until("the first is asked", lambda: web.requests)
        if timeout == "100ms":
            until("the others are sent away", lambda: p.text().count("503") == len(cookies) - 1)
        first.set()
        for c in held:
            read_all(c)
            c.close()
        until("all are logged", lambda: p.text().count("place ") == len(cookies))
        return re.findall(r"place (.*)", p.text())


def test_the_log_says_how_many_were_before(binary):
    assert places(binary, "5s", [0] * 5) == ["0/0 200", "0/1 200", "0/2 200", "0/3 200", "0/4 200"]
    assert places(binary, "5s", [1] * 5) == ["0/0 200", "1/0 200", "2/0 200", "3/0 200", "4/0 200"]
    assert places(binary, "5s", [0, 1, 0, 1, 0]) == ["0/0 200", "1/0 200", "0/1 200", "2/0 200", "0/2 200"]
    assert places(binary, "100ms", [0] * 3) == ["0/1 503", "0/1 503", "0/0 200"]
    assert places(binary, "100ms", [1] * 3) == ["1/0 503", "1/0 503", "0/0 200"]


def order(binary, rule, values):
    """The numbers in the order in which the server is asked, when they came as they stand."""
    first = threading.Event()
    web = Web(lambda h, b: (first.wait(20), OK)[1])
    lines = f"http-request set-priority-{rule} req.hdr(x-value)"
    threads = []
    with Asked(binary, listen(web, "timeout queue 20s\n" + lines, "maxconn 1")) as p:
        for i, value in enumerate(["0", *values]):
            t = threading.Thread(target=ask, args=(p.proxy, get("/", f"X-Value: {value}", "Connection: close")))
            t.start()
            threads.append(t)
            until("it has come", lambda: web.requests and p.row("l/s", "qcur") + p.row("l/BACKEND", "qcur") in ([str(i), "0"], ["0", str(i)]))
            time.sleep(0.03)
        first.set()
        for t in threads:
            t.join()
    return [h["x-value"] for h in web.requests[1:]]


def test_priority_class_goes_before_time(binary):
    assert order(binary, "class", ["5", "0", "-7", "0", "5000", "-3"]) == ["-7", "-3", "0", "0", "5", "5000"]


def test_priority_offset_shifts_time(binary):
    assert order(binary, "offset", ["1000", "0", "-1000", "10", "0"]) == ["-1000", "0", "10", "0", "1000"]


@contextlib.contextmanager
def asking(p, n):
    """So many clients ask again as soon as they have an answer; how often each has one."""
    served, stop = [0] * n, threading.Event()

    def client(i):
        with p.connect() as c:
            r = Reader(c)
            while not stop.is_set():
                c.sendall(get("/"))
                r.body(r.head(), b"GET")
                served[i] += 1

    clients = [threading.Thread(target=client, args=(i,)) for i in range(n)]
    for t in clients:
        t.start()
    try:
        yield served
    finally:
        stop.set()
        for t in clients:
            t.join()


def test_threads_wait_in_one_line(binary):
    """Who shares its thread with few gets no more than who shares it with many: clients are spread by chance."""
    web = Web(lambda h, b: (time.sleep(0.003), OK)[1])
    text = listen(web, "timeout queue 20s", "maxconn 1").replace("nbthread 1", "nbthread 8")
    with Proxy(binary, text) as p, asking(p, 12) as served:
        until("each is served often", lambda: min(served) >= 20)
    assert max(served) <= 2 * min(served), served


FAILED = """
    balance roundrobin
    timeout queue {queue}
    option redispatch 1
    retry-on empty-response
    use-server bad if {{ path /failed }}
    use-server good if {{ path /held }}
    server bad 127.0.0.1:{bad} maxconn 1
    server good 127.0.0.1:{good} maxconn 1
"""


def failing_once():
    """Ends the connection of a /failed when it comes for the first time."""
    seen = set()

    def answer(head, _):
        if "/failed" not in head.line or head["x-id"] in seen:
            return OK
        seen.add(head["x-id"])
        return None

    return Web(answer)


def test_who_wants_another_server_holds_up_nobody(binary):
    """Its server failed it and the other one is taken: who comes behind it takes the first, which is free."""
    held = threading.Event()
    bad, good = Web(lambda h, b: None if "/failed" in h.line else OK), Web(lambda h, b: ("/held" in h.line and held.wait(10), OK)[1])
    text = DEFAULTS + "listen l\n    bind 127.0.0.1:{port}" + FAILED.format(queue="5s", bad=bad.port, good=good.port)
    with Proxy(binary, text) as p, p.connect() as first, p.connect() as failed:
        first.sendall(get("/held"))
        until("the good one is taken", lambda: good.requests)
        failed.sendall(get("/failed"))
        until("the bad one has failed it", lambda: bad.requests)
        time.sleep(0.05)  # it waits, or is given up
        assert ask(p, get("/"))[0].status == 200 and len(good.requests) == 1
        held.set()
        assert Reader(first).head().status == 200


def test_who_wants_another_server_is_not_passed_forever(binary):
    """Threads whose queues hold nobody else are told of a free server, too, while others always wait for one."""
    statuses = []
    bad, good = failing_once(), Web(lambda h, b: (time.sleep(0.002), OK)[1])

    def failed(i):
        statuses.append(ask(p, get("/failed", f"X-Id: {i}", "Connection: close"))[0].status)

    text = DEFAULTS.replace("nbthread 1", "nbthread 8") + "listen l\n    bind 127.0.0.1:{port}"
    with Proxy(binary, text + FAILED.format(queue="10s", bad=bad.port, good=good.port)) as p, asking(p, 8):
        threads = [threading.Thread(target=failed, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert statuses == [200] * 8, statuses


KEYS = """
    log stdout format raw local0
    log-format "%HU s=%s %sq/%bq %ts %ST"
    balance uri
    timeout queue {queue}
    server s0 127.0.0.1:{a} maxconn 1 maxqueue 1
    server s1 127.0.0.1:{b} maxconn 1 maxqueue 1
"""


def test_a_key_waits_for_its_server_alone(binary):
    """It holds up nobody whose server is free, and goes to no other server; too many that wait are turned away."""
    first, held = threading.Event(), []
    web = [Web(lambda h, b: ("/a" in h.line and first.wait(20), OK)[1]) for _ in range(2)]
    text = DEFAULTS + "listen l\n    bind 127.0.0.1:{port}" + KEYS.format(queue="200ms", a=web[0].port, b=web[1].port)
    with Asked(binary, text) as p:
        for wanted in (["0", "1"], ["1", "2"]):
            held.append(p.proxy.connect())
            held[-1].sendall(get("/a"))
            until("it has come", lambda: p.row("l/s0", "qcur") + p.row("l/BACKEND", "scur") == wanted)
        assert ask(p.proxy, get("/a"))[0].status == 503  # maxqueue
        assert ask(p.proxy, get("/b"))[0].status == 200
        assert Reader(held[1]).head().status == 503
        first.set()
        assert Reader(held[0]).head().status == 200
        until("all are logged", lambda: p.proxy.text().count(" s=") == 4)
        logged = re.findall(r"(/\S) s=(.*)", p.proxy.text())
        assert logged == [("/a", "s0 0/0 SQ 503"), ("/b", "s1 0/0 -- 200"), ("/a", "s0 1/0 sQ 503"), ("/a", "s0 0/0 -- 200")], logged
        assert p.row("l/s0", "qmax", "econ", "lbtot") == ["1", "2", "3"]


def test_backups_wait_while_others_are_full(binary):
    """Nor does a change of another server bring them; without any server nobody waits."""
    first = threading.Event()
    web, backup = Web(lambda h, b: (first.wait(20), OK)[1]), Web()
    text = listen(web, "timeout queue 20s", f"maxconn 1\n    server b 127.0.0.1:{backup.port} backup\n    server c 127.0.0.1:{backup.port} backup")
    with Asked(binary, text) as p:
        held = [p.proxy.connect() for _ in range(3)]
        for c in held:
            c.sendall(get("/", "Connection: close"))
        until("two wait", lambda: p.row("l/BACKEND", "qcur") == ["2"])
        p.ask("set server l/c state maint")
        time.sleep(0.05)
        assert not backup.requests
        first.set()
        assert [Reader(c).head().status for c in held] == [200] * 3 and not backup.requests
        p.ask("set server l/s state maint")
        assert ask(p.proxy, get("/"))[0].status == 200 and len(backup.requests) == 1
        p.ask("set server l/b state maint")
        assert ask(p.proxy, get("/"))[0].status == 503


ABORT = """
listen l
    bind 127.0.0.1:{port}
    log stdout format raw daemon
    option tcplog
    timeout queue 20s
    {option}
    server s 127.0.0.1:{server} maxconn 1
"""


def test_who_says_no_more_leaves_the_queue(binary):
    """In mode tcp: at once when nothing was said; option abortonclose: in any case."""
    for option, said, leaves in (("", b"", True), ("", b"x", False), ("option abortonclose", b"x", True)):
        s = Server(echo)
        with Proxy(binary, config(ABORT, option=option, server=s.port)) as p, p.connect() as first, p.connect() as second:
            first.sendall(b"1")
            assert first.recv(1) == b"1"
            second.sendall(said)
            time.sleep(0.05)  # it is in the queue, or will be
            second.shutdown(socket.SHUT_WR)
            if not leaves:
                first.close()
            assert read_all(second) == (b"" if leaves else said), (option, said)
            if leaves:
                until("it is logged", lambda: re.search(r" l/\S+ -?\d+/-1/\d+ 0 CQ ", p.text()))


if __name__ == "__main__":
    main(globals())
