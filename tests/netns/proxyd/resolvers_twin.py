#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names at run time, answered by unbound (or, wrongly, by Told) on loopback, in proxyd and in HAProxy:   resolvers_twin.py BINARY"""
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from support import Proxy, Server, ask_api, config, free_port, main, named, read_message, until

UNBOUND = """
server:
    interface: 127.0.0.1
    port: {port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    verbosity: 0
    do-not-query-localhost: no
    local-zone: "example." static
    local-zone: "refused.example." refuse
remote-control:
    control-enable: yes
    control-interface: {folder}/control
    control-use-cert: no
"""
RESOLVERS = """
resolvers dns
    nameserver one 127.0.0.1:{dns}
    timeout resolve 200ms
    timeout retry 1s
    resolve_retries 1
    hold valid 200ms
    hold nx 300ms
    hold refused 300ms
    hold timeout 300ms
    hold other 300ms
    hold obsolete 0s
"""


class Names:
    """A name server that is told what it knows."""

    def __init__(self, *records):
        self.folder = tempfile.mkdtemp(prefix="proxyd-dns.")
        self.port = free_port()
        self.file = os.path.join(self.folder, "unbound.conf")
        with open(self.file, "w") as f:
            f.write(UNBOUND.format(port=self.port, folder=self.folder))
        self.start()
        self.add(*records)

    def start(self):
        self.process = subprocess.Popen(["unbound", "-d", "-c", self.file], stderr=subprocess.DEVNULL)
        until("unbound answers", lambda: self.control("status"))

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def control(self, *words):
        return subprocess.run(["unbound-control", "-c", self.file, *words], capture_output=True).returncode == 0

    def add(self, *records):
        for r in records:
            assert self.control("local_data", r), r

    def remove(self, *names):
        for n in names:
            assert self.control("local_data_remove", n), n

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Told:
    """A name server that answers, or does not, as it is told of each name: addresses, or what is wrong."""

    CODES = {"empty": 0, "truncated": 0, "other": 2, "nx": 3, "refused": 5}

    def __init__(self, **says):
        self.folder = tempfile.mkdtemp(prefix="proxyd-dns.")
        self.says, self.asked = says, {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, client = self.socket.recvfrom(2048)
            except OSError:
                return
            name = query[13 : 13 + query[12]].decode()
            end = query.index(0, 12) + 5
            self.asked.setdefault(name, []).append(time.monotonic())
            says = self.says[name]
            if says == "nothing":
                continue
            addresses = [] if says in self.CODES or query[end - 3] != 1 else says.split()
            flags = 0x8180 | self.CODES.get(says, 0) | (0x200 if says == "truncated" else 0)
            answer = query[:2] + struct.pack(">5H", flags, 1, len(addresses), 0, 0) + query[12:end]
            for a in addresses:
                answer += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(a)
            self.socket.sendto(answer, client)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Asked(Proxy):
    """A proxy with these servers in the backend b, and a socket."""

    def __init__(self, binary, names, servers, resolvers=RESOLVERS):
        self.socket = os.path.join(names.folder, "stats")
        body = f"listen b\n    bind 127.0.0.1:{{port}}\n    balance roundrobin\n{servers}"
        text = config(body + resolvers.replace("{dns}", str(names.port)))
        super().__init__(binary, text.replace("maxconn 5000", f"maxconn 5000\n    stats socket {self.socket} level admin"))

    def command(self, line):
        return ask_api(self.socket, line)

    def says(self, line):
        until("it says " + line, lambda: line in self.text())

    def status(self):
        rows = [r.split(",") for r in self.command("show stat").splitlines() if r.startswith("b,")]
        return {r[1]: r[17] for r in rows if r[1] not in ("FRONTEND", "BACKEND")}

    def state(self):
        """Of each server: address, port, weight, name that is asked for."""
        rows = [r.split() for r in self.command("show servers state b").splitlines() if len(r.split()) > 20]
        return {r[3]: (r[4], r[18], r[7], r[17]) for r in rows if r[0] != "#"}


MAINT = "MAINT (resolution)"


def test_a_name_that_comes_goes_and_moves_takes_its_server_along(binary):
    one, two = Server(named("one")), Server(named("two"))
    servers = f"    server s a.example:{one.port} resolvers dns init-addr none resolve-prefer ipv4\n"
    with Names() as names, Asked(binary, names, servers) as p:
        assert p.status() == {"s": MAINT}, p.status()
        names.add("a.example. 1 IN A 127.0.0.1")
        until("it serves", lambda: p.status() == {"s": "no check"})
        assert p.ask() == "one"
        p.says("b/s changed its IP from (none) to 127.0.0.1 by dns/one.")
        p.says("Server b/s administratively READY thanks to valid DNS answer.")
        names.remove("a.example.")
        until("it rests", lambda: p.status() == {"s": MAINT})
        p.says("Server b/s is going DOWN for maintenance (DNS NX status). 0 active and 0 backup servers left.")
        names.add("a.example. 1 IN A 127.0.0.2")
        until("it moves", lambda: p.state()["s"][0] == "127.0.0.2" and p.status() == {"s": "no check"})
        p.says("b/s changed its IP from (none) to 127.0.0.2 by dns/one.")


def test_what_a_bad_answer_means(binary):
    servers = "    server s a.example:80 resolvers dns init-addr 127.0.0.9\n    server r x.refused.example:80 resolvers dns init-addr 127.0.0.9\n"
    with Names() as names, Asked(binary, names, servers) as p:
        until("it rests", lambda: p.status() == {"s": MAINT, "r": MAINT})
        p.says("b/r is going DOWN for maintenance (DNS refused status)")
        names.add("a.example. 1 IN A 127.0.0.1")
        until("it serves", lambda: p.status()["s"] == "no check")
        names.stop()
        until("nobody answers", lambda: p.status()["s"] == MAINT)
        p.says("b/s is going DOWN for maintenance (DNS timeout status)")
        names.start()
        names.add("a.example. 1 IN A 127.0.0.3")
        until("it serves again", lambda: p.state()["s"][0] == "127.0.0.3" and p.status()["s"] == "no check")


def test_a_template_takes_each_address_once(binary):
    servers = "    server-template t 3 m.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    with Names("m.example. 1 IN A 127.0.0.1", "m.example. 1 IN A 127.0.0.2") as names, Asked(binary, names, servers) as p:
        until("two serve", lambda: list(p.status().values()).count("no check") == 2)
        assert {a for a, *_ in p.state().values()} == {"127.0.0.1", "127.0.0.2", "-"}, p.state()
        kept = [n for n, s in p.state().items() if s[0] == "127.0.0.2"]
        names.remove("m.example.")
        names.add("m.example. 1 IN A 127.0.0.2", "m.example. 1 IN A 127.0.0.3")
        until("one is replaced", lambda: {a for a, *_ in p.state().values()} >= {"127.0.0.2", "127.0.0.3"})
        assert p.state()[kept[0]][0] == "127.0.0.2", p.state()
        names.remove("m.example.")
        names.add("m.example. 1 IN A 127.0.0.3")
        until("one is left", lambda: list(p.status().values()).count("no check") == 1)
        p.says("is going DOWN for maintenance (No IP for server )")


def test_preferences(binary):
    lines = {
        "six": "resolve-prefer ipv6",
        "four": "resolve-prefer ipv4",
        "usual": "",
        "net": "resolve-prefer ipv4 resolve-net 10.0.0.0/8,127.0.0.2/32",
    }
    servers = "".join(
        f"    server {n} a.example:80 resolvers dns init-addr none resolve-opts allow-dup-ip {w}\n" for n, w in lines.items()
    )
    records = ["a.example. 1 IN A 127.0.0.1", "a.example. 1 IN A 127.0.0.2", "a.example. 1 IN AAAA ::1"]
    with Names(*records) as names, Asked(binary, names, servers) as p:
        until("all serve", lambda: set(p.status().values()) == {"no check"})
        got = {n: s[0] for n, s in p.state().items()}
        assert got.pop("four") in ("127.0.0.1", "127.0.0.2"), got
        assert got == {"six": "::1", "usual": "::1", "net": "127.0.0.2"}, got


def test_one_family_alone_is_enough(binary):
    servers = "    server s a.example:80 resolvers dns init-addr none resolve-prefer ipv6\n"
    with Names("a.example. 1 IN A 127.0.0.1") as names, Asked(binary, names, servers) as p:
        until("it serves", lambda: p.state()["s"][0] == "127.0.0.1")
        assert p.status() == {"s": "no check"}


def test_srv_records_fill_a_template(binary):
    one, two = Server(named("one")), Server(named("two"))
    servers = "    server-template t 3 _x._tcp.example resolvers dns init-addr none resolve-prefer ipv4\n"
    records = [
        "a.example. 1 IN A 127.0.0.1",
        "b.example. 1 IN A 127.0.0.1",
        f"_x._tcp.example. 1 IN SRV 0 10 {one.port} a.example.",
        f"_x._tcp.example. 1 IN SRV 0 600 {two.port} b.example.",
    ]
    with Names(*records) as names, Asked(binary, names, servers) as p:
        until("two serve", lambda: list(p.status().values()).count("no check") == 2)
        got = {s for s in p.state().values()}
        assert got == {
            ("127.0.0.1", str(one.port), "1", "a.example"),
            ("127.0.0.1", str(two.port), "3", "b.example"),
            ("-", "0", "1", "-"),
        }, got
        assert {p.ask() for _ in range(8)} == {"one", "two"}
        names.remove("_x._tcp.example.")
        names.add(records[2])
        until("one is gone", lambda: list(p.status().values()).count(MAINT) == 2)
        p.says("is going DOWN for maintenance (entry removed from SRV record)")
        assert {p.ask() for _ in range(4)} == {"one"}


HOLDS = """
resolvers dns
    nameserver one 127.0.0.1:{dns}
    timeout resolve 200ms
    timeout retry 100ms
    resolve_retries 2
    hold valid 100ms
    hold other 1s
    hold nx 2s
    hold refused 3s
    hold timeout 4s
    hold obsolete 5s
"""


def test_weights_of_srv_records(binary):
    servers = "    server-template t 4 _y._tcp.example resolvers dns init-addr 127.0.0.9 resolve-prefer ipv4\n"
    weights = (0, 1, 256, 65535)
    records = [f"_y._tcp.example. 1 IN SRV 0 {w} {1000 + i} a{i}.example." for i, w in enumerate(weights)]
    with Names() as names, Asked(binary, names, servers) as p:
        assert {s[0] for s in p.state().values()} == {"127.0.0.9"}, p.state()
        time.sleep(1)  # nobody has a name yet, who could lose it
        assert {s[0] for s in p.state().values()} == {"127.0.0.9"}, p.state()
        names.add(*(f"a{i}.example. 1 IN A 127.0.0.1{i}" for i in range(4)), *records)
        until("all serve", lambda: all(s[0].startswith("127.0.0.1") for s in p.state().values()))
        assert {port: w for _, port, w, _ in p.state().values()} == {"1000": "0", "1001": "1", "1002": "1", "1003": "256"}, p.state()


def test_a_truncated_answer_is_its_names_alone(binary):
    """Nobody listens at the port by TCP."""
    server = "    server {0} {0}.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    bad = [f"t{i}" for i in range(4)]
    servers = "".join(server.format(n) for n in ["s", *bad])
    with Told(s="127.0.0.1", **{n: "truncated" for n in bad}) as names, Asked(binary, names, servers) as p:
        until("it serves", lambda: p.status()["s"] == "no check")
        began = len(names.asked["s"])
        until("it was asked again", lambda: len(names.asked["s"]) > began + 9)
        assert "Server b/s is going DOWN" not in p.text()
        assert p.status() == {"s": "no check", **{n: MAINT for n in bad}}, p.status()
        counted = re.search(r"truncated: *(\d+)", p.command("show resolvers dns"))
        assert int(counted[1]) >= 8 or "haproxy" in binary, counted[0]


def test_a_check_needs_a_port(binary):
    servers = "".join(
        f"    server {n} {n}.example resolvers dns init-addr none check inter 100ms {words}\n" for n, words in (("s", ""), ("r", "port 9"))
    )
    with Told(s="127.0.0.1", r="127.0.0.1") as names, Asked(binary, names, servers) as p:
        until("both are down", lambda: p.status() == {"s": "DOWN", "r": "DOWN"})
        assert {s[0] for s in p.state().values()} == {"127.0.0.1"}, p.state()


def test_an_answer_holds_as_long_as_is_said(binary):
    """Of what has become of the name since; and an address that another one took the place of."""
    bad = {"other": ("other", 1), "no": ("nx", 2), "refused": ("refused", 3), "silent": ("nothing", 4), "moved": ("127.0.0.9", 5)}
    server = "    server {} {}.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    servers = "".join(server.format(name, name) for name in bad)
    with Told(**{name: "127.0.0.1" for name in bad}) as names, Asked(binary, names, servers, HOLDS) as p:
        until("all are known", lambda: set(p.status().values()) == {"no check"})
        left = {}
        names.says.update({name: says for name, (says, _) in bad.items()})
        began = {name: at[-1] for name, at in names.asked.items()}  # the last good answer

        def all_are_left():
            status = p.status()
            status["moved"] = p.state()["moved"][0]
            for name in bad:
                if status[name] in (MAINT, "127.0.0.9"):
                    left.setdefault(name, time.monotonic() - began[name])
            return len(left) == len(bad)

        until("all are left", all_are_left)
        for name, (_, hold) in bad.items():  # seen at the next one
            assert hold - 0.5 < left[name] < hold + 2, (name, left)
        names.says.update({name: "127.0.0.2" for name in bad})
        until("all are back", lambda: set(p.status().values()) == {"no check"})


def test_so_many_queries_are_sent_for_a_name(binary):
    """resolve_retries is the number of all of them."""
    holds = HOLDS.replace("resolve 200ms", "resolve 1s").replace("retries 2", "retries 3")
    servers = "    server s silent.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    with Told(silent="nothing") as names, Asked(binary, names, servers, holds):
        until("it is asked for the third time", lambda: len(names.asked.get("silent", ())) > 8)
    at = names.asked["silent"]
    waits = [b - a for a, b in zip(at, at[1:])]
    assert [i for i, wait in enumerate(waits) if wait > 0.6][:2] == [2, 5], waits


def test_show_resolvers_counts(binary):
    servers = "    server s a.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    with Names("a.example. 1 IN A 127.0.0.1") as names, Asked(binary, names, servers) as p:
        until("it serves", lambda: p.status() == {"s": "no check"})
        lines = p.command("show resolvers dns").splitlines()
        assert lines[:2] == ["Resolvers section dns", " nameserver one:"], lines
        names_of = "sent snd_error valid update cname cname_error any_err nx timeout refused other invalid too_big truncated outdated"
        counters = {line.split(":")[0].strip(): line[15:] for line in lines[2:] if line}
        assert list(counters) == names_of.split(), counters
        assert int(counters["valid"]) >= 1 and counters["update"] == "1", counters
        assert p.command("show resolvers none").strip() == "Can't find that resolvers section"


def test_an_operator_gives_another_name(binary):
    servers = "    server s a.example:80 resolvers dns init-addr none resolve-prefer ipv4\n    server t 127.0.0.9:80\n"
    with Names("b.example. 1 IN A 127.0.0.1") as names, Asked(binary, names, servers) as p:
        p.command("set server b/s fqdn b.example")
        until("it serves", lambda: p.status()["s"] == "no check")
        assert p.state()["s"][3] == "b.example"
        assert "no resolution is configured" in p.command("set server b/t fqdn b.example")


def test_a_reload_keeps_the_address(binary):
    if "haproxy" in os.path.basename(binary):
        return  # there it is another process
    servers = "    server s a.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    with Names("a.example. 1 IN A 127.0.0.1") as names, Asked(binary, names, servers) as p:
        until("it serves", lambda: p.status() == {"s": "no check"})
        names.stop()
        p.command("reload")
        assert p.status() == {"s": "no check"} and p.state()["s"][0] == "127.0.0.1", p.state()
        until("nobody answers", lambda: p.status()["s"] == MAINT)
        names.start()
        names.add("a.example. 1 IN A 127.0.0.4")
        until("it moves", lambda: p.state()["s"][0] == "127.0.0.4" and p.status() == {"s": "no check"})


def test_a_nameserver_may_speak_tcp_and_one_may_be_dead(binary):
    servers = "    server s a.example:80 resolvers dns init-addr none resolve-prefer ipv4\n"
    both = RESOLVERS.replace("    nameserver one 127.0.0.1:{dns}", f"    nameserver dead 127.0.0.1:{free_port()}\n    nameserver one tcp@127.0.0.1:{{dns}}")
    with Names("a.example. 1 IN A 127.0.0.1") as names, Asked(binary, names, servers, both) as p:
        until("it serves", lambda: p.status() == {"s": "no check"})


DO_RESOLVE = """
global
    nbthread 2
defaults
    mode http
    timeout connect 1s
    timeout client 9s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    http-request do-resolve(txn.ip,dns,ipv4) req.hdr(host),host_only
    http-request do-resolve(txn.six,dns) req.hdr(x-second) if { req.hdr(x-second) -m found }
    http-request set-header X-Ip "%[var(txn.ip)] %[var(txn.six)]"
    use_backend none unless { var(txn.ip) -m found }
    default_backend b
backend none
    http-request return status 421 content-type text/plain string "no address"
backend b
    http-request set-dst var(txn.ip)
    http-request set-dst-port int({server})
    server any 0.0.0.0:0
"""


def test_requests_wait_for_a_name(binary):
    def mirror(server, c):
        f = c.makefile("rb")
        while True:
            head, body = read_message(f)
            if not head:
                return
            ip = re.search(rb"(?i)x-ip: ([^\r]*)", head).group(1)
            c.sendall(b"HTTP/1.1 200 OK\r\nX-Ip: %s\r\nContent-Length: %d\r\n\r\n%s" % (ip, len(body), body))

    def ask(s, host, more=b"", body=b"", method=b"GET"):
        s.sendall(method + b" / HTTP/1.1\r\nHost: " + host + b"\r\n" + more + b"\r\n" + body)
        return read_message(f)

    web = Server(mirror)
    with Names("a.example. 1 IN A 127.0.0.1", "b.example. 1 IN AAAA ::1") as names:
        text = DO_RESOLVE + RESOLVERS.replace("{dns}", str(names.port))
        with Proxy(binary, text.replace("{server}", str(web.port))) as p, p.connect() as s:
            f = s.makefile("rb")
            for _ in range(3):  # one connection
                assert re.search(rb"(?i)x-ip: 127.0.0.1 ?\r", ask(s, b"a.example:80")[0])
            assert re.search(rb"(?i)x-ip: 127.0.0.1 ::1\r", ask(s, b"a.example", b"X-Second: b.example\r\n")[0])
            assert re.match(rb"HTTP/1.1 421", ask(s, b"none.example")[0])
            # a body that came with its head, one that comes later, and a request behind it in the same packet
            assert ask(s, b"a.example", b"Content-Length: 4\r\n", b"body", b"POST")[1] == b"body"
            s.sendall(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8\r\n\r\nhalf")
            time.sleep(0.1)
            s.sendall(b"half")
            assert read_message(f)[1] == b"halfhalf"
            s.sendall(2 * b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            assert all(read_message(f)[0].startswith(b"HTTP/1.1 200") for _ in range(2))
            # who goes while a name is asked for is forgotten
            names.stop()
            for _ in range(5):
                with p.connect() as gone:
                    gone.sendall(b"GET / HTTP/1.1\r\nHost: late.example\r\n\r\n")
            assert re.match(rb"HTTP/1.1 421", ask(s, b"late.example")[0])  # "timeout retry", and one try more
            # nor does an end wait for a name
            s.sendall(b"GET / HTTP/1.1\r\nHost: end.example\r\n\r\n")
            time.sleep(0.1)


TCP_RESOLVE = """
global
defaults
    mode tcp
    timeout connect 2s
    timeout client 9s
    timeout server 9s
frontend f
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 9s
    tcp-request content reject unless { req.len gt 4 }
    tcp-request content do-resolve(sess.ip,dns,ipv4) req.payload(0,1),concat(.example)
    tcp-request content reject unless { var(sess.ip) -m found }
    tcp-request content do-resolve(sess.second,dns,ipv4) str(second.example)
    tcp-request content reject if { var(sess.second) -m ip 127.0.0.2 } { req.payload(0,2) -m str ab }
    default_backend b
backend b
    tcp-request inspect-delay 9s
    tcp-request content do-resolve(sess.third,dns) str(third.example)
    tcp-request content set-dst var(sess.ip)
    tcp-request content reject unless { var(sess.third) -m found }
    server any 0.0.0.0:{server}
"""


def test_connections_wait_for_a_name(binary):
    server = Server(named("here"))
    with Names("a.example. 1 IN A 127.0.0.1", "second.example. 1 IN A 127.0.0.2", "third.example. 1 IN AAAA ::1") as names:
        text = TCP_RESOLVE + RESOLVERS.replace("{dns}", str(names.port))
        with Proxy(binary, text.replace("{server}", str(server.port))) as p:
            for _ in range(3):
                assert p.ask(b"a hello\n") == "here"
            assert p.ask(b"none hello\n") == ""
            assert p.ask(b"abcdef") == ""
            names.stop()
            for _ in range(5):  # who goes while a name is asked for is forgotten
                with p.connect() as gone:
                    gone.sendall(b"late hello\n")
            assert p.ask(b"late hello\n") == ""
            p.connect().sendall(b"end hello\n")
            time.sleep(0.1)


if __name__ == "__main__":
    main(globals(), needs=("unbound", "unbound-control"))
