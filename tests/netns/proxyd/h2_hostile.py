#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients of HTTP/2 that mean harm; the others are served meanwhile:   h2_hostile.py BINARY"""
import concurrent.futures
import random
import signal
import struct
import threading
import time

from h2_support import (
    CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, HAS_PRIORITY, HEADERS,
    HTTP_1_1_REQUIRED, INTERNAL_ERROR, NO_ERROR, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
    START, STREAM_CLOSED, Peer, connect, data, frame, get, head, headers, literal, post, rst, settings, window)
from h2_twin import read_body, read_request
from support import Proxy, Server, config, main, until

DEFAULTS = """
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
"""
BODY = DEFAULTS + "listen l\n    bind 127.0.0.1:{port} proto h2\n    {lines}\n    server s 127.0.0.1:{server}\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Web(Server):
    """Answers each request that is whole; `asked` has their lines."""

    def __init__(self, answer=OK, wait=0):
        self.asked = []

        def serve(server, c):
            f = c.makefile("rb")
            while lines := read_request(f):
                read_body(f, lines)
                self.asked.append(lines.split(b"\r\n")[0].decode("latin-1"))
                if wait:
                    time.sleep(wait)
                c.sendall(answer)

        super().__init__(serve)


def proxy(binary, server, lines="", **more):
    return Proxy(binary, config(BODY, server=server.port, lines=lines, **more))


def is_served(p):
    with connect(p.port) as c:
        c.sendall(get(path="/good"))
        return Peer(c).answer(1).body == b"ok"


def rss(p):
    """Bytes; None under a sanitizer, whose shadow is no measure."""
    with open(f"/proc/{p.process.pid}/status") as f:
        values = dict(line.split(None, 1) for line in f if line.startswith("Vm"))
    return None if int(values["VmSize:"].split()[0]) > 1 << 32 else int(values["VmRSS:"].split()[0]) * 1024


def stream_error(code):
    return {"rst": code, "goaway": None}


def connection_error(code):
    return {"rst": None, "goaway": code}


MALFORMED, BROKEN = stream_error(PROTOCOL_ERROR), connection_error(PROTOCOL_ERROR)
SIZE, COMPRESSION = connection_error(FRAME_SIZE_ERROR), connection_error(COMPRESSION_ERROR)
BAD_REQUEST = {"status": "400"}
POST = headers(1, head("POST"), False)
BLOCK = literal(*head())


def with_field(name, value):
    return get(more=[(name, value)])


def with_length(*lengths):
    return post(1, b"ab", more=[("content-length", n) for n in lengths])


def raw(block, flags=END_STREAM | END_HEADERS, stream=1):
    return frame(HEADERS, flags, stream, block)


CASES = {
    # requests (RFC 9113, section 8)
    **{f"the field {f[0]!r}: {f[1]!r}": (with_field(*f), MALFORMED) for f in (
        ("X-Up", "a"), ("connection", "close"), ("te", "gzip"), ("transfer-encoding", "chunked"), ("upgrade", "websocket"), ("keep-alive", "1"),
        ("proxy-connection", "close"), ("x", "a\rb"), ("x", "a\nb"), ("x", "a\0b"), ("x:y", "a"), ("x y", "a"), ("", "a"), ("x\r\ny", "a"))},
    **{f"the path {path!r}": (get(path=path), MALFORMED) for path in ("/a b", "/a\r\nx: y", "/a\tb", "/\0", "a", "", "http://x/")},
    **{f"the method {method!r}": (get(method=method), MALFORMED) for method in ("GE T", "", "GET\r\n", "CONNECT")},
    **{f"without {name}": (headers(1, [f for f in head() if f[0] != name]), MALFORMED) for name in (":method", ":path", ":scheme", ":authority")},
    **{f"{name} twice": (headers(1, [(name, "x"), *head()]), MALFORMED) for name in (":method", ":path", ":scheme", ":authority")},
    **{f"the field {name}": (headers(1, [(name, "x"), *head()]), MALFORMED) for name in (":status", ":x", ":")},
    "a pseudo-header field behind": (headers(1, head()[:3] + [("a", "b")] + head()[3:]), MALFORMED),
    "a fragment": (get(path="/a#b"), BAD_REQUEST),
    "another host": (with_field("host", "other"), BAD_REQUEST),
    "a user": (get(authority="u@h"), BAD_REQUEST),
    "a blank in the authority": (get(authority="h h"), MALFORMED),
    "too many fields": (get(more=[("x", "y")] * 150), BAD_REQUEST),
    "too long a field": (get(more=[("x", "y" * 15900)]), BAD_REQUEST),
    "too long a path": (raw(literal(*head(path="/" * 60000))[:16000], END_STREAM) + b"".join(
        frame(CONTINUATION, END_HEADERS if i == 3 else 0, 1, literal(*head(path="/" * 60000))[16000 * i:16000 * i + 16000]) for i in range(1, 4)), MALFORMED),
    "CONNECT": (headers(1, [(":method", "CONNECT"), (":authority", "h:443")], False), stream_error(HTTP_1_1_REQUIRED)),
    "a websocket": (headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), *head()[1:]], False), MALFORMED),
    # bodies
    **{f"lengths {lengths}": (with_length(*lengths), MALFORMED) for lengths in (("+2",), ("-2",), ("2, 2",), ("2", "2"), ("1",), ("3",), ("x",), ("",))},
    "a length without a body": (get(method="POST", more=[("content-length", "2")]), MALFORMED),
    "a pseudo-header field in trailers": (POST + data(1, b"a", False) + headers(1, [(":path", "/x")]), MALFORMED),
    "trailers that do not end": (POST + data(1, b"a", False) + headers(1, [("x", "y")], False), MALFORMED),
    "lines in a trailer": (POST + data(1, b"a", False) + headers(1, [("x", "y\r\nz: 1")]), MALFORMED),
    # blanks around a value are none of it
    "blanks around a value": (with_field("x", " a\t"), {"status": "200"}),
    "te: trailers": (with_field("te", "trailers"), {"status": "200"}),
    # streams (section 5)
    "an even stream": (get(2), BROKEN),
    "the stream 0": (headers(0, head()), BROKEN),
    "data of no stream": (data(0, b"a"), BROKEN),
    "data of an idle stream": (data(3, b"a"), BROKEN),
    "data behind the end": (get(1) + data(1, b"a"), connection_error(STREAM_CLOSED)),
    "a head behind the end": (get(1) + get(1), connection_error(STREAM_CLOSED)),
    "a reset of an idle stream": (rst(3), BROKEN),
    "a window of an idle stream": (window(3, 1), BROKEN),
    # frames (section 6)
    "a window of 0": (window(0, 0), BROKEN),
    "too large a window": (window(0, 0x7FFFFFFF), connection_error(FLOW_CONTROL_ERROR)),
    "too large a window of a stream": (POST + window(1, 0x7FFFFFFF), stream_error(FLOW_CONTROL_ERROR)),
    "too large a first window": (settings(window=1 << 31), connection_error(FLOW_CONTROL_ERROR)),
    "too small frames": (settings(frame=100), BROKEN),
    "pushes": (settings(push=2), BROKEN),
    "a part of a setting": (frame(SETTINGS, 0, 0, b"12345"), SIZE),
    "settings that are acknowledged and set": (frame(SETTINGS, 1, 0, b"123456"), SIZE),
    "settings of a stream": (frame(SETTINGS, 0, 1), BROKEN),
    "a short ping": (frame(PING, 0, 0, b"1234567"), SIZE),
    "a ping of a stream": (frame(PING, 0, 1, b"12345678"), BROKEN),
    "a short reset": (frame(RST_STREAM, 0, 1, b"123"), SIZE),
    "a short priority": (frame(PRIORITY, 0, 1, b"1234"), SIZE),
    "a stream that depends on itself": (raw(struct.pack("!IB", 1, 1) + BLOCK, END_STREAM | END_HEADERS | HAS_PRIORITY), BROKEN),
    "a push": (frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack("!I", 2) + BLOCK), BROKEN),
    "more padding than there is": (POST + frame(DATA, END_STREAM | PADDED, 1, b"\x09hello"), BROKEN),
    "padding": (POST + frame(DATA, END_STREAM | PADDED, 1, b"\3hello\0\0\0"), {"status": "200"}),
    "a padded head": (raw(b"\2" + BLOCK + b"\0\0", END_STREAM | END_HEADERS | PADDED), {"status": "200"}),
    "a large frame": (POST + frame(DATA, 0, 1, b"x" * 16385), SIZE),
    "an unknown frame": (frame(0x77, 0xFF, 1, b"abc") + get(1), {"status": "200"}),
    "a large unknown frame": (frame(0x77, 0, 0, b"x" * 17000), SIZE),
    "a continuation of nothing": (frame(CONTINUATION, END_HEADERS, 1, BLOCK), BROKEN),
    "a ping within a head": (raw(BLOCK, END_STREAM) + frame(PING, 0, 0, b"12345678"), BROKEN),
    "a continuation of another head": (raw(BLOCK, END_STREAM) + frame(CONTINUATION, END_HEADERS, 3), BROKEN),
    "a head in parts": (raw(BLOCK[:20], END_STREAM) + frame(CONTINUATION, 0, 1, BLOCK[20:30]) + frame(CONTINUATION, END_HEADERS, 1, BLOCK[30:]), {"status": "200"}),
    "an endless head": (raw(BLOCK, END_STREAM) + b"".join(frame(CONTINUATION, 0, 1, literal(("x", "y" * 16000))) for _ in range(200)), {"over": True}),
    "endless continuations": (raw(BLOCK, END_STREAM) + frame(CONTINUATION, 0, 1) * 20000, {"over": True}),
    # fields (RFC 7541)
    "an index of none": (raw(b"\xff\xff\x7f"), COMPRESSION),
    "the index 0": (raw(b"\x80"), COMPRESSION),
    "Huffman's code cut": (raw(BLOCK + b"\0\x81\xff\x81\xff"), COMPRESSION),
    "a cut head": (raw(BLOCK[:-1]), COMPRESSION),
    "too large a table": (raw(b"\x3f\xff\xff\x03" + BLOCK), COMPRESSION),
    "an endless number": (raw(b"\xff" + b"\xff" * 30), COMPRESSION),
    # one entry of the table, many times: what is merely too long is answered, what is endless is not read
    "a small head that is large": (raw(b"\x40\1x" + b"\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 12000), stream_error(INTERNAL_ERROR)),
    "a request that is too large": (raw(BLOCK + b"\x40\1x" + b"\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 10), BAD_REQUEST),
    "a request that is large": (raw(BLOCK + b"\x40\1x" + b"\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 12000), stream_error(INTERNAL_ERROR)),
    # no preface
    "HTTP/1.1": (None, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    "a preface that differs": (None, PREFACE[:-4] + b"XX\r\n" + settings()),
    "no settings": (None, PREFACE + get()),
}


def meet(p, what):
    """What it led to: a request that is right follows where the connection stands."""
    first, what = (what[1], b"") if what[0] is None else (START, what[0])
    with connect(p.port, b"") as c:
        peer = Peer(c)
        try:
            c.sendall(first + what + get(101, "/good"))
        except OSError:
            pass
        peer.read_until(lambda: all(peer.streams.get(n) and peer.streams[n].end is not None for n in (1, 101)))
        s = peer.streams.get(1)
        return {
            "status": s and s.heads and s.status() or None,
            "rst": s.end if s and s.end != "end" else None,
            "goaway": peer.goaways[-1][1] if peer.goaways else None,
            "over": peer.is_over is not None,
            "good": 101 in peer.streams and peer.streams[101].body == b"ok",
        }


def test_what_is_wrong_is_refused(binary):
    web = Web()
    with proxy(binary, web, "timeout client 2s") as p, concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = dict(zip(CASES, pool.map(lambda case: meet(p, case), CASES.values())))
        wrong = []
        for name, (what, expected) in CASES.items():
            if what is None:
                expected = {"status": None, "over": True, "good": False}
            elif "good" not in expected:
                expected = {**expected, "good": not (expected.get("over") or expected.get("goaway") is not None)}
            if not expected.items() <= found[name].items():
                wrong.append(f"{name}: {found[name]} and not {expected}")
        assert not wrong, "\n" + "\n".join(wrong)
        assert is_served(p)
    passed = [line for line in web.asked if "/good" not in line]
    assert set(passed) == {"GET / HTTP/1.1", "POST / HTTP/1.1"} and passed.count("POST / HTTP/1.1") == 1, passed


# ---- Many of something ----

def flood(p, text, n, first=START):
    """Sends it `n` times and reads nothing, until it is over or all is sent. The socket."""
    c = connect(p.port, first)
    c.settimeout(2)
    try:
        for _ in range(n):
            c.sendall(text)
    except OSError:
        pass
    return c


def test_floods_cost_no_memory(binary):
    floods = {
        "pings": (frame(PING, 0, 0, b"12345678") * 500, 400),
        "settings": (settings(window=70000) * 500, 400),
        "priorities": (frame(PRIORITY, 0, 1, struct.pack("!IB", 3, 1)) * 1000, 100),
        "priorities of many": (b"".join(frame(PRIORITY, 0, 2 * i + 1, struct.pack("!IB", 0, 1)) for i in range(10000)), 1),
        "windows": (window(0, 1) * 1000, 100),
        "empty data": (data(1, b"", False) * 1000, 100, START + POST),
        "data of one byte": (data(1, b"x", False) * 1000, 60, START + POST),
        "unknown frames": (frame(0x77, 0, 0, b"x" * 1000) * 100, 100),
        "resets": (rst(1) * 1000, 100, START + get()),
    }
    web = Web()
    with proxy(binary, web) as p:
        assert is_served(p)
        before = rss(p)
        held = [flood(p, *what) for what in floods.values()]
        assert is_served(p)
        assert before is None or rss(p) - before < 8 << 20, rss(p) - before
        for c in held:
            c.close()


def test_resets_of_what_was_asked_leave_nothing(binary):
    """A head and its reset, as fast as they can be sent (CVE-2023-44487)."""
    slow = Web(wait=0.2)
    with proxy(binary, slow) as p:
        assert is_served(p)
        before, memory = p.descriptors(), rss(p)
        with connect(p.port) as c:
            threading.Thread(target=Peer(c).read_until, args=(lambda: False,), daemon=True).start()
            try:
                for i in range(1, 8001, 2):
                    c.sendall(get(i, "/reset") + rst(i))
            except OSError:
                pass
            assert is_served(p)
        until("their connections are closed", lambda: p.descriptors() <= before + 2)
        assert memory is None or rss(p) - memory < 8 << 20, rss(p) - memory


def test_streams_have_a_limit(binary):
    slow = Web(wait=0.1)
    with proxy(binary, slow) as p, connect(p.port) as c:
        c.sendall(b"".join(get(i) for i in range(1, 301, 2)))
        peer = Peer(c)
        ends = [peer.answer(i).end for i in range(1, 301, 2)]
        assert ends == ["end"] * 100 + [REFUSED_STREAM] * 50, ends
        assert len(slow.asked) == 100
        c.sendall(get(301))
        assert peer.answer(301).status() == "200"


def test_a_window_that_resets_took_is_given_back(binary):
    """Bodies that nobody reads any more count no longer."""
    held = Server(lambda _, c: c.recv(100000) and time.sleep(3))
    with proxy(binary, held, "timeout client 3s") as p, connect(p.port) as c:
        peer = Peer(c)
        for i in range(1, 401, 2):
            c.sendall(headers(i, head("POST"), False) + data(i, b"x" * 16000, False) + rst(i))
        sent = 200 * 16000
        peer.read_until(lambda: peer.returned.get(0, 0) + 65535 >= (1 << 20) + sent - (1 << 19))


def test_answers_that_are_not_taken_end(binary):
    """The first window is 0, and stays so."""
    large = Web(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"z" * 20000000)
    with proxy(binary, large, "timeout client 300ms") as p:
        with connect(p.port, PREFACE + settings(window=0)) as c:
            c.sendall(b"".join(get(i) for i in range(1, 21, 2)))
            peer, memory = Peer(c), rss(p)
            assert not peer.read_until(lambda: False) and not any(s.body for s in peer.streams.values())
            assert memory is None or rss(p) - memory < 8 << 20
        until("its servers are let go", lambda: large.open == 0)


def test_downloads_that_nobody_reads_are_held_back(binary):
    """A hundred streams of a connection, whose windows are open but which is not read."""
    body = bytes(range(251)) * 1200
    large = Web(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    with proxy(binary, large, "timeout client 3s") as p:
        assert is_served(p) is False
        memory = rss(p)
        with connect(p.port, PREFACE + settings(window=0x7FFFFFFF) + window(0, 0x7FFF0000 - 65535)) as c:
            c.sendall(b"".join(get(i) for i in range(1, 201, 2)))
            time.sleep(0.5)
            assert memory is None or rss(p) - memory < 12 << 20, rss(p) - memory
            peer = Peer(c)
            assert all(peer.answer(i).body == body for i in range(1, 201, 2))  # it is read again


def test_idle_connections_are_small(binary):
    with proxy(binary, Web()) as p:
        assert is_served(p)
        memory, held = rss(p), [connect(p.port) for _ in range(500)]
        peers = [Peer(c) for c in held]
        for peer in peers:
            peer.read()
        each = 0 if memory is None else (rss(p) - memory) / len(held)
        assert each < 40000, each
        for c in held:
            c.close()


def test_slow_bodies_and_heads_end(binary):
    with proxy(binary, Web(), "timeout http-request 400ms\n    timeout client 600ms") as p:
        began = time.monotonic()
        with connect(p.port) as c, connect(p.port) as d, connect(p.port, PREFACE[:10]) as e:
            block = raw(BLOCK)
            d.sendall(POST)
            for i in range(8):
                try:
                    c.sendall(block[i:i + 1])
                    e.sendall(PREFACE[10 + i:11 + i])
                except OSError:
                    pass
                time.sleep(0.05)
            for s in (c, e):
                Peer(s).read_until(lambda: False)
            assert time.monotonic() - began < 1.5
            assert Peer(d).answer(1).status() == "408"


# ---- Configurations that go ----

def test_a_reload_tells_connections_to_go(binary):
    """Streams that are open are served by the configuration that they began with, and nothing is lost."""
    slow = Web(wait=0.4)
    with proxy(binary, slow) as p, connect(p.port) as busy, connect(p.port) as idle, connect(p.port) as reset:
        for c in (busy, reset):
            c.sendall(get(1, "/slow"))
        peers = [Peer(c) for c in (busy, idle, reset)]
        until("they are asked for", lambda: slow.open >= 2)
        assert peers[1].read()
        p.write(config(DEFAULTS + "listen l\n    bind 127.0.0.1:{port} proto h2\n    http-request return status 201\n"))
        p.signal(1)
        until("it is reloaded", lambda: "reloaded" in p.text())
        reset.sendall(rst(1))
        with connect(p.port) as c:
            c.sendall(get())
            assert Peer(c).answer(1).status() == "201"
        idle.sendall(get(1))
        assert peers[1].answer(1).status() == "201" and not peers[1].goaways  # it has moved
        busy.sendall(get(3))  # crosses GOAWAY: it is not served, and the client knows
        for peer in (peers[0], peers[2]):
            peer.read_until(lambda: False)
            assert [code for _, code in peer.goaways] == [NO_ERROR] and peer.is_over == "fin", (peer.goaways, peer.is_over)
        assert peers[0].streams[1].body == b"ok" and peers[0].goaways[0][0] == 1 and 3 not in peers[0].streams, peers[0].streams


def test_a_soft_stop_waits_for_streams(binary):
    slow = Web(wait=0.4)
    with proxy(binary, slow) as p, connect(p.port) as busy, connect(p.port) as idle:
        busy.sendall(get(1, "/slow"))
        peers = [Peer(busy), Peer(idle)]
        until("it is asked for", lambda: slow.open >= 1)
        assert peers[1].read()
        p.signal(signal.SIGUSR1)
        for peer in peers:
            peer.read_until(lambda: False)
            assert [code for _, code in peer.goaways] == [NO_ERROR], peer.goaways
            peer.socket.close()
        assert peers[0].streams[1].body == b"ok"
        assert p.wait_end() == 0


def talk_at_random(port, seed, failed):
    """Streams that are asked for, fed and reset as chance has it; whatever has an answer has the right one."""
    chance = random.Random(seed)
    for _ in range(6):
        number, asked = 1, {}
        with connect(port) as c:
            peer = Peer(c)
            try:
                for _ in range(chance.randrange(1, 20)):
                    body = bytes(chance.randrange(256) for _ in range(chance.randrange(3)))* chance.randrange(1, 5000)
                    kind = chance.randrange(6)
                    if kind < 2:
                        c.sendall(get(number))
                    elif kind < 4:
                        c.sendall(post(number, *[body[i:i + 9000] for i in range(0, len(body) + 1, 9000)]))
                    else:
                        c.sendall(headers(number, head("POST"), False) + data(number, body[:9000], False))
                        if kind == 5:
                            c.sendall(rst(number))
                    asked[number] = kind
                    number += 2
                if chance.randrange(3):
                    peer.read_until(lambda: peer.goaways or all(n in peer.streams and peer.streams[n].end is not None for n, k in asked.items() if k < 4))
                    last = peer.goaways[0][0] if peer.goaways else number
                    failed.extend((n, peer.streams[n]) for n, k in asked.items() if k < 4 and n <= last and n in peer.streams and not (
                        peer.streams[n].body == b"ok" or peer.goaways))
            except OSError:
                pass


def test_threads_and_reloads_amid_streams(binary):
    web, failed = Web(wait=0.002), []
    text = config(BODY, threads=4, server=web.port, lines="http-request set-var(sess.n) int(1)\n    stick-table type ip size 10 store conn_cur\n"
                  "    http-request track-sc0 src")
    with Proxy(binary, text) as p:
        before = p.descriptors()
        threads = [threading.Thread(target=talk_at_random, args=(p.port, seed, failed)) for seed in range(12)]
        for t in threads:
            t.start()
        for i in range(4):
            time.sleep(0.1)
            p.write(text + f"    # {i}\n")
            p.signal(1)
        for t in threads:
            t.join()
        assert not failed, failed[:3]
        assert is_served(p)
        p.write(text + "    # last\n")
        p.signal(1)
        until("nothing is left of them", lambda: p.descriptors() <= before + 4)


if __name__ == "__main__":
    main(globals())
