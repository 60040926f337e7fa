#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One process after the other, each with other threads, under load: nobody is refused or reset.   take_over.py BINARY"""
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

from support import WAIT, Proxy, ask_api, free_port, main, read_all, unix_connect, until

CHAIN = (2, 5, 1, 4, 6, 3, 1)  # threads of each


class Crowd:
    """Short connections, one after the other, from some threads. What fails is kept."""

    ASK = b"GET / HTTP/1.0\r\n\r\n"

    def __init__(self, port, threads=8, ask=ASK):
        self.port, self.ask = port, ask
        self.done, self.failed, self.stopping = 0, [], False
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def _once(self):
        with socket.socket() as s:
            s.settimeout(WAIT)
            s.connect(("127.0.0.1", self.port))
            s.sendall(self.ask)
            answer = b""
            while part := s.recv(4096):
                answer += part
            assert b" 200 " in answer, answer

    def _run(self):
        while not self.stopping:
            try:
                self._once()
                self.done += 1
            except (OSError, AssertionError) as e:
                self.failed.append(repr(e))

    def end(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        assert not self.failed, (self.done, len(self.failed), self.failed[:3])
        return self.done


CONFIG = """
global
    nbthread {threads}
    stats socket {api} level admin expose-fd listeners
defaults
    mode http
    timeout client 5s
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string ok
"""
# Without the kernel's help (CAP_BPF): nothing moves from a socket that is closed to another one.
UNHELPED = ("setpriv", "--bounding-set", "-bpf,-sys_admin")
FEW_DESCRIPTORS = ("prlimit", "--nofile=256:8192")  # until it raises that


class Chain:
    """Processes of which each takes over from the one before."""

    def __init__(self, binary, passes=False, under=(), text=CONFIG):
        self.binary, self.passes, self.under, self.text = binary, passes, under, text
        self.folder = tempfile.mkdtemp(prefix="proxyd-take-over.")
        self.port, self.last, self.n = free_port(), None, 0

    def next(self, threads, binary=None, **words):
        """`words`: for what the text has in braces."""
        before, self.n = self.api(), self.n + 1
        text = self.text.replace("{threads}", str(threads)).replace("{api}", self.api())
        for name, value in words.items():
            text = text.replace("{" + name + "}", value)
        args = ["-sf", str(self.last.process.pid)] if self.last else []
        if self.last and self.passes:
            args += ["-x", before]
        old, self.last = self.last, Proxy(binary or self.binary, text, port=self.port, args=args, under=self.under)
        if old:
            assert old.wait_end() == 0
            old.said = old.text()
            old.__exit__(None, None, None)
        return self.last

    def api(self):
        return f"{self.folder}/api{self.n}"

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.last.__exit__(*what)
        shutil.rmtree(self.folder, ignore_errors=True)


def chain_loses_nobody(chain, threads=CHAIN):
    with chain:
        chain.next(2)
        crowd = Crowd(chain.port)
        try:
            for n in threads:
                chain.next(n)
        finally:
            done = crowd.end()
        assert done > 80 * len(threads), done


def test_chain_of_processes_loses_nobody(binary):
    chain_loses_nobody(Chain(binary))


def test_chain_of_processes_that_pass_sockets_loses_nobody(binary):
    chain_loses_nobody(Chain(binary, passes=True, under=UNHELPED))


def test_chain_of_processes_without_the_kernels_help_loses_nobody(binary):
    chain_loses_nobody(Chain(binary, under=UNHELPED))


def test_sockets_are_passed_between_haproxy_and_proxyd(binary):
    haproxy = shutil.which("haproxy")
    if not haproxy:
        print("no haproxy here: apt-get install haproxy")
        return
    with Chain(binary, passes=True, under=UNHELPED) as chain:
        chain.next(2, haproxy)
        crowd = Crowd(chain.port)
        try:
            for n in (1, 1, 3):  # of many sockets HAProxy takes one
                chain.next(1, binary)
                chain.next(n, haproxy)
            chain.next(4, binary)
        finally:
            crowd.end()


PORT6 = free_port()
OPTIONS = ("", "defer-accept", "backlog 100", "mss 1000 tcp-ut 3s", "name x")
MORE = {  # whom it lets in: IPv4, IPv6, @proxyd-take-over
    "": (False, False, False),
    f"bind [::]:{PORT6} v6only": (False, True, False),
    f"bind [::]:{PORT6} v4v6": (True, True, False),
    f"bind :{PORT6}": (True, False, False),
    "bind abns@proxyd-take-over": (False, False, True),
}


def lets_in(family, address):
    with socket.socket(family) as s:
        return s.connect_ex(address) == 0


def binds_change(binary, change, steps=6):
    """`change` makes it another process, or another configuration. The port that all have loses nobody, others come and go."""
    with Chain(binary, passes=True, text=CONFIG.replace("{port}\n", "{port} {options}\n    {more}\n")) as chain:
        chain.next(1, options="", more="")
        crowd = Crowd(chain.port)
        try:
            for i in range(steps):
                more, expected = list(MORE.items())[i * 3 % len(MORE)]
                change(chain, 1 + i % 3, OPTIONS[i % len(OPTIONS)], more)
                until(f"{more} lets in {expected}", lambda: expected == (
                    lets_in(socket.AF_INET, ("127.0.0.1", PORT6)), lets_in(socket.AF_INET6, ("::1", PORT6)),
                    lets_in(socket.AF_UNIX, "\0proxyd-take-over".ljust(108, "\0"))))
        finally:
            crowd.end()


def test_binds_and_their_options_change_with_the_process(binary):
    binds_change(binary, lambda chain, threads, options, more: chain.next(threads, options=options, more=more))


def test_binds_and_their_options_change_with_a_reload(binary):
    def change(chain, threads, options, more):
        text = chain.text.replace("{threads}", str(threads)).replace("{api}", chain.api()).replace("{options}", options)
        before = chain.last.text().count("reloaded:")
        chain.last.write(text.replace("{more}", more))
        chain.last.signal(signal.SIGHUP)
        until("it is reloaded", lambda: chain.last.text().count("reloaded:") > before)

    binds_change(binary, change)


def test_hundreds_of_sockets_are_passed(binary):
    text = CONFIG.replace("bind 127.0.0.1:{port}", "bind 127.0.0.1:{port}\n    bind 127.0.9.1:10000-10199")
    with Chain(binary, passes=True, under=FEW_DESCRIPTORS, text=text) as chain:
        old = chain.next(3)
        chain.next(2)
        assert "603 listening sockets were passed on" in old.said, old.said
        with socket.create_connection(("127.0.9.1", 10199), WAIT) as s:
            s.sendall(Crowd.ASK)
            assert s.recv(4096).startswith(b"HTTP/1.")


def blocking_sockets(pid):
    found = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # closed just now
            is_socket = os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
            flags = next(line for line in open(f"/proc/{pid}/fdinfo/{fd}") if line.startswith("flags:"))
            found += is_socket and not int(flags.split()[1], 8) & os.O_NONBLOCK
    return found


def test_who_asks_for_sockets_and_takes_none_holds_nobody_up(binary):
    text = CONFIG.replace("bind 127.0.0.1:{port}", "bind 127.0.0.1:{port}\n    bind 127.0.9.1:10000-10299")
    with Chain(binary, text=text) as chain:
        running = chain.next(1)
        before = blocking_sockets(running.process.pid)
        for ask in (b"_getsocks\n", b"help;" * 1000 + b"_getsocks\n"):  # the first batch is not acknowledged
            told = running.text().count("cannot pass the listening sockets on")
            with unix_connect(chain.api()) as lazy:
                lazy.sendall(ask)
                until("it gives up", lambda: running.text().count("cannot pass the listening sockets on") > told)
                assert "Version" in ask_api(chain.api(), "show info")
                assert blocking_sockets(running.process.pid) == before


def test_a_queue_that_nobody_takes_is_served(binary):
    """Of a unix socket, whose path the successor has anew, and of a port that it does not have."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        text = CONFIG.replace("{port}\n", "{port}\n    bind %s/u\n{more}" % folder)
        with Chain(binary, passes=True, text=text) as chain:
            old = chain.next(2, more=f"    bind 127.0.0.1:{port}\n")
            old.signal(signal.SIGSTOP)
            clients = [unix_connect(f"{folder}/u") for _ in range(20)] + [old.connect(port) for _ in range(20)]
            for c in clients:
                c.sendall(Crowd.ASK)
            old.signal(signal.SIGUSR1)
            old.signal(signal.SIGCONT)
            for c in clients:
                assert b" 200 " in read_all(c)
                c.close()
            assert old.wait_end() == 0


def test_sockets_are_passed_where_the_file_says_so_alone(binary):
    with Chain(binary, text=CONFIG.replace(" expose-fd listeners", "")) as chain:
        running, file = chain.next(1), f"{chain.folder}/cfg"
        with open(file, "w") as f:
            f.write(CONFIG.replace("{port}", str(free_port())).replace("{threads}", "1").replace("{api}", chain.folder + "/other"))
        for path in (chain.api(), chain.folder + "/nobody"):
            failed = subprocess.run([binary, "-db", "-f", file, "-x", path], timeout=WAIT, capture_output=True)
            assert failed.returncode == 1 and b"cannot take over the listening sockets" in failed.stderr, failed
        assert "without \"expose-fd listeners\"" in running.text()


def test_what_is_no_list_of_sockets_is_refused(binary):
    """Numbers, names and descriptors that do not fit together, from who listens in place of a proxy."""
    def number(n):
        return struct.pack("i", n)

    one = b"\0\0" + number(0)
    answers = [  # a number, then a batch: words, descriptors
        (number(-1), b"", 0), (number(1 << 30), b"", 0), (b"\1", b"", 0), (number(1), b"", 0), (number(1), one, 0), (number(1), one * 2, 2),
        (number(2), one, 2), (number(1), b"\xff" + one, 1), (number(1), b"\0\x10" + b"i" * 16 + number(0), 1), (number(2), one, 1), (number(1), b"\0\0\0", 1),
    ]
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as s:
        path, file = f"{folder}/s", f"{folder}/cfg"
        s.bind(path)
        s.listen()
        with open(file, "w") as f:
            f.write(CONFIG.replace("{port}", str(free_port())).replace("{threads}", "1").replace("{api}", f"{folder}/api"))
        for count, words, n in answers:
            asking = subprocess.Popen([binary, "-db", "-f", file, "-x", path], stderr=subprocess.PIPE)
            c = s.accept()[0]
            with c:
                assert c.recv(100) == b"_getsocks\n"
                c.sendall(count)
                if words:
                    socket.send_fds(c, [words], [s.fileno()] * n)
                c.shutdown(socket.SHUT_WR)
                said = asking.communicate(timeout=WAIT)[1]
            assert asking.returncode == 1 and b"cannot take over the listening sockets" in said, (count, words, n, asking.returncode, said)


if __name__ == "__main__":
    main(globals())
