#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Log lines of others, received and passed on by proxyd and HAProxy alike:   log_forward_twin.py BINARY"""
import datetime
import os
import re
import tempfile
import resource
import signal
import socket
import ssl
import subprocess
import time

from support import Asked, Proxy, Server, config, free_port, main, until

FORMATS = ("", "rfc3164", "rfc5424", "local", "raw", "iso", "timed", "short", "priority")
NOW = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"
SHORT_NOW = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
YEAR = str(datetime.datetime.now().year)

# A line, and what each format makes of it (as expressions); None: as it came.
OLD = YEAR + "-10-03T10:11:12-00:00"
CASES = [
    ("<13>Oct  3 10:11:12 myhost tag[123]: hello world", {
        "rfc3164": "<13>Oct  3 10:11:12 myhost tag[123]: hello world", "rfc5424": f"<13>1 {OLD} myhost tag 123 - - hello world",
        "local": "<13>Oct  3 10:11:12 tag[123]: hello world", "raw": "hello world", "iso": OLD + " hello world",
        "timed": f"<5>{OLD} hello world", "short": "<5>hello world", "priority": "<13>hello world"}),
    ('<165>1 2003-10-11T22:14:15.003Z h.example evntslog 77 ID47 [a@1 iut="3"] An event', {
        "rfc3164": "<165>Oct 11 22:14:15 h.example evntslog[77]: An event",
        "rfc5424": '<165>1 2003-10-11T22:14:15.003Z h.example evntslog 77 ID47 [a@1 iut="3"] An event',
        "local": "<165>Oct 11 22:14:15 evntslog[77]: An event", "raw": "An event", "iso": "2003-10-11T22:14:15.003Z An event",
        "timed": "<5>2003-10-11T22:14:15.003Z An event", "short": "<5>An event", "priority": "<165>An event"}),
    ("<14>Oct  3 10:11:12 host only words", {
        "rfc3164": "<14>Oct  3 10:11:12 host only words", "rfc5424": f"<14>1 {OLD} host - - - - only words",
        "local": "<14>Oct  3 10:11:12 only words", "raw": "only words"}),
    ("<14>no date here", {
        "rfc3164": f"<14>(?:{SHORT_NOW}) localhost no date here", "rfc5424": f"<14>1 (?:{NOW}) - - - - - no date here",
        "iso": f"(?:{NOW}) no date here", "raw": "no date here", "priority": "<14>no date here"}),
    ("<14>Xyz  3 10:11:12 h t: no month", {"rfc3164": f"<14>(?:{SHORT_NOW}) localhost Xyz  3 10:11:12 h t: no month", "raw": "Xyz  3 10:11:12 h t: no month"}),
    ("plain text", {"raw": "plain text", "priority": "<152>plain text", "short": "<0>plain text", "local": f"<152>(?:{SHORT_NOW}) plain text"}),
    ("<15>Oct  3 10:11:12 h t: too detailed", {f: None for f in FORMATS}),
]


# What costs HAProxy 2.6 a byte of the message.
ODD = [('<14>1 2003-10-11T22:14:15Z h t - - [a@1 iut="3\\"]"][b@2] An event', {"raw": "An event", "local": "<14>Oct 11 22:14:15 t: An event"}),
    ("<14>1 2003-10-11 h a p m - no time", {
        "rfc3164": f"<14>(?:{SHORT_NOW}) localhost 1 2003-10-11 h a p m - no time",
        "rfc5424": f"<14>1 (?:{NOW}) - - - - - 1 2003-10-11 h a p m - no time", "raw": "1 2003-10-11 h a p m - no time"})]


def wanted_of(text):
    """An expression; only what stands in (?:…) is one."""
    return "".join(part if part.startswith("(?:") else re.escape(part) for part in re.split(r"(\(\?:.*?\))", text)) + "\n?"


class Datagrams:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.socket.settimeout(20)

    def next(self):
        return self.socket.recv(65536).decode()


def send(port, line):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(line.encode(), ("127.0.0.1", port))


def section(udp, logs, more=""):
    return f"\nlog-forward lf\n    dgram-bind 127.0.0.1:{udp}\n    bind 127.0.0.1:{{port}}\n    timeout client 20s\n{more}" + "".join(
        f"    log {log}\n" for log in logs)


def test_each_format_is_told_from_the_others(binary):
    udp, targets = free_port(), [(f, Datagrams()) for f in FORMATS]
    logs = [f"127.0.0.1:{t.port}{' format ' + f if f else ''} local3 info" for f, t in targets]
    cases = CASES + ([] if "haproxy" in binary else ODD)
    with Proxy(binary, config(section(udp, logs))):
        for line, _ in cases:
            send(udp, line)
        send(udp, "<14>Oct  3 10:11:12 h t: end")
        for f, t in targets:
            for line, wanted in cases:
                want = wanted.get(f, line if not f else "")
                if want is None:
                    continue
                got = t.next()
                assert not want or re.fullmatch(wanted_of(want), got), (f, line, got)
            assert t.next().rstrip("\n").endswith("end"), "and nothing more"


def test_lines_come_over_tcp_and_leave_by_a_ring(binary):
    got, udp, plain = [], free_port(), Datagrams()

    def take(server, c):
        while data := c.recv(65536):
            got.append(data)

    ring = Server(take)
    text = config(section(udp, ["ring@r local0", f"127.0.0.1:{plain.port} local0"])) + f"""
ring r
    format rfc5424
    size 65536
    timeout connect 5s
    timeout server 5s
    server s 127.0.0.1:{ring.port} log-proto octet-count
"""
    with Asked(binary, text) as p:
        with p.proxy.connect() as c:
            first = "<14>Oct  3 10:11:12 host tag: counted"
            c.sendall(f"{len(first)} {first}<14>Oct  3 10:".encode())
            time.sleep(0.05)
            c.sendall(b"11:12 host tag: not counted\n<14>Oct  3 10:11:12 host tag: the last\n")
            lines = [plain.next().rstrip("\n") for _ in range(3)]
            assert lines == [f"<14>Oct  3 10:11:12 host tag: {t}" for t in ("counted", "not counted", "the last")], lines
        wanted = "".join(f"{len(l)} {l}" for l in (f"<14>1 {OLD} host tag - - - {t}" for t in ("counted", "not counted", "the last")))
        until("the ring has sent them", lambda: b"".join(got).decode() == wanted)
        assert "CumRecvLogs: 3" in p.ask("show info")
        with p.proxy.connect() as c:  # what is no syslog ends its connection, and no other
            c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert c.recv(1) == b""
        send(udp, "<14>Oct  3 10:11:12 h t: still here")
        assert plain.next().rstrip("\n").endswith("still here")


def test_what_a_bind_line_may_say(binary):
    plain, udp, one = Datagrams(), free_port(), free_port()
    words = f"    bind 127.0.0.1:{one} maxconn 1 interface lo\n    dgram-bind 127.0.0.1:{udp} interface lo\n"
    text = config(f"\nlog-forward lf\n    bind 127.0.0.1:{{port}} accept-proxy name in\n{words}    timeout client 20s\n    log 127.0.0.1:{plain.port} local0\n")
    line = b"<14>Oct  3 10:11:12 host tag: %s\n"
    with Proxy(binary, text) as p:
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"):
            split = [(header[:9], header[9:] + line % b"a")] if "haproxy" not in binary else []  # which wants it in one segment
            for pieces in ((header + line % b"a",), (header, line % b"a"), *split):
                with p.connect() as c:
                    for piece in pieces:
                        c.sendall(piece)
                        time.sleep(0.05)
                    assert plain.next().rstrip("\n").endswith("tag: a"), pieces
        with p.connect() as c:  # a line is no header
            try:
                c.sendall(line % b"lost")
                assert c.recv(1) == b""
            except OSError:  # it was reset
                pass
        with socket.create_connection(("127.0.0.1", one)) as first, socket.create_connection(("127.0.0.1", one)) as second:
            first.sendall(line % b"first")
            assert plain.next().rstrip("\n").endswith("tag: first")
            second.sendall(line % b"second")
            plain.socket.settimeout(0.3)
            try:
                raise AssertionError(plain.next())
            except TimeoutError:
                plain.socket.settimeout(20)
            if "haproxy" not in binary:  # 2.6 does not come back to it
                first.close()
                assert plain.next().rstrip("\n").endswith("tag: second")
        send(udp, "<14>Oct  3 10:11:12 host tag: datagram")
        assert plain.next().rstrip("\n").endswith("tag: datagram")


def speak_tls(p, ca, port=None, client=None):
    c = ssl.create_default_context(cafile=ca)
    if client:
        c.load_cert_chain(client)
    return c.wrap_socket(p.connect(port), server_hostname="localhost")


def test_lines_come_over_tls(binary):
    plain, verified, got_by_ring = Datagrams(), free_port(), []

    def take(server, c):
        while data := c.recv(65536):
            got_by_ring.append(data)

    line = b"<14>Oct  3 10:11:12 host tag: %s\n"
    with tempfile.TemporaryDirectory() as folder:
        pem, both = f"{folder}/cert", f"{folder}/both"
        make_pem(folder, pem, both)
        more = f"    bind 127.0.0.1:{verified} ssl crt {both} verify required ca-file {pem} accept-proxy ssl-min-ver TLSv1.3\n"
        ring = Server(take)
        text = section(free_port(), [f"127.0.0.1:{plain.port} local0", "ring@r local0"], more).replace("{port}\n", "{port} ssl crt " + both + "\n", 1)
        text += f"\nring r\n    format rfc3164\n    size 4194304\n    timeout connect 5s\n    timeout server 5s\n    server s 127.0.0.1:{ring.port}\n"
        with Proxy(binary, config(text)) as p:
            with speak_tls(p, pem) as c:
                c.sendall(line % b"one" + line % b"two" + line[:20])
                time.sleep(0.05)
                c.sendall(line[20:] % b"three" + b"<14>Oct  3 10:11:12 host tag: no end")
                c.unwrap()
            wanted = ["one", "two", "three"] + ["end"] * ("haproxy" not in binary)  # which drops it
            got = [plain.next().rstrip("\n").rpartition(" ")[2] for _ in wanted]
            assert got == wanted, got
            for junk in (line % b"plain", b""):  # is no TLS, or ends before
                with p.connect() as c:
                    if junk:
                        c.sendall(junk)
                    else:
                        c.shutdown(socket.SHUT_WR)
                    try:
                        while c.recv(4096):  # an alert
                            pass
                    except OSError:
                        pass
            for client in (None, both):
                with p.connect(verified) as raw:
                    raw.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
                    time.sleep(0.05)
                    context = ssl.create_default_context(cafile=pem)
                    if client:
                        context.load_cert_chain(client)
                    try:
                        with context.wrap_socket(raw, server_hostname="localhost") as c:
                            c.sendall(line % (b"known" if client else b"unknown"))
                            if client:
                                assert plain.next().rstrip("\n").endswith("tag: known")
                            else:
                                assert c.recv(1) == b"" and False, "it was let in"
                    except (ssl.SSLError, ConnectionResetError):
                        assert not client
            with speak_tls(p, pem) as c:  # more than the records and buffers of one turn
                lines = b"".join(b"<14>Oct  3 10:11:12 host tag: %d %s\n" % (i, b"x" * 400) for i in range(1500))
                c.sendall(lines)
                until("the ring has sent them", lambda: b"".join(got_by_ring).endswith(lines))


def make_pem(folder, cert, both):
    key = f"{folder}/key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    with open(both, "w") as f:
        f.write(open(cert).read() + open(key).read())


def test_a_certificate_of_log_forward_changes_at_run_time(binary):
    plain, line = Datagrams(), b"<14>Oct  3 10:11:12 host tag: %s\n"
    with tempfile.TemporaryDirectory() as folder:
        made = [(f"{folder}/cert{i}", f"{folder}/both{i}") for i in range(2)]
        for cert, both in made:
            make_pem(folder, cert, both)
        text = section(free_port(), [f"127.0.0.1:{plain.port} local0"]).replace("{port}\n", "{port} ssl crt " + made[0][1] + "\n", 1)
        with Asked(binary, config(text)) as asked:
            with speak_tls(asked.proxy, made[0][0]) as before:
                before.sendall(line % b"before")
                assert plain.next().rstrip("\n").endswith("tag: before")
                payload = open(made[1][1]).read().rstrip("\n")
                assert "Transaction created" in asked.ask(f"set ssl cert {made[0][1]} <<\n{payload}\n")
                assert "Success!" in asked.ask(f"commit ssl cert {made[0][1]}")
                before.sendall(line % b"still")
                assert plain.next().rstrip("\n").endswith("tag: still")
            with speak_tls(asked.proxy, made[1][0]) as after:
                after.sendall(line % b"after")
                assert plain.next().rstrip("\n").endswith("tag: after")


def test_lines_come_over_unix_sockets(binary):
    plain = Datagrams()
    with tempfile.TemporaryDirectory() as folder:
        more = f"    dgram-bind unix@{folder}/d mode 622\n    bind {folder}/s name x mode 640\n"
        with Proxy(binary, config(section(free_port(), [f"127.0.0.1:{plain.port} local0"], more))):
            for name, kind, mode in ("d", socket.SOCK_DGRAM, 0o622), ("s", socket.SOCK_STREAM, 0o640):
                path = os.path.join(folder, name)
                assert os.stat(path).st_mode & 0o777 == mode
                with socket.socket(socket.AF_UNIX, kind) as s:
                    s.connect(path)
                    s.sendall(b"<14>Oct  3 10:11:12 host tag: by %s\n" % name.encode())
                    assert plain.next().rstrip("\n") == f"<14>Oct  3 10:11:12 host tag: by {name}"


def test_a_line_end_behind_what_is_counted_may_come_late(binary):
    if "haproxy" in binary:  # it takes none there
        return
    plain, line = Datagrams(), "<14>Oct  3 10:11:12 host tag: counted"
    with Proxy(binary, config(section(free_port(), [f"127.0.0.1:{plain.port} local0"]))) as p, p.connect() as c:
        for _ in range(3):  # what came is taken before the next comes
            c.sendall(f"{len(line)} {line}".encode())
            assert plain.next().rstrip("\n") == line
            c.sendall(b"\n")


def test_a_soft_stop_leaves_the_addresses_to_another(binary):
    udp, plain, front = free_port(), Datagrams(), free_port()
    origin = Server(lambda server, c: c.sendall(b"x") or c.recv(1))
    text = config(section(udp, [f"127.0.0.1:{plain.port} local0"]) + f"\nlisten l\n    bind 127.0.0.1:{front}\n    server s 127.0.0.1:{origin.port}\n")
    with Proxy(binary, text) as p, p.connect(front) as keeps, p.connect() as stays:
        assert keeps.recv(1) == b"x"
        stays.sendall(b"<14>Oct  3 10:11:12 h t: before\n")
        assert "before" in plain.next()
        p.signal(signal.SIGUSR1)

        def are_free():
            with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    tcp.bind(("127.0.0.1", p.port))
                    datagrams.bind(("127.0.0.1", udp))
                except OSError:
                    return False
                return True

        until("the addresses are free", are_free)
        stays.sendall(b"<14>Oct  3 10:11:12 h t: after\n")
        assert "after" in plain.next()


def test_clients_wait_for_a_descriptor(binary):
    if "haproxy" in binary:  # it takes its limit from the file
        return
    plain = Datagrams()
    with Proxy(binary, config(section(free_port(), [f"127.0.0.1:{plain.port} local0"]))) as p:
        pid = p.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
        none = next(fd for fd in range(len(used) + 1) if fd not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (none, before[1]))
        with p.connect() as c:
            c.sendall(b"<14>Oct  3 10:11:12 h t: patient\n")
            until("it says so", lambda: "clients wait" in p.text())
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            assert "t: patient" in plain.next()
        assert p.text().count("clients wait") == 1


def test_a_flood_of_bad_clients_floods_no_log(binary):
    if "haproxy" in binary:  # it tells of each
        return
    with Proxy(binary, config(section(free_port(), [f"127.0.0.1:{Datagrams().port} local0"]))) as p:
        for _ in range(50):
            with p.connect() as c:
                c.sendall(b"neither\n")
                assert c.recv(1) == b""
        assert p.text().count("neither a line nor a length") == 1


def test_a_reload_changes_where_lines_go(binary):
    if "haproxy" in binary:  # another process
        return
    udp, one, two = free_port(), Datagrams(), Datagrams()
    text = config(section(udp, [f"127.0.0.1:{one.port} local0"], "    maxconn 2\n"))
    with Proxy(binary, text) as p:
        with p.connect() as c:
            c.sendall(b"<14>Oct  3 10:11:12 h t: 1\n")
            assert "t: 1" in one.next()
            p.write(text.replace(str(one.port), str(two.port)))
            p.signal(signal.SIGUSR2)
            until("it is read again", lambda: "read again" in p.text() or "reload" in p.text().lower())
            c.sendall(b"<14>Oct  3 10:11:12 h t: 2\n")
            assert "t: 2" in two.next()
            send(udp, "<14>Oct  3 10:11:12 h t: 3")
            assert "t: 3" in two.next()
            with p.connect() as second, p.connect() as third:  # the third waits until there is room
                second.sendall(b"<14>Oct  3 10:11:12 h t: 4\n")
                assert "t: 4" in two.next()
                third.sendall(b"<14>Oct  3 10:11:12 h t: 5\n")
                second.close()
                assert "t: 5" in two.next()


if __name__ == "__main__":
    main(globals())
