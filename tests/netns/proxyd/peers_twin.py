#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stick tables shared by sections peers:   peers_twin.py BINARY

BINARY and a second process, HAProxy where it is installed, tell each other what they count.
"""
import contextlib
import errno
import os
import re
import resource
import shutil
import socket
import tempfile
import time

from http_twin import is_haproxy
from support import WAIT, Proxy, Server, ask_api, free_port, main, read_all, read_head, until

PEER = shutil.which("haproxy")
TABLES = {
    "t": "type ip size 1k expire 100s store gpt0,gpc0,gpc0_rate(10s),conn_cnt,conn_cur,sess_cnt,http_req_cnt,http_req_rate(10s),"
         "http_err_cnt,bytes_in_cnt,bytes_out_cnt,gpc1,gpc1_rate(10s)",
    "s": "type string len 20 size 1k expire 100s store gpc(3),gpt(2),gpc_rate(2,10s),http_req_cnt",
    "i": "type integer size 1k store http_req_cnt",
    "b": "type binary len 8 size 1k expire 10m store conn_cnt",
    "st": "type ipv6 size 1k expire 5m",
}


class Pair:
    """Two that are peers, with a socket each for the runtime API."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="proxyd-peers.")
        self.ports = {"one": free_port(), "two": free_port()}
        self.servers = [Server(answer), Server(answer)]
        self.key = "path"

    def socket_of(self, name):
        return os.path.join(self.folder, name)

    def config(self, name, extra="", tables=None):
        lines = [f"backend {t}\n    stick-table {text} peers ps" for t, text in (tables or TABLES).items() if t != "st"]
        return f"""
global
    stats socket {self.socket_of(name)} mode 600 level admin
    localpeer {name}
    nbthread 1
{extra}
peers ps
    peer one 127.0.0.1:{self.ports["one"]}
    peer two 127.0.0.1:{self.ports["two"]}
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend f
    bind 127.0.0.1:{{port}}
    http-request track-sc0 src table t
    http-request track-sc1 {self.key} table s
    http-request track-sc2 int(7) table i
    http-request sc-inc-gpc0(0)
    http-request sc-set-gpt0(0) 77
    http-request sc-inc-gpc(1,1)
    default_backend st
backend st
    stick-table {TABLES["st"]} peers ps
    stick on src
    server s1 127.0.0.1:{self.servers[0].port}
    server s2 127.0.0.1:{self.servers[1].port}
""" + "\n".join(lines) + "\n"

    def start(self, binary, name, extra="", tables=None):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket_of(name))
        return Proxy(binary, self.config(name, extra, tables), args=("-L", name))

    def table(self, name, table):
        """{key: {data: value}}, without what is of each alone, or of the moment."""
        found = {}
        for line in ask_api(self.socket_of(name), "show table " + table).splitlines():
            if "key=" in line:
                data = dict(word.split("=", 1) for word in line.split(": ", 1)[1].split())
                key = data.pop("key")
                found[key] = {k: v for k, v in data.items()
                              if k not in ("use", "exp", "server_key", "shard", "conn_cur") and "_rate" not in k}
        return found

    def tables(self, name):
        return {t: self.table(name, t) for t in TABLES}

    def alike(self):
        until("both know the same", lambda: self.tables("one") == self.tables("two"))


def answer(server, c):
    if read_head(c):
        server.counted()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def get(p, path):
    with p.connect() as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        head = read_all(s)
        assert head.startswith(b"HTTP/1.1 200"), head


def other(binary):
    return PEER or binary


def with_each_kind(test):
    """Of peers: HAProxy, and another of its own."""
    def both(binary):
        for peer in dict.fromkeys((other(binary), binary)):
            test(binary, peer)

    both.__name__ = test.__name__
    return both


@with_each_kind
def test_changes_are_told_both_ways(binary, peer):
    pair = Pair()
    with pair.start(binary, "one") as one, pair.start(peer, "two") as two:
        get(one, "/a")
        get(one, "/b")
        until("two hears", lambda: pair.table("two", "t").get("127.0.0.1", {}).get("http_req_cnt") == "2")
        pair.alike()
        assert pair.table("two", "st") == {"::ffff:127.0.0.1": {"server_id": "1"}}, pair.table("two", "st")
        assert pair.table("two", "s")["/a"]["gpc1"] == "1", pair.table("two", "s")
        get(two, "/a")
        until("one hears", lambda: pair.table("one", "s")["/a"]["http_req_cnt"] == "2")
        pair.alike()
        assert pair.table("one", "i") == {"7": {"http_req_cnt": "3"}}, pair.table("one", "i")
        assert pair.table("one", "t")["127.0.0.1"]["gpt0"] == "77"


@with_each_kind
def test_an_empty_key_is_one(binary, peer):
    for teller in 0, 1:
        pair = Pair()
        pair.key = "str()"
        with pair.start(binary, "one") as one, pair.start(peer, "two") as two:
            get((one, two)[teller], "/")
            until("both know it", lambda: "" in pair.table("one", "s") and "" in pair.table("two", "s"))
            pair.alike()


@with_each_kind
def test_a_table_of_the_section_is_shared(binary, peer):
    known = {"7": {"http_req_cnt": "1"}}
    for teller in 0, 1:
        pair = Pair()
        write = pair.config
        pair.config = lambda *words: write(*words).replace(
            "peers ps\n", "peers ps\n    table own " + TABLES["i"] + "\n", 1).replace("table i\n", "table ps/own\n")
        with pair.start(binary, "one") as one, pair.start(peer, "two") as two:
            get((one, two)[teller], "/")
            until("both know it", lambda: pair.table("one", "ps/own") == known == pair.table("two", "ps/own"))


@with_each_kind
def test_who_begins_empty_is_told_all(binary, peer):
    pair = Pair()
    with pair.start(peer, "two") as two:
        for i in range(300):
            get(two, f"/{i}")
        with pair.start(binary, "one"):
            until("one knows all", lambda: len(pair.table("one", "s")) == 300)
            pair.alike()
            left = re.search(r"exp=(\d+)", ask_api(pair.socket_of("one"), "show table i"))
            assert left and left.group(1) == "0"  # it never expires
        with pair.start(binary, "one"):  # and again
            until("one knows all once more", lambda: len(pair.table("one", "s")) == 300)
    with pair.start(binary, "one") as one:
        for i in range(300):
            get(one, f"/{i}")
        with pair.start(peer, "two"):
            until("two knows all", lambda: len(pair.table("two", "s")) == 300)
            pair.alike()


def test_servers_that_were_chosen_stay(binary):
    pair = Pair()
    with pair.start(other(binary), "two") as two:
        get(two, "/")
        first = [s.count for s in pair.servers].index(1)
        with pair.start(binary, "one") as one:
            until("one knows", lambda: pair.table("one", "st"))
            for _ in range(4):
                get(one, "/")
            assert pair.servers[first].count == 5


def test_what_is_old_expires(binary):
    if is_haproxy(binary):  # which takes it for new
        return
    pair = Pair()
    tables = dict(TABLES, s="type string len 20 size 1k expire 30s store http_req_cnt,gpc(3)")
    with pair.start(other(binary), "two", tables=tables) as two:
        get(two, "/old")
        stored = time.monotonic()
        time.sleep(1.5)
        with pair.start(binary, "one", tables=tables):
            def is_as_old_as_there():
                left = re.findall(r"exp=(\d+)", ask_api(pair.socket_of("one"), "show table s"))
                return left and int(left[0]) < 1000 * (30 - (time.monotonic() - stored)) + 500

            until("one knows how old it is", is_as_old_as_there)


def test_another_table_of_that_name_is_left_alone(binary):
    pair = Pair()
    tables = dict(TABLES, s="type string len 30 size 1k expire 100s store http_req_cnt,gpc(3)")
    with pair.start(binary, "one", tables=tables), pair.start(other(binary), "two") as two:
        get(two, "/a")
        until("one hears of others", lambda: pair.table("one", "t"))
        time.sleep(0.2)
        assert pair.table("one", "s") == {}


def hello(pair, to="one", name="two", first="HAProxyS 2.1"):
    s = socket.create_connection(("127.0.0.1", pair.ports["one"]), timeout=WAIT)
    s.sendall(f"{first}\n{to}\n{name} 77 1\n".encode())
    return s


def read_line(s):
    text = b""
    while not text.endswith(b"\n"):
        byte = s.recv(1)
        if not byte:
            break
        text += byte
    return text


def test_who_is_no_peer_is_told(binary):
    pair = Pair()
    with pair.start(binary, "one"):
        for words, code in [({}, b"200\n"), ({"to": "three"}, b"503\n"), ({"name": "three"}, b"504\n"),
                            ({"first": "HAProxyS 3.0"}, b"502\n"), ({"first": "HTTP/1.1"}, b"501\n")]:
            with hello(pair, **words) as s:
                assert read_line(s) == code, words
                if code != b"200\n":
                    assert read_line(s) == b"", words


def told(data, kind):
    return bytes([10, kind, len(data)]) + data


def test_what_is_no_message_ends_the_connection_alone(binary):
    if is_haproxy(binary):  # it goes on reading what it cannot understand
        return
    pair = Pair()
    table = told(bytes([1, 1]) + b"i" + bytes([2, 4]) + bytes([0xf0, 0x11]) + bytes([0]), 130)
    with pair.start(binary, "one") as one:
        for wrong in [told(bytes([0, 0, 0, 1, 0, 0, 0, 7, 1]), 128),  # before any table
                      table + told(bytes([0, 0, 0, 1, 0, 0]), 128),  # cut
                      told(b"\x01\xff\xff\xff\xff", 130),  # a name without an end
                      bytes([10, 128]) + b"\xff" * 12,  # a length without an end
                      bytes([10, 128, 0xff, 0xff, 0xff, 0x7f]),  # too long
                      told(bytes([9]), 131)]:  # a table nobody defined
            with hello(pair) as s:
                assert read_line(s) == b"200\n"
                s.sendall(wrong)
                s.settimeout(WAIT)
                text = b""
                with contextlib.suppress(ConnectionResetError):
                    while True:
                        data = s.recv(4096)
                        if not data:
                            break
                        text += data
                assert text[-2:-1] == bytes([1]), (wrong, text)
        with hello(pair) as s:
            assert read_line(s) == b"200\n"
            s.sendall(table + told(bytes([0, 0, 0, 1, 0, 0, 0, 9, 5]), 128))
            until("it is learned", lambda: pair.table("one", "i") == {"9": {"http_req_cnt": "5"}})
        with hello(pair) as s:
            s.sendall(b"x" * 70000)
            with contextlib.suppress(OSError):
                while s.recv(4096):
                    pass
        get(one, "/")


def test_a_reload_keeps_the_connection(binary):
    if is_haproxy(binary):
        return
    pair = Pair()
    with pair.start(binary, "one") as one, pair.start(other(binary), "two") as two:
        get(two, "/a")
        until("one hears", lambda: pair.table("one", "t"))
        before = ask_api(pair.socket_of("one"), "show peers")
        assert "id=two " in before and "status=established" in before, before
        one.signal(1)
        until("it is reloaded", lambda: "reloaded" in one.text())
        assert "status=established" in ask_api(pair.socket_of("one"), "show peers")
        get(two, "/a")
        until("one hears more", lambda: pair.table("one", "s")["/a"]["http_req_cnt"] == "2")


@with_each_kind
def test_new_tables_are_shared_at_once(binary, peer):
    """A reload brings a table that the other has already: it is a new process of HAProxy's, which connects when it begins."""
    if is_haproxy(binary):
        return
    pair = Pair()
    before = {t: text for t, text in TABLES.items() if t != "b"}
    with pair.start(binary, "one", tables=before) as one, pair.start(peer, "two") as two:
        one.write(pair.config("one").replace("track-sc2 int(7) table i", "track-sc2 str(abcd) table b"))
        get(one, "/a")
        until("two hears", lambda: pair.table("two", "s"))
        one.signal(1)
        until("it is reloaded", lambda: "reloaded" in one.text())
        assert any("status=waiting" not in ask_api(pair.socket_of("one"), "show peers") for _ in range(10))
        get(one, "/b")
        until("two hears of it", lambda: pair.table("two", "b"))


def test_a_section_of_another_name_shares_as_before(binary):
    if is_haproxy(binary):
        return
    pair = Pair()
    with pair.start(binary, "one") as one, pair.start(other(binary), "two") as two:
        get(one, "/a")
        until("two hears", lambda: pair.table("two", "s"))
        one.write(pair.config("one").replace("peers ps", "peers other"))
        one.signal(1)
        until("it is reloaded", lambda: "reloaded" in one.text())
        get(one, "/b")
        until("two hears more", lambda: "/b" in pair.table("two", "s"))


def test_what_went_unheard_is_told_again(binary):
    if is_haproxy(binary):
        return
    pair = Pair()
    with pair.start(binary, "one") as one:
        with hello(pair) as s:
            assert read_line(s) == b"200\n"
            time.sleep(2.5)
            get(one, "/unheard")  # goes into a connection whose other end says nothing more
            s.settimeout(WAIT)
            while s.recv(4096):
                pass
        with hello(pair) as s:
            assert read_line(s) == b"200\n"
            assert any(b"/unheard" in s.recv(4096) for _ in range(20))


def test_without_descriptors_peers_wait(binary):
    if is_haproxy(binary):
        return
    pair = Pair()
    with pair.start(binary, "one") as one:
        before = resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        with hello(pair) as s:
            cpu = one.cpu_seconds()
            time.sleep(0.5)
            assert one.cpu_seconds() - cpu < 0.25, "it spins"
            resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, before)
            assert read_line(s) == b"200\n"


def test_an_address_in_use_refuses_a_reload(binary):
    if is_haproxy(binary):
        return
    pair = Pair()
    with pair.start(binary, "one") as one, socket.create_server(("127.0.0.1", 0)) as taken:
        before = pair.config("one")
        one.write(before.replace(f":{pair.ports['one']}", f":{taken.getsockname()[1]}"))
        for n in range(1, 4):
            one.signal(1)
            until("it is refused", lambda: one.text().count("reload refused") == n)
        get(one, "/")
        one.write(before)
        one.signal(1)
        until("it is reloaded", lambda: "reloaded" in one.text())
        get(one, "/")


def test_a_refused_reload_leaves_no_listener(binary):
    """The addresses of peers were free, one of a section behind them is not; what another process has at a path is its own again."""
    if is_haproxy(binary):
        return
    pair, port = Pair(), free_port()
    path = pair.socket_of("peer")
    with pair.start(binary, "one") as one, socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as others:
        others.bind(path)
        others.listen()
        text = pair.config("one").replace(f":{pair.ports['one']}", f":{port}")
        forward = f"log-forward l\n    bind 127.0.0.1:{taken.getsockname()[1]}\n    log stderr local0\n"
        one.write(text + f"peers unix\n    peer one unix@{path}\nbackend new\n    stick-table type ip size 1k peers unix\n" + forward)
        one.signal(1)
        until("it is refused", lambda: "reload refused" in one.text())
        with socket.socket() as s, socket.socket(socket.AF_UNIX) as u:
            assert s.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
            u.connect(path)
            others.accept()[0].close()
        get(one, "/")
        assert not [name for name in os.listdir(pair.folder) if "kept" in name], os.listdir(pair.folder)


def test_unix_sockets_outlive_a_crash(binary):
    pair = Pair()
    write = pair.config

    def config(*words):
        text = write(*words)
        for name, port in pair.ports.items():
            text = text.replace(f"127.0.0.1:{port}", "unix@" + pair.socket_of(name + ".peers"))
        return text

    pair.config = config
    with pair.start(binary, "one") as one:
        one.process.kill()
        one.process.wait()
    with pair.start(binary, "one") as one, pair.start(binary, "two"):
        get(one, "/a")
        until("two hears", lambda: "/a" in pair.table("two", "s"))


def test_a_successor_is_told_by_the_process_before(binary):
    if is_haproxy(binary):  # likewise, but at its own pace
        return
    pair = Pair()
    with pair.start(binary, "one") as first:
        get(first, "/a")
        with Proxy(binary, pair.config("one"), port=first.port, args=("-L", "one", "-sf", str(first.process.pid))):
            until("the successor knows", lambda: pair.tables("one")["s"] and pair.table("one", "s")["/a"]["http_req_cnt"] == "1")


if __name__ == "__main__":
    main(globals())
