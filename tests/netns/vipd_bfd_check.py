#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_bfd_check.py VIPD: a BFD_CHECK without any vrrp_instance, against a neighbour that another vipd plays, whose instance
tracks it. Two network namespaces of their own.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BFD = "bfd_instance to {{ neighbor_ip {0}\n source_ip {1}\n min_rx 50\n min_tx 50\n multiplier 255 }}\n"
DIRECTOR = BFD.format("10.7.0.2", "10.7.0.1") + """
virtual_server 10.7.0.100 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.7.0.2 80 { BFD_CHECK { name to } }
    real_server 10.7.0.3 80 { BFD_CHECK { name nobody } }
}
"""
NEIGHBOUR = BFD.format("10.7.0.1", "10.7.0.2") + """
vrrp_instance V {
    interface v1
    virtual_router_id 9
    virtual_ipaddress { 10.7.0.99 }
    track_bfd { to }
}
"""


def main(vipd):
    holder = subprocess.Popen(["unshare", "-n", "sleep", "100"])
    inside = ["nsenter", "-t", str(holder.pid), "-n"]
    while os.readlink(f"/proc/{holder.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.02)
    for words in (["ip", "link", "set", "lo", "up"], f"ip link add v0 type veth peer name v1 netns {holder.pid}".split(),
                  "ip addr add 10.7.0.1/24 dev v0".split(), "ip link set v0 up".split(),
                  [*inside, *"ip addr add 10.7.0.2/24 dev v1".split()], [*inside, *"ip link set v1 up".split()]):
        subprocess.run(words, check=True)
    running = []

    def start(name, conf, prefix=()):
        folder = pathlib.Path(name)
        folder.mkdir(exist_ok=True)
        (folder / "conf").write_text(conf)
        with (folder / "log").open("a") as out:
            process = subprocess.Popen([*prefix, vipd, "-n", "-l", "-D", "-G", "-f", "conf", "-p", "p", "-r", "r", "-c", "c"],
                                       cwd=folder, stdout=out, stderr=out)
        running.append(process)
        return process

    def said(text, count=1):
        for _ in range(300):
            if pathlib.Path("director/log").read_text().count(text) >= count:
                return
            time.sleep(0.05)
        sys.exit(f"the director does not say {text}:\n" + "\n".join(p.read_text() for p in pathlib.Path(".").glob("*/log")))

    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            director = start("director", DIRECTOR)
            said('there is no bfd_instance "nobody"')
            said("Removing service [10.7.0.2]:tcp:80 from VS [10.7.0.100]:tcp:80: a check of it is known to fail")  # until the neighbour is heard, as with keepalived
            neighbour = start("neighbour", NEIGHBOUR, inside)
            said("bfd_instance to: up")
            said("to VS [10.7.0.100]:tcp:80: BFD is up")
            neighbour.send_signal(signal.SIGTERM)
            neighbour.wait(30)
            said("from VS [10.7.0.100]:tcp:80: BFD is down")
            start("neighbour", NEIGHBOUR, inside)
            said("to VS [10.7.0.100]:tcp:80: BFD is up", 2)
            # A reload: the neighbour notices nothing, and the server stays.
            director.send_signal(signal.SIGHUP)
            time.sleep(1)
            log = pathlib.Path("director/log").read_text()
            assert log.count("Removing service [10.7.0.2]:tcp:80") == 2 and director.poll() is None, log
        finally:
            for process in (*running, holder):
                process.terminate()
                process.wait(30)
            os.chdir("/")


if os.geteuid() != 0 or not shutil.which("nsenter"):
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1])
