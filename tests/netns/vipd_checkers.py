#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_checkers.py VIPD: SSL_GET, digest, regex, UDP_CHECK, PING_CHECK, MISC_CHECK with weights, several hosts of SMTP_CHECK,
marked checks, checks that virtual servers share; each against a server that turns bad and good again.

nginx serves HTTP and TLS. Everything is on the loopback of a network namespace of its own.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PAGE = b"<html>as it was</html>\n"
NGINX = """
daemon off; master_process off; pid FOLDER/nginx.pid; error_log FOLDER/nginx.log;
events {}
http {
    access_log FOLDER/access.log;
    client_body_temp_path FOLDER/t1; proxy_temp_path FOLDER/t2; fastcgi_temp_path FOLDER/t3; uwsgi_temp_path FOLDER/t4;
    scgi_temp_path FOLDER/t5;
    server {
        listen 127.0.0.1:8080; root FOLDER;
    }
    server {
        listen 127.0.0.1:8443 ssl; ssl_certificate FOLDER/cert; ssl_certificate_key FOLDER/key;
        location / { return 200 "asked for $ssl_server_name, $host"; }
        location /state { root FOLDER; }
    }
}
"""
CONF = """
global_defs { checker_log_all_failures }
SSL {
    certificate FOLDER/leaf
    key FOLDER/leafkey
    ca FOLDER/inter
}
track_file sick { file FOLDER/sick }
virtual_server 10.255.0.1 80 {
    lb_algo wrr
    lb_kind NAT
    protocol TCP
    delay_loop 0.2
    retry 0
    warmup 0
    delay_before_retry 0.1
    virtualhost www.example
    real_server 127.0.0.1 8443 {
        SSL_GET {
            enable_sni
            url { path /
                regex "ASKED for www\\.example, www\\.example$"
                regex_options caseless }
            url { path /state
                status_code 200 }
        }
    }
    real_server 127.0.0.1 8444 {
        SSL_GET { url { path /quiet } }
    }
    real_server 127.0.0.2 8444 {
        SSL_GET { tls_compliant
            url { path /polite } }
    }
    real_server 127.0.0.1 8080 {
        HTTP_GET { url { path /page
            digest DIGEST } }
    }
    real_server 127.0.0.2 8080 {
        HTTP_GET { connect_ip 127.0.0.1
            url { path /page
                regex "not as it was"
                regex_no_match } }
    }
    real_server 127.0.0.1 8001 {
        UDP_CHECK { payload 01 02 3
            require_reply 0A XX 0c
            min_reply_length 3
            max_reply_length 4
            connect_timeout 0.3 }
    }
    real_server 10.9.9.9 8002 { PING_CHECK { connect_timeout 0.3 } }
    real_server 127.0.0.1 8003 {
        weight 7
        MISC_CHECK { misc_path "FOLDER/weigh"
            misc_dynamic
            user root }
    }
    real_server 127.0.0.1 8004 {
        SMTP_CHECK { helo_name lb.example
            host { connect_port 8025 }
            host { connect_port 8026 } }
    }
    real_server 127.0.0.1 8007 { TCP_CHECK { fwmark 7
        connect_timeout 0.3 } }
    real_server 127.0.0.1 8005 { HTTP_GET { url { path /shared } } }
    real_server 127.0.0.1 8008 {
        weight 5
        FILE_CHECK { track_file sick
            weight 0 }
        FILE_CHECK { track_file sick
            weight 3 reverse }
    }
}
virtual_server 10.255.0.1 81 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    delay_loop 0.2
    retry 0
    warmup 0
    delay_before_retry 0.1
    virtualhost www.example
    real_server 127.0.0.1 8005 { HTTP_GET { url { path /shared } } }
}
"""
good = threading.Event()
shared = []


def stream(port, talk, address="127.0.0.1"):
    with socket.create_server((address, port)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                try:
                    talk(peer)
                except OSError:
                    pass


def http(peer):
    peer.recv(4096)
    shared.append(time.monotonic())
    peer.sendall(b"HTTP/1.0 %s\r\n\r\n" % (b"200 OK" if good.is_set() else b"500 Sick"))


ends = {}


def https(folder):
    """Wants a certificate whose chain ends with ours, and notes for each path whether the connection ended with close_notify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    context.load_verify_locations(folder / "cert")
    context.verify_mode = ssl.CERT_REQUIRED

    def talk(peer):
        peer.settimeout(5)
        with context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False) as s:
            path = s.recv(4096).split()[1].decode()
            s.sendall(b"HTTP/1.0 %s\r\nContent-Length: 0\r\n\r\n" % (b"200 OK" if good.is_set() else b"500 Sick"))
            try:
                ends[path] = not s.recv(1)
            except OSError:
                ends[path] = False

    return talk


def smtp(peer):
    peer.sendall(b"220 ready\r\n")
    peer.recv(100)
    peer.sendall(b"250 mail\r\n")


def sick_smtp(peer):
    peer.sendall(b"220 ready\r\n" if good.is_set() else b"421 busy\r\n")
    peer.recv(100)
    peer.sendall(b"250 mail\r\n")


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 8001))
        while True:
            query, peer = s.recvfrom(512)
            assert query == b"\1\2\3", query
            s.sendto(b"\x0a\x77\x0c" if good.is_set() else b"\x0a\x77\x0d", peer)


def run(*words):
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)


def wait_for(what, true, show=lambda: ""):
    for _ in range(300):
        if true():
            return
        time.sleep(0.05)
    sys.exit(f"not so after 15 s: {what} {show()}")


def ask(vipd, folder, *words):
    lbctl = pathlib.Path(vipd).parent.parent / "lbctl" / "lbctl"
    return subprocess.run([lbctl, "-s", folder / "control", *words], capture_output=True, text=True)


def reals(vipd, folder):
    out = ask(vipd, folder, "--json", "show")
    if out.returncode:
        return {}
    found = {}
    for virtual in json.loads(out.stdout)["virtual_servers"]:
        for real in virtual["real_servers"]:
            found[virtual["name"] + " " + real["name"]] = real
    return found


def set_all(folder, well):
    (good.set if well else good.clear)()
    (folder / "page").write_bytes(PAGE if well else b"not as it was\n")
    (folder / "exit").write_text("12" if well else "1")
    (folder / "sick").write_text("0" if well else "1")
    run("nft", "flush chain inet t o")
    if well:
        (folder / "state").write_text("ok")
        run("ip", "address", "add", "10.9.9.9/32", "dev", "lo")
        run("nft", "add rule inet t o tcp dport 8007 meta mark != 7 reject")
    else:
        (folder / "state").unlink()
        run("ip", "address", "del", "10.9.9.9/32", "dev", "lo")
        run("nft", "add rule inet t o tcp dport 8007 reject")


def talk(vipd, daemon, folder, log):
    def states():
        return {name: real["state"] for name, real in reals(vipd, folder).items()}

    wait_for("vipd answers", lambda: len(states()) == 13)
    for well in (False, True, False):
        if well != good.is_set():
            set_all(folder, well)
        want = "up" if well else "down"
        wait_for(f"all are {want}", lambda: set(states().values()) == {want}, lambda: f"{states()}\n{log.read_text()}")
    wait_for("tls_compliant ends with close_notify, others do not", lambda: ends == {"/quiet": False, "/polite": True}, lambda: ends)
    status = ask(vipd, folder, "status").stdout
    assert re.search(r"^  127.0.0.1:8003 +down +MISC_CHECK exit status 1, \d+ s ago$.*^  127.0.0.1:8004 +down +SMTP_CHECK L7STS, 421 busy, \d+ s ago$", status, re.M | re.S), status
    set_all(folder, True)
    wait_for("all are well again", lambda: set(states().values()) == {"up"})
    weights = {name: real["weight_in_use"] for name, real in reals(vipd, folder).items()}
    assert weights["10.255.0.1:80 127.0.0.1:8003"] == 10, weights
    (folder / "exit").write_text("22")
    wait_for("the weight follows the exit code",
             lambda: reals(vipd, folder)["10.255.0.1:80 127.0.0.1:8003"]["weight_in_use"] == 20)
    (folder / "exit").write_text("0")
    wait_for("0 is the configured weight",
             lambda: reals(vipd, folder)["10.255.0.1:80 127.0.0.1:8003"]["weight_in_use"] == 7)
    # Two virtual servers, one question: no two come closer than delay_loop. A reload may come between two.
    gaps = [b - a for a, b in zip(shared, shared[1:])]
    assert len(gaps) > 3 and min(gaps) > 0.05, gaps
    # 5 + 2 x 1 - 2 x 3
    conf = folder / "conf"
    conf.write_text(conf.read_text().replace("weight 0 }", "weight 1 }"))
    daemon.send_signal(signal.SIGHUP)
    (folder / "sick").write_text("2")
    wait_for("a file moves the weight", lambda: reals(vipd, folder).get("10.255.0.1:80 127.0.0.1:8008", {}).get("weight_in_use") == 1)
    said = log.read_text()
    for text in [":8443 from VS", "L7STS, HTTP/1.1 404 Not Found", "a check of service", " failed: L7", "8003 of 10.255.0.1:80 failed: exit status 1", "L7STS, 421 busy",
                 "[10.9.9.9]:tcp:8002 from VS", "[127.0.0.1]:tcp:8007 from VS", "quorum"]:
        assert text in said, f"{text} is missing:\n{said}"


def main(vipd):
    if not all(map(shutil.which, ("nginx", "nft", "openssl"))):
        print("skipped: needs nginx, nft and openssl")
        sys.exit(77)
    run("ip", "link", "set", "lo", "up")
    run("nft", "add table inet t; add chain inet t o { type filter hook output priority 0; }")
    pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("1 0")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        set_all(folder, True)
        (folder / "weigh").write_text(f"#!/bin/sh\nexit $(cat {folder}/exit)\n")
        (folder / "weigh").chmod(0o755)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other.example", "-keyout", folder / "key",
            "-out", folder / "cert", "-days", "1")
        for what, by, more in (("inter", "", "critical,CA:TRUE"), ("leaf", "inter", "CA:FALSE")):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={what}.example", "-keyout", folder / f"{what}key",
                "-out", folder / what, "-days", "1", "-CA", folder / (by or "cert"), "-CAkey", folder / f"{by}key", "-addext", f"basicConstraints={more}")
        (folder / "nginx.conf").write_text(NGINX.replace("FOLDER", name))
        digest = hashlib.md5(PAGE).hexdigest()
        (folder / "conf").write_text(CONF.replace("FOLDER", name).replace("DIGEST", digest))
        for port, serve in ((8005, http), (8007, lambda peer: None), (8025, smtp), (8026, sick_smtp)):
            threading.Thread(target=stream, args=(port, serve), daemon=True).start()
        threading.Thread(target=udp, daemon=True).start()
        threading.Thread(target=stream, args=(8444, https(folder), ""), daemon=True).start()
        nginx = subprocess.Popen(["nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
        log = folder / "log"
        with log.open("w") as out:
            daemon = subprocess.Popen([vipd, "-n", "-l", "-D", "-G", "-C", "-f", "conf", "-p", "p", "-r", "r", "-c", "c",
                                       "--control", folder / "control"], cwd=folder, stdout=out, stderr=out)
        try:
            talk(vipd, daemon, folder, log)
        finally:
            daemon.terminate()
            daemon.wait(30)
            nginx.send_signal(signal.SIGTERM)
            nginx.wait(30)


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1])
