#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_memory.py VIPD FAIL_REMOVAL.SO: the kernel has no memory to remove an address; it goes all the same, at a reload and at the end."""
import mmap
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time

WAIT = 120  # seconds, on a busy machine
CONF = """
vrrp_instance VI_1 {
    version 3
    state MASTER
    priority 254
    advert_int 0.1
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        %s
    }
}
"""


def until(what, condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "did not happen in time: " + what
        time.sleep(0.1)


def addresses():
    said = subprocess.run(["ip", "-o", "-4", "addr", "show", "dev", "eth0"], check=True, capture_output=True, text=True).stdout
    return {line.split()[3] for line in said.splitlines()} - {"10.9.0.1/24"}


def main(vipd, preload):
    for words in ("link set lo up", "link add eth0 up type veth peer name eth1", "link set eth1 up", "addr add 10.9.0.1/24 dev eth0"):
        subprocess.run(["ip", *words.split()], check=True)
    with tempfile.TemporaryDirectory(prefix="vipd-memory.") as name:
        folder = pathlib.Path(name)
        conf, shared = folder / "conf", folder / "shared"
        shared.write_bytes(struct.pack("q", 0))
        conf.write_text(CONF % "10.9.0.100/24")
        with shared.open("r+b") as f, (folder / "log").open("w") as log:
            left = mmap.mmap(f.fileno(), 8)
            p = subprocess.Popen([vipd, "-n", "-l", "-f", conf, "-p", folder / "p", "-r", folder / "r", "-c", folder / "c"],
                                 stdout=log, stderr=log, env=dict(os.environ, LD_PRELOAD=preload, FAIL_REMOVAL=str(shared)))
            try:
                until("the address is held", lambda: addresses() == {"10.9.0.100/24"})
                left[:] = struct.pack("q", 3)
                conf.write_text(CONF % "10.9.0.101/24")
                p.send_signal(signal.SIGHUP)
                until("the other one is held alone", lambda: addresses() == {"10.9.0.101/24"})
                assert struct.unpack("q", left[:]) == (0,), "no removal failed"
                left[:] = struct.pack("q", 3)
                p.terminate()
                assert p.wait(WAIT) == 0
                assert struct.unpack("q", left[:]) == (0,), "no removal failed"
                assert not addresses(), addresses()
            except BaseException:
                print((folder / "log").read_text())
                raise
            finally:
                if p.poll() is None:
                    p.kill()
                    p.wait()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: not root")
        sys.exit(77)
    if "OWN_NETWORK" not in os.environ:
        os.environ["OWN_NETWORK"] = "yes"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    with open(sys.argv[1], "rb") as f:
        program = f.read()
    if b"__asan_init" in program or b"__tsan_init" in program:
        print("skipped: a sanitizer wants to be loaded first")
        sys.exit(77)
    main(os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2]))
