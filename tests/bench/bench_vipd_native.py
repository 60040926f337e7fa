#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_vipd_native.py VIPD: what needs no IPVS, on this machine's own kernel, in network namespaces of its own.

reload: 2,000 virtual x 20 real servers in nftables; one weight changes. From SIGHUP until nf_tables has it, which it tells itself; the
processor's time of all processes; and, in a reload of its own, the requests that vipd sent the kernel (needs strace).
checks: 6,000 real servers with TCP_CHECK and delay_loop 1 against a listener in another namespace. A check takes a second and its own
time, so that 5,000 servers could never give 5,000 a second.

keepalived takes no part: it ends where the kernel has no IPVS. Its figures of both are those of user-mode Linux (bench_vipd.py, health).
"""
import os
import pathlib
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import bench_vipd

SERVICES, SERVERS = 2000, 20
CHECKED, CHECKED_PER_SERVICE = 6000, 10
NETLINK_NETFILTER, NFNLGRP_NFTABLES, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN = 12, 7, 10, 15
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, SO_RCVBUFFORCE, ENOBUFS = 270, 1, 33, 105
PATIENCE_S = 120


def conf(services, servers, weight, delay_loop):
    text = bench_vipd.conf(services, servers, weight)
    return (text.replace("global_defs {", "global_defs {\n    forwarding_backend nft").replace("lb_kind DR", "lb_kind NAT")
            .replace("delay_loop 3600", f"delay_loop {delay_loop}"))


def sh(command):
    subprocess.run(command.split(), check=True)


class Commits:
    """nf_tables tells when a transaction is there."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)

    def wait(self, until):
        """When the next one was there; None: none came. What overran the buffer came before one."""
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 20)
            except TimeoutError:
                return None
            except OSError as e:
                if e.errno != ENOBUFS:
                    raise
                continue
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN:
                    return time.monotonic()
                at += (length + 3) & ~3
        return None

    def drain(self, seconds):
        until = time.monotonic() + seconds
        while self.wait(until):
            pass


def start(program, folder):
    with (folder / "log").open("w") as log:
        return subprocess.Popen([program, "-n", "-l", "-f", folder / "conf", "-p", folder / "p", "-r", folder / "r", "-c", folder / "c"],
                                stdout=log, stderr=log)


def stop(daemon):
    daemon.terminate()
    daemon.wait()


def reload(daemon, folder, commits, weight):
    """(ms until the change is there, ms of the processor)"""
    (folder / "conf").write_text(conf(SERVICES, SERVERS, weight, 86400))
    cpu, began = bench_vipd.cpu_s(daemon.pid), time.monotonic()
    daemon.send_signal(signal.SIGHUP)
    there = commits.wait(began + PATIENCE_S)
    if not there:
        raise RuntimeError("no reload: " + (folder / "log").read_text()[-2000:])
    commits.drain(2)
    return (there - began) * 1e3, (bench_vipd.cpu_s(daemon.pid) - cpu) * 1e3


def requests(daemon, folder, commits):
    """Datagrams to the kernel during a reload; None: nobody can count them."""
    if not shutil.which("strace"):
        return None
    trace = folder / "trace"
    tracer = subprocess.Popen(["strace", "-f", "-q", "-e", "trace=sendto,sendmsg", "-o", trace] +
                              [w for p in bench_vipd.processes(daemon.pid) for w in ("-p", str(p))],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bench_vipd.wait_for("strace", lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{daemon.pid}/status").read_text())
    reload(daemon, folder, commits, 50)
    tracer.terminate()
    tracer.wait()
    if os.environ.get("SHOW"): print(trace.read_text())
    return sum("AF_NETLINK" in line for line in trace.read_text().splitlines())


def bench_reload(program, rounds):
    bench_vipd.fresh_namespace()
    sh("ip route add local 10.0.0.0/8 dev lo")
    commits = Commits()
    # Takes the few checks that come meanwhile, or each would be a change of its own.
    with tempfile.TemporaryDirectory() as name, socket.create_server(("", 80), backlog=4096):
        folder = pathlib.Path(name)
        (folder / "conf").write_text(conf(SERVICES, SERVERS, 1, 86400))
        began = time.monotonic()
        daemon = start(program, folder)
        try:
            there = commits.wait(began + PATIENCE_S)
            print(f"start of {SERVICES:,} x {SERVERS} into nftables: {there - began:.2f} s", flush=True)
            commits.drain(3)
            seen = [reload(daemon, folder, commits, 100 + i) for i in range(rounds)]
            for i, what in enumerate(("until the change is there", "of the processor")):
                print(f"reload, one weight: {statistics.median(s[i] for s in seen):.0f} ms [{min(s[i] for s in seen):.0f}-"
                      f"{max(s[i] for s in seen):.0f}] {what}, median of {rounds}")
            n = requests(daemon, folder, commits)
            print(f"requests to the kernel: {'not counted, needs strace: apt-get install strace' if n is None else n}", flush=True)
        finally:
            stop(daemon)


def listen(ready):
    """In a namespace of its own: takes every connection to 10.0.0.0/8 and closes it. Its own processor's time is its parent's to read."""
    bench_vipd.fresh_namespace()
    os.write(ready, b"1")
    with socket.create_server(("", 80), backlog=4096) as server:
        while True:
            server.accept()[0].close()


def asked(listener):
    """Connections that were asked for, as the listener's nftables counts them: vipd ends one when the answer is there, so few are taken."""
    told = subprocess.run(["nsenter", "-n", "-t", str(listener), "nft", "list", "chain", "inet", "bench", "input"], check=True,
                          capture_output=True, text=True).stdout
    return int(told.split("packets ")[1].split()[0])


def bench_checks(program, seconds=10):
    bench_vipd.fresh_namespace()
    told, ready = os.pipe()
    listener = os.fork()
    if not listener:
        listen(ready)
    os.read(told, 1)
    sh(f"ip link add hwbench0 type veth peer name hwbench1 netns {listener}")
    sh("ip addr add 192.0.2.1/24 dev hwbench0")
    sh("ip link set hwbench0 up")
    for words in ("addr add 192.0.2.2/24 dev hwbench1", "link set hwbench1 up", "route add local 10.0.0.0/8 dev lo"):
        sh(f"nsenter -n -t {listener} ip {words}")
    sh(f"nsenter -n -t {listener} nft add table inet bench; add chain inet bench input {{ type filter hook input priority 0; }}; "
       "add rule inet bench input tcp flags & (syn | ack) == syn counter")
    sh("ip route add 10.0.0.0/8 via 192.0.2.2")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "conf").write_text(conf(CHECKED // CHECKED_PER_SERVICE, CHECKED_PER_SERVICE, 1, 1))
        daemon = start(program, folder)
        try:
            time.sleep(8)
            before, cpu, own = asked(listener), bench_vipd.cpu_s(daemon.pid), bench_vipd.cpu_s(listener)
            began = time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - began
            done = asked(listener) - before
            cpu, own = bench_vipd.cpu_s(daemon.pid) - cpu, bench_vipd.cpu_s(listener) - own
            down = (folder / "log").read_text().count(" is down")
            print(f"TCP checks of {CHECKED:,} servers, delay_loop 1: {done / took:.0f} a second, {cpu / max(done, 1) * 1e6:.0f} us of the processor "
                  f"each; the listener's {own / took * 100:.0f} % of one; {down} said to be down", flush=True)
        finally:
            stop(daemon)
            os.kill(listener, signal.SIGKILL)
            os.waitpid(listener, 0)


def main():
    program, rounds = sys.argv[1], int(sys.argv[2])
    bench_reload(program, rounds)
    bench_checks(program)


main()
