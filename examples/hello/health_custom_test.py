#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The program against a server that answers in two pieces: health_custom_test.py PROGRAM"""
import socket
import subprocess
import sys
import threading

listener = socket.create_server(("127.0.0.1", 0))


def serve():
    for _ in range(2):
        client, _ = listener.accept()
        with client:
            if client.recv(100) == b"RUOK\r\n":
                client.sendall(b"IMO")
                client.sendall(b"K and well\n")


threading.Thread(target=serve, daemon=True).start()
port = str(listener.getsockname()[1])
for word, answer, want in (("RUOK", "IMOK", (0, "ok L7OK IMOK and well\n")), ("RUOK", "NO", (1, "fail L7STS IMOK and well\n"))):
    ran = subprocess.run([sys.argv[1], "127.0.0.1", port, word, answer], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout) == want, ran
assert subprocess.run([sys.argv[1]], capture_output=True).returncode == 2
