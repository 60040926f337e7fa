# SPDX-License-Identifier: MIT
"""A LAN of network namespaces for the tests beside real VRRP peers: machines on one bridge, and what is heard on it.

Everything is named after this process, so that several tests may run at once, and goes away with it.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import vrrp_packet

WAIT = 30.0  # seconds until what must come has come: far above every timer in these tests
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
# meson names the programs under test; by hand, those of build/ are meant.
BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"
VIPD = os.environ.get("VIPD", str(BUILD / "examples/vipd/vipd"))
VRRP_ROUTER = os.environ.get("VRRP_ROUTER", str(BUILD / "tests/netns/vrrp_router"))


class Failed(Exception):
    pass


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def need(*commands):
    if os.geteuid() != 0:
        skip("needs root to make network namespaces")
    for command in ("ip", "bridge", "nsenter", "ping") + commands:
        if not shutil.which(command):
            skip(f"needs {command}")


def lan_mac(number):
    """Of eth0 of the machine that was plugged in as that number."""
    return f"02:48:00:00:00:{number:02x}"


def until(what, condition, seconds=WAIT):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise Failed(what() if callable(what) else what)


def run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


@contextlib.contextmanager
def inside(namespace):
    """This thread is in that network namespace; sockets made there stay there."""
    with open("/proc/thread-self/ns/net", encoding="ascii") as home, open(namespace, encoding="ascii") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


class Process:
    def __init__(self, command, log, env=None):
        self.log = log
        with log.open("a") as out:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env={**os.environ, **(env or {})})
        self.pid = self.popen.pid

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self):
        """Asks it to end, makes sure that it does, and gives its exit status: negative, if a signal ended it."""
        self.popen.terminate()
        try:
            return self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()


class Machine:
    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.namespace = f"{lab.prefix}-{name}"
        self.path = f"/run/netns/{self.namespace}"
        self.folder = lab.folder / name
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.mac = None
        run("ip", "netns", "add", self.namespace)
        self.sysctl(**{f"net.ipv6.conf.{i}.accept_dad": 0 for i in ("all", "default")})
        self.sysctl(**{f"net.ipv4.conf.{i}.rp_filter": 0 for i in ("all", "default")})
        self.ip("link set lo up")

    def command(self, *words):
        return ("nsenter", f"--net={self.path}", *map(str, words))

    def run(self, *words, check=True):
        return run(*self.command(*words), check=check)

    def ip(self, words, check=True):
        return self.run("ip", *words.split(), check=check)

    def sysctl(self, **values):
        self.run("sysctl", "-qw", *(f"{name}={value}" for name, value in values.items()))

    def plug(self, number, *addresses):
        """eth0 on the LAN, with a link-local address of that number and these."""
        self.mac = lan_mac(number)
        net = self.lab.net
        net.ip(f"link add {self.name} type veth peer name eth0 address {self.mac} netns {self.namespace}")
        net.ip(f"link set {self.name} master lan up")
        self.ip("link set eth0 addrgenmode none")
        self.ip("link set eth0 up")
        for address in (f"fe80::{number}/64", *addresses):
            self.ip(f"addr add {address} dev eth0 {'nodad' if ':' in address else ''}")

    def cut(self):
        """The switch drops its frames; the carrier stays."""
        self.lab.net.run("bridge", "link", "set", "dev", self.name, "state", "0")

    def heal(self):
        self.lab.net.run("bridge", "link", "set", "dev", self.name, "state", "3")

    def start(self, tag, *command, env=None):
        process = Process(self.command(*command), self.folder / f"{tag}.log", env)
        self.lab.processes.append(process)
        return process

    def pids(self):
        return [int(pid) for pid in run("ip", "netns", "pids", self.namespace, check=False).split()]

    def holds(self, address):
        """The address is on an interface that is up."""
        return any(f" {address}/" in line for line in self.ip("-o addr show up", check=False).splitlines())

    def sender(self):
        """A socket that sends whole Ethernet frames from eth0."""
        with inside(self.path):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("eth0", 0))
        return s


class Wire(threading.Thread):
    """All of VRRP, ARP and ICMPv6 on the LAN: kept as adverts for the test, and as a capture file for tshark."""

    def __init__(self, lab, name="lan"):
        super().__init__(daemon=True)
        self.file = lab.folder / "wire.pcap"
        self.heard = []
        self.ended = False
        with inside(lab.net.path):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # hears nothing until it is bound, and other links never
            self.socket.bind((name, 3))
            promiscuous = struct.pack("iHH8s", socket.if_nametoindex(name), 1, 0, b"")
        self.socket.setsockopt(263, 1, promiscuous)  # SOL_PACKET, PACKET_ADD_MEMBERSHIP
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.settimeout(0.1)
        self.start()

    def run(self):
        with self.file.open("wb") as out:
            out.write(struct.pack("!IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            while not self.ended:
                try:
                    frame = self.socket.recv(65535)
                except TimeoutError:
                    continue
                now = time.time()
                if not self.is_ours(frame):
                    continue
                out.write(struct.pack("!IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)
                advert = vrrp_packet.hear(now, frame)
                if advert:
                    self.heard.append(advert)

    @staticmethod
    def is_ours(frame):
        kind = frame[12:14]
        return (kind == b"\x08\x06" or kind == b"\x08\x00" and frame[23] in (112, 51) or
                kind == b"\x86\xdd" and frame[20] in (112, 58, 0))

    def since(self, begin, vrid=None):
        return [a for a in list(self.heard) if a.time >= begin and vrid in (None, a.vrid)]

    def heard_from(self, router, begin=0):
        """Its adverts, goodbyes left out."""
        return [a for a in self.since(begin, router.setting.vrid) if a.priority == router.priority]

    def end(self):
        self.ended = True
        self.join()
        self.socket.close()


class Lab:
    def __init__(self, name):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.prefix = f"hw{name}{os.getpid()}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.prefix}-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.machines, self.processes = {}, []
        self.net = self.wire = None

    def __enter__(self):
        try:
            self.net = self.machine("net")
            self.net.ip("link add lan type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
            self.net.ip("link set lan addrgenmode none")
            self.net.ip("link set lan up")
            self.wire = Wire(self)
        except BaseException:
            self.clean()
            raise
        return self

    def machine(self, name):
        self.machines[name] = Machine(self, name)
        return self.machines[name]

    def clean(self):
        if self.wire:
            self.wire.end()
        for machine in self.machines.values():
            for pid in machine.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.popen.wait()
        for machine in self.machines.values():
            run("ip", "netns", "del", machine.namespace, check=False)

    def __exit__(self, kind, error, trace):
        self.clean()
        if kind is None:
            left = [line for line in run("ip", "netns", "list").splitlines() if line.startswith(self.prefix)]
            if left:
                raise Failed(f"namespaces are left: {left}")
            shutil.rmtree(self.folder)
        else:
            self.tell()
        return False

    def tell(self):
        for log in sorted(self.folder.glob("*/*.log")):
            print(f"--- {log}\n{''.join(log.open(errors='replace').readlines()[-40:])}")
        print(f"--- kept: {self.folder}")


def finish(main):
    """Runs a test: its failure in one sentence at the end, where one looks first."""
    try:
        main()
    except Failed as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
