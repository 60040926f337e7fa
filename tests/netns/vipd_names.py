#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_names.py VIPD: what keepalived and vipd call their files with instance, use_pid_dir, net_namespace and -s; that reload_file
goes when a file was read; and that keepalived.json has the same fields of the same types. Each runs in a mount and a network
namespace of its own, with an empty /run.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

ADDRESS = "10.0.0.100"
CASES = {
    "plain": ("", "", []),
    "folder": ("use_pid_dir", "", []),
    "instance": ("instance foo", "data_use_instance\n    reload_file /run/mark", []),
    "space": ("net_namespace blue", "data_use_instance", []),
    "both": ("net_namespace blue\ninstance foo", "data_use_instance", []),
    "option": ("net_namespace red", "", ["-s", "blue"]),
    "given": ("instance foo", "", ["-p", "/run/given.pid"]),
}
MARK = "/run/mark"  # keepalived 2.2.7 forgets its default name at the first reload
CONF = """
%s
global_defs {
    script_user root
    %s
}
vrrp_script well {
    script "/bin/true a b"
    interval 1
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 255
    state MASTER
    version 3
    virtual_ipaddress {
        10.0.0.100/24
    }
    virtual_ipaddress_excluded {
        10.0.0.101/24
    }
    virtual_routes {
        blackhole 10.8.0.0/24
    }
    virtual_rules {
        from 10.0.0.0/24 table 100 preference 77
    }
    track_script {
        well
    }
    track_interface {
        eth1
    }
    notify "/bin/true any"
    notify_master /bin/true
    notify_backup /bin/true
    notify_fault /bin/true
    notify_stop /bin/true
    notify_deleted /bin/true
    notify_master_rx_lower_pri /bin/true
}
"""


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def wait_for(what, condition):
    for _ in range(800):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} does not come\n" + pathlib.Path("/run/log").read_text()[-2000:])


def shape(value):
    """Names and types of JSON; of a list those of its first element."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value[:1]]
    return type(value).__name__


def inside(program, name):
    """In the namespaces: prints what it saw as JSON."""
    outer, defs, words = CASES[name]
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.mkdir("/run/tmp")
    where = []
    if "blue" in outer or words[:1] == ["-s"]:
        run("ip", "netns", "add", "blue")
        where = ["-n", "blue"]
    run("ip", *where, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for link in ("lo", "eth0", "eth1"):
        run("ip", *where, "link", "set", link, "up")
    run("ip", *where, "addr", "add", "10.0.0.1/24", "dev", "eth0")
    conf = pathlib.Path("/run/tmp.conf")
    conf.write_text(CONF % (outer, defs))
    with open("/run/log", "w") as log:
        process = subprocess.Popen([program, "-P", "-n", "-l", "-f", str(conf), *words], env={**os.environ, "TMPDIR": "/run/tmp"},
                                   stdout=log, stderr=log)
    own = ("/run/log", str(conf), "/run/netns/blue")

    def files():
        found = [str(f) for f in pathlib.Path("/run").rglob("*") if f.is_file() and str(f) not in own]
        return sorted(f for f in found if not f.endswith(".held") and "keepalived_parent" not in f)

    try:
        wait_for("the address", lambda: ADDRESS in run("ip", *where, "addr", "show", "dev", "eth0"))
        if MARK in defs:
            pathlib.Path(MARK).write_text("changing")
            process.send_signal(signal.SIGHUP)
            wait_for("the end of reload_file", lambda: not os.path.exists(MARK))
            time.sleep(1)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN + 2):
            process.send_signal(number)
        dump = pathlib.Path("/run/tmp/keepalived.json")
        wait_for("the dumps", lambda: len(list(pathlib.Path("/run/tmp").iterdir())) > 2 and dump.exists() and dump.stat().st_size)
        wait_for("keepalived.json", lambda: "pri_zero_sent" in dump.read_text())
        seen = {"files": files(), "json": shape(json.loads(dump.read_text()))}
        process.terminate()
        process.wait(20)
        seen["left"] = [f for f in files() if f.endswith(".pid")]
        print(json.dumps(seen))
    finally:
        process.kill()


TOGETHER = """
%s
vrrp_instance VI_%d {
    interface eth0
    virtual_router_id %d
    no_accept
    virtual_ipaddress {
        10.0.0.%d/24
    }
}
"""


def together(vipd):
    """Five vipds in one namespace do not meet: each has its own table of nftables, which goes with it, also when two files name the same."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for link in ("lo", "eth0", "eth1"):
        run("ip", "link", "set", link, "up")
    run("ip", "addr", "add", "10.0.0.1/24", "dev", "eth0")
    tables = lambda: {t: run("nft", "list", "table", "inet", t) for t in run("nft", "list", "tables", "inet").split() if t.startswith(("hawser-vrrp", "mine"))}
    log_text = lambda: pathlib.Path("/run/log").read_text()
    processes = []
    try:
        with open("/run/log", "w") as log:
            given = lambda name: ["-p", f"{name}.pid", "-r", f"{name}_vrrp.pid"]
            for i, (outer, words) in enumerate((("", []), ("instance foo", []), ("", given("given")), ("global_defs { nftables mine }", given("first")),
                                                ("global_defs { nftables mine }", given("second"))), 1):
                pathlib.Path(f"/run/{i}.conf").write_text(TOGETHER % (outer, i, i, 100 + i))
                processes.append(subprocess.Popen([vipd, "-P", "-n", "-l", "-f", f"/run/{i}.conf", *words], stdout=log, stderr=log, cwd="/run"))
                wait_for(f"vipd {i}", lambda: log_text().count("starts: 1 instances") == i)  # the first to name a table has it
        wait_for("five tables", lambda: len(tables()) == 5)
        wait_for("their addresses", lambda: sorted(i for i in range(1, 6) for t in tables().values() if f"10.0.0.10{i}" in t) == [1, 2, 3, 4, 5])
        assert "10.0.0.101" in tables()["hawser-vrrp"] and "10.0.0.104" in tables()["mine"], tables()
        assert log_text().count("another vipd has the table of this name") == 1, log_text()
        for i, process in enumerate(processes):
            process.terminate()
            process.wait(20)
            assert len(tables()) == 4 - i, tables()
    finally:
        for process in processes:
            process.kill()


def main():
    if sys.argv[1] == "together":
        return together(sys.argv[2])
    if sys.argv[1] == "inside":
        return inside(*sys.argv[2:])
    vipd, keepalived = os.path.abspath(sys.argv[1]), shutil.which("keepalived")
    if os.geteuid() != 0 or not keepalived:
        print("skipped: needs root and keepalived")
        return 77
    if shutil.which("nft") and not subprocess.run(["nft", "list", "tables"], capture_output=True, check=False).returncode:
        subprocess.run(["unshare", "-mn", sys.executable, __file__, "together", vipd], check=True)
    seen = {}

    def one(program, name):
        out = subprocess.run(["unshare", "-mn", sys.executable, __file__, "inside", program, name], capture_output=True, text=True, check=False)
        seen[program, name] = json.loads(out.stdout) if out.returncode == 0 else out.stderr

    threads = [threading.Thread(target=one, args=(p, n)) for n in CASES for p in (vipd, keepalived)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name in CASES:
        ours, theirs = seen[vipd, name], seen[keepalived, name]
        assert isinstance(ours, dict) and isinstance(theirs, dict), f"{name}: {ours}\n{theirs}"
        for what in ("files", "left", "json"):
            assert ours[what] == theirs[what], f"{name}, {what}: vipd\n  {ours[what]}\nkeepalived\n  {theirs[what]}"
        print(f"{name}: {' '.join(ours['files'])}")
    return 0


sys.exit(main())
