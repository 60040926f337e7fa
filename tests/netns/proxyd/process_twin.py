#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the global section says about the process, in proxyd and HAProxy alike:   process_twin.py BINARY"""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from support import WAIT, Asked, Proxy, Server, ask_api, config, echo, main, until

BODY = "listen l\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:9\n"


def config_of(words, threads=1, body=BODY, **more):
    return config(body, threads=threads, **more).replace("global\n", f"global\n    {words}\n")


def cpus_of(p):
    """Of each thread that carries traffic, what CPUs it may run on."""
    found = []
    for task in sorted(os.listdir(f"/proc/{p.process.pid}/task"), key=int):
        with open(f"/proc/{p.process.pid}/task/{task}/status") as f:
            fields = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        if fields["Name"].startswith("worker") or "haproxy" in p.binary:
            found.append(fields["Cpus_allowed_list"].strip())
    return found


def test_threads_run_where_they_are_put(binary):
    own = sorted(os.sched_getaffinity(0))
    if len(own) < 2:
        print("(one CPU: nothing to see)")
        return
    a, b = own[0], own[1]
    for words, wanted in (
        (f"cpu-map auto:1/1-2 {a} {b}", [str(a), str(b)]),
        (f"cpu-map 1/all {b}", [str(b), str(b)]),
        (f"cpu-map 1/odd {b}\n    cpu-map 1/2 {a}", [str(b), str(a)]),
    ):
        with Proxy(binary, config_of(words, threads=2)) as p:
            until(f"{words}: {wanted}", lambda: cpus_of(p) == wanted)


def test_a_reload_puts_them_elsewhere(binary):
    own = sorted(os.sched_getaffinity(0))
    if len(own) < 2 or "haproxy" in binary:  # a reload of that is another process
        return
    with Proxy(binary, config_of(f"cpu-map 1/1 {own[1]}")) as p:
        until("it is there", lambda: cpus_of(p) == [str(own[1])])
        p.write(config_of(f"cpu-map 1/1 {own[0]}"))
        p.signal(signal.SIGHUP)
        until("it moved", lambda: cpus_of(p) == [str(own[0])])
        p.write(config_of("quiet"))
        p.signal(signal.SIGHUP)
        until("it is free", lambda: cpus_of(p) not in ([str(own[0])], [str(own[1])]))


def test_grace(binary):
    s = Server(echo)
    text = config_of("grace 1500ms", body=BODY.replace("127.0.0.1:9", f"127.0.0.1:{s.port}"))
    with Proxy(binary, text) as p:
        p.signal(signal.SIGUSR1)
        time.sleep(0.3)
        began = time.monotonic()
        with p.connect() as c:  # who is told to stop takes it all the same
            c.sendall(b"x")
            assert c.recv(1) == b"x"
        if time.monotonic() - began < 1.0:
            assert p.process.poll() is None
        assert p.wait_end() == 0


def limits_of(p):
    with open(f"/proc/{p.process.pid}/limits") as f:
        return {line[:26].strip(): line[26:].split() for line in f}


def test_a_crash_may_leave_a_core(binary):
    with Proxy(binary, config_of("set-dumpable")) as p:
        until("it may", lambda: limits_of(p)["Max core file size"][0] == "unlimited")


def test_descriptors_and_threads_have_a_limit(binary):
    if "haproxy" not in binary:  # 2.6 has no thread-hard-limit
        with Proxy(binary, config_of("fd-hard-limit 3000\n    thread-hard-limit 2", threads=4)) as p:
            assert len(cpus_of(p)) == 2
    text = config_of("fd-hard-limit 3000").replace("    maxconn 5000\n", "")
    with Asked(binary, text) as p:
        told = dict(re.findall(r"(\w+): (\d+)", p.ask("show info")))
        assert 1000 < int(told["Maxconn"]) <= 1500, told


def test_memory_has_a_limit(binary):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/socket"
        for args, limit in ((("-m", "700"), 700), ((), 0)):
            with Proxy(binary, config_of(f"stats socket {path}"), args=args):
                said = ask_api(path, "show info")
                assert f"\nMemmax_MB: {limit}\n" in said and f"\nMemmax_bytes: {limit << 20}\n" in said, said


def start(binary, text, limit=None):
    """Its exit status, and what it said."""
    name = f"/tmp/proxyd-process.{os.getpid()}"
    with socket.socket() as s, open(name, "w") as f:
        s.bind(("127.0.0.1", 0))
        f.write(text.replace("{port}", str(s.getsockname()[1])))
    command = ["setpriv", "--bounding-set=-sys_resource", "prlimit", f"--nofile={limit}"] if limit else []
    try:
        r = subprocess.run([*command, binary, *([] if limit else ["-c"]), "-db", "-f", name], capture_output=True, timeout=WAIT)
    finally:
        os.unlink(name)
    return r.returncode, r.stderr.decode()


def test_limits_are_strict(binary):
    if os.geteuid() != 0:  # else nothing is taken away from it
        return
    status, said = start(binary, config_of("strict-limits", maxconn=50000), limit=500)
    assert status == 1 and "[ALERT]" in said, (status, said)


def test_a_warning_is_an_error(binary):
    warned = BODY + "    timeout queue 3s\n    monitor-uri /x\n"  # of mode http
    for words, body, wanted in (("quiet", warned, 0), ("zero-warning", BODY, 0), ("zero-warning", warned, 1)):
        status, said = start(binary, config_of(words, body=body))
        assert status == wanted, (words, body, said)


def test_what_a_check_says(binary):
    fine, warned, wrong = config_of("quiet"), config_of("quiet", body=BODY + "    monitor-uri /x\n"), "frontend f\n    bindd :1\n"
    with tempfile.NamedTemporaryFile("w+", suffix=".cfg") as f:
        for text, args, status, wanted in (
            (fine, [], 0, "Configuration file is valid\n"),
            (warned, ["-dR"], 0, "Warnings were found.\nConfiguration file is valid\n"),
            (warned, ["-dW"], 1, None),
            (wrong, [], 1, ""),
            (fine, ["-q"], 0, ""),
            (warned, ["-q"], 0, ""),
            (wrong, ["-q"], 1, ""),
            (wrong, ["-q", "-V"], 1, ""),
        ):
            f.seek(0)
            f.truncate()
            f.write(text.replace("{port}", "8080").replace("    quiet\n", ""))
            f.flush()
            r = subprocess.run([binary, *args, "-c", "-f", f.name], capture_output=True, timeout=WAIT, text=True)
            assert r.returncode == status and wanted in (None, r.stdout), (args, r)
            assert ("[ALERT]" in r.stderr) == (status == 1 and args != ["-q"]), (args, r.stderr)


def test_it_never_sleeps(binary):
    with Proxy(binary, config_of("busy-polling")) as p:
        before = p.cpu_seconds()
        until("it uses the CPU", lambda: p.cpu_seconds() - before > 0.2)


if __name__ == "__main__":
    main(globals())
