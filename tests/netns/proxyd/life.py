#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The life of the daemon: reload, take-over, stop, limits, leaks:   life.py BINARY"""
import ctypes
import fcntl
import os
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

from support import WAIT, Asked, Proxy, Server, ask_api, config, echo, free_port, main, named, read_all, read_head, read_n, unix_connect, until

F_SETPIPE_SZ = 1031  # of fcntl, Linux


class Load:
    """Clients that ask one connection after the other, until told to stop."""

    def __init__(self, proxy, threads=4):
        self.proxy = proxy
        self.done = 0
        self.failed = []
        self.stopping = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def _run(self):
        while not self.stopping:
            try:
                answer = self.proxy.ask()
                error = None if answer.startswith("s") else f"answer {answer!r}"
            except OSError as e:
                error = repr(e)
            with self.lock:
                self.done += 1
                if error:
                    self.failed.append(error)
            time.sleep(0.001)  # leaves the interpreter to the test

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        return self.done, self.failed


def farm(n):
    return [Server(named(f"s{i}")) for i in range(n)]


def listen(servers, extra=""):
    return (
        "listen l\n    bind 127.0.0.1:{port}\n    default-server check inter 100 fall 2 rise 2\n"
        + extra
        + "".join(f"    server s{i} 127.0.0.1:{s.port}\n" for i, s in enumerate(servers))
    )


def reload(p, text, number=signal.SIGHUP):
    before = p.text().count("reload")
    p.write(text)
    p.signal(number)
    until("the reload is told", lambda: p.text().count("reload") > before)


def test_reload_under_load_fails_no_connection(binary):
    servers = farm(3)
    with Proxy(binary, config(listen(servers), threads=2)) as p:
        load = Load(p)
        for i in range(20):
            reload(p, config(listen(servers[: 1 + i % 3], f"    # {i}\n"), threads=2))
            time.sleep(0.05)
        until("many have been served", lambda: load.done > 100)
        done, failed = load.stop()
        assert not failed, (done, failed[:3])


def test_reload_keeps_connections_and_health(binary):
    servers = farm(2)
    talk = Server(echo)
    dead = free_port()
    body = listen(servers) + f"    server dead 127.0.0.1:{dead}\nlisten e\n    bind 127.0.0.1:{{second}}\n    server s 127.0.0.1:{talk.port}\n"
    second = free_port()
    with Proxy(binary, config(body, second=second, threads=2)) as p:
        until("the dead one is seen", lambda: "l/dead is DOWN" in p.text())
        with p.connect(second) as c:
            c.sendall(b"one")
            assert read_n(c, 3) == b"one"
            # another algorithm, and the section of the open connection is gone
            reload(p, config(listen(servers, "    balance leastconn\n") + f"    server dead 127.0.0.1:{dead}\n", threads=2))
            c.sendall(b"two")
            assert read_n(c, 3) == b"two"
            assert p.text().count("l/dead is DOWN") == 1  # known, not found out again
            assert {p.ask() for _ in range(8)} == {"s0", "s1"}
            try:
                p.connect(second).close()
                raise AssertionError("the second address is still open")
            except ConnectionRefusedError:
                pass


def test_reload_asks_only_who_is_new(binary):
    """The others keep their rhythm, here of a minute, also those whose certificates were read again."""
    old, new, tls = Server(echo), free_port(), Server(lambda server, c: server.counted())
    head = "global\n    max-spread-checks 100\nlisten l\n    bind 127.0.0.1:{port}\n    option httpchk\n    default-server check inter 60s\n"
    was = f"    server old 127.0.0.1:{old.port}\n    server tls 127.0.0.1:{tls.port} check-ssl verify none inter 20s\n"
    with Asked(binary, config(head + was)) as asked:
        p, head = asked.proxy, f"global\n    stats socket {asked.path} level admin\n" + head
        until("both are asked", lambda: "l/tls is DOWN" in p.text() and old.count == 1)
        was = was.replace("inter 20s", "inter 60s")
        reload(p, config(head + was))
        until("another rhythm begins soon", lambda: tls.count > 1 and not asked.row("l/tls", "check_status")[0].startswith("*"))
        before = tls.count
        reload(p, config(head + was + f"    server new 127.0.0.1:{new}\n"))
        until("the new one is found dead", lambda: "l/new is DOWN" in p.text())
        assert (old.count, tls.count) == (1, before)


def test_reload_refuses_a_broken_file(binary):
    servers = farm(1)
    with Proxy(binary, config(listen(servers))) as p:
        reload(p, config(listen(servers) + "    balance roundrobbin\n"))
        assert "reload refused" in p.text()
        assert "did you mean \"roundrobin\"" in p.text()
        assert p.ask() == "s0"
        with socket.socket() as taken:  # of another user of the port, without SO_REUSEPORT
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            reload(p, config(listen(servers) + f"    bind 127.0.0.1:{port}\n"))
        assert "cannot listen" in p.text()
        assert p.ask() == "s0"
        reload(p, config(listen(servers)), signal.SIGUSR2)
        assert "reloaded" in p.text()
        assert p.ask() == "s0"


def test_a_reload_asked_for_while_it_starts_comes_after(binary):
    """Its file comes from standard input, so that it waits for it."""
    port = free_port()
    p = subprocess.Popen([binary, "-db", "-f", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    def is_held():
        with open(f"/proc/{p.pid}/status") as f:
            held = next(int(line.split()[1], 16) for line in f if line.startswith("SigBlk:"))
        return held & 1 << signal.SIGUSR2 - 1

    try:
        until("the signal is held back", is_held)
        p.send_signal(signal.SIGUSR2)
        p.stdin.write(config(listen(farm(1))).replace("{port}", str(port)).encode())
        p.stdin.close()
        while b"reload" not in (line := p.stderr.readline()):
            assert line, "it ended"
    finally:
        p.kill()
        p.wait()
        p.stderr.close()


def test_second_process_takes_over(binary):
    servers = farm(2)
    with Proxy(binary, config(listen(servers), threads=2)) as old:
        with old.connect() as c:
            load = Load(old, 2)
            new = Proxy(binary, config(listen(servers), threads=2), port=old.port, args=("-sf", str(old.process.pid)))
            with new:
                until("the old one has let go", lambda: listening(old.port) == {2})
                before = load.done
                until("the new one has served many", lambda: load.done > before + 50)
                done, failed = load.stop()
                assert old.process.poll() is None  # it finishes its connection
                c.sendall(b"x\n")
                assert read_all(c).startswith(b"s")
                c.close()
                assert old.wait_end() == 0
                assert not failed, (done, failed)
                assert new.ask() in ("s0", "s1")


def with_api(path):
    return ONE_ANSWER.replace("global\n", f"global\n    stats socket {path}\n").replace("{threads}", "2")


def test_who_reaches_the_port_finds_the_runtime_api(binary):
    def reach(port, path, found):
        with socket.socket() as s, socket.socket(socket.AF_UNIX) as api:
            while s.connect_ex(("127.0.0.1", port)):
                pass
            found.append(api.connect_ex(path))

    with tempfile.TemporaryDirectory() as folder:
        for n in range(3):
            port, path, found = free_port(), f"{folder}/{n}", []
            client = threading.Thread(target=reach, args=(port, path, found), daemon=True)
            client.start()
            with Proxy(binary, with_api(path), port=port):
                client.join(WAIT)
                assert found == [0], found


def test_a_successor_has_the_runtime_api(binary):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/api"
        with Proxy(binary, with_api(path)) as old:
            assert ask_api(path, "show version").strip()
            with Proxy(binary, with_api(path), port=old.port, args=("-sf", str(old.process.pid))) as new:
                assert old.wait_end() == 0
                assert f"\nPid: {new.process.pid}\n" in ask_api(path, "show info")
        assert os.listdir(folder) == []


def test_who_fails_to_start_leaves_the_runtime_api(binary):
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
        path, cfg = f"{folder}/api", f"{folder}/cfg"
        with open(cfg, "w") as f:
            f.write(with_api(path).replace("{port}", str(taken.getsockname()[1])))
        with Proxy(binary, with_api(path)) as running:
            failed = subprocess.run([binary, "-db", "-f", cfg], timeout=WAIT, capture_output=True)
            assert failed.returncode == 1 and b"cannot listen on" in failed.stderr, failed
            assert f"\nPid: {running.process.pid}\n" in ask_api(path, "show info")
        assert os.listdir(folder) == ["cfg"]


ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def listening(port):
    """How many sockets listen there, in a set."""
    with open("/proc/net/tcp") as f:
        return {sum(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A" for line in f.readlines()[1:])}


ONE_ANSWER = """
global
    nbthread {threads}
defaults
    mode http
    timeout client 5s
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string ok
"""


def test_a_chain_of_processes_loses_nobody(binary):
    """Each takes over from the one before, with more or fewer threads, while 40 clients connect all the time."""
    if not shutil.which("wrk"):
        print("no wrk here: apt-get install wrk")
        return
    chain = [Proxy(binary, ONE_ANSWER.replace("{threads}", "2"))]
    port = chain[0].port
    load = subprocess.Popen(["wrk", "-t1", "-c40", "-d4", "-H", "Connection: close", f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE, text=True)
    try:
        for n in (2, 1, 3, 2):
            time.sleep(0.3)
            old = chain[-1]
            chain.append(Proxy(binary, ONE_ANSWER.replace("{threads}", str(n)), port=port, args=("-sf", str(old.process.pid))))
            assert old.wait_end() == 0
        said = load.communicate(timeout=WAIT)[0]
        assert "errors" not in said and int(said.split(" requests in")[0].split()[-1]) > 1000, said
        assert listening(port) == {2}
    finally:
        load.kill()
        for p in chain:
            p.close()


def test_a_successor_spreads_new_connections_from_the_first_one_on(binary):
    text = ONE_ANSWER.replace("{threads}", "2").replace("string ok", "lf-string %[thread]")
    with Proxy(binary, text.replace("%[thread]", "old")) as old:
        with Proxy(binary, text, port=old.port, args=("-sf", str(old.process.pid))) as new:
            until("the old one has heard of it", lambda: "stopping" in old.text())
            old.signal(signal.SIGSTOP)  # its sockets stay
            clients = [new.connect() for _ in range(40)]
            for c in clients:
                c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            old.signal(signal.SIGCONT)
            said = {read_all(c).split(b"\r\n\r\n")[1] for c in clients}
            assert said - {b"old"} == {b"0", b"1"}, said


def test_who_asks_at_the_end_is_answered(binary):
    """A request that lies there when idle connections are closed, and those that the configuration lets stay."""
    for option in ("", "    option idle-close-on-response\n"):
        with Proxy(binary, ONE_ANSWER.replace("{threads}", "1").replace("frontend", option + "frontend")) as p, p.connect() as asks, p.connect() as idle:
            for c in (asks, idle):
                c.sendall(ASK)
                assert b" 200 " in read_head(c)
            p.signal(signal.SIGUSR1)
            until("it has heard of it", lambda: "stopping" in p.text())
            p.signal(signal.SIGSTOP)
            asks.sendall(ASK)
            time.sleep(0.3)  # the time to close has come when it goes on
            p.signal(signal.SIGCONT)
            assert b" 200 " in read_head(asks)
            until("new connections are refused", lambda: refused(p))
            if option:
                idle.sendall(ASK)
                assert b"connection: close" in read_head(idle).lower()
            assert read_all(idle) == b""
            asks.close()
            assert p.wait_end() == 0


def test_who_was_answered_a_moment_before_the_end_may_ask(binary):
    """Its request may be on its way when idle connections are closed; who says nothing does not keep the process."""
    for _ in range(20):
        with Proxy(binary, ONE_ANSWER.replace("{threads}", "1")) as p, p.connect() as asks, p.connect() as idle:
            for c in (idle, asks):
                c.sendall(ASK)
                assert b" 200 " in read_head(c)
            began = time.monotonic()
            p.signal(signal.SIGUSR1)
            until("new connections are refused", lambda: refused(p))
            asks.sendall(ASK)
            if time.monotonic() - began > 0.7:
                continue  # that was no moment: the machine is busy
            assert b"connection: close" in read_head(asks).lower()
            assert read_all(asks) == read_all(idle) == b""
            assert p.wait_end() == 0
            return
    raise AssertionError("the machine is too busy")


def test_usr1_finishes_connections(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body, threads=2)) as p, p.connect() as c:
        c.sendall(b"a")
        assert read_n(c, 1) == b"a"
        p.signal(signal.SIGUSR1)
        until("new connections are refused", lambda: refused(p))
        c.sendall(b"b")
        assert read_n(c, 1) == b"b"
        assert p.process.poll() is None
        c.close()
        assert p.wait_end() == 0


def refused(p):
    try:
        p.connect().close()
        return False
    except OSError:
        return True


def test_hard_stop_after(binary):
    s = Server(echo)
    body = "global\n    hard-stop-after 300ms\nlisten l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect() as c:
        c.sendall(b"a")
        assert read_n(c, 1) == b"a"
        p.signal(signal.SIGUSR1)
        assert p.wait_end() == 0
        assert read_all(c) == b""


def mute(server, c):
    while c.recv(4096):
        pass


def test_hard_stop_after_a_reload(binary):
    """What an older configuration still has ends, what came since does not."""
    s, silent, web = Server(echo), Server(mute), free_port()
    body = ("global\n    hard-stop-after 1s\nlisten l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n"
            "listen h\n    mode http\n    bind 127.0.0.1:%d\n    server s 127.0.0.1:%d\n") % (s.port, web, silent.port)
    with Proxy(binary, config(body, threads=2)) as p, p.connect() as old, p.connect(web) as asks:
        old.sendall(b"a")
        assert read_n(old, 1) == b"a"
        asks.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        until("it was asked", lambda: silent.open == 1)
        reload(p, config(body + "    # changed\n", threads=2))
        with p.connect() as new:
            new.sendall(b"b")
            assert read_n(new, 1) == b"b"
            assert read_all(old) == b""
            assert read_all(asks) == b""
            until("it is told", lambda: "connections of an older configuration are closed" in p.text())
            new.sendall(b"c")
            assert read_n(new, 1) == b"c"


def test_no_descriptor_is_left_behind(binary):
    servers = farm(2)
    dead = free_port()
    body = listen(servers) + f"    server dead 127.0.0.1:{dead}\n    option redispatch 1\n"
    with Proxy(binary, config(body.replace("check inter 100", ""), threads=2)) as p:
        p.ask()
        time.sleep(0.2)
        before = p.descriptors()
        load = Load(p, 8)
        until("many have been served", lambda: load.done > 100)
        held = [p.connect() for _ in range(50)]  # that never speak
        for i, c in enumerate(held):
            if i % 2:  # half of them end with a reset
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c.close()
        done, failed = load.stop()
        assert done > 100 and not failed, (done, failed[:3])
        for i in range(3):
            reload(p, config(body.replace("check inter 100", "") + f"    # {i}\n", threads=2))
        until("all descriptors are back", lambda: p.descriptors() <= before)


def test_out_of_descriptors_waits_without_spinning(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body, maxconn=500), limit=120) as p:
        clients = [p.connect() for _ in range(120)]
        until("it is told", lambda: "cannot accept" in p.text())
        cpu = p.cpu_seconds()
        time.sleep(1.0)
        assert p.cpu_seconds() - cpu < 0.3, p.cpu_seconds() - cpu
        assert p.text().count("cannot accept") == 1
        for c in clients:
            c.close()
        with p.connect() as c:
            c.sendall(b"again")
            assert read_n(c, 5) == b"again"


def test_who_leaves_makes_room_for_who_comes_with_that(binary):
    """Of the last descriptors: their clients' ends and the next client are seen in one turn. One is left to find that nobody else comes."""
    body = "frontend f\n    mode http\n    bind 127.0.0.1:{port}\n    http-request return status 200\n"
    with Proxy(binary, config(body)) as p:
        clients = [p.connect() for _ in range(4)]
        for c in clients * 2:  # the second time no listener has an event
            c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_head(c)
        used = {int(n) for n in os.listdir(f"/proc/{p.process.pid}/fd")}
        free = min(n for n in range(len(used) + 1) if n not in used)
        resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (free, free))
        p.signal(signal.SIGSTOP)
        for c in clients[:2]:
            c.close()
        with p.connect() as c:
            p.signal(signal.SIGCONT)
            c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_head(c)
        assert "cannot accept" not in p.text()


def gets_in(path):
    """The only one who does. Nobody, if a worker was faster and took the descriptor that was kept back."""
    first = unix_connect(path)
    first.settimeout(8)
    try:
        first.sendall(b"prompt\n")
        return first if first.recv(16) else None
    except TimeoutError:
        first.close()
        return None


def test_out_of_descriptors_the_operator_gets_in(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    for attempt in range(3):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/api"
            with Proxy(binary, config(body, maxconn=500).replace("global\n", f"global\n    stats socket {path}\n"), limit=120) as p:
                clients = [p.connect() for _ in range(120)]
                until("it is told", lambda: "cannot accept" in p.text())
                first = gets_in(path)
                if not first:
                    continue
                others = [unix_connect(path) for _ in range(3)]
                cpu = p.cpu_seconds()
                time.sleep(1.0)
                assert p.cpu_seconds() - cpu < 0.3, p.cpu_seconds() - cpu
                first.close()
                for c in clients:
                    c.close()
                for c in others:
                    c.sendall(b"show info\n")
                    assert b"CurrConns" in read_all(c)
                return
    raise AssertionError("nobody gets in")


def test_full_frontend_waits_without_spinning(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    maxconn 1\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body, threads=2)) as p, p.connect() as first:
        first.sendall(b"a")
        assert read_n(first, 1) == b"a"
        waiting = [p.connect() for _ in range(10)]
        until("it is told", lambda: "frontend l: maxconn 1 of the frontend is reached" in p.text())
        cpu = p.cpu_seconds()
        time.sleep(0.7)
        assert p.cpu_seconds() - cpu < 0.2, p.cpu_seconds() - cpu
        first.close()
        for c in waiting:  # whichever worker has it: one after the other
            c.sendall(b"x")
        left = set(waiting)
        end = time.monotonic() + 10
        while left and time.monotonic() < end:
            for c in list(left):
                c.settimeout(0.05)
                try:
                    if c.recv(1) == b"x":
                        c.close()
                        left.discard(c)
                except (TimeoutError, socket.timeout):
                    pass
        assert not left, len(left)
        assert s.peak == 1, s.peak
        assert p.text().count("is reached") == 1  # once a minute


def test_a_full_process_says_so(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body, maxconn=1)) as p, p.connect(), p.connect():
        until("it is told", lambda: "frontend l: maxconn 1 of the process is reached" in p.text())


def test_queue_is_served_by_all_threads(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    timeout queue 10s\n    server s 127.0.0.1:%d maxconn 2\n" % s.port
    with Proxy(binary, config(body, threads=4)) as p:
        got = []

        def client():
            with p.connect() as c:
                c.sendall(b"hi")
                got.append(read_n(c, 2))

        threads = [threading.Thread(target=client) for _ in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert got == [b"hi"] * 60, len(got)
        assert s.peak <= 2, s.peak


def test_queue_of_a_section_that_is_gone_is_served(binary):
    s = Server(echo)
    other = farm(1)[0]
    body = "listen q\n    bind 127.0.0.1:{second}\n    timeout queue 20s\n    server s 127.0.0.1:%d maxconn 1\n" % s.port
    second = free_port()
    with Asked(binary, config(listen([other]) + body, second=second, threads=2)) as asked:
        p, api = asked.proxy, f"global\n    stats socket {asked.path} level admin\n"
        first = p.connect(second)
        first.sendall(b"a")
        assert read_n(first, 1) == b"a"
        with p.connect(second) as waits:  # not before: another thread may be quicker
            waits.sendall(b"b")
            until("it is in the queue", lambda: asked.row("q/BACKEND", "qcur") == ["1"])
            reload(p, config(api + listen([other]), threads=2))
            first.close()
            assert read_n(waits, 1) == b"b"
        before = p.text().count("reload")
        for i in range(2):  # what the gone section left is freed now
            reload(p, config(api + listen([other], f"    # {i}\n"), threads=2))
        assert p.text().count("reload") == before + 2
        assert p.ask() == "s0"


def test_background_writes_its_pid(binary):
    s = farm(1)[0]
    port = free_port()
    folder = tempfile.mkdtemp(prefix="proxyd-test.")
    pidfile, file = f"{folder}/pid", f"{folder}/cfg"
    with open(file, "w") as f:
        f.write(config(f"listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:{s.port}\n"))
    subprocess.run([binary, "-W", "-D", "-f", file, "-p", pidfile], check=True, timeout=WAIT)
    until("the pid file is written", lambda: os.path.exists(pidfile) and open(pidfile).read().strip())
    pid = int(open(pidfile).read())
    try:
        with socket.create_connection(("127.0.0.1", port)) as c:
            c.sendall(b"x\n")
            assert read_all(c) == b"s0\n"
    finally:
        os.kill(pid, signal.SIGTERM)
    until("it has ended", lambda: not os.path.exists(f"/proc/{pid}"))
    shutil.rmtree(folder)


def test_service_manager_is_told(binary):
    s = farm(1)[0]
    path = f"/tmp/proxyd-test.{os.getpid()}.notify"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(WAIT)
    os.environ["NOTIFY_SOCKET"] = path
    try:
        with Proxy(binary, config(listen([s])), args=("-Ws",)) as p:
            assert manager.recv(100) == b"READY=1"
            p.signal(signal.SIGHUP)
            assert [manager.recv(100) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
            p.signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert p.wait_end() == 0
    finally:
        del os.environ["NOTIFY_SOCKET"]
        os.unlink(path)


def test_root_is_given_up_and_low_ports_kept(binary):
    if os.geteuid() != 0:
        print("    skipped: only root can give up root")
        return
    s = farm(1)[0]
    with open("/proc/net/tcp") as f:  # a low port nobody has
        taken = {int(line.split()[1].split(":")[1], 16) for line in f.readlines()[1:]}
    low = next(n for n in range(1023, 512, -1) if n not in taken)
    with Proxy(binary, config("global\n    user nobody\n    group nogroup\n" + listen([s]))) as p:
        os.chmod(p.folder, 0o755)
        status = open(f"/proc/{p.process.pid}/status").read()
        assert "\nUid:\t65534\t65534\t65534\t65534" in status, status
        assert "\nCapEff:\t0000000000000400" in status, status
        reload(p, config(listen([s]) + f"    bind 127.0.0.1:{low}\n"))
        assert "reloaded" in p.text()
        assert p.ask(port=low) == "s0"


def test_unix_sockets(binary):
    s = Server(echo)
    path = f"/tmp/proxyd-test.{os.getpid()}.sock"
    body = (
        "listen l\n    bind 127.0.0.1:{port}\n    server s unix@{path}\n"
        "listen m\n    bind unix@{path}\n    server s 127.0.0.1:%d\n" % s.port
    )
    try:
        with Proxy(binary, config(body, threads=2, path=path)) as p:
            for _ in range(10):
                with p.connect() as c:
                    c.sendall(b"through both")
                    assert read_n(c, 12) == b"through both"
    finally:
        if os.path.exists(path):
            os.unlink(path)


def test_owner_and_mode_of_unix_sockets(binary):
    if os.geteuid() != 0:
        print("    skipped: only root can give a file away")
        return
    with tempfile.TemporaryDirectory(prefix="proxyd-test.") as folder:
        wanted = {"own": (0o606, 1, 2), "given": (0o640, 0, 2)}
        body = (
            "listen l\n    bind 127.0.0.1:{port}\n    bind unix@own mode 606 uid 1\n    bind unix@given\n"
            "    bind abns@proxyd-test-{pid} mode 600\n    server s 127.0.0.1:1\n"
        )
        more = f"global\n    unix-bind prefix {folder}/ mode 640 gid 2\n"
        with Proxy(binary, config(more + body, pid=os.getpid())):
            for name, (mode, uid, gid) in wanted.items():
                s = os.stat(f"{folder}/{name}")
                assert (stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid) == (mode, uid, gid), (name, s)


def test_only_a_socket_is_replaced_by_a_socket(binary):
    with tempfile.NamedTemporaryFile("w+", prefix="proxyd-test.") as precious:
        precious.write("keep me")
        precious.flush()
        body = f"listen m\n    bind unix@{precious.name}\n    server s 127.0.0.1:1\n"
        with tempfile.NamedTemporaryFile("w", prefix="proxyd-test.") as file:
            file.write(config(body))
            file.flush()
            failed = subprocess.run([binary, "-db", "-f", file.name], timeout=WAIT, capture_output=True)
        assert failed.returncode == 1 and b"cannot listen on" in failed.stderr, failed
        with open(precious.name) as f:
            assert f.read() == "keep me"


def test_server_without_a_port_gets_the_clients(binary):
    s = Server(named("same"))
    body = "listen l\n    bind 127.0.0.2:{port}\n    server s 127.0.0.1\n"

    def listens():  # the server does, on the same port: the proxy may still begin
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.2", s.port)) == 0

    with Proxy(binary, config(body), port=s.port):
        until("the proxy listens", listens)
        with socket.create_connection(("127.0.0.2", s.port)) as c:
            c.sendall(b"x")
            assert read_all(c) == b"same\n"


def test_source_keeps_a_client_at_its_server(binary):
    servers = farm(4)
    with Proxy(binary, config(listen(servers, "    balance source\n"))) as p:
        assert len({p.ask() for _ in range(12)}) == 1


def test_log_line_of_a_connection(binary):
    s = farm(1)[0]
    log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    log.bind(("127.0.0.1", 0))
    log.settimeout(WAIT)
    body = (
        "frontend f\n    bind 127.0.0.1:{port}\n    option tcplog\n    default_backend b\n"
        "    log 127.0.0.1:%d local0\n"
        "    log stdout format raw local0\n"
        "backend b\n    server one 127.0.0.1:%d\n" % (log.getsockname()[1], s.port)
    )
    with Proxy(binary, config(body)) as p:
        assert p.ask() == "s0"
        line = log.recv(2048).decode()
        assert line.startswith("<134>"), line
        assert " f b/one 0/" in line and " 3 -- " in line and line.endswith(" 0/0\n"), line
        until("the console has it", lambda: " f b/one 0/" in p.text())


class Console:
    """A configuration, running with descriptors of the test's choice."""

    def __init__(self, binary, text, **more):
        self.file = tempfile.NamedTemporaryFile("w", prefix="proxyd-test.", suffix=".cfg")
        self.file.write(text)
        self.file.flush()
        self.process = subprocess.Popen([binary, "-db", "-f", self.file.name], **more)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        self.file.close()


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def test_console_that_is_not_read_stops_no_traffic(binary):
    s = farm(1)[0]
    port = free_port()
    body = f"listen l\n    bind 127.0.0.1:{port}\n    option tcplog\n    log stdout format raw local0\n    server s 127.0.0.1:{s.port}\n"
    out, into = os.pipe()
    fcntl.fcntl(into, F_SETPIPE_SZ, 4096)
    with Console(binary, config(body), stdout=into):
        until("it listens", lambda: connects(port))
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as c:
                c.sendall(b"x\n")
                assert read_all(c) == b"s0\n"
    os.close(out)
    os.close(into)


def test_inherited_socket_may_be_blocking(binary):
    s = Server(echo)
    with socket.create_server(("127.0.0.1", 0)) as given:
        fd = given.fileno()
        body = f"listen l\n    bind fd@{fd}\n    server s 127.0.0.1:{s.port}\n"
        with Console(binary, config(body), pass_fds=[fd]):
            with socket.create_connection(given.getsockname(), timeout=WAIT) as c:
                for _ in range(3):
                    c.sendall(b"x")
                    assert read_n(c, 1) == b"x"


def test_places_that_become_free_at_once_are_all_taken(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    timeout queue 20s\n    server s 127.0.0.1:%d maxconn 4\n" % s.port

    def served(clients, n):
        got = set()
        end = time.monotonic() + WAIT
        while len(got) < n and time.monotonic() < end:
            got.update(c for c in select.select(clients, [], [], 0.1)[0] if c not in got and c.recv(1) == b"x")
        assert len(got) == n, (len(clients), len(got))
        return got

    with Proxy(binary, config(body, threads=4)) as p:
        for _ in range(100):
            clients = [p.connect() for _ in range(10)]
            for c in clients:
                c.sendall(b"x")
            while clients:
                got = served(clients, min(4, len(clients)))
                p.signal(signal.SIGSTOP)  # so that they end in one turn
                for c in got:
                    clients.remove(c)
                    c.close()
                p.signal(signal.SIGCONT)


def test_reader_that_pauses_is_no_silent_server(binary):
    n = 64 << 20

    def source(server, c):
        c.recv(10)
        c.sendall(b"z" * n)

    def comes(timeout):
        """How much, if the reader pauses for longer than the server may."""
        body = "listen l\n    bind 127.0.0.1:{port}\n    timeout server %ds\n    server s 127.0.0.1:%d\n" % (timeout, s.port)
        with Proxy(binary, config(body)) as p, p.connect() as c:
            c.sendall(b"go")
            time.sleep(timeout + 1.5)
            return len(read_all(c))

    s = Server(source)
    # The server is a thread of this process, which on a busy machine may be silent for two seconds itself.
    assert comes(2) == n or comes(10) == n


def test_reload_changes_send_proxy(binary):
    s = Server(lambda server, c: c.sendall(c.recv(4096)[:5]))
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d" % s.port
    with Proxy(binary, config(body + "\n")) as p:
        assert p.ask() == "hello"
        reload(p, config(body + " send-proxy\n"))
        assert p.ask() == "PROXY"
        reload(p, config(body + "\n"))
        assert p.ask() == "hello"


def test_reload_forgets_the_name_of_the_node(binary):
    """Without "localpeer" it is the host's again, or that of -L, which goes before it."""
    with tempfile.TemporaryDirectory() as folder:
        plain = config(listen(farm(1))).replace("global\n", f"global\n    stats socket {folder}/api level admin\n")
        for args, host in (((), socket.gethostname()), (("-L", "given"), "given")):
            with Proxy(binary, plain.replace("global\n", "global\n    localpeer here\n"), args=args) as p:
                name = lambda: ask_api(f"{folder}/api", "show env HAPROXY_LOCALPEER").strip()
                assert name() == f"HAPROXY_LOCALPEER={'given' if args else 'here'}"
                reload(p, plain)
                assert name() == f"HAPROXY_LOCALPEER={host}"


def test_urgent_byte_holds_nothing_back(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p, p.connect() as c:
        c.sendall(b"a")
        assert read_n(c, 1) == b"a"
        p.signal(signal.SIGSTOP)  # so that all three are there at once
        c.sendall(b"abc")
        c.send(b"!", socket.MSG_OOB)
        c.sendall(b"def")
        time.sleep(0.1)
        p.signal(signal.SIGCONT)
        assert read_n(c, 6) == b"abcdef"


def test_proxy_header_may_take_the_clients_time(binary):
    s = Server(echo)
    body = (
        "listen l\n    bind 127.0.0.1:{port} accept-proxy\n    timeout connect 200ms\n    timeout client 3s\n"
        "    server s 127.0.0.1:%d\n" % s.port
    )
    with Proxy(binary, config(body)) as p, p.connect() as c, p.connect() as silent:
        time.sleep(0.5)
        c.sendall(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nx")
        assert read_n(c, 1) == b"x"
        assert read_all(silent) == b""


def test_stop_serves_all_who_have_shaken_hands(binary):
    s = farm(1)[0]
    body = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:%d\n" % s.port
    with Proxy(binary, config(body)) as p:
        p.ask()
        p.signal(signal.SIGSTOP)
        clients = [p.connect() for _ in range(300)]
        for c in clients:
            c.sendall(b"x\n")
        p.signal(signal.SIGUSR1)
        p.signal(signal.SIGCONT)
        for c in clients:
            assert read_all(c) == b"s0\n"
            c.close()


def test_background_returns_when_it_runs(binary):
    s = farm(1)[0]
    with tempfile.TemporaryDirectory(prefix="proxyd-test.") as folder:
        pidfile, file = f"{folder}/pid", f"{folder}/cfg"
        with open(file, "w") as f:
            f.write(config(f"listen l\n    bind 127.0.0.1:{free_port()}\n    server s 127.0.0.1:{s.port}\n"))
        command = [binary, "-D", "-f", file, "-p"]
        failed = subprocess.run([*command, f"{folder}/none/pid"], timeout=WAIT, capture_output=True)
        assert failed.returncode == 1 and b"pid file" in failed.stderr, failed
        subprocess.run(command + [pidfile], check=True, timeout=WAIT, umask=0)
        with open(pidfile) as f:
            pid = int(f.read())
        try:
            assert os.stat(pidfile).st_mode & 0o777 == 0o644
        finally:
            os.kill(pid, signal.SIGTERM)
        until("it has ended", lambda: not os.path.exists(f"/proc/{pid}"))


def test_address_may_leave_and_return(binary):
    s = farm(1)[0]
    second = free_port()
    one = listen([s])
    both = one + f"    bind 127.0.0.1:{second}\n"
    with Proxy(binary, config(both, threads=2)) as p:
        for _ in range(10):
            reload(p, config(one, threads=2))
            reload(p, config(both, threads=2))
            assert p.ask(port=second) == "s0"


PIDFD_GETFD = 438  # on all machines


def sockets_of(p):
    """The proxy's IPv4 sockets, as ours, too."""
    libc, found = ctypes.CDLL(None), []
    pidfd = os.pidfd_open(p.process.pid)
    for fd in os.listdir(f"/proc/{p.process.pid}/fd"):
        got = libc.syscall(PIDFD_GETFD, pidfd, int(fd), 0)
        if got >= 0 and stat.S_ISSOCK(os.fstat(got).st_mode):
            found.append(socket.socket(fileno=got))
        elif got >= 0:
            os.close(got)
    os.close(pidfd)
    return [s for s in found if s.family == socket.AF_INET]


def tcp_option(p, peer, name):
    """Of the proxy's socket to that peer; peer None: of the one that it listens on."""
    for s in sockets_of(p):
        listens = s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if (not peer and listens) or (peer and not listens and s.getpeername() == peer):
            return s.getsockopt(socket.IPPROTO_TCP, name)
    return None


def test_kernel_holds_clients_only_while_they_come_fast(binary):
    def held():
        return tcp_option(p, None, socket.TCP_DEFER_ACCEPT) > 0

    def come():
        p.signal(signal.SIGSTOP)  # however slow we are, it finds all of them at once
        clients = [p.connect() for _ in range(300)]
        p.signal(signal.SIGCONT)
        for c in clients:
            c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for c in clients:
            assert c.recv(4096).startswith(b"HTTP/1.1 503")
            c.close()
        return held()

    body = "    mode http\n    timeout http-request 1s\nfrontend f\n    bind 127.0.0.1:{port}\n"
    with Proxy(binary, config(body)) as p:
        assert not held()
        until("connections come fast", come)
        with p.connect() as silent:  # is seen, later
            assert b" 408 " in silent.recv(4096)
        until("they do no more", lambda: not held())


def test_pieces_of_a_first_request_are_acknowledged_at_once(binary):
    body = "    mode http\nfrontend f\n    bind 127.0.0.1:{port}\n"
    with Proxy(binary, config(body)) as p, p.connect() as c:
        until("it waits for more", lambda: tcp_option(p, c.getsockname(), socket.TCP_QUICKACK) == 0)
        c.sendall(b"GET / HTTP/1.1\r\n")
        until("it has a piece", lambda: tcp_option(p, c.getsockname(), socket.TCP_QUICKACK) == 1)
        c.sendall(b"Host: a\r\n\r\n")
        assert c.recv(4096).startswith(b"HTTP/1.1 503")


if __name__ == "__main__":
    main(globals())
