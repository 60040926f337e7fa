#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that mean no good, certificates that change, and what the log says:   tls_hostile.py PROXYD"""
import os
import random
import signal
import socket
import ssl
import subprocess
import time

from support import Proxy, Server, main, own_network, until
from tls_support import Authority, connect, context, get, serial, serial_of, show_headers, with_a_strange_key
from tls_twin import http

LOGGED = """
global
    log stdout format raw daemon
    maxconn 500
    nbthread 1
defaults
    log global
    option httplog
    mode http
    timeout connect 1s
    timeout client 1s
    timeout http-request 1s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port} ssl crt {crt}
    default_backend b
backend b
    server s 127.0.0.1:{server}
"""


def logged(crt, server):
    return LOGGED.replace("{crt}", crt).replace("{server}", str(server.port))


def client_hello():
    """What a client says first."""
    out = ssl.MemoryBIO()
    tls = context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="default.example")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def still_serves(p):
    with connect(p.port) as s:
        assert get(s)[0] == 200


def ends(s):
    try:
        while s.recv(4096):
            pass
    except OSError:
        pass


def test_garbage_is_no_handshake(binary):
    hello, dice = client_hello(), random.Random(7)
    with Proxy(binary, logged(AUTHORITY.default, Server(show_headers))) as p:
        for i in range(300):
            bad = bytearray(hello)
            if i % 3 == 0:
                bad = bytearray(dice.randbytes(dice.randrange(1, 600)))
            elif i % 3 == 1:
                for _ in range(dice.randrange(1, 6)):
                    bad[dice.randrange(len(bad))] = dice.randrange(256)
            else:
                bad = bad[:dice.randrange(1, len(bad))]
            with p.connect() as s:
                s.sendall(bad)
                s.shutdown(socket.SHUT_WR)
                ends(s)
        still_serves(p)
        until("the log says so", lambda: "SSL handshake failure (" in p.text())
        with p.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            ends(s)
        until("it is named", lambda: "f/1: SSL handshake failure (http request)" in p.text())


TOLD = ("c_ca_err c_chain_der c_der c_s_dn c_used c_verify f_serial fc_alg_keysize fc_alpn fc_cipher fc_cipherlist_str fc_client_random fc_curve "
        "fc_eclist_bin fc_err_str fc_exporter_secret fc_extlist_bin fc_has_sni fc_is_resumed fc_protocol fc_protocol_hello_id fc_server_random "
        "fc_session_id fc_session_key fc_sni fc_unique_id fc_use_keysize")


def test_whatever_is_asked_of_garbage_can_be_told(binary):
    hello = client_hello()
    told = 'error-log-format "= ' + " ".join(f"%[ssl_{name}]" for name in TOLD.split()) + '"\n    default_backend'
    text = logged(AUTHORITY.default, Server(show_headers)).replace("default_backend", told)
    with Proxy(binary, text.replace("nbthread 1", "nbthread 1\n    tune.ssl.capture-buffer-size 200\n    tune.ssl.keylog on")) as p:
        for n, bad in enumerate((b"", b"GET / HTTP/1.1\r\n\r\n", hello[:100], hello, hello + bytes(9)), 1):
            with p.connect() as s:
                s.sendall(bad)
                s.shutdown(socket.SHUT_WR)
                ends(s)
            until("it is told", lambda: p.text().count("= ") == n)
        still_serves(p)


def test_a_name_of_any_shape_is_survived(binary):
    hello = client_hello()
    at = hello.index(b"default.example")
    with Proxy(binary, logged(AUTHORITY.default, Server(show_headers))) as p:
        for name in (b"\0efault.example", b"default.exampl\0", b"...............", b"***************", b"\xff" * 15):
            with p.connect() as s:
                s.sendall(hello[:at] + name + hello[at + 15:])
                assert s.recv(1)
        for bad in ((at - 2, 0xff), (at - 1, 0xff), (at - 1, 0), (at - 3, 7), (at - 5, 0xff)):
            one = bytearray(hello)
            one[bad[0]] = bad[1]
            with p.connect() as s:
                s.sendall(one)
                s.shutdown(socket.SHUT_WR)
                ends(s)
        still_serves(p)


def test_who_says_nothing_is_sent_away(binary):
    hello = client_hello()
    with Proxy(binary, logged(AUTHORITY.default, Server(show_headers))) as p:
        waiting = [p.connect() for _ in range(100)]
        for i, s in enumerate(waiting):
            s.sendall(hello[:i * 5])
        still_serves(p)
        began = time.monotonic()
        for s in waiting:
            ends(s)
            s.close()
        assert time.monotonic() - began < 5
        still_serves(p)
        until("descriptors are given back", lambda: p.descriptors() < 40)


def test_a_hello_byte_by_byte_is_taken(binary):
    with Proxy(binary, logged(AUTHORITY.default, Server(show_headers))) as p, p.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in client_hello():
            s.sendall(bytes([byte]))
        assert s.recv(5)[0] == 22


def test_renegotiation_is_refused(binary):
    with Proxy(binary, http(f"crt {AUTHORITY.default}", Server(show_headers))) as p:
        c = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{p.port}"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        c.stdin.write(b"R\n")  # which it reads when it has shaken hands
        c.stdin.flush()
        said = c.stdout.read().decode()
        c.communicate(timeout=10)
        assert "RENEGOTIATING" in said and "no renegotiation" in said, said[-400:]
        still_serves(p)


def test_records_cut_short_harm_nobody(binary):
    with Proxy(binary, http(f"crt {AUTHORITY.default}", Server(show_headers))) as p:
        for i in range(40):
            came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context().wrap_bio(came, goes)
            with p.connect() as s:
                while True:
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        s.sendall(goes.read())
                        came.write(s.recv(65536))
                tls.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                data = bytearray(goes.read())
                if i % 2:
                    data[-1 - i // 2] ^= 1
                    s.sendall(data)
                else:
                    s.sendall(data[:-1 - i // 2])
                    s.shutdown(socket.SHUT_WR)
                ends(s)
        still_serves(p)


def test_a_reload_reads_certificates_again(binary):
    a = AUTHORITY
    crt = a.make("renew.pem", ["renew.example"])
    first = serial_of(crt)
    with Proxy(binary, http(f"crt {crt}", Server(show_headers), threads=2)) as p:
        with connect(p.port) as old:
            assert get(old)[0] == 200 and serial(p.port) == first
            a.make("renew.pem", ["renew.example"])
            second = serial_of(crt)
            p.signal(signal.SIGHUP)
            until("the new certificate is shown", lambda: serial(p.port) == second)
            assert get(old)[0] == 200  # who was there goes on
            with open(crt, "w") as f:
                f.write("no certificate")
            p.signal(signal.SIGHUP)
            until("the fault is told", lambda: "renew.pem: cannot read this certificate" in p.text())
            assert serial(p.port) == second and get(old)[0] == 200


def test_tickets_outlive_a_reload(binary):
    tell = "http-request set-header X-Resumed %[ssl_fc_is_resumed]"
    ctx = context()
    with Proxy(binary, http(f"crt {AUTHORITY.default}", Server(show_headers), tell, threads=2)) as p:
        with connect(p.port, "default.example", ctx) as s:
            get(s)
            session = s.session
        p.signal(signal.SIGHUP)
        until("it is read again", lambda: "reloaded:" in p.text())
        with connect(p.port, "default.example", ctx, session) as s:
            assert get(s)[1] == "x-resumed:1"


def test_what_is_wrong_with_files_is_said(binary):
    a = AUTHORITY
    folder = a.path("wrong")
    os.mkdir(folder)
    with open(a.default) as f:
        pem = f.read()
    cert, key = pem[:pem.index("-----BEGIN PRIVATE")], pem[pem.index("-----BEGIN PRIVATE"):]
    with open(a.wild) as f:
        other = f.read()
    locked = subprocess.run(["openssl", "pkey", "-aes128", "-passout", "pass:x"], input=key.encode(), capture_output=True).stdout.decode()
    old = a.make("old.pem", ["old.example"], days=-1)
    files = {
        "nokey": (cert, "there is no private key in it"),
        "mixed": (cert + other[other.index("-----BEGIN PRIVATE"):], "the private key is not that of the first certificate"),
        "nothing": ("", "cannot read this certificate: there is no certificate in it"),
        "locked": (cert + locked, "the private key has a passphrase"),
        "strange": (with_a_strange_key(cert) + key, "the certificate's public key is of a kind that OpenSSL does not know"),
    }
    for name, (text, says) in files.items():
        with open(f"{folder}/{name}.pem", "w") as f:
            f.write(text)
    server = Server(show_headers)
    cfg = a.path("wrong.cfg")
    for bind, code, says in ((f"crt {folder}", 1, [f"{n}.pem: " + t[1] for n, t in files.items()]),
                             (f"crt {old}", 0, ["old.pem: the certificate expired at"]),
                             (f"crt {folder}/none.pem", 1, ["cannot read this certificate: No such file"]),
                             ("", 1, ["needs a certificate"]),
                             (f"crt {a.default} verify required", 1, ["no authority is named"]),
                             (f"crt {a.default} ciphers NONE", 1, ["knows none of these ciphers"])):
        with open(cfg, "w") as f:
            f.write(http(bind, server).replace("{port}", "1"))
        r = subprocess.run([binary, "-c", "-f", cfg], capture_output=True, text=True, timeout=20)
        assert r.returncode == code, (bind, r.stderr)
        for text in says:
            assert r.stderr.count(text) == 1, (text, r.stderr)


def test_a_server_that_fails_tls_is_named(binary):
    def liar(server, c):
        c.recv(100)
        c.sendall(b"HTTP/1.0 400 what\r\n\r\n")

    text = logged(AUTHORITY.default, Server(liar)).replace("server s ", "server s ").replace("timeout server 5s", "timeout server 5s\n    retries 0")
    text = "\n".join(l + " ssl verify none" if l.strip().startswith("server s") else l for l in text.split("\n"))
    with Proxy(binary, text) as p, connect(p.port) as s:
        assert get(s)[0] == 503
        until("the log says why", lambda: "server b/s: TLS handshake failed: " in p.text())


if __name__ == "__main__":
    own_network()
    AUTHORITY = Authority()
    import tls_twin
    try:
        AUTHORITY.default = AUTHORITY.make("default.pem", ["default.example"])
        AUTHORITY.wild = AUTHORITY.make("wild.pem", ["*.wild.test"])
        tls_twin.AUTHORITY = AUTHORITY
        main(globals())
    finally:
        AUTHORITY.close()
