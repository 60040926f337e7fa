#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold libsched against the IPVS of the running kernel: the same servers, the same edits one by one, the same connections
opened, half closed and held at random; every choice must be the same.

    sched_ipvs.py SCHED_REPL [SEED]

This process is client and server: IPVS forwards by NAT to addresses of this host, and the address a connection was
accepted on tells which server the kernel chose. Servers have thresholds at times; a last comparison lets connections end,
so that they are left again.
"""
import errno
import os
import random
import re
import resource
import select
import socket
import struct
import subprocess
import sys
import time

VIP = "192.0.2.1"
VIP6 = "2001:db8::1"
PORT = 8080
PICKS = 2000  # of each, that the kernel answered
STEPS_MAX = 3 * PICKS
EDITS = 0.03  # of the steps
HELD_MAX = 300  # connections
PORT_FIRST, PORTS = 10000, 50000
DESTINATIONS = 40  # that clients of lblc and lblcr want: each comes back often
BY_DESTINATION = ("dh", "lblc", "lblcr")
SERVERS_MAX = 8
ALGOS = [("rr", ""), ("wrr", ""), ("lc", ""), ("wlc", ""), ("wrr", ""), ("sed", ""), ("nq", ""), ("fo", ""), ("ovf", ""),
         ("sh", ""), ("sh", "sh-fallback,sh-port"), ("dh", ""), ("mh", ""), ("mh", "mh-fallback,mh-port"), ("lblc", ""),
         ("lblcr", "")]
ALGOS6 = [("sh", "sh-port"), ("mh", "")]
LB_GROUP_FALLBACK, LB_GROUP_OVERLOAD = 1, 4
SO_MARK = 36
RELEASED = ("wlc", 8, 3)  # algorithm and thresholds of the comparison in which connections end


def overhead_mul():
    """active * 256 + inactive, and since 6.1.187 active * 257 + inactive."""
    version = re.search(r"6\.1\.(\d+)", os.uname().version) or re.search(r"6\.1\.(\d+)", os.uname().release)
    if version:
        return 257 if int(version.group(1)) >= 187 else 256
    return 256


class Table:
    """One IPVS service and its servers by ipvsadm, and edits of IPv4 servers by the socket option that it stands for: a program
    takes the time of a hundred connections to start here."""
    ADDDEST, DELDEST, EDITDEST = 1159, 1160, 1161  # IP_VS_SO_SET_*, linux/ip_vs.h
    OPTION = {"-a": ADDDEST, "-d": DELDEST, "-e": EDITDEST}

    def __init__(self, algo, flags, mark, port, ipv6):
        self.mark, self.port, self.ipv6 = mark, port, ipv6
        self.service = ["-f", str(mark)] if mark else ["-t", f"{f'[{VIP6}]' if ipv6 else VIP}:{port}"]
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.ipvsadm("-A", *self.service, "-s", algo, *(["-b", flags] if flags else []))

    @staticmethod
    def ipvsadm(*args):
        subprocess.run(["ipvsadm", *args], check=True)

    def edit(self, verb, address, weight=0, limits=(0, 0)):
        """As `ipvsadm VERB`, by NAT."""
        if self.ipv6:
            values = [] if verb == "-d" else ["-m", "-w", str(weight), "-x", str(limits[0]), "-y", str(limits[1])]
            self.ipvsadm(verb, *self.service, "-r", f"[{address}]:{PORT}", *values)
            return
        vip, port = ("0.0.0.0", 0) if self.mark else (VIP, self.port)
        service = struct.pack("=H2x4s2s2xI16sII4s", socket.IPPROTO_TCP, socket.inet_aton(vip), port.to_bytes(2, "big"),
                              self.mark, b"", 0, 0, b"")
        server = struct.pack("=4s2s2xIiII", socket.inet_aton(address), PORT.to_bytes(2, "big"), 0, weight, *limits)
        self.raw.setsockopt(socket.IPPROTO_IP, self.OPTION[verb], service + server)

    def remove(self):
        self.ipvsadm("-D", *self.service)
        self.raw.close()


class Twin:
    port = 0  # of the next client, counted from PORT_FIRST

    def __init__(self, repl, algo, flags, block, ipv6):
        self.algo, self.flags, self.block, self.ipv6 = algo, flags, block, ipv6
        # what goes by the address the client wants needs a service with many: those of a firewall mark
        self.table = Table(algo, flags, block if algo in BY_DESTINATION else 0, 8000 + block, ipv6)
        self.held = []  # (server's id, both ends)
        self.half_closed = []  # clients whose server is done
        self.servers = []
        self.weight, self.limits = {}, {}
        self.next_id = 0
        group_flags = LB_GROUP_OVERLOAD | (LB_GROUP_FALLBACK if "fallback" in flags else 0)
        self.repl = subprocess.Popen([repl, algo, str(overhead_mul()), str(group_flags)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, line):
        self.repl.stdin.write(line + "\n")
        answer = self.repl.stdout.readline().strip()
        if not answer:
            sys.exit(f"sched_repl ended at: {line}")
        return answer

    def address(self, server):
        if self.ipv6:
            return f"2001:db8:{self.block:x}::{server:x}"
        return f"10.{self.block}.{server >> 8}.{server & 255}"

    @staticmethod
    def somebody(ipv6):
        """The address of some client, or one that a client wants."""
        if ipv6:
            return f"2001:db8:200:{random.randrange(65536):x}::{random.randrange(1, 65536):x}"
        return f"10.200.{random.randrange(256)}.{random.randrange(1, 255)}"

    def set(self, server, weight, limits=(0, 0), verb="-e"):
        self.weight[server], self.limits[server] = weight, limits
        self.table.edit(verb, self.address(server), weight, limits)

    def add(self, weight):
        self.next_id += 1  # always a fresh address: the kernel revives old ones with their counters
        self.servers.append(self.next_id)
        self.set(self.next_id, weight, verb="-a")
        self.ask(f"add {self.next_id} {weight} {self.address(self.next_id)} {PORT}")

    def limit(self, server, upper, lower):
        self.set(server, self.weight[server], (upper, lower))
        self.ask(f"limits {server} {upper} {lower}")

    def edit(self):
        verb = random.choice(["add", "weight", "weight", "limits", "remove"])
        weight = random.choice([0, 1, 1, 2, 3, 4, 6, 10])
        limits = random.choice([(0, 0), (0, 0), (60, 0), (120, 30), (300, 250)])
        # An edit that changes nothing restarts the kernel's wrr; libsched publishes nothing: none is made.
        if verb == "add" and len(self.servers) < SERVERS_MAX:
            self.add(weight)
        elif verb == "weight" and self.servers:
            server = random.choice(self.servers)
            if self.weight[server] != weight:
                self.set(server, weight, self.limits[server])
                self.ask(f"weight {server} {weight}")
        elif verb == "limits" and self.servers:
            server = random.choice(self.servers)
            if self.limits[server] != limits:
                self.limit(server, *limits)
        elif verb == "remove" and len(self.servers) > 1:
            server = self.servers.pop(random.randrange(len(self.servers)))
            self.table.edit("-d", self.address(server))
            self.ask(f"remove {server}")
            for ends in [ends for who, ends in self.held if who == server]:
                self.close(ends)
            self.held = [(who, ends) for who, ends in self.held if who != server]

    @staticmethod
    def close(ends):
        for end in ends:
            end.close()

    def connect(self, listener):
        """Which server the kernel chose, None: it refused; and the address and port that hash algorithms go by."""
        client = socket.socket(socket.AF_INET6 if self.ipv6 else socket.AF_INET)
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody = self.somebody(self.ipv6)
        # A port of its own for each. The system's choice would come to one of a connection that is over but that IPVS still
        # remembers, from the comparison before maybe: it is sent where the old one went, or nowhere if that is gone.
        Twin.port = (Twin.port + 1) % PORTS
        if self.algo in BY_DESTINATION:
            if self.algo != "dh":
                somebody = f"10.201.0.{random.randrange(1, 1 + DESTINATIONS)}"
            client.setsockopt(socket.SOL_SOCKET, SO_MARK, self.block)
            client.bind(("", PORT_FIRST + Twin.port))
            target, key = (somebody, PORT), f"{somebody} 0"
        else:
            client.bind((somebody, PORT_FIRST + Twin.port))
            target = (VIP6 if self.ipv6 else VIP, 8000 + self.block)
            key = f"{somebody} {client.getsockname()[1] if 'port' in self.flags else 0}"
        error = client.connect_ex(target)
        if error == errno.EINPROGRESS:
            # A refusal is here already, but a socket inside connect() takes no ICMP error for an answer: it would send its SYN
            # again after a second. It shows it when asked.
            error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        answer = select.poll()
        answer.register(client, select.POLLOUT)
        if not error and not answer.poll(5000):
            raise TimeoutError(f"{self.algo}: {client.getsockname()} was never answered")
        error = error or client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == errno.ECONNREFUSED:
            client.close()
            return None, key
        if error:
            raise OSError(error, os.strerror(error))
        server, _ = listener.accept()
        chosen = int.from_bytes(socket.inet_pton(client.family, server.getsockname()[0])[-2:], "big")
        self.held.append((chosen, (client, server)))
        return chosen, key

    def end_one(self):
        """The server closes a connection that is held, the client does not: in FIN_WAIT the kernel keeps it, inactive, for as
        long as it was told to. In TIME_WAIT that would be two minutes, and a slow machine needs longer for a comparison."""
        server, (client, accepted) = self.held.pop(random.randrange(len(self.held)))
        accepted.close()
        self.half_closed.append(client)
        self.ask(f"closing {server}")
        return server

    def run(self, listener):
        picks = 0
        for _ in range(4):  # else one of weight 0 might be alone for long
            self.add(random.choice([0, 1, 1, 2, 3, 4, 6, 10]))
        for step in range(STEPS_MAX):
            if picks == PICKS:
                break
            if random.random() < EDITS:
                self.edit()
                continue
            kernel, key = self.connect(listener)
            ours = int(self.ask(f"pick {key}"))
            if (kernel if kernel is not None else -1) != max(ours, -1):
                return f"{self.algo}: step {step}: the kernel chose {kernel}, libsched {ours}"
            picks += kernel is not None
            while self.held and random.random() < 0.4:
                self.end_one()
            while len(self.held) > HELD_MAX:
                self.end_one()
        self.end()
        print(f"{self.algo} {self.flags}{' (IPv6)' if self.ipv6 else ''}: {picks} picks, all the same", flush=True)
        return None if picks == PICKS else f"{self.algo}: only {picks} picks"

    def counts(self):
        """Active and inactive connections of each server, as the kernel shows them."""
        with open("/proc/net/ip_vs") as f:
            rows = re.findall(r"-> ([0-9A-F]{8}):\w+ +Masq +\d+ +(\d+) +(\d+)", f.read())
        return {int(address, 16) & 0xffff: (int(active), int(inactive)) for address, active, inactive in rows}

    def release(self, listener):
        """Servers fill up to their upper threshold and are emptied below the lower one, over and over."""
        _, upper, lower = RELEASED
        self.table.ipvsadm("--set", "7200", "1", "300")  # closing connections are forgotten after a second
        for weight in (1, 2, 3):
            self.add(weight)
            self.limit(self.next_id, upper, lower)
        refused = 0
        for wanted in (30, 4, 12, 3, 25):
            for _ in range(wanted):
                kernel, key = self.connect(listener)
                ours = int(self.ask(f"pick {key}"))
                if (kernel or -1) != max(ours, -1):
                    return f"{self.algo}, thresholds: the kernel chose {kernel}, libsched {ours}"
                refused += kernel is None
            for _ in range(min(len(self.held), random.randrange(8, 20))):
                self.ask(f"gone {self.end_one()}")
            wait_until(lambda: not any(inactive for _, inactive in self.counts().values()))
        self.end()
        print(f"{self.algo}, thresholds {upper} and {lower}: all the same, {refused} refused", flush=True)
        return None if refused else f"{self.algo}, thresholds: none was reached"

    def end(self):
        for _, ends in self.held:
            self.close(ends)
        self.close(self.half_closed)
        self.table.remove()
        self.repl.stdin.close()
        self.repl.wait()


def wait_until(happened):
    deadline = time.monotonic() + 30
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("the kernel keeps connections that are closed")
        time.sleep(0.1)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * STEPS_MAX, 2 * STEPS_MAX))
    Table.ipvsadm("--set", "7200", "7200", "300")
    listener = socket.create_server(("0.0.0.0", PORT), backlog=64)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(f"{os.uname().release} {os.uname().version}: overhead of an active connection {overhead_mul()}, seed {seed}")
    failed = 0
    listener6 = socket.create_server(("::", PORT), family=socket.AF_INET6, backlog=64)
    for block, (algo, flags) in enumerate(ALGOS + ALGOS6, 1):
        ipv6 = block > len(ALGOS)
        random.seed(f"{seed} {block}")
        error = Twin(sys.argv[1], algo, flags, block, ipv6).run(listener6 if ipv6 else listener)
        if error:
            print("FAILED:", error)
            failed = 1
    error = Twin(sys.argv[1], RELEASED[0], "", len(ALGOS + ALGOS6) + 1, False).release(listener)
    if error:
        print("FAILED:", error)
        failed = 1
    return failed


sys.exit(main())
