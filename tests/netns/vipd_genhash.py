#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_genhash.py VIPD: the same hashes as keepalived's genhash, over HTTP and TLS, of several versions and answers; and words
where keepalived has none. Everything is on the loopback of a network namespace of its own.
"""
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

NGINX = """
daemon off; master_process off; pid FOLDER/nginx.pid; error_log FOLDER/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/t1; proxy_temp_path FOLDER/t2; fastcgi_temp_path FOLDER/t3; uwsgi_temp_path FOLDER/t4;
    scgi_temp_path FOLDER/t5;
    server {
        listen 127.0.0.1:8080; root FOLDER;
        listen 127.0.0.1:8443 ssl; ssl_certificate FOLDER/cert; ssl_certificate_key FOLDER/key;
        location /who { return 200 "$host $ssl_server_name"; }
    }
}
"""


def chunks():
    with socket.create_server(("127.0.0.1", 8081)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def genhash(program, *words):
    return subprocess.run([program, "--genhash", *words], capture_output=True, text=True, timeout=30)


def main(vipd):
    subprocess.run("ip link set lo up".split(), check=True)
    keepalived = shutil.which("keepalived")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "page").write_bytes(b"<html>hello</html>\n")
        (folder / "empty").write_bytes(b"")
        (folder / "large").write_bytes(os.urandom(300000))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=x", "-keyout", folder / "key", "-out", folder / "cert", "-days", "1"],
                       check=True, stderr=subprocess.DEVNULL)
        (folder / "conf").write_text(NGINX.replace("FOLDER", name))
        nginx = subprocess.Popen(["nginx", "-c", folder / "conf"], stderr=subprocess.DEVNULL)
        threading.Thread(target=chunks, daemon=True).start()
        try:
            for _ in range(100):
                if not socket.socket().connect_ex(("127.0.0.1", 8443)):
                    break
                time.sleep(0.05)
            asked = 0
            for path in ("/page", "/large", "/who", "/missing"):
                for more in ([], ["-P", "1.1"], ["-P", "1.0c", "-V", "www.example"], ["--use-ssl"], ["-S", "-I", "-V", "a.example"]):
                    port = "8443" if "-S" in more or "--use-ssl" in more else "8080"
                    words = ["-s", "127.0.0.1", "-p", port, "-u", path, *more]
                    ours = genhash(vipd, *words)
                    assert ours.returncode == 0 and len(ours.stdout) == 33, (words, ours)
                    asked += 1
                    if keepalived:
                        theirs = genhash(keepalived, *words)
                        assert ours.stdout == theirs.stdout, (words, ours.stdout, theirs.stdout)
            where = ["-s", "127.0.0.1", "-p", "8080", "-u"]
            assert genhash(vipd, *where, "/empty").stdout.strip() == hashlib.md5(b"").hexdigest()
            # The content, not how it was cut: keepalived hashes the sizes of chunks, too.
            ours = genhash(vipd, "-s", "127.0.0.1", "-p", "8081", "-u", "/", "-P", "1.1")
            assert ours.stdout.strip() == hashlib.md5(b"abcde").hexdigest(), ours
            shown = genhash(vipd, *where, "/page", "-v").stdout
            assert "<html>hello</htm" in shown and hashlib.md5(b"<html>hello</html>\n").hexdigest() in shown, shown
            os.symlink(os.path.abspath(vipd), folder / "genhash")
            named = subprocess.run([folder / "genhash", *where, "/page"], capture_output=True, text=True, check=True)
            assert named.stdout == genhash(vipd, *where, "/page").stdout
            for words, text in ((["-s", "127.0.0.1", "-p", "9", "-u", "/"], "Connection refused"), ([*where, "page"], '-u does not take "page"'),
                                (["-u", "/"], "needs -s ADDRESS"), ([*where, "/page", "-S"], "L6")):
                failed = genhash(vipd, *words)
                assert failed.returncode == 1 and text in failed.stderr and not failed.stdout, (words, failed)
            print(f"{asked} hashes{', the same as keepalived' if keepalived else ''}")
        finally:
            nginx.terminate()
            nginx.wait(30)


if os.geteuid() != 0 or not all(map(shutil.which, ("nginx", "openssl"))):
    print("skipped: needs root, nginx and openssl")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1])
