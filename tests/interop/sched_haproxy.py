#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold libsched's roundrobin, static-rr and leastconn against a running HAProxy with one thread, request by request.

    sched_haproxy.py SCHED_REPL

Everything stands on Unix sockets below a temporary directory: one frontend with the balance under test, and for each
server a frontend that answers with its number. Exit 77: no haproxy here.
"""
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROUNDROBIN = [[1, 1, 1], [3, 2, 1], [5, 1, 1], [1, 2, 3], [7, 5, 3, 2], [100, 50, 10, 7], [13, 1, 9, 4, 4],
              [256, 1, 100], [2, 0, 5]]
STATIC_RR = [[1, 1, 1], [3, 2, 1], [4, 2, 2], [7, 5, 3, 2], [100, 50, 10, 7], [2, 0, 5]]
REQUESTS_MAX = 1500  # for each: 16 * sum of the weights is a whole window


def configuration(where, balance, weights):
    lines = ["global", " nbthread 1", "defaults", " mode http", " timeout client 5s", " timeout server 5s",
             " timeout connect 5s", "frontend front", f" bind unix@{where}/front", " default_backend pool",
             "backend pool", f" balance {balance}"]
    lines += [f" server s{i} unix@{where}/s{i} weight {weight}" for i, weight in enumerate(weights, 1)]
    for i in range(1, len(weights) + 1):
        lines += [f"frontend f{i}", f" bind unix@{where}/s{i}",
                  f' http-request return status 200 content-type text/plain string "{i}"']
    return "\n".join(lines) + "\n"


class Client(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        for attempt in range(50):
            try:
                return self.sock.connect(self.path)
            except OSError:
                if attempt == 49:
                    raise
                time.sleep(0.1)


def haproxys(where, balance, weights, n):
    path = f"{where}/haproxy.cfg"
    with open(path, "w", encoding="ascii") as file:
        file.write(configuration(where, balance, weights))
    process = subprocess.Popen(["haproxy", "-db", "-f", path], stderr=subprocess.DEVNULL)
    try:
        client = Client(f"{where}/front")
        chosen = []
        for _ in range(n):
            client.request("GET", "/")
            chosen.append(int(client.getresponse().read()))
        client.close()
        return chosen
    finally:
        process.terminate()
        process.wait()


def ours(repl, balance, weights, n):
    lines = [f"add {i} {weight}" for i, weight in enumerate(weights, 1)]
    process = subprocess.Popen([repl, balance], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(line):
        process.stdin.write(line + "\n")
        return process.stdout.readline().strip()

    for line in lines:
        ask(line)
    chosen = []
    for _ in range(n):
        chosen.append(int(ask("pick")))
        ask(f"done {chosen[-1]}")
    process.stdin.close()
    process.wait()
    return chosen


def compare(repl, balance, weights, n):
    with tempfile.TemporaryDirectory(prefix="hawser-") as where:
        theirs = haproxys(where, balance, weights, n)
    mine = ours(repl, balance, weights, n)
    what = f"{balance} {','.join(map(str, weights))}: {n} requests"
    if theirs == mine:
        print(f"{what}, all the same")
        return True
    first = next(i for i in range(n) if theirs[i] != mine[i])
    print(f"FAILED: {what}: at {first} HAProxy goes on {theirs[first:first + 12]}, libsched {mine[first:first + 12]}")
    return False


def main():
    if not shutil.which("haproxy"):
        print("skipped: needs haproxy: apt-get install haproxy")
        return 77
    repl = os.path.realpath(sys.argv[1])
    good = [compare(repl, "roundrobin", weights, min(3 * 16 * sum(weights), REQUESTS_MAX)) for weights in ROUNDROBIN]
    good += [compare(repl, "static-rr", weights, min(3 * sum(weights), REQUESTS_MAX)) for weights in STATIC_RR]
    good += [compare(repl, "leastconn", weights, 60) for weights in ([1, 1, 1], [3, 2, 1])]
    return 0 if all(good) else 1


sys.exit(main())
