#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_track.py VIPD HELLO_BFD: track_file, vrrp_track_process, track_interface and track_bfd move priorities and make faults as they
do in keepalived, which takes the same steps in the same namespace; a reload keeps BFD up.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time


LAST = "VI_13"


def instance(n, tracks, more=""):
    return f"""
vrrp_instance VI_{n} {{
    version 3
    interface v0
    virtual_router_id {n}
    priority 100
    advert_int 0.1
    virtual_ipaddress {{ 10.9.0.{100 + n}/24 }}
    {tracks}
}}
{more}"""


def groups():
    """Pairs whose first one tracks something with a weight: sync_group_tracking_weight, or its old word, or none, or the group tracks it, too."""
    text = ""
    for n, tracks, word in ((21, "track_script { bad weight -5 }", ""), (23, "track_script { bad weight 0 }", ""), (25, "track_file { number weight 1 }", ""), (27, "track_file { number weight 2 }", ""),
                            (29, "track_interface { w0 weight 5 }", ""), (31, "track_process { none weight -6 }", ""), (33, "track_script { bad weight -5 }", "sync_group_tracking_weight"),
                            (35, "track_script { bad weight -5 }", "global_tracking"), (37, "track_script { bad weight 0 }", "track_script {\n bad weight 5\n }"),
                            (39, "track_file { number weight 0 }", "track_file {\n number weight 5\n }"), (41, "track_script { good weight 3 }", "track_script {\n good weight 9\n }")):
        text += instance(n, tracks) + instance(n + 1, "") + f"vrrp_sync_group G_{n} {{\n group {{\n VI_{n}\n VI_{n + 1}\n }}\n {word}\n}}\n"
    return text


def conf(folder):
    return f"""
global_defs {{
    dynamic_interfaces
}}
vrrp_script good {{
    script /bin/true
    interval 1
}}
vrrp_script bad {{
    script /bin/false
    interval 1
}}
vrrp_script empty {{
    interval 1
}}
vrrp_script turned {{
    script /bin/true
    interval 1
    weight -7 reverse
}}
track_file backward {{
    file {folder}/number
    weight 2 reverse
}}
track_file number {{ file {folder}/number }}
track_file late {{
    file {folder}/late/number
    weight 3
}}
track_file made {{
    file {folder}/made
    init_file 3
    weight 5
}}
vrrp_track_process one {{
    process {folder}/worker 60
    weight 10
}}
vrrp_track_process two {{
    process {folder}/worker 60 6
    param_match initial
    quorum 2
    terminate_delay 0.5
}}
vrrp_track_process none {{
    process {folder}/worker
    param_match partial
    quorum 1
    weight -20
}}
""" + instance(1, "track_file {\n number weight 2\n made }") + instance(2, "track_file { number weight 0 }") \
        + instance(3, "track_file { number weight -1 }") + instance(4, "track_file { late\n number weight 1 reverse }") \
        + instance(5, "track_process { one }") + instance(6, "track_process { two }") + instance(7, "track_process { none }") \
        + instance(8, "track_interface {\n w0 weight 7 }") + instance(9, "track_interface { w0 weight 9 reverse }") \
        + instance(10, "track_script { good weight 5 reverse }") + instance(11, "track_script { bad weight -5 reverse }") \
        + instance(14, "track_script { turned weight 5 }") + instance(15, "track_script { turned weight 0 }") \
        + instance(16, "track_file { backward weight 3 }") + instance(17, "track_interface { v0 weight 9 }") \
        + instance(18, "track_interface {\n w0 weight 7\n w0 weight 3 }") + instance(19, "track_script {\n good weight 5\n good weight 7 }") \
        + instance(20, "track_script { turned weight 5 noreverse }") + instance(43, "track_script { empty }") + instance(46, "virtual_ipaddress_excluded {\n 10.8.0.46/32 dev w0\n }") \
        + instance(47, "virtual_ipaddress_excluded {\n 10.8.0.47/32 dev w0 no_track\n }") + instance(48, "virtual_routes {\n 192.0.2.48/32 dev w0 scope link\n }\n track_interface {\n w0 weight 5\n }") \
        + instance(50, "use_vmac vrrp.50\n virtual_ipaddress_excluded {\n 10.8.0.50/32 dev vrrp.50\n }") \
        + instance(49, "virtual_rules {\n iif w0 table 100 priority 949\n }\n dont_track_primary") \
        + instance(44, "track_file { number weight 1 }").replace("priority 100", "priority 255") + instance(45, "track_file { number weight 2 }").replace("priority 100", "priority 255") + groups() + instance(13, "track_script { bad weight 0 reverse }")


def states(daemon, folder):
    """{instance: (state, priority)} of keepalived.data, which both write."""
    data = pathlib.Path(folder) / "keepalived.data"
    data.unlink(missing_ok=True)
    daemon.send_signal(signal.SIGUSR1)
    for _ in range(100):
        if data.exists() and LAST in data.read_text():
            break
        time.sleep(0.05)
    else:
        sys.exit("no keepalived.data\n" + pathlib.Path(f"{folder}/log").read_text())
    time.sleep(0.1)
    result, name, state = {}, None, None
    for line in data.read_text().splitlines():
        key, _, value = line.strip().partition(" = ")
        if key == "VRRP Instance":
            name = value
        elif key == "State" and name and name not in result:
            state = value
        elif key == "Effective priority" and name:
            result[name] = (state, int(value) if state != "FAULT" else 0)  # in FAULT they differ, and it moves nothing
    return result


def start(program, text, folder):
    path = pathlib.Path(folder) / "conf"
    path.write_text(text)
    out = open(f"{folder}/log", "w")
    files = ["-p", f"{folder}/p", "-r", f"{folder}/r", "-c", f"{folder}/c"]
    if program == "keepalived":
        files += ["-b", f"{folder}/b"]
    return subprocess.Popen([program, "-n", "-l", "-G", "-f", path, *files], stdout=out, stderr=out,
                            env={**os.environ, "TMPDIR": str(folder)})


def stop(daemon):
    daemon.terminate()
    daemon.wait(30)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def worker(folder, *args):
    return subprocess.Popen([f"{folder}/worker", *args], executable=shutil.which("sleep"))


COUNTED = ("VI_5", "VI_6", "VI_7")  # of processes: /proc is read once a second in a namespace, so keepalived has none here


def difference(ours, theirs):
    return {name: (ours[name], theirs[name]) for name in theirs if ours[name] != theirs[name] and name not in COUNTED}


def reached(daemon, folder, expected):
    """The states that a step leads to: those expected, or, as nothing is, those that have been so for a while."""
    last = None
    for _ in range(60):
        time.sleep(0.6)
        now = states(daemon, folder)
        if not difference(now, expected) if expected else now == last:
            break
        last = now
    return now


def steps(program, expected=None):
    """What each step leads to."""
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        daemon = start(program, conf(folder), folder)

        def see(step):
            seen[step] = reached(daemon, folder, expected and expected[step])

        try:
            wait_for("the start", lambda: os.path.exists(f"{folder}/made"), folder)
            time.sleep(0.6)
            see("start")
            assert pathlib.Path(f"{folder}/made").read_text().strip() == "3"
            for number in ("-127", "1000", "junk"):
                pathlib.Path(f"{folder}/number").write_text(number + "\n")
                see(number)
            pathlib.Path(f"{folder}/number").write_text("4\n")
            see("another number")
            with open(f"{folder}/number", "w", encoding="ascii") as number:  # empty; and then half of it
                for step in ("emptied", "half written"):
                    see(step)
                    number.write("6\n")
                    number.flush()
            see("written")
            pathlib.Path(f"{folder}/new").write_text("2\n")
            os.rename(f"{folder}/new", f"{folder}/number")
            ip("link", "set", "w0", "down")
            see("renamed, link down")
            ip("link", "set", "w0", "up")
            os.unlink(f"{folder}/number")
            see("removed")
            if program != "keepalived":
                check_vipd(daemon, folder)
        finally:
            stop(daemon)
    return seen


def wait_for(what, condition, folder):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} does not come\n" + pathlib.Path(f"{folder}/log").read_text())


def check_vipd(daemon, folder):
    def is_so(name, state, priority):
        return lambda: states(daemon, folder)[name] == (state, priority)

    os.mkdir(f"{folder}/late")  # which keepalived would have to be there at the start
    pathlib.Path(f"{folder}/late/number").write_text("2")
    wait_for("a folder that came late", is_so("VI_4", "MASTER", 106), folder)
    assert states(daemon, folder)["VI_5"] == ("MASTER", 100) and states(daemon, folder)["VI_7"] == ("MASTER", 80)
    first = worker(folder, "60")
    wait_for("a process", is_so("VI_5", "MASTER", 110), folder)
    now = states(daemon, folder)
    assert now["VI_7"] == ("MASTER", 100) and now["VI_6"][0] == "FAULT", now  # whatever its parameters are; there are not two of it
    first.kill()
    wait_for("its end, which nobody has waited for", is_so("VI_5", "MASTER", 100), folder)
    first.wait()
    pair = [worker(folder, "60", "60") for _ in range(2)]
    wait_for("a quorum of two", is_so("VI_6", "MASTER", 100), folder)
    for process in pair:
        process.kill()
        process.wait()
    wait_for("the loss of it", lambda: states(daemon, folder)["VI_6"][0] == "FAULT", folder)


def check_bfd(folder):
    text = """
bfd_instance near {
    neighbor_ip 10.9.0.2
    source_ip 10.9.0.1
    min_rx 50
    min_tx 50
    multiplier 20 # a second: a reload on a busy machine is no loss
}
""" + instance(1, "track_bfd { near }") + instance(13, "track_bfd { near weight 5 }")
    log = pathlib.Path(folder) / "log"
    daemon = start(VIPD, text, folder)
    peer = subprocess.Popen(["ip", "netns", "exec", PEER, HELLO_BFD, "v1", "10.9.0.1", "50", "20"], stdout=subprocess.PIPE)
    try:
        wait_for("the start", lambda: "vipd_vrrp" in log.read_text(), folder)  # a signal before that would end it
        wait_for("BFD", lambda: states(daemon, folder)["VI_13"] == ("MASTER", 105), folder)
        wait_for("MASTER", lambda: states(daemon, folder)["VI_1"] == ("MASTER", 100), folder)
        changes = log.read_text().count("bfd_instance near")
        daemon.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: "reloaded" in log.read_text(), folder)
        time.sleep(0.5)
        assert states(daemon, folder)["VI_1"] == ("MASTER", 100), log.read_text()
        assert log.read_text().count("bfd_instance near") == changes, log.read_text()
        peer.kill()
        said = peer.communicate()[0].decode().splitlines()
        assert [line.split(":")[0] for line in said if line[0] in "ud"] in (["up"], ["down", "up"]), said
        wait_for("its loss", lambda: states(daemon, folder)["VI_1"][0] == "FAULT", folder)
        assert "Entering FAULT STATE, was MASTER: BFD does not hear a tracked neighbour" in log.read_text(), log.read_text()
        assert states(daemon, folder)["VI_13"] == ("MASTER", 100)
    finally:
        peer.kill()
        stop(daemon)


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
VIPD, HELLO_BFD = (os.path.abspath(a) for a in sys.argv[1:3])
PEER = f"hwtrack{os.getpid()}"
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), VIPD, HELLO_BFD, "inside"])
try:
    for command in ("link set lo up", f"netns add {PEER}", f"link add v0 type veth peer name v1 netns {PEER}", "link set v0 up",
                    "addr add 10.9.0.1/24 dev v0", f"-n {PEER} link set v1 up", f"-n {PEER} addr add 10.9.0.2/24 dev v1",
                    "link add w0 type veth peer name w1", "link set w0 up", "link set w1 up"):
        ip(*command.split())
    theirs = steps("keepalived") if shutil.which("keepalived") else None
    ours = steps(VIPD, theirs)
    for step, expected in (theirs or {}).items():
        assert not difference(ours[step], expected), (step, difference(ours[step], expected))
    with tempfile.TemporaryDirectory() as where:
        check_bfd(where)
finally:
    ip("netns", "del", PEER)
