#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_marks.py VIPD: nftables_ipvs: a virtual_server_group is one service by a firewall mark, so that a client stays with one real server on all its
addresses. And what nftables, nftables_priority and nftables_counters make of the table for no_accept. A director and a client.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import socket
import time

CONF = """
global_defs {
    forwarding_backend nft
    WORDS
}
virtual_server_group web {
    10.8.0.100 80
    10.8.0.101 80
    10.8.0.102-103 80
}
virtual_server group web {
    delay_loop 0.2
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    persistence_timeout 600
    real_server 10.8.0.11 80 { TCP_CHECK { connect_timeout 1 } }
    real_server 10.8.0.12 80 { TCP_CHECK { connect_timeout 1 } }
}
virtual_server fwmark 50 {
    lb_algo rr
    lb_kind NAT
    real_server 10.8.0.12 0 { TCP_CHECK { connect_port 80 } }
}
vrrp_instance VI_1 {
    version 3
    state MASTER
    priority 254
    advert_int 0.1
    interface v0
    virtual_router_id 51
    no_accept
    virtual_ipaddress {
        10.8.0.200/24
    }
}
"""
WORDS = """nftables_ipvs marks
    nftables_ipvs_start_fwmark 50
    nftables_ipvs_priority -140
    nftables dropped
    nftables_priority 5
    nftables_counters"""
BY_FILE = """
track_file sick { file "FOLDER/sick" }
virtual_server 10.8.0.100 81 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.8.0.13 81 { FILE_CHECK { track_file sick } }
}
"""
PLACES = ("10.8.0.100", "10.8.0.101", "10.8.0.102", "10.8.0.103")
SERVERS = ("10.8.0.11", "10.8.0.12")
CLIENT = """
import socket, sys
for line in sys.stdin:
    source, address = line.split()
    try:
        with socket.create_connection((address, 80), 3, (source, 0)) as s:
            print(s.recv(20).decode(), flush=True)
    except OSError as e:
        print(e, flush=True)
"""


def serve(address):
    with socket.create_server((address, 80)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(address.encode())


def wait_for(what, true):
    for _ in range(800):
        if true():
            return
        time.sleep(0.05)
    sys.exit(f"not so after 40 s: {what}\n{pathlib.Path('log').read_text()}")


def table(name):
    """As nft(8) shows it, with a number behind its name or without; empty: it is not there."""
    names = subprocess.run(["nft", "list", "tables", "inet"], capture_output=True, text=True, check=True).stdout.split()
    return "".join(subprocess.run(["nft", "list", "table", "inet", n], capture_output=True, text=True).stdout
                   for n in names if n == name or n[:-9] == name)


def numbers(*names):
    return [re.findall(r"# handle (\d+)", subprocess.run(["nft", "-a", "list", "table", "inet", n], capture_output=True, text=True, check=True).stdout)
            for n in names]


def talk(daemon, ask, client):
    wait_for("the group is served", lambda: all(ask("10.8.0.2", place) in SERVERS for place in PLACES))
    servers = {source: {ask(source, place) for place in PLACES} for source in ("10.8.0.2", "10.8.0.3")}
    assert all(len(s) == 1 for s in servers.values()), f"a client of a group has more than one server: {servers}"
    assert servers["10.8.0.2"] != servers["10.8.0.3"], servers
    marks = table("marks")
    assert "hook prerouting priority mangle + 10" in marks, marks
    assert set(re.findall(r"[:] (0x[0-9a-f]+)", marks)) == {"0x00000033"}, marks  # 51: 50 is a virtual server's
    assert re.search(r"counter packets [1-9]", marks), marks
    # The table for no_accept, by its own name.
    wait_for("MASTER", lambda: "10.8.0.200" in subprocess.run(["ip", "addr"], capture_output=True, text=True, check=True).stdout)
    ping = ["nsenter", "-t", str(client), "-n", "ping", "-c1", "-W1", "10.8.0.200"]
    assert subprocess.run(ping, capture_output=True).returncode, "an address with no_accept answers"
    dropped = table("dropped")
    assert "hook input priority filter + 5" in dropped and re.search(r"counter packets [1-9]\d* bytes \d+ drop", dropped), dropped
    assert not table("hawser-vrrp")
    # A reload of what it is changes nothing: each thing has the number that it had, and what is counted goes on.
    before, log = numbers("marks", "dropped"), pathlib.Path("log")
    for n in range(1, 3):
        daemon.send_signal(signal.SIGHUP)
        wait_for("a reload", lambda: log.read_text().count("reloaded conf") == n)
        wait_for("the group is served after it", lambda: ask("10.8.0.2", PLACES[0]) in SERVERS)
    assert numbers("marks", "dropped") == before, (before, numbers("marks", "dropped"))
    assert re.search(r"counter packets [1-9]\d* bytes \d+ drop", table("dropped"))
    # Somebody removes one, or all: they come back, long before the next audit.
    subprocess.run(["nft", "delete", "table", "inet", "marks"], check=True)
    wait_for("the marks come back", lambda: table("marks"))
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    wait_for("the marks come back, and what is dropped", lambda: "0x00000033" in table("marks") and "10.8.0.200" in table("dropped"))
    wait_for("the group is served again", lambda: ask("10.8.0.2", PLACES[0]) in SERVERS)
    assert subprocess.run(ping, capture_output=True).returncode, "an address with no_accept answers"
    # Without the words each line is a service, and the tables have gone.
    conf = pathlib.Path("conf")
    conf.write_text(CONF.replace("WORDS", ""))
    daemon.send_signal(signal.SIGHUP)
    wait_for("the tables go", lambda: not table("marks") and not table("dropped") and "10.8.0.200" in table("hawser-vrrp"))
    wait_for("each line is served", lambda: all(ask("10.8.0.2", place) in SERVERS for place in PLACES))


def start(vipd):
    with open("log", "a") as out:
        return subprocess.Popen([vipd, "-n", "-l", "-D", "-G", "-f", "conf", "-p", "p", "-r", "r", "-c", "c", "--control=control"], stdout=out, stderr=out)


def let_a_file_decide(daemon):
    conf = pathlib.Path("conf")
    pathlib.Path("sick").write_text("0\n")
    conf.write_text(conf.read_text() + BY_FILE.replace("FOLDER", os.getcwd()))
    daemon.send_signal(signal.SIGHUP)
    wait_for("the file's server is served", lambda: "10.8.0.13" in table("hawser"))


def kill_all(daemon):
    """Nobody may tidy up."""
    pids = [daemon.pid, *map(int, subprocess.run(["pgrep", "-P", str(daemon.pid)], capture_output=True, text=True, check=True).stdout.split())]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    daemon.wait(30)


def expect_untouched():
    """What a killed vipd left stays as it is until health has spoken."""
    pathlib.Path("sick").write_text("-255\n")
    wait_for("the file's server gets nothing more", lambda: "destination 10.8.0.13:81 NAT weight 0" in pathlib.Path("log").read_text())
    log = pathlib.Path("log").read_text()
    assert "remove destination" not in log, log


def main(vipd):
    client = subprocess.Popen(["unshare", "-n", sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(source, address):
        client.stdin.write(f"{source} {address}\n")
        return client.stdout.readline().strip()

    ask("127.0.0.1", "127.0.0.1")  # it is in its namespace
    for words in ("ip link set lo up", f"ip link add v0 type veth peer name v1 netns {client.pid}", "ip addr add 10.8.0.1/24 dev v0",
                  *(f"ip addr add {address}/32 dev v0" for address in PLACES + SERVERS), "ip link set v0 up",
                  f"nsenter -t {client.pid} -n ip addr add 10.8.0.2/24 dev v1", f"nsenter -t {client.pid} -n ip addr add 10.8.0.3/24 dev v1",
                  f"nsenter -t {client.pid} -n ip link set v1 up"):
        subprocess.run(words.split(), check=True)
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for address in SERVERS:
        threading.Thread(target=serve, args=(address,), daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        pathlib.Path("conf").write_text(CONF.replace("WORDS", WORDS))
        daemon = start(vipd)
        try:
            talk(daemon, ask, client.pid)
            let_a_file_decide(daemon)
            kill_all(daemon)
            pathlib.Path("log").unlink()
            daemon = start(vipd)
            expect_untouched()
            daemon.terminate()
            daemon.wait(30)
            assert not table("marks") and not table("hawser-vrrp"), "a table stays behind"
        finally:
            for process in (daemon, client):
                process.terminate()
                process.wait(30)
        os.chdir("/")


if os.geteuid() != 0 or not shutil.which("nsenter") or not shutil.which("nft"):
    print("skipped: needs root to make a network namespace, and nft")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1])
