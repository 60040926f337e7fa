#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_rhythm.py VIPD: a reload and an upgrade leave checks that did not change alone: what they counted, what they said last, and when
they are due. One that changed begins at once. Everything is in a network namespace of its own.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

DELAY_S = 300


def configure(folder, timeout_s, weight, old=("8001", "8003")):
    text = f"""global_defs {{
    script_user root
}}
virtual_server 10.255.0.1 80 {{
    lb_algo rr
    lb_kind NAT
    protocol TCP
    delay_loop {DELAY_S}
    warmup 0
    real_server 127.0.0.1 8002 {{ TCP_CHECK {{ connect_timeout {timeout_s} }} }}
    real_server 127.0.0.1 8009 {{
        MISC_CHECK {{ misc_path "{folder}/count"
            user root }}
    }}
"""
    for port in old:
        text += f"""    real_server 127.0.0.1 {port} {{
        weight {weight}
        TCP_CHECK {{ connect_timeout 5 }}
    }}
"""
    (folder / "conf").write_text(text + "}\n")


def call(folder, method, **params):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(folder / "control"))
        s.sendall(json.dumps({"method": method, "params": params}).encode() + b"\n")
        return json.loads(s.makefile("rb").readline())["result"]


def checks(folder):
    """By port: the check of each real server; {} while vipd is not there."""
    try:
        servers = call(folder, "show", virtual_server="10.255.0.1:80")["virtual_servers"][0]["real_servers"]
    except (OSError, ValueError, KeyError):
        return {}
    return {r["name"].split(":")[1]: r["checks"][0] for r in servers}


def upgraded(folder):
    """The new program answers; until then the old one may, or hangs up."""
    try:
        return any(e["type"] == "upgrade" for e in call(folder, "events", limit=100)["events"])
    except (OSError, ValueError, KeyError):
        return False


def wait_for(what, condition, log):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} does not come\n{log.read_text()}")


def assert_same(before, after):
    """Times are counted from another clock each time they are told."""
    for when in ("last", "next"):
        assert abs(before[when] - after[when]) < 0.1, f"{before} became {after}"
    assert before | {"last": 0, "next": 0} == after | {"last": 0, "next": 0}, f"{before} became {after}"


def talk(folder, vipd, daemon, log):
    count = folder / "counted"
    wait_for("the first round", lambda: all(c.get("runs") == 1 for p, c in checks(folder).items() if p != "8009")
             and len(checks(folder)) == 4 and count.exists(), log)
    before = checks(folder)
    assert before["8001"]["state"] == "up" and before["8003"]["state"] == "down", before

    configure(folder, 6, 3, ("8004", "8003", "8001"))
    daemon.send_signal(signal.SIGHUP)
    wait_for("a new check", lambda: checks(folder).get("8004", {}).get("runs") == 1, log)
    wait_for("the check that changed", lambda: checks(folder)["8002"]["last"] != before["8002"]["last"], log)
    after = checks(folder)
    for port in ("8001", "8003"):
        assert_same(before[port], after[port])

    # What follows is counted on from there.
    call(folder, "check", real_server="127.0.0.1:8003")
    wait_for("a check by hand", lambda: checks(folder)["8003"]["runs"] == 2, log)
    assert checks(folder)["8003"]["failures"] == 2, checks(folder)
    assert count.read_text().count("x") == 1, "a MISC_CHECK began anew"

    before = checks(folder)
    subprocess.run([os.path.abspath(vipd), "--upgrade", "-p", folder / "p", "--control", folder / "control"], check=True,
                   stdout=subprocess.DEVNULL)
    wait_for("the upgraded one", lambda: upgraded(folder), log)
    call(folder, "check", real_server="127.0.0.1:8003")
    wait_for("a check after the upgrade", lambda: checks(folder)["8003"].get("runs") == 3, log)
    assert_same(before["8001"], checks(folder)["8001"])


def main(vipd):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 8001), backlog=64) as one, \
            socket.create_server(("127.0.0.1", 8002), backlog=64) as two:
        folder, log = pathlib.Path(name), pathlib.Path(name) / "log"
        folder.chmod(0o755)
        (folder / "count").write_text(f"#!/bin/sh\necho x >>{folder}/counted\n")
        (folder / "count").chmod(0o755)
        for listener in (one, two):
            threading.Thread(target=lambda s=listener: [s.accept()[0].close() for _ in iter(int, 1)], daemon=True).start()
        configure(folder, 5, 1)
        with log.open("w") as out:
            daemon = subprocess.Popen([vipd, "-n", "-l", "-D", "-G", "-C", "-f", folder / "conf", "-p", folder / "p", "-r", folder / "r", "-c", folder / "c",
                                       "--control", folder / "control"], stdout=out, stderr=out)
        try:
            talk(folder, vipd, daemon, log)
        finally:
            daemon.terminate()
            daemon.wait(60)


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
main(sys.argv[1])
