# SPDX-License-Identifier: MIT
"""A balancer between one script's clients and servers, and libsched beside it.

The script plays both ends, so each request tells at once which server it was given to, and stays until it is ended. All
stands on Unix sockets below one directory: `front` is the balancer's, `s1`, `s2`, … are the servers'.
"""
import os
import select
import socket
import subprocess
import time

WAIT = 30  # seconds, for anything


def _listen(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o666)  # a worker may run as another user
    s.listen(64)
    return s


def listen_tcp(n):
    """n servers on loopback instead, each on a port that was free."""
    return [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]


class Balancer:
    """Runs `command`; picks are requests that reach one of the n servers, or of those that listen already."""

    def __init__(self, where, command, n, listening=()):
        self.front = f"{where}/front"
        listening = listening or [_listen(f"{where}/s{i}") for i in range(1, n + 1)]
        self.servers = {s: i for i, s in enumerate(listening, 1)}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _connect(self):
        for _ in range(WAIT * 20):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(WAIT)
            try:
                client.connect(self.front)
                return client
            except OSError:
                client.close()
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError(f"{self.process.args[0]} does not listen")

    def pick(self, path="/", headers=()):
        """One request: the number of its server, and what done() ends."""
        client = self._connect()
        lines = [f"GET {path} HTTP/1.1", "Host: h", "Connection: close", *headers, "", ""]
        client.sendall("\r\n".join(lines).encode())
        ready = select.select(list(self.servers) + [client], [], [], WAIT)[0]
        if not ready or ready[0] is client:
            raise RuntimeError(f"no server was asked: {client.recv(200) if ready else 'nothing came'}")
        server = ready[0].accept()[0]
        server.settimeout(WAIT)
        data = b""
        while b"\r\n\r\n" not in data:
            data += server.recv(65536)
        return self.servers[ready[0]], (client, server)

    def done(self, pair):
        """The server answers; ended when the balancer has closed both sides."""
        client, server = pair
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass
        while server.recv(65536):
            pass
        client.close()
        server.close()

    def close(self):
        self.process.terminate()
        self.process.wait()
        for s in self.servers:
            s.close()


class Ours:
    """libsched with the same servers; a line in, a line out."""

    def __init__(self, repl, algo, weights, flags=0, factor=0, names=None):
        self.process = subprocess.Popen([repl, algo, "0", str(flags), str(factor)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        for i, weight in enumerate(weights, 1):
            if names:
                self.ask(f"name {names[i - 1]}")
            self.ask(f"add {i} {weight}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"sched_repl ended at: {line}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
