#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_vipd.py OURS PEER ROUNDS: virtual servers of vipd beside keepalived on a kernel with IPVS (tests/kernel/run-uml brings
one; its clock is that of a slow machine, so only ratios mean anything).

start: from exec until all destinations are in the kernel's table. reload: from SIGHUP until a changed weight is there, and the processor's
time that all processes of the daemon took for it. memory: PSS of all processes of the daemon after the start. Checks come once an hour: they
are not what is measured. The largest table is for the reload; it runs once. Each start has a network namespace of its own: IPVS
remembers what was removed for minutes, in a list that it searches for each server that is added.
"""
import ctypes
import math
import os
import pathlib
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 240
LARGE = 10000  # real servers: one round
IP_VS_SO_GET_DESTS = 64 + 1024 + 64 + 4  # linux/ip_vs.h


def conf(services, servers, weight):
    lines = ["global_defs {", "    router_id bench", "}"]
    for s in range(services):
        lines += [f"virtual_server {service_address(s)} 80 {{", "    lb_algo wrr", "    lb_kind DR", "    protocol TCP",
                  "    delay_loop 3600"]
        for r in range(servers):
            n = s * servers + r
            lines += [f"    real_server 10.{100 + n // 60000}.{n // 250 % 240}.{n % 250 + 1} 80 {{",
                      f"        weight {weight if n == 0 else 1}", "        TCP_CHECK {", "            connect_timeout 5", "        }", "    }"]
        lines.append("}")
    return "\n".join(lines) + "\n"


CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def fresh_namespace():
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def service_address(s):
    return f"10.{200 + s // 60000}.{s // 250 % 250}.{s % 250 + 1}"


def table():
    return pathlib.Path("/proc/net/ip_vs").read_text()


def weights(service):
    """Of its real servers. To read the table of all again and again would be most of what is measured, and of who fills it slowly more."""
    head, entry, servers = 24, 96, 32  # struct ip_vs_get_dests, ip_vs_dest_entry
    ask = ctypes.create_string_buffer(struct.pack("=H2x4sH2xII", socket.IPPROTO_TCP, socket.inet_aton(service_address(service)),
                                                  socket.htons(80), 0, servers), head + servers * entry)
    size = ctypes.c_uint32(len(ask))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        if libc.getsockopt(s.fileno(), socket.IPPROTO_IP, IP_VS_SO_GET_DESTS, ask, ctypes.byref(size)):
            return []
    entries = [struct.unpack_from("4s8xi", ask, head + entry * i) for i in range(servers)]  # their number is not told
    return [weight for address, weight in entries if any(address)]


def wait_for(what, condition, pause_s=0.01):
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > PATIENCE_S:
            raise TimeoutError(what)
        time.sleep(pause_s)


def processes(pid):
    found = [pid]
    for parent in found:
        found += map(int, pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return found


def pss_kb(pid):
    return sum(int(line.split()[1]) for p in processes(pid) for line in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()
               if line.startswith("Pss:"))


def cpu_s(pid):
    """Of all processes, those that ended and were waited for included."""
    ticks = sum(int(t) for p in processes(pid) for t in pathlib.Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def one_round(program, services, servers, folder):
    """(seconds of the start, kB, seconds of a reload with one change, of them the processor's)"""
    path = folder / "conf"
    path.write_text(conf(services, servers, 1))
    fresh_namespace()
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen([program, "-n", "-l", "-f", path, "-p", folder / "p", "-r", folder / "r", "-c", folder / "c"],
                                  stdout=log, stderr=log)
    try:
        wait_for("the last service", lambda: len(weights(services - 1)) == servers)
        start = time.monotonic() - began
        if table().count("->") - 1 < services * servers * 0.98:  # the first checks may have failed
            raise RuntimeError("the last service came before others")
        time.sleep(2)
        memory = pss_kb(daemon.pid)
        path.write_text(conf(services, servers, 77))
        cpu, began = cpu_s(daemon.pid), time.monotonic()
        daemon.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: 77 in weights(0))
        took = time.monotonic() - began
        time.sleep(1)
        return start, memory, took, cpu_s(daemon.pid) - cpu
    except TimeoutError as late:
        print(f"{os.path.basename(program)}, {services} x {servers}: {late} took more than {PATIENCE_S} s", flush=True)
        return (math.nan,) * 4
    finally:
        daemon.terminate()
        daemon.wait()


def main():
    ours, peer, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    subprocess.run(["modprobe", "-a", "ip_vs", "ip_vs_wrr"], check=True)
    print(f"{'services x servers':20} {'what':12} {'vipd':>12} {os.path.basename(peer):>12} ratio")
    for services, servers in ((1000, 4), (500, 10), (1000, 5), (2000, 20)):
        seen = {ours: [], peer: []}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(rounds if services * servers < LARGE else 1):
                for program in (ours, peer):
                    seen[program].append(one_round(program, services, servers, pathlib.Path(folder)))
        for i, what in enumerate(("start s", "PSS kB", "reload s", "reload CPU s")):
            mine, theirs = (statistics.median(r[i] for r in seen[p]) for p in (ours, peer))
            print(f"{services:>6} x {servers:<11} {what:12} {mine:12.3f} {theirs:12.3f} {mine / theirs:.2f}", flush=True)


if __name__ == "__main__":
    main()
