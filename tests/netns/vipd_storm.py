#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_storm.py VIPD: a thousand servers fail within a second, as when a switch dies: all of them leave, in few transactions of nftables.

One in 20 ms at most, whatever the machine does meanwhile: the kernel process rests so long between two."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

VIRTUALS, EACH, PORT = 100, 10, 8000
ALL = VIRTUALS * EACH


def conf():
    text = ""
    for v in range(VIRTUALS):
        text += f"virtual_server 10.9.0.100 {1000 + v} {{\n    delay_loop 1\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n"
        for n in range(v * EACH, (v + 1) * EACH):
            text += f"    real_server 127.1.{n // 250}.{n % 250 + 1} {PORT} {{\n        TCP_CHECK {{\n            connect_timeout 5\n            retry 0\n            warmup 0\n        }}\n    }}\n"
        text += "}\n"
    return text


def serve(listener):
    try:
        while True:
            listener.accept()[0].close()
    except OSError:
        pass  # it was closed


def wait_for(what, true, process, log):
    end = time.monotonic() + 60
    while not true():
        if time.monotonic() > end or process.poll() is not None:
            sys.exit(f"does not come: {what}\n" + log.read_text()[-3000:])
        time.sleep(0.1)


def main(vipd):
    listener = socket.create_server(("0.0.0.0", PORT), backlog=8192)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="hwstorm") as folder:
        os.chdir(folder)
        log = pathlib.Path("log")
        pathlib.Path("conf").write_text(conf())
        with log.open("w") as out:
            process = subprocess.Popen([vipd, "-C", "-n", "-l", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid"], stdout=out, stderr=out)
        try:
            wait_for("the servers in nftables", lambda: re.search(r"virtual servers, at start: \d+ changes by nftables", log.read_text()), process, log)
            begun = time.monotonic()
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            wait_for("all have left", lambda: log.read_text().count("Removing service") == ALL and log.read_text().count("Lost quorum") == VIRTUALS, process, log)
            wait_for("nftables without them", lambda: "127.1." not in subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout, process, log)
            gone = time.monotonic()
            changes = [int(n) for n in re.findall(r"after checks: (\d+) changes by nftables", log.read_text())]
            print(f"{ALL} failures: {len(changes)} transactions, {sum(changes)} changes")
            assert len(changes) < 2 + 50 * (gone - begun), changes  # one in 20 ms
        finally:
            process.terminate()
            process.wait(30)


if os.geteuid() != 0:
    print("skipped: needs root")
    sys.exit(77)
if sys.argv[2:] != ["inside"]:
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
main(sys.argv[1])
