#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_probes.py VIPD: HTTP_GET, SMTP_CHECK and DNS_CHECK against servers that turn bad and good again.

Everything is on the loopback of a network namespace of its own.
"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

CONF = """
virtual_server 10.255.0.1 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    delay_loop 0.2
    retry 0
    warmup 0
    real_server 127.0.0.1 8001 {
        HTTP_GET {
            http_protocol 1.1
            virtualhost www.example
            url { path /a
                status_code 204 }
            url { path /b }
        }
    }
    real_server 127.0.0.1 8002 {
        SMTP_CHECK {
            helo_name lb.example
        }
    }
    real_server 127.0.0.1 8003 {
        DNS_CHECK {
            type A
            name www.example
        }
    }
}
"""
good = threading.Event()
heard = set()


def stream(port, talk):
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                try:
                    talk(peer)
                except OSError:
                    pass


def http(peer):
    request = peer.recv(4096)
    heard.add(request.split(b"\r\nUser-Agent")[0])
    code = b"503 Busy" if not good.is_set() else b"204 None" if b" /a " in request else b"200 OK"
    peer.sendall(b"HTTP/1.1 " + code + b"\r\nContent-Length: 0\r\n\r\n")


def smtp(peer):
    peer.sendall(b"220-mail\r\n220 ready\r\n" if good.is_set() else b"421 busy\r\n")
    heard.add(peer.recv(100))
    peer.sendall(b"250 mail\r\n")
    heard.add(peer.recv(100))


def dns():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 8003))
        while True:
            query, peer = s.recvfrom(512)
            heard.add(query[2:])
            s.sendto(query[:2] + bytes([0x81, 0 if good.is_set() else 2]) + query[4:], peer)


def wait_for(log, texts):
    for _ in range(300):
        said = log.read_text()
        if all(text in said for text in texts):
            return
        time.sleep(0.1)
    sys.exit(f"vipd does not say {[t for t in texts if t not in said]}:\n{said}")


def main(vipd):
    good.set()
    for serve in (lambda: stream(8001, http), lambda: stream(8002, smtp), dns):
        threading.Thread(target=serve, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        log = folder / "log"
        (folder / "conf").write_text(CONF)
        with log.open("w") as out:
            daemon = subprocess.Popen([vipd, "-n", "-l", "-G", "-C", "-f", "conf", "-p", "p", "-r", "r", "-c", "c"],
                                      cwd=folder, stdout=out, stderr=out)
        try:
            for _ in range(300):
                if len(heard) >= 5:
                    break
                time.sleep(0.1)
            assert "Removing" not in log.read_text(), log.read_text()
            good.clear()
            wait_for(log, [":8001 from VS", "L7STS, HTTP/1.1 503 Busy", ":8002 from VS", "L7STS, 421 busy",
                           ":8003 from VS", "L7STS, SERVFAIL"])
            good.set()
            wait_for(log, [":8001 to VS", ":8002 to VS", ":8003 to VS"])
        finally:
            daemon.terminate()
            daemon.wait(30)
    wanted = {b"GET /a HTTP/1.1\r\nHost: www.example", b"GET /b HTTP/1.1\r\nHost: www.example",
              b"HELO lb.example\r\n", b"QUIT\r\n",
              b"\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1"}
    assert wanted <= heard, wanted - heard


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
main(sys.argv[1])
