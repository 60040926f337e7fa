# SPDX-License-Identifier: MIT
"""Certificates of a small authority of our own, and clients that say what they saw."""
import functools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

from support import WAIT


def openssl(*args, data=b"", check=True):
    r = subprocess.run(["openssl", *args], input=data, capture_output=True, timeout=WAIT)
    if check and r.returncode:
        raise AssertionError(f"openssl {args[0]}: {r.stderr.decode()}")
    return r.stdout


class Authority:
    """Makes NAME.pem (certificate, key) in a folder that goes with it."""

    def __init__(self, name="our authority"):
        self.folder = tempfile.mkdtemp(prefix="proxyd-tls.")
        self.ca, self.ca_key = self.path("ca.crt"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10",
                "-subj", f"/CN={name}", "-keyout", self.ca_key, "-out", self.ca)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, file, names, subject=None, key="ec", days=10):
        """Its path. `names` go into the extension."""
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["-newkey", "rsa:2048"]
        base = self.path(file)
        openssl("req", *kind, "-nodes", "-subj", subject or f"/CN={names[0]}", "-keyout", base + ".k", "-out", base + ".csr")
        with open(base + ".ext", "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in names))
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                "-days", str(days), "-extfile", base + ".ext", "-out", base + ".c")
        with open(base + ".c") as c, open(base + ".k") as k, open(base, "w") as f:
            f.write(c.read() + k.read())
        return base

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def with_a_strange_key(pem):
    """The certificate, its key (EC) named by an algorithm that there is not."""
    der = ssl.PEM_cert_to_DER_cert(pem)
    ours, strange = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f")
    assert der.count(ours) == 1
    return ssl.DER_cert_to_PEM_cert(der.replace(ours, strange))


def context(ca=None, cert=None, alpn=None, low=None, high=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        c.load_verify_locations(ca)
    if cert:
        c.load_cert_chain(cert)
    if alpn:
        c.set_alpn_protocols(alpn)
    if low:
        c.minimum_version = low
    if high:
        c.maximum_version = high
    return c


def connect(port, name=None, ctx=None, session=None, timeout=WAIT):
    s = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    try:
        return (ctx or context()).wrap_socket(s, server_hostname=name, session=session)
    except BaseException:
        s.close()
        raise


def serial(port, name=None, ctx=None):
    """Of the certificate that is shown: its serial number in hexadecimal."""
    with connect(port, name, ctx) as s:
        return serial_of(ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode())


def serial_of(pem):
    if isinstance(pem, str):
        with open(pem, "rb") as f:
            pem = f.read()
    return serial_in(pem)


@functools.cache  # a program to start for each connection is what would take longest
def serial_in(pem):
    return openssl("x509", "-noout", "-serial", data=pem).decode().strip().split("=")[1]


def get(s, path="/", host="x", headers=""):
    """One request on a connection that stays: status and body."""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            return None, data
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    length = [int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")]
    while len(body) < (length or [0])[0]:
        body += s.recv(65536)
    return int(head.split()[1]), body.decode(errors="replace")


def show_headers(server, c):
    """Answers each request with its own X- headers, and counts."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            part = c.recv(65536)
            if not part:
                return
            data += part
        head, data = data.split(b"\r\n\r\n", 1)
        server.counted()
        lines = [l for l in head.decode().split("\r\n") if l.lower().startswith("x-")]
        body = "\n".join(sorted(l.split(":")[0].lower() + ":" + l.split(":", 1)[1].strip() for l in lines)).encode()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
