#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One process after the other, each with other threads, under load: nobody is refused or reset.   take_over.py BINARY"""
import os
import socket
import threading
import time

from support import WAIT, Proxy, free_port, main, until

CHAIN = (2, 5, 1, 4, 3, 1, 6, 2, 1, 3, 4, 1)  # threads of each


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
defaults
    mode http
    timeout client 5s
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string ok
"""


def test_chain_of_processes_with_other_threads_loses_nobody(binary):
    def text(threads):
        return CONFIG.replace("{threads}", str(threads))

    chain = [Proxy(binary, text(2))]
    port = chain[0].port
    crowd = Crowd(port)
    try:
        for n in CHAIN:
            old = chain[-1]
            chain.append(Proxy(binary, text(n), port=port, args=("-sf", str(old.process.pid))))
            assert old.wait_end() == 0
        assert crowd.end() > 1000
    finally:
        for p in chain:
            p.close()


if __name__ == "__main__":
    main(globals())
