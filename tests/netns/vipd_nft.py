#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_nft.py VIPD: with nftables a reload changes what differs, without reading the table, and what is there afterwards is what a
start would have made; what somebody else did to the table is mended at once. Everything is in namespaces of its own.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time


def conf(services, extra=""):
    """{last number of the virtual server's address: weights of its real servers}"""
    text = "global_defs {\n    forwarding_backend nft\n}\n" + extra
    for number, weights in services.items():
        text += f"virtual_server 10.9.0.{number} 80 {{\n    lb_algo wrr\n    lb_kind NAT\n    protocol TCP\n"
        for i, weight in enumerate(weights):
            text += f"    real_server 10.9.{number}.{i + 1} 8000 {{\n        weight {weight}\n    }}\n"
        text += "}\n"
    return text


def nft(*words):
    return subprocess.run(["nft", *words], check=True, capture_output=True, text=True).stdout


def there():
    """{service: {real server: weight}}, of the elements that know the destinations."""
    found = {}
    for text in re.findall(r"set destinations-tcp-ipv4 \{.*?elements = \{(.*?)\}", nft("list", "ruleset"), re.S):
        for number, real, weight in re.findall(r'10\.9\.0\.(\d+) \. 80 \. 10\.9\.\d+\.(\d+) \. 8000 comment "weight (\d+)"', text):
            found.setdefault(int(number), {})[int(real)] = int(weight)
    return found


def chains():
    return {int(n) for n in re.findall(r"chain tcp-10\.9\.0\.(\d+)-80", nft("list", "ruleset"))}


def log():
    return pathlib.Path("log").read_text()


def wait_for(what, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} does not come: {there()}\n{log()[-4000:]}")


def is_as(services):
    return there() == {n: {i + 1: w for i, w in enumerate(weights)} for n, weights in services.items()} and chains() == set(services)


def main(vipd):
    def reload(what, services):
        pathlib.Path("conf").write_text(conf(services))
        before = log().count("reloaded")
        daemon.send_signal(signal.SIGHUP)
        wait_for(f"{what}: the reload", lambda: log().count("reloaded") > before)
        wait_for(what, lambda: is_as(services))

    services = {1: [1, 2], 2: [3, 4], 3: [5]}
    pathlib.Path("conf").write_text(conf(services))
    # Without -p: as it is on nearly all hosts, where the table's name is the plain one.
    daemon = subprocess.Popen([vipd, "-n", "-l", "-f", "conf"], stdout=open("log", "w"), stderr=subprocess.STDOUT)
    try:
        wait_for("the start", lambda: is_as(services))
        reload("another weight", {1: [1, 2], 2: [3, 9], 3: [5]})
        reload("one more virtual server", {1: [1, 2], 2: [3, 9], 3: [5], 4: [7]})
        reload("one less", {1: [1, 2], 2: [3, 9], 4: [7]})
        reload("a real server more and one less", {1: [1], 2: [3, 9, 8], 4: [7]})
        reload("others instead of all", {5: [1, 1]})
        reload("more", {5: [1, 1], 6: [2]})

        # Somebody else.
        nft("flush", "ruleset")
        wait_for("all of it after a flush", lambda: is_as({5: [1, 1], 6: [2]}))
        table = re.search(r"table inet (hawser\S*)", nft("list", "tables")).group(1)
        rules = lambda: re.search(r"chain tcp-10\.9\.0\.5-80 \{(.*?)\n\t\}", nft("list", "ruleset"), re.S)
        before = rules().group(1)
        nft("flush", "chain", "inet", table, "tcp-10.9.0.5-80")
        wait_for("a chain", lambda: (now := rules()) and now.group(1) == before)
        wait_for("all of it", lambda: is_as({5: [1, 1], 6: [2]}))
        nft("add", "table", "inet", "of_others")  # is not ours
        reload("a change behind it", {5: [1, 1], 6: [3]})
        assert "of_others" in nft("list", "tables")
        assert not re.search(r"nftables: .*: ", log()), log()
    finally:
        daemon.terminate()
        daemon.wait(30)
    assert not chains() and "of_others" in nft("list", "tables")


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-nm", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])
subprocess.run("ip link set lo up".split(), check=True)
subprocess.run("mount -t tmpfs none /run".split(), check=True)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main(sys.argv[1])
