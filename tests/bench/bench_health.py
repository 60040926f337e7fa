#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks per second and CPU per check: libhealth beside haproxy and keepalived, in one run, on one core.

    bench_health.py --ours PROGRAM [--rounds N] [--seconds N] [--targets N] [--tls-targets N] [--one-cpu]

Everything lives in a network namespace of its own. nginx is the server, on the second core; the checker has the first. Each is
asked for more than it can do by TCP and HTTP (TARGETS servers every 20 ms), and by TLS for what server and checkers alike can do
(TLS_TARGETS every second): a server that cannot keep up lets handshakes time out, which would cost a checker nothing. A check is a connection: the kernel counts
them (Tcp ActiveOpens), CPU is the checker's own time, so all are measured by the same rule from outside.
TLS is measured as both come, of version 1.2 at most, and without resumption. The checkers take turns; of each figure the median is shown, with the least and the most.

keepalived makes no check without IPVS in the kernel. Where there is none, tools/bench runs this a second time, with
--one-cpu, in user-mode Linux: all three checkers and the server share its one slow CPU, so its figures are for ratios only.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PORTS = {"tcp": 20080, "http": 20080, "tls": 20443, "tls-1.2": 20443, "tls-full": 20443}
ADDRESS = [f"127.0.{1 + i // 256}.{i % 256}" for i in range(20000)]


def inside():
    """Again, in a network namespace of our own."""
    if os.environ.get("BENCH_HEALTH_INSIDE") != str(os.getppid()):
        env = dict(os.environ, BENCH_HEALTH_INSIDE=str(os.getpid()))
        sys.exit(subprocess.call(["unshare", "-n", "--", sys.executable, *sys.argv], env=env))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def active_opens():
    lines = [line.split() for line in pathlib.Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")]
    return int(dict(zip(*lines))["ActiveOpens"])


def fields(pid):
    """Of /proc/PID/stat, those behind the name: state, parent …"""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(pid):
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents.setdefault(int(fields(entry.name)[1]), []).append(int(entry.name))
        except OSError:
            pass
    found = [pid]
    for p in found:
        found += parents.get(p, [])
    return found


def cpu_seconds(pid):
    """To the nanosecond; where the kernel does not count so (user-mode Linux), to its ticks."""
    total = 0
    for p in tree(pid):
        try:
            tasks = list(pathlib.Path(f"/proc/{p}/task").glob("*/schedstat"))
            if tasks:
                total += sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
            else:
                total += sum(int(ticks) for ticks in fields(p)[11:13]) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
    return total


def on_cpu(number, one_cpu):
    return [] if one_cpu else ["taskset", "-c", str(number)]


def nginx(folder, one_cpu):
    crt, key = folder / "crt.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=bench", "-keyout", key, "-out", crt], check=True, capture_output=True)
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null crit; user root;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; keepalive_timeout 0; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen {PORTS["http"]} backlog=8192; return 200 "fine\\n"; }}
  server {{ listen {PORTS["tls"]} ssl backlog=8192; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {crt}; ssl_certificate_key {key}; return 200 "fine\\n"; }}
}}
""")
    server = subprocess.Popen([*on_cpu(1, one_cpu), "nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    time.sleep(1)
    return server


def haproxy(folder, mode, targets, interval):
    option = "option httpchk GET /" if mode == "http" else ""
    tls = "check-ssl verify none" if mode.startswith("tls") else ""
    reuse = {"tls-full": "no-ssl-reuse", "tls-1.2": "ssl-max-ver TLSv1.2"}.get(mode, "")
    servers = "\n".join(f"  server s{i} {ADDRESS[i]}:{PORTS[mode]} check inter {interval}ms {tls} {reuse}" for i in range(targets))
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 1
  maxconn 8000
defaults
  mode {"http" if mode == "http" else "tcp"}
  timeout connect 2s
  timeout client 2s
  timeout server 2s
  timeout check 2s
listen idle
  bind 127.0.0.1:20001
backend b
  {option}
{servers}
""")
    return ["haproxy", "-db", "-f", conf]


def keepalived(folder, mode, targets, interval):
    check = {"tcp": "TCP_CHECK {{ connect_timeout 2 }}",
             "http": "HTTP_GET {{ connect_timeout 2 url {{ path / status_code 200 }} }}",
             "tls": "SSL_GET {{ connect_timeout 2 url {{ path / status_code 200 }} }}"}.get(mode)
    if not check:
        return None
    check = check.replace("{{", "{\n").replace("}}", "\n}").replace("connect_timeout 2 url", "connect_timeout 2\nurl")
    check = check.replace("path / status_code", "path /\nstatus_code")
    servers = "\n".join(f"real_server {ADDRESS[i]} {PORTS[mode]} {{\nweight 1\n{check}\n}}" for i in range(targets))
    conf = folder / "keepalived.conf"
    conf.write_text(f"global_defs {{\nchecker_log_all_failures false\n}}\nvirtual_server 192.0.2.1 80 {{\ndelay_loop {interval / 1000}\n"
                    f"lb_algo rr\nlb_kind NAT\nprotocol TCP\n{servers}\n}}\n")
    return ["keepalived", "-n", "-C", "-D", "-f", conf, "-p", folder / "k.pid", "-c", folder / "kc.pid"]


def measure(command, args, warm_up):
    """Checks per second and microseconds of CPU per check, in the middle of a run."""
    p = subprocess.Popen([*on_cpu(0, args.one_cpu), *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         start_new_session=True)
    try:
        time.sleep(warm_up)
        opens, cpu, began = active_opens(), cpu_seconds(p.pid), time.monotonic()
        time.sleep(args.seconds)
        opens, cpu, took = active_opens() - opens, cpu_seconds(p.pid) - cpu, time.monotonic() - began
    finally:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    return (opens / took, cpu * 1e6 / opens) if opens > took else (0, 0)


def spread(values):
    return f"{statistics.median(values):.1f} [{min(values):.1f}-{max(values):.1f}]"


def compare(args, folder, mode):
    tls = mode.startswith("tls")
    targets, interval = (args.tls_targets, 1000) if tls else (args.targets, args.interval)
    warm_up = 3 if tls or args.one_cpu else 1.5  # every server has a session by then, keepalived its configuration
    checkers = {"libhealth": [args.ours, mode, PORTS[mode], targets, interval, args.seconds + 5]}
    if shutil.which("haproxy"):
        checkers["haproxy"] = haproxy(folder, mode, targets, interval)
    if shutil.which("keepalived") and not args.no_keepalived and keepalived(folder, mode, 1, 1):
        checkers["keepalived"] = keepalived(folder, mode, min(targets, 500), interval)
    figures = {name: [] for name in checkers}
    for _ in range(args.rounds):
        for name, command in checkers.items():
            figures[name].append(measure(command, args, warm_up))
    for name, of in figures.items():
        rates, costs = zip(*of)
        if not any(rates):
            print(f"{mode:9} {name:11} not measured: it made no connection" +
                  (" (it needs IPVS in the kernel)" if name == "keepalived" else ""), flush=True)
            args.no_keepalived |= name == "keepalived"
            continue
        print(f"{mode:9} {name:11} {spread(rates):>30} {spread(costs):>26}", end="")
        if tls and min(rates) < 0.9 * targets:
            print("   it made fewer than asked: handshakes timed out, and the CPU says nothing", end="")
        if name != "libhealth":
            pairs = list(zip(figures["libhealth"], of))
            rate = statistics.median(a[0] / b[0] for a, b in pairs if b[0])
            cost = statistics.median(a[1] / b[1] for a, b in pairs if b[1])
            print(f"   libhealth / {name}: {rate:.2f} of the rate, {cost:.2f} of the CPU", end="")
        print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ours", required=True, help="build/tests/bench/bench_health")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--interval", type=int, default=20, help="milliseconds between two checks of a server, by TCP and HTTP")
    parser.add_argument("--tls-targets", type=int, default=600)
    parser.add_argument("--modes", default="tcp,http,tls,tls-1.2,tls-full")
    parser.add_argument("--one-cpu", action="store_true", help="server and checkers share one")
    parser.add_argument("--no-keepalived", action="store_true", help="leave it out")
    args = parser.parse_args()
    inside()
    with tempfile.TemporaryDirectory(prefix="bench-health-") as name:
        folder = pathlib.Path(name)
        server = nginx(folder, args.one_cpu)
        try:
            load = re.split(r"\s", pathlib.Path("/proc/loadavg").read_text())[0]
            print(f"{args.targets} targets ({args.tls_targets} by TLS), one core{' for all' if args.one_cpu else ''}, "
                  f"{args.rounds} rounds of {args.seconds} s; load before: {load}", flush=True)
            print(f"{'probe':9} {'checker':11} {'checks/s':>30} {'CPU us/check':>26}")
            for peer in ["haproxy"] + ([] if args.no_keepalived else ["keepalived"]):
                if not shutil.which(peer):
                    print(f"{peer} is left out, it is not installed: apt-get install {peer}")
            for mode in args.modes.split(","):
                compare(args, folder, mode)
            if not args.one_cpu:
                subprocess.run(["taskset", "-c", "0", args.ours, "burst", str(PORTS["tcp"])], check=False)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
