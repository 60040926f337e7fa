#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One exchange after the other, with all that can go wrong, in proxyd and HAProxy alike:   exchange_twin.py BINARY

Of each case a client and a server are scripts; what the client got and when it ended, what the server got, the line of the log and the
counters are the same. All cases run at once, each with a frontend and a backend of its own.
"""
import concurrent.futures
import csv
import io
import re
import shutil
import socket
import struct
import tempfile
import time

from support import Asked, Server, free_port, main, until

TEXT = """
global
    nbthread 1
    log stdout format raw daemon
defaults
    mode http
    log global
    log-format "%f %b/%s %ST %tsc %rc %{+Q}r %TR/%Tw/%Tc/%Tr/%Ta"
    timeout connect 200ms
    timeout client 1s
    timeout server 1s
http-errors e
    errorfile 404 PAGE
"""
PAGE = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
COUNTED = (
    "stot hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other dreq dresp ereq econ eresp wredis cli_abrt srv_abrt intercepted lbtot").split()
NEAR = 0.25  # seconds: what is told apart here is further apart
LAST = 2.5  # seconds until a client that nothing happened to goes

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\nHost: h\r\n\r\n"
PART = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nabc"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nabc"
RESET, FIN = "reset", "fin"

# Lines of the frontend and of the backend; what the client does: bytes, seconds, FIN, RESET; the same of the server, behind the head.
CASES = {
    # versions, and what they say of connections
    "an answer of HTTP/1.0": ("", "", [GET, 0.2, GET], [b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"]),
    "a request of HTTP/1.0": ("", "", [OLD], [OK]),
    **{
        f"{option}, and pretended {version}": ("", f"option {option}\noption http-pretend-keepalive", [request], [OK])
        for option in ("httpclose", "http-server-close", "http-keep-alive")
        for version, request in (("1.1", GET), ("1.0", OLD))
    },
    "closed in front, pretended behind": ("option httpclose", "option http-pretend-keepalive", [GET], [OK]),
    "interim answers": ("", "", [GET], [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 150 x\r\n\r\n" + OK]),
    # chunks
    "blanks behind a size": ("", "", [GET], [CHUNKED + b"5  \r\nhello\r\n1 ;a=b\r\nx\r\n0\t\r\n\r\n"]),
    # timeouts
    "an endless answer that waits long": ("timeout client 300ms", "timeout server 300ms\ntimeout tunnel 1500ms", [GET], [ENDLESS]),
    "an endless answer that waits shortly": ("", "timeout tunnel 300ms", [GET], [ENDLESS]),
    "an answer with a length": ("", "timeout tunnel 300ms", [GET], [LONG]),
    "a short client, a long keep-alive": ("timeout client 400ms\ntimeout http-keep-alive 2s", "", [GET], [OK]),
    "a short client, a long request": ("timeout client 400ms\ntimeout http-request 2s", "", [GET[:9]], []),
    "a tarpit of the frontend": ("http-request tarpit\ntimeout tarpit 400ms", "timeout tarpit 1500ms", [GET], []),
    "a tarpit of the backend": ("timeout tarpit 1500ms", "http-request tarpit\ntimeout tarpit 400ms", [GET], []),
    "a tarpit as long as a connect": ("timeout tarpit 1500ms", "http-request tarpit", [GET], []),
    "a body that an answer's rules wait for": ("", "http-response wait-for-body time 300ms", [GET], [ENDLESS]),
    "a body that rules wait for": ("option http-buffer-request\ntimeout http-request 300ms", "", [PART], []),
    # ends
    "a length that breaks off": ("", "", [GET], [LONG, 0.2, FIN]),
    "a length that is reset": ("", "", [GET], [LONG, 0.2, RESET]),
    "chunks that break off": ("", "", [GET], [CHUNKED + b"5\r\nhe", 0.2, FIN]),
    "an endless answer that is reset": ("", "", [GET], [ENDLESS, 0.2, RESET]),
    "an endless answer that ends": ("", "", [GET], [ENDLESS, 0.2, FIN]),
    "a client that says no more": ("", "http-request wait-for-body time 2s", [PART, 0.2, FIN], []),
    "a client that is reset": ("", "option http-buffer-request", [PART, 0.2, RESET], []),
    # the log
    "logged at the end alone": ("option logasap\noption dontlog-normal", "", [GET], [LONG, 0.2, FIN]),
    "logged early, and no second time": ("option logasap\noption dontlog-normal", "", [GET], [b"HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\nx"]),
    "logged early": ("option logasap", "", [GET], [LONG, 0.2, FIN]),
    # rules that answer
    **{
        f"{rule}, {where}": (*(rule if where == w else "" for w in ("front", "back")), [GET], [OK])
        for where in ("front", "back")
        for rule in (
            "http-request return status 204", "http-request return status 200 content-type text/plain string a", "http-request redirect location /x",
            "http-request deny", "http-request silent-drop", "http-response redirect location /x code 303 if { status 200 }",
            "http-response redirect location /%[res.hdr(content-length)]", "http-response return status 201")
    },
    **{
        f"{rule}, and a cookie": ("", f"cookie C insert\n{rule}", [GET], [OK])
        for rule in ("http-request deny", "http-request reject", "http-request return status 200", "http-request redirect location /x")
    },
    **{
        f"{rule} {page}": (f"timeout tarpit 100ms\n{rule} 429 {page}", "", [GET], [OK])
        for rule in ("http-request return status", "http-request deny deny_status", "http-request tarpit deny_status", "http-response deny deny_status")
        for page in ("errorfile PAGE", "errorfiles e")
    },
    # attempts
    **{
        f"{option} to a server that is away": ("", f"{option}\nbalance {balance}\nretries 2", [GET], None)
        for option in ("option redispatch", "option redispatch 1", "option redispatch 2", "no option redispatch")
        for balance in ("roundrobin", "leastconn")
    },
    "asked again, one server": ("", "option redispatch 1\nretry-on 503", [GET], [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]),
}


def act(s, actions):
    """The script, over this socket. False: it is over."""
    for a in actions:
        if isinstance(a, bytes):
            s.sendall(a)
        elif isinstance(a, float):
            time.sleep(a)
        elif a == FIN:
            s.shutdown(socket.SHUT_WR)
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
            return False
    return True


def scripted(script, got):
    """A server that does the same for each head; `got`: what came."""

    def serve(_, c):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                part = c.recv(65536)
                if not part:
                    return
                data += part
            got.append(data)
            data = b""
            if not act(c, script):
                return

    return serve


def talk(port, script):
    """What a client got, and when its connection ended; 0: by itself."""
    got, began = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=LAST) as s:
        try:
            if not act(s, script):
                return got, 0
            while part := s.recv(65536):
                got += part
        except TimeoutError:
            pass
        except ConnectionError:
            got += b"reset"
        return got, time.monotonic() - began


def plain(data):
    """Heads without what may differ: names in small letters, in an order, the sentences of own pages, how chunks are cut."""
    text = re.sub(r"(?i)content-length: \d+\r\n((?:[^\r\n]+\r\n)*\r\n<html>)", r"\1", data.decode("latin-1"))
    text = re.sub(r"(<h1>.*?</h1>).*?</html>\s*", r"\1", text, flags=re.S)
    head, _, body = re.sub(r"(?m)^[\w-]+:", lambda m: m[0].lower(), text).partition("\r\n\r\n")
    lines = head.split("\r\n")
    if "transfer-encoding: chunked" in lines:
        body = "".join(re.split(r"(?:^|\r\n)[0-9a-f]+[ \t]*(?:;[^\r]*)?\r\n", body)).rstrip("\r\n")
    return [lines[0], *sorted(lines[1:])], body


def outcomes(binary):
    got = [[] for _ in CASES]
    servers = [None if case[3] is None else Server(scripted(case[3], g)) for case, g in zip(CASES.values(), got)]
    text, ports = TEXT, [free_port() for _ in CASES]
    for i, (front, back, _, _) in enumerate(CASES.values()):
        lines = [f"frontend f{i}", f"bind 127.0.0.1:{ports[i]}", *front.split("\n"), f"default_backend b{i}", f"backend b{i}", *back.split("\n")]
        cookie = " cookie s" if "cookie C" in back else ""
        text += "\n".join(lines) + f"\nserver s 127.0.0.1:{servers[i].port if servers[i] else 1}{cookie}\n"
    text += "listen l\n    bind 127.0.0.1:{port}\n"
    with tempfile.NamedTemporaryFile("w") as page:
        page.write(PAGE)
        page.flush()
        with Asked(binary, text.replace("PAGE", page.name)) as a, concurrent.futures.ThreadPoolExecutor(len(CASES)) as pool:
            talks = list(pool.map(talk, ports, (case[2] for case in CASES.values())))
            logged = lambda i: re.findall(rf"(?m)^f{i} .*", a.proxy.text())
            until("all is logged", lambda: all(logged(i) for i in range(len(CASES))))
            rows = list(csv.DictReader(io.StringIO(a.ask("show stat")[2:])))
            for i in range(len(CASES)):
                counters = {f"{r['svname']} {n}": r[n] for r in rows if r["pxname"] in (f"f{i}", f"b{i}") for n in COUNTED}
                yield plain(talks[i][0]), talks[i][1], [plain(g) for g in got[i]], logged(i), counters
    for s in servers:
        if s:
            s.stop()


def timers(line):
    return [int(n) for n in line.rsplit(" ", 1)[1].replace("+", "").split("/")]


def differences(ours, theirs):
    yield from (f"{a!r} and not {b!r}" for i in (0, 2) for a, b in [(ours[i], theirs[i])] if a != b)
    if abs(ours[1] - theirs[1]) > NEAR:
        yield f"ended after {ours[1]:.2f} and not {theirs[1]:.2f} s"
    if [line.rsplit(" ", 1)[0] for line in ours[3]] != [line.rsplit(" ", 1)[0] for line in theirs[3]]:
        yield f"{ours[3]} and not {theirs[3]}"
    elif any(abs(timers(a)[4] - timers(b)[4]) > 1000 * NEAR for a, b in zip(ours[3], theirs[3])):
        yield f"times: {ours[3]} and not {theirs[3]}"
    for name, value in theirs[4].items():
        # a fault of two kinds counts twice there
        if ours[4][name] != value and not (name.endswith("eresp") and ours[4][name] > "0" and value > "0"):
            yield f"{name} is {ours[4][name]} and not {value}"


def test_exchanges(binary):
    """On a busy machine now this is late and now that: what differs each time is a difference."""
    wrong = None
    for _ in range(5):
        pairs = zip(CASES, list(outcomes(binary)), list(outcomes(shutil.which("haproxy"))))
        found = {name: list(differences(ours, theirs)) for name, ours, theirs in pairs}
        wrong = {name: what for name, what in found.items() if what and (wrong is None or name in wrong)}
        if not wrong:
            return
    raise AssertionError("".join(f"\n{name}: {what}" for name, each in wrong.items() for what in each))


if __name__ == "__main__":
    main(globals(), needs=("haproxy",))
