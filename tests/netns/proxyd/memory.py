#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Allocations that fail, one by one, while proxyd works: who asked is told or left, all others are served.

    memory.py BINARY FAIL_MALLOC.SO
"""
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from http_twin import Web
from support import WAIT, Proxy, Server, ask_api, echo, free_port, main, read_all, until

NEVER = 2**63
PATIENCE = 20.0  # seconds: nobody waits that long for an answer, or for the end of a connection

TEXT = """
global
    nbthread 2
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
listen l
    bind 127.0.0.1:{port}
    {more}
    http-response set-header X-Version {version}
    stats enable
    stats uri /stats
    server s 127.0.0.1:{server}
listen t
    bind 127.0.0.1:{tcp}
    mode tcp
    server s 127.0.0.1:{server}
"""


class Starved:
    """A proxy whose allocations are counted, and fail when told so."""

    def __init__(self, binary, web, more=""):
        self.folder = tempfile.TemporaryDirectory(prefix="proxyd-memory.")
        self.socket = os.path.join(self.folder.name, "socket")
        self.tcp = free_port()
        self.text = TEXT
        for name, value in {"socket": self.socket, "more": more, "server": web.port, "tcp": self.tcp}.items():
            self.text = self.text.replace("{" + name + "}", str(value))
        name = os.path.join(self.folder.name, "shared")
        with open(name, "w+b") as f:
            f.write(struct.pack("3Q", 0, NEVER, NEVER))
            f.flush()
            self.shared = mmap.mmap(f.fileno(), 24)
        os.environ.update(LD_PRELOAD=os.path.realpath(sys.argv[2]), FAIL_MALLOC=name)
        try:
            self.proxy = Proxy(binary, self.text.replace("{version}", "0"))
        finally:
            del os.environ["LD_PRELOAD"]

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.fail(NEVER, NEVER)
        self.proxy.__exit__(*what)
        self.folder.cleanup()

    def count(self):
        return struct.unpack_from("Q", self.shared)[0]

    def fail(self, first, end):
        struct.pack_into("2Q", self.shared, 8, first, end)

    def each(self, do, last=NEVER, end=0):
        """Does it again and again: each time another one of the allocations that it makes fails, or of its last ones but `end`."""
        do()
        before = self.count()
        do()
        n = self.count() - before + 3  # what the process does beside may make some, too
        for i in range(max(0, n - last), n - end):
            now = self.count()
            self.fail(now + i, now + i + 1)
            do()
            self.fail(NEVER, NEVER)
            assert self.proxy.process.poll() is None, "it ended"

    def said(self, data):
        """To the end of the connection."""
        with self.proxy.connect(timeout=PATIENCE) as s:
            try:
                s.sendall(data)
                return read_all(s)
            except ConnectionError:  # not even accepted
                return b""

    def nobody_is_left(self):
        until("all connections are gone", lambda: "\nCurrConns: 0\n" in ask_api(self.socket, "show info"))


def get(path, last=True):
    return b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n" + (b"Connection: close\r\n" if last else b"") + b"\r\n"


def test_requests(binary):
    with Starved(binary, Web()) as p:
        wrong = []

        def one_behind_the_other():
            answer = p.said(get(b"/", last=False) * 2 + get(b"/"))
            if b"\r\n\r\nok" not in answer and b" 500 " not in answer and answer:
                wrong.append(answer)

        p.each(one_behind_the_other)
        p.each(lambda: p.said(get(b"/stats")))
        assert not wrong
        p.nobody_is_left()
        assert p.said(get(b"/")).endswith(b"ok")


def test_a_lack_is_told(binary):
    with Starved(binary, Web()) as p:
        assert p.said(get(b"/")).endswith(b"ok")
        assert "\nPoolFailed: 0\n" in ask_api(p.socket, "show info")
        p.fail(0, NEVER)
        answers = [p.said(get(b"/")) for _ in range(5)]
        p.fail(NEVER, NEVER)
        assert not [a for a in answers if a.endswith(b"ok")], answers
        failed = int(re.search(r"\nPoolFailed: (\d+)\n", ask_api(p.socket, "show info"))[1])
        assert failed >= 5, (failed, answers)
        assert 1 <= p.proxy.text().count("memory ran out") <= 2  # each of two threads, once a minute


def test_sessions(binary):
    with Starved(binary, Server(echo)) as p:

        def one_line_after_the_other():
            with p.proxy.connect(p.tcp, timeout=PATIENCE) as s:
                try:
                    for _ in range(3):
                        s.sendall(b"hello")
                        s.recv(5)
                except ConnectionError:
                    pass

        p.each(one_line_after_the_other)
        p.nobody_is_left()


def test_who_waits_for_a_place_gets_it(binary):
    with Starved(binary, Web(), "maxconn 1") as p:

        def first_and_second():
            with p.proxy.connect(timeout=PATIENCE) as first:
                try:
                    first.sendall(get(b"/", last=False))
                    first.recv(1000)
                    with p.proxy.connect(timeout=PATIENCE) as second:
                        second.sendall(get(b"/"))
                        first.close()
                        read_all(second)
                except ConnectionError:
                    pass

        p.each(first_and_second)
        assert p.said(get(b"/")).endswith(b"ok")


def test_runtime_api(binary):
    with Starved(binary, Web()) as p:

        def list_sessions():
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(PATIENCE)
                s.connect(p.socket)
                try:
                    s.sendall(b"show sess all\n")
                    read_all(s)
                except ConnectionError:
                    pass

        with p.proxy.connect() as idle:
            idle.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            p.each(list_sessions)
            assert "src=127.0.0.1" in ask_api(p.socket, "show sess")


def test_a_reload_is_of_all_threads_or_of_none(binary):
    with Starved(binary, Web()) as p:
        version = 0

        def reloaded():
            nonlocal version
            version += 1
            before = p.proxy.text().count("reloaded:") + p.proxy.text().count("reload refused:")
            p.proxy.write(p.text.replace("{version}", str(version)))
            p.proxy.signal(signal.SIGHUP)
            until("it has reloaded, or not", lambda: p.proxy.text().count("reloaded:") + p.proxy.text().count("reload refused:") > before)
            p.fail(NEVER, NEVER)
            new = p.proxy.text().rindex("reload") == p.proxy.text().rindex("reloaded:")

            def all_as_said():
                shown = {b"X-Version: %d\r\n" % version in p.said(get(b"/")) for _ in range(8)}
                return shown == {new}

            until("each thread has it, or none", all_as_said, PATIENCE)

        p.each(reloaded, last=64, end=40)  # near the end of a reload the threads are told


def test_it_ends_without_any(binary):
    for number in signal.SIGTERM, signal.SIGUSR1:
        with Starved(binary, Web()) as p:
            assert p.said(get(b"/")).endswith(b"ok")
            p.fail(0, NEVER)
            p.proxy.signal(number)
            assert p.proxy.wait_end(WAIT) == 0


def test_a_lack_of_memory_is_not_the_files_fault(binary):
    """A good certificate is read while one allocation fails, now this one and now that."""
    with tempfile.TemporaryDirectory(prefix="proxyd-memory.") as folder:
        pem, cfg, name = (os.path.join(folder, f) for f in ("pem", "cfg", "shared"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a",
                        "-keyout", pem + ".key", "-out", pem], check=True, stderr=subprocess.DEVNULL)  # fmt: skip
        with open(cfg, "w") as f:
            f.write(f"listen l\n    mode tcp\n    bind 127.0.0.1:4443 ssl crt {pem} ca-file {pem} verify optional\n    timeout client 5s\n")

        def read(number):
            with open(name, "wb") as f:
                f.write(struct.pack("3Q", 0, number, number + 1))
            env = dict(os.environ, LD_PRELOAD=os.path.realpath(sys.argv[2]), FAIL_MALLOC=name)
            r = subprocess.run([binary, "-c", "-f", cfg], env=env, capture_output=True, text=True)
            with open(name, "rb") as f:
                return r, struct.unpack("Q", f.read(8))[0]

        _, n = read(NEVER - 1)
        blamed = {r.stderr for r, _ in (read(i) for i in range(0, n, 61))
                  if r.returncode == 1 and re.search("damaged|no PEM|no private key in it|is not that of|no certificate", r.stderr)}  # fmt: skip
        assert not blamed, blamed


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with open(os.path.realpath(sys.argv[1]), "rb") as f:
            program = f.read()
        if b"__asan_init" in program or b"__tsan_init" in program:
            print("skipped: a sanitizer has an allocator of its own")
            sys.exit(77)
    main(globals())
