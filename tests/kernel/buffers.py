#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""buffers.py KEEPALIVED VIPD, in the guest, whose namespace is the first one: process_monitor_rcv_bufs is what the socket that hears of processes has,
in both; lvs_netlink_cmd_rcv_bufs and lvs_netlink_monitor_rcv_bufs are what vipd's sockets for IPVS and, with ha_suspend, for addresses
have (keepalived 2.2.7's socket for IPVS is as it was).
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

SYS_PIDFD_GETFD = 438
NETLINK_ROUTE, NETLINK_CONNECTOR, NETLINK_GENERIC = 0, 11, 16
CONF = """global_defs {
    lvs_netlink_cmd_rcv_bufs 300000
    lvs_netlink_cmd_rcv_bufs_force on
    lvs_netlink_monitor_rcv_bufs 400000
    lvs_netlink_monitor_rcv_bufs_force on
    process_monitor_rcv_bufs 500000
    process_monitor_rcv_bufs_force on
}
vrrp_track_process well {
    process sleep
    weight 10
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.0.0.100/24
    }
    track_process {
        well
    }
}
virtual_server 10.0.0.100 80 {
    delay_loop 5
    lb_algo rr
    lb_kind NAT
    protocol TCP
    ha_suspend
    real_server 10.0.0.2 80 {
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
"""
libc = ctypes.CDLL(None, use_errno=True)


def buffers(pid):
    """(protocol, bytes) of the netlink sockets of a process and its children; the kernel shows twice what was asked for."""
    found = set()
    for p in [pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        with contextlib.suppress(OSError):  # it ends
            process = os.pidfd_open(p)
            for fd in os.listdir(f"/proc/{p}/fd"):
                copy = libc.syscall(SYS_PIDFD_GETFD, process, int(fd), 0)
                if copy >= 0 and os.readlink(f"/proc/self/fd/{copy}").startswith("socket:"):
                    with socket.socket(fileno=copy) as s:
                        if s.family == socket.AF_NETLINK:
                            found.add((s.proto, s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)))
                elif copy >= 0:
                    os.close(copy)
            os.close(process)
    return found


def expect(program, want):
    log = open("log", "w")
    daemon = subprocess.Popen([program, "-n", "-l", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid"], stdout=log, stderr=log)
    try:
        for _ in range(300):
            if want <= (seen := buffers(daemon.pid)):
                print(f"{program}: {sorted(want)}")
                return
            time.sleep(0.1)
        raise SystemExit(f"{program}: {sorted(seen)}, not {sorted(want)}\n{pathlib.Path('log').read_text()}")
    finally:
        daemon.terminate()
        daemon.wait(60)


programs = [os.path.abspath(shutil.which(p)) for p in sys.argv[1:3]]
os.chdir(os.environ["OUTDIR"])
for module in ("ip_vs", "ip_vs_rr", "veth"):
    subprocess.run(["modprobe", module], check=False)
for line in ("link set lo up", "link add eth0 type veth peer name eth1", "link set eth0 up", "link set eth1 up", "addr add 10.0.0.1/24 dev eth0"):
    subprocess.run(["ip", *line.split()], check=True)
pathlib.Path("conf").write_text(CONF)
expect(programs[0], {(NETLINK_CONNECTOR, 1000000)})
expect(programs[1], {(NETLINK_CONNECTOR, 1000000), (NETLINK_GENERIC, 600000), (NETLINK_ROUTE, 800000)})
