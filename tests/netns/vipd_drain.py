#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_drain.py VIPD: a real server that a reload removes keeps its connections until they end or drain_timeout has passed, and
gets no new ones; ha_suspend checks only while the address is here. A director and a client in network namespaces of their own.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

CONF = """
global_defs {
    forwarding_backend nft
    drain_timeout 3
}
virtual_server 10.8.0.100 80 {
    delay_loop 0.2
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    REALS
}
virtual_server 10.8.0.101 80 {
    delay_loop 0.2
    warmup 0
    retry 0
    ha_suspend
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.8.0.1 9003 { HTTP_GET { url { path / } } }
}
"""
CLIENT = """
import socket, sys
held = []
for line in sys.stdin:
    word, *rest = line.split()
    if word == "open":
        held.append(socket.create_connection(("10.8.0.100", 80), 3))
        held[-1].settimeout(3)
    elif word == "close":
        held[int(rest[0])].close()
    if word in ("open", "say"):
        s = held[int(rest[0]) if rest else -1]
        try:
            s.sendall(b"?")
            print(s.recv(10).decode(), flush=True)
        except OSError as e:
            print(e, flush=True)
    else:
        print("done", flush=True)
"""
asked = []
LBCTL = pathlib.Path(sys.argv[1]).resolve().parent.parent / "lbctl" / "lbctl"


def serve(port):
    def talk(peer):
        with peer:
            while peer.recv(1):
                peer.sendall(str(port).encode())

    with socket.create_server(("0.0.0.0", port)) as listener:
        while True:
            threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


def serve_http():
    with socket.create_server(("0.0.0.0", 9003)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1000)
                asked.append(time.monotonic())
                peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


def configure(*ports):
    pathlib.Path("conf").write_text(CONF.replace("REALS", "\n".join(
        f"real_server 10.8.0.1 {port} {{ TCP_CHECK {{ connect_timeout 1 }} }}" for port in ports)))


def wait_for(what, true):
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    sys.exit(f"not so after 30 s: {what}\n{pathlib.Path('log').read_text()}")


def said(text):
    return pathlib.Path("log").read_text().count(text)


def reload(daemon):
    starts = said("virtual servers, at start") + said("after checks")
    daemon.send_signal(signal.SIGHUP)
    wait_for("the reload", lambda: said("reloaded") or said("virtual servers, at start") + said("after checks") > starts)
    time.sleep(0.3)


def talk(daemon, ask):
    def open_two():
        return {int(ask("open")), int(ask("open"))}

    wait_for("the services", lambda: said("add destination 10.8.0.1:9002"))
    assert open_two() == {9001, 9002}
    first = 0 if ask("say 0") == "9001" else 1
    # 9001 leaves: its connection goes on, new ones go elsewhere.
    configure(9002)
    reload(daemon)
    assert ask(f"say {first}") == "9001", "cut"
    assert open_two() == {9002}
    time.sleep(1.5)
    assert ask(f"say {first}") == "9001", "cut while it drained"
    assert not said("drained: 10.8.0.1:9001")
    ask(f"close {first}")
    wait_for("9001 is drained", lambda: said("drained: 10.8.0.1:9001") and said("remove destination 10.8.0.1:9001"))
    assert not said("cut off")
    # 9002 leaves, and its clients stay for too long.
    configure(9001)
    reload(daemon)
    assert open_two() == {9001}
    wait_for("9002 is cut off", lambda: said("drained: 10.8.0.1:9002") and said("cut off by drain_timeout"))
    # ha_suspend: nobody asks while the address is not here.
    assert not asked, asked
    explained = subprocess.run([LBCTL, "-s", "control", "explain", "10.8.0.1:9003"], capture_output=True, text=True, check=True)
    assert "HTTP_GET rests, for ha_suspend" in explained.stdout, explained
    for words, said_by in ((["drain", "10.8.0.1:901"], 'there is no "10.8.0.1:901": did you mean 10.8.0.1:9001?'),
                           (["drain", "nobody"], 'there is no "nobody": lbctl names real_servers lists what there is'),
                           (["failover", "10.8.0.1:9001"], "lbctl names instances lists what there is"),
                           (["weight", "10.8.0.1:9001", "heavy"], "a weight is a number, or default")):
        refused = subprocess.run([LBCTL, "-s", "control", *words], capture_output=True, text=True)
        assert refused.returncode and said_by in refused.stderr, (words, refused)
    subprocess.run("ip addr add 10.8.0.101/32 dev v0".split(), check=True)
    wait_for("checks begin", lambda: len(asked) > 2)
    subprocess.run("ip addr del 10.8.0.101/32 dev v0".split(), check=True)

    def nobody_asks():
        asked.clear()
        time.sleep(0.6)
        return not asked

    wait_for("checks end", nobody_asks)


def main(vipd):
    client = subprocess.Popen(["unshare", "-n", sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, bufsize=1)

    def ask(line):
        client.stdin.write(line + "\n")
        return client.stdout.readline().strip()

    assert ask("hello") == "done"
    for words in ("ip link set lo up", f"ip link add v0 type veth peer name v1 netns {client.pid}", "ip addr add 10.8.0.1/24 dev v0",
                  "ip addr add 10.8.0.100/32 dev v0", "ip link set v0 up",
                  f"nsenter -t {client.pid} -n ip addr add 10.8.0.2/24 dev v1", f"nsenter -t {client.pid} -n ip link set v1 up"):
        subprocess.run(words.split(), check=True)
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for port in (9001, 9002):
        threading.Thread(target=serve, args=(port,), daemon=True).start()
    threading.Thread(target=serve_http, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        configure(9001, 9002)
        with open("log", "w") as out:
            daemon = subprocess.Popen([vipd, "-n", "-l", "-D", "-G", "-C", "-f", "conf", "-p", "p", "-r", "r", "-c", "c",
                                       "--control=control"],
                                      stdout=out, stderr=out)
        try:
            talk(daemon, ask)
        finally:
            for process in (daemon, client):
                process.terminate()
                process.wait(30)
        os.chdir("/")


if os.geteuid() != 0 or not shutil.which("nsenter"):
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1])
