#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs hello_health against a port that listens and one that does not."""
import socket
import subprocess
import sys

hello = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))
up = "127.0.0.1:%d" % listener.getsockname()[1]
closed = socket.socket()
closed.bind(("127.0.0.1", 0))  # bound, not listening: refused
down = "127.0.0.1:%d" % closed.getsockname()[1]


def run(*args):
    return subprocess.run([hello, *args], capture_output=True, text=True, timeout=20)


one = run("--once", up)
assert (one.returncode, one.stdout) == (0, f"{up}: ok L4OK \n"), one
two = run("--once", up, down)
assert two.returncode == 1, two
assert f"{down}: fail L4CON Connection refused" in two.stdout, two
assert f"{down}: UP to DOWN" not in two.stdout, two
watch = subprocess.Popen([hello, down], stdout=subprocess.PIPE, text=True, bufsize=1)
assert watch.stdout.readline() == f"{down}: UP to DOWN: fall, L4CON\n"
watch.terminate()
watch.wait()
wrong = run("--once", "nonsense")
assert wrong.returncode == 2 and "no port of its own" in wrong.stderr, wrong
wrong = run("--once", "gopher://h")
assert wrong.returncode == 2 and "'gopher'" in wrong.stderr, wrong
url = run("--once", f"tcp://{up}")
assert (url.returncode, url.stdout) == (0, f"tcp://{up}: ok L4OK \n"), url
