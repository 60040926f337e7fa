#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What expressions give in a running proxy, in proxyd and HAProxy alike:   values_twin.py BINARY

The pure ones are tested in tests/unit/proxyd; here stand those that ask the proxy: its servers, sockets, the PROXY header.
"""
import re
import socket
import struct
import subprocess
import tempfile

from support import WAIT, Asked, Proxy, Server, config, free_port, main, read_all, read_head, until


def serve(server, c):
    data = read_head(c)
    if not data:
        return
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def get(p, path="/", head=b"", before=b""):
    with p.connect() as s:
        s.sendall(before + b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n" % (path.encode(), head))
        return read_all(s).decode("latin-1")


VARIABLES = """
global
    tune.vars.{limit}-max-size {size}
frontend f
    mode http
    bind 127.0.0.1:{port}
    http-request set-var(sess.s) str(abcd)
    http-request set-var(txn.t) str(abcd)
    http-request set-var(req.r) str(abcd)
    http-request set-var(proc.p) str(abcd)
    http-request return status 200 content-type text/plain lf-string "%[var(sess.s)] %[var(txn.t)] %[var(req.r)] %[var(proc.p)]"
"""


def test_variables_have_exact_limits(binary):
    """The fewest bytes that all four of them fit in: 80 for each and its text, a scope's with those within."""
    for limit, least in ("reqres", 84), ("txn", 168), ("sess", 252), ("proc", 336), ("global", 336):
        for size, fits in (least, True), (least - 1, False):
            with Proxy(binary, config(VARIABLES, limit=limit, size=size)) as p:
                body = get(p).split("\r\n\r\n")[1]
                assert (body == "abcd abcd abcd abcd") == fits, (limit, size, body)


SERVERS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%[be_conn_free(b)] %[be_conn_free(free)] %[connslots(free)] %[avg_queue(b)] %[srv_conn(b/one)] %[srv_conn_free(b/one)] %[srv_conn_free(free/s)] %[srv_is_up(b/one)] %[srv_iweight(b/one)] %[srv_uweight(b/two)] %[srv_weight(b/two)] %[srv_queue(b/one)] %[nbsrv(b)]" if { path /servers }
    http-request return status 200 content-type text/plain lf-string "%[fe_sess_rate] %[fe_req_rate(f)] %[be_sess_rate(b)] %[srv_sess_rate(b/one)]" if { path /rates }
    http-response set-header X-Server "%[srv_id] %[srv_name]"
    http-response set-header X-Ends "%[bc_dst] %[bc_src]"
    http-response set-header X-Rtt "%[fc_rtt(us)] %[fc_rtt]"
    default_backend b
backend b
    mode http
    balance static-rr
    server one 127.0.0.1:{server} weight 7 maxconn 10
    server two 127.0.0.1:{server} weight 9 maxconn 5
backend free
    mode http
    server s 127.0.0.1:{server}
"""


def test_servers_are_asked(binary):
    s = Server(serve)
    with Proxy(binary, config(SERVERS, server=s.port)) as p:
        body = get(p, "/servers").split("\r\n\r\n")[1]
        assert body == "15 -1 -1 0 0 10 -1 1 7 9 9 0 2", body
        seen = set()
        for _ in range(4):
            answer = get(p)
            seen.add(re.search(r"(?i)x-server: (.*)\r", answer).group(1))
            us, ms = re.search(r"(?i)x-rtt: (\d+) (\d+)\r", answer).groups()
            assert int(us) > 0 and int(us) // 1000 == int(ms), answer
            assert re.search(r"(?i)x-ends: 127.0.0.1 127.0.0.1\r", answer), answer
        assert seen == {"1 one", "2 two"}, seen
        rates = []

        def are_rates():
            for _ in range(4):
                get(p)
            rates[:] = [int(x) for x in get(p, "/rates").split("\r\n\r\n")[1].split()]
            return rates[0] >= 5 and rates[1] >= 5 and rates[2] >= 4 and 1 <= rates[3] <= rates[2]

        until("all were in one second", are_rates)


NUMBERS = """
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
backend a
backend b
    id 11
backend c
    id 6
frontend f
    bind 127.0.0.1:{port}
    http-response set-header x-id "%[fe_id] %[be_id] %[srv_id]"
    default_backend d
backend d
    use-server %[path,bytes(1)] if TRUE
    server s1 127.0.0.1:{s}
    server s2 127.0.0.1:{s} id 11
    server s3 127.0.0.1:{s}
    server s4 127.0.0.1:{s} id 6
    server s5 127.0.0.1:{s}
    server s6 127.0.0.1:{s}
"""


def test_numbers_that_nobody_gave(binary):
    """Who has one of his own takes another, too; with a socket for statistics they begin behind its own."""
    s = Server(serve)
    for make, sections in (Proxy, "4 5"), (Asked, "5 7"):
        with make(binary, config(NUMBERS, s=s.port)) as p:
            got = [re.search("(?i)x-id: (.*)\r", get(p if make is Proxy else p.proxy, f"/s{i}"))[1] for i in range(1, 7)]
            assert got == [f"{sections} {n}" for n in (1, 11, 3, 6, 5, 7)], got


BY_NAME = """
global
    nbthread 1
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    use_backend %[req.hdr(x)] if { req.hdr(x) -m found }
    default_backend d
backend d
    http-response set-header x-server "%b/%s %[srv_id]"
    use-server s250 if { path /constant }
    use-server %[path,bytes(1)] if { path -m found }
    use-server s7 if TRUE
    server first 127.0.0.1:{s}
"""


def test_servers_and_backends_by_name_among_many(binary):
    s = Server(serve)
    text = BY_NAME.replace("{s}", str(s.port)) + "".join(f"    server s{i} 127.0.0.1:{s.port}\n" for i in range(300))
    for b in range(200):
        text += f'backend b{b}\n    http-response set-header x-server "%b/%s %[srv_id]"\n    server s{b} 127.0.0.1:{s.port}\n'
    with Proxy(binary, text) as p:
        def server(path, more=b""):
            return re.search("(?i)x-server: (.*)\r", get(p, path, more))[1]

        for i in (0, 1, 99, 100, 299):
            assert server(f"/s{i}") == f"d/s{i} {i + 2}"
        assert server("/first") == "d/first 1"
        assert server("/constant") == "d/s250 252"
        assert [server("/nobody") for _ in range(2)] == ["d/first 1", "d/s0 2"]  # a name of none ends the search
        for i in (0, 1, 99, 199):
            assert server("/s0", b"x: b%d\r\n" % i) == f"b{i}/s{i} 1"
        assert server("/s5", b"x: nobody\r\n") == "d/s5 7"


DEBUG = """
ring r
    format raw
    maxlen 64
    size 16384
frontend f
    mode http
    bind 127.0.0.1:{port}
    http-request set-var(txn.a) path,debug
    http-request set-var(txn.a) path,debug(to-ring,r),upper
    http-request set-var(txn.b) src,debug(source,stderr)
    http-request set-var(txn.b) int(12),debug(,stderr)
    http-request set-var(txn.b) bool(true),debug(yes,stderr)
    http-request set-var(txn.b) bin(41ff0a0042),debug(bytes,stderr)
    http-request set-var(txn.b) req.hdr(none),debug(nothing,stderr)
    http-request set-var(txn.b) path,debug(out,stdout)
    http-request set-var(txn.b) str({long}),debug(long,r)
    http-request return status 200 content-type text/plain lf-string %[var(txn.a)]
"""


def test_debug_shows_values(binary):
    text = DEBUG.replace("{long}", "x" * 100)
    with Asked(binary, config(text)) as p:
        assert get(p.proxy, "/p%20q").endswith("\r\n\r\n/P%20Q")
        lines = [line for line in p.proxy.text().splitlines() if line.startswith("[debug]")]
        assert sorted(lines) == sorted([
            "[debug] source: type=ipv4 <127.0.0.1>", "[debug] : type=sint <12>", "[debug] yes: type=bool <1>", "[debug] bytes: type=bin <A..>",
            "[debug] out: type=str </p%20q>",
        ]), lines
        assert p.ask("show events r").splitlines() == ["[debug] to-ring: type=str </p%20q>", ("[debug] long: type=str <" + "x" * 100)[:64]]
        assert re.fullmatch(r"<0>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d \[debug\] : type=str </p%20q>", p.ask("show events buf0")), p.ask("show events buf0")
        assert "buf0" in p.ask("show events")


def test_debug_needs_a_ring_that_stands_above(binary):
    for ring, fits in ("ring later\n    format raw\n", False), ("", True):
        text = config(DEBUG.replace("{long}", "x").replace("debug(out,stdout)", "debug(out,later)") + ring if ring else DEBUG.replace("{long}", "x"))
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(text.replace("{port}", "1"))
            f.flush()
            checked = subprocess.run([binary, "-c", "-f", f.name], capture_output=True, timeout=WAIT)
            assert (checked.returncode == 0) == fits and (b"later" in checked.stderr) != fits, checked


PROXY = """
frontend f
    mode http
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[fc_rcvd_proxy] <%[fc_pp_authority]> <%[fc_pp_unique_id]> %[src]:%[src_port] %[fc_src] %[fc_dst] %[fc_dst_port]"
"""


def v2(*extras, kind=b"\x21\x11"):
    body = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 1000, 80)
    for number, value in extras:
        body += struct.pack("!BH", number, len(value)) + value
    return b"\r\n\r\n\0\r\nQUIT\n" + kind + struct.pack("!H", len(body)) + body


def test_the_proxy_header_is_remembered(binary):
    """fc_src and its like stay those of the connection."""
    with Proxy(binary, config(PROXY)) as p:
        own = f"127.0.0.1 127.0.0.1 {p.port}"
        for header, value in (
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n", "1 <> <> 192.0.2.1:1000"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 0 80\r\n", "1 <> <> 192.0.2.1:"),
            (v2(), "1 <> <> 192.0.2.1:1000"),
            (v2((2, b"shop.example"), (5, b"id-42")), "1 <shop.example> <id-42> 192.0.2.1:1000"),
            (v2((0xE0, b"own"), (5, b"x" * 128)), "1 <> <" + "x" * 128 + "> 192.0.2.1:1000"),
        ):
            body = get(p, before=header).split("\r\n\r\n")[1]
            assert body == f"{value} {own}", (header, body)


def test_what_is_no_proxy_header_is_refused(binary):
    with Proxy(binary, config(PROXY)) as p:
        for header in (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80 \r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1000\r\n",
            b"PROXY TCP4  192.0.2.1 192.0.2.2 1000 80\r\n",
            b"PROXY TCP6 192.0.2.1 192.0.2.2 1000 80\r\n",
            b"PROXY TCP5 192.0.2.1 192.0.2.2 1000 80\r\n",
            v2(kind=b"\x11\x11"),
            v2(kind=b"\x22\x11"),
            v2(kind=b"\x21\x41"),
            v2(kind=b"\x21\x13"),
            v2((2, b"x" * 256)),
            v2((5, b"x" * 129)),
            v2((3, b"none")),
        ):
            with p.connect() as c:
                c.sendall(header + b"GET / HTTP/1.0\r\n\r\n")
                try:
                    assert read_all(c) == b"", header
                except ConnectionResetError:
                    pass


TOLD = """
listen l
    mode http
    bind 127.0.0.1:{port}
    http-request set-src req.hdr(x-from) if { req.hdr(x-from) -m found }
    server s 127.0.0.1:{server} send-proxy{version}
"""


def test_the_proxy_header_tells_two_families_as_ipv6(binary):
    """An address of IPv4 beside one of IPv6 becomes IPv6, too (RFC 4291, 2.5.5.2)."""
    got = []

    def take(server, c):
        got.append(c.recv(4096))
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    server = Server(take)
    here, there = socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1"), socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    for version in ("", "-v2"):
        with Proxy(binary, config(TOLD, server=server.port, version=version)) as p:
            get(p, "/", b"X-From: 2001:db8::1\r\n")
            head = got.pop()
            if version:
                assert head[12:16] == b"\x21\x21\0\x24" and head[16:48] == there + here, head
            else:
                assert re.match(rb"PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 \d+ %d\r\n" % p.port, head), head


# An expression, and what it gives of REQUEST.
REQUEST = (
    b"POST http://192.0.2.9:8080/path?q=1 HTTP/1.1\r\nHost: 192.0.2.9:8080\r\nX-Text: hello world\r\n"
    b"Content-Length: 17\r\nConnection: close\r\n\r\na=1&name=Ada&b=&c"
)
VALUES = [
    ("url_ip", "192.0.2.9"),
    ("url_port", "8080"),
    ("base32+src,hex", "318181867F000001"),
    ("url32+src,hex", "425E36707F000001"),
    ("req.body", "a=1&name=Ada&b=&c"),
    ("req.body_len", "17"),
    ("req.body_size", "17"),
    ("req.body_param(name)", "Ada"),
    ("req.body_param(b)", ""),
    ("req.body_param(none)", ""),
    ("req.body_param", "1"),
    ("req.hdrs,bytes(0,4)", "host"),
    ("req.hdrs_bin,bytes(1,4)", "host"),
    ("req.hdr_names,field(1,',')", "host"),
    ("req.hdrs,bytes(4,18),hex", "3A203139322E302E322E393A383038300D0A"),
    ("req.hdrs_bin,bytes(5,15),hex", "0E3139322E302E322E393A38303830"),
    ("req.hdr(x-text),sha1,hex", "2AAE6C35C94FCFB415DBE95F408B9CE91EE846ED"),
    ("req.hdr(x-text),sha2,hex", "B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9"),
    ("req.hdr(x-text),sha2(384),hex,length", "96"),
    ("req.hdr(x-text),digest(md5),hex", "5EB63BBBE01EEED093CB22BB8F5ACDC3"),
    ("req.hdr(x-text),hmac(sha256,a2V5),hex", "0BA06F1F9A6300461E43454535DC3C4223E47B1D357073D7536EAE90EC095BE1"),
    ("str(a2V5),set-var(txn.key)", "a2V5"),
    ("req.hdr(x-text),hmac(sha256,txn.key),hex", "0BA06F1F9A6300461E43454535DC3C4223E47B1D357073D7536EAE90EC095BE1"),
    ("req.hdr(x-text),be2dec(:,2)", "26725:27756:28448:30575:29292:100"),
    ("req.hdr(x-text),be2dec(:,2,1)", "26725:27756:28448:30575:29292"),
    ("req.hdr(x-text),be2hex(.,4)", "68656C6C.6F20776F.726C64"),
    ("req.hdr(x-text),be2hex", "68656C6C6F20776F726C64"),
    ("req.hdr(x-text),crc32c", "3381945770"),
    ("req.hdr(x-text),crc32c(1)", "2656343177"),
    ("req.hdr(x-text),xxh64", "5020219685658847592"),
    ("req.hdr(x-text),xxh64(7)", "-2082757464081308464"),
    ("int(1234567),htonl,hex", "0012D687"),
    ("thread", "0"),
]


# Odd values for converters.
ODD = [
    ('str(" 12"),length', "3"),
    ("str(),length", "0"),
    ('str("a b c"),word(2," ")', "b"),
    ("bool(true),hex", "0000000000000001"),
    ("str(hello),bool,hex", "0000000000000000"),
    ("str(hello),b64dec", ""),
    ("str(YWJ),b64dec", ""),
    ("str(YWI=),b64dec", "ab"),
    ("str(YWI),ub64dec", "ab"),
    ("str(YWJjZ),ub64dec", ""),
    ("str(a=b),field(3,=),length", ""),
    ("str(a=b),field(-3,=),length", ""),
    ("str(a=b),word(3,=),length", "0"),
    ("int(0),div(0)", "9223372036854775807"),
    ("int(-5),div(0)", "9223372036854775807"),
    ("str(99999999999999999999),add(0)", "9223372036854775807"),
    ("int(1234),http_date(0,ms)", "Thu, 01 Jan 1970 00:00:01.234 GMT"),
    ("int(1234567),http_date(0,us)", "Thu, 01 Jan 1970 00:00:01.234567 GMT"),
    ("str(8=FIX.4.4),fix_is_valid", ""),
    ("bin(00ff10),mqtt_is_valid", "0"),
    ("bin(e9),mqtt_is_valid", ""),
    (r"str(a\d\x),length", "5"),
    (r'str("a\d\(\$"),length', "7"),
    (r'str("a\n\r\t\ \"\\"),hex', "610A0D0920225C"),
    (r'str(abc),regsub("\w",x,g)', "xxx"),
    ("str(a.b.c.d),word(2,.,-2)", "b.c.d"),
    ("str(a.b.c.d),field(-2,.,-2)", "a.b.c"),
    ("str(abcdef),bytes(-4,2)", ""),
    ("str(..a.b..),word(1,.,3)", "a.b.."),
    ("str(..a.b..),word(-2,.,0)", "..a"),
    ("str(abc),set-var(txn.k),upper,strcmp(txn.k)", "-32"),
    ("bin(0a22092fc3a97f),json", r"\n\"\t\/\u00c3\u00a9\u007f"),
    ("bin(e282ac41ff42),json(utf8s)", r"\u20acAB"),
    ("bin(41c3),json(utf8)", ""),
    ("bin(c0afeda080),json(utf8ps)", r"\/"),
    ("bin(f09f9880),json(utf8p)", ""),
    ("str(HOST.com:80),host_only", "host.com"),
    ("str(abc),capture-req(0)", ""),
    ("env(NO_SUCH_NAME),length", ""),
]

# Other protocols': FIX, MQTT, Protocol Buffers. HAProxy runs these, too, before they are believed.
PROTOCOLS = [
    ("bin(383d4649582e342e3401393d33300133353d410134393d6d650135363d796f750133343d31013130383d33300131303d31313701),fix_is_valid", "1"),
    ("bin(383d4649582e342e3401393d350133353d410131303d30303101),fix_is_valid", "0"),
    ("bin(383d4649582e342e3401393d340133353d410131303d31373901),fix_is_valid", "0"),
    ("bin(383d4649582e332e3001393d350133353d410131303d31373501),fix_is_valid", "0"),
    ("bin(383d4649582e342e3401393d33300133353d410134393d6d650135363d796f750133343d31013130383d33300131303d31),fix_is_valid", ""),
    ("bin(383d4649582e342e3401393d33300133353d410134393d6d650135363d796f750133343d31013130383d33300131303d31313701),fix_tag_value(MsgType)", "A"),
    ("bin(383d4649582e342e3401393d33300133353d410134393d6d650135363d796f750133343d31013130383d33300131303d31313701),fix_tag_value(108)", "30"),
    ("bin(383d4649582e342e3401393d33300133353d410134393d6d650135363d796f750133343d31013130383d33300131303d31313701),fix_tag_value(7)", ""),
    ("bin(101800044d51545404c2003c0003636964000361646100027077),mqtt_is_valid", "1"),
    ("bin(103100044d515454050600050f110000000a21001415000461757468000263350c180000000503000474657874000174000170),mqtt_is_valid", "1"),
    ("bin(200b0087081200056173736967),mqtt_is_valid", "1"),
    ("bin(101800044d51545404c2003c000363696400036164610002707778),mqtt_is_valid", "1"),
    ("bin(101800044d51545404c2003c00036369640003616461000270),mqtt_is_valid", ""),
    ("bin(c000),mqtt_is_valid", "0"),
    ("bin(100d00044d51545804020001000163),mqtt_is_valid", "0"),
    ("bin(101800044d51545404c2003c0003636964000361646100027077),mqtt_field_value(connect,username)", "ada"),
    ("bin(101800044d51545404c2003c0003636964000361646100027077),mqtt_field_value(1,flags)", "194"),
    ("bin(101800044d51545404c2003c0003636964000361646100027077),mqtt_field_value(1,will_topic)", ""),
    ("bin(103100044d515454050600050f110000000a21001415000461757468000263350c180000000503000474657874000174000170),mqtt_field_value(connect,17)", "10"),
    ("bin(103100044d515454050600050f110000000a21001415000461757468000263350c180000000503000474657874000174000170),mqtt_field_value(connect,21)", "auth"),
    ("bin(103100044d515454050600050f110000000a21001415000461757468000263350c180000000503000474657874000174000170),mqtt_field_value(connect,34)", "0"),
    ("bin(103100044d515454050600050f110000000a21001415000461757468000263350c180000000503000474657874000174000170),mqtt_field_value(connect,will_payload)", "p"),
    ("bin(200b0087081200056173736967),mqtt_field_value(connack,reason_code)", "135"),
    ("bin(200b0087081200056173736967),mqtt_field_value(connack,18)", "assig"),
    ("bin(820314da0311089aa68cc30110969f989cfdffffffff01),protobuf(48.59.1,int32)", "409146138"),
    ("bin(820314da0311089aa68cc30110969f989cfdffffffff01),protobuf(59.2,int32)", ""),
    ("bin(0000000017820314da0311089aa68cc30110969f989cfdffffffff01),ungrpc(48),protobuf(59.2,int32)", "-746188906"),
    ("bin(000000002a080311ec51b81e85eb0f401d000020c025f9ffffff29f8ffffffffffffff320361626308093df0ffffff0000000017820314da0311089aa68cc30110969f989cfdffffffff01),ungrpc(48.59.1,int32)", "409146138"),
    ("bin(0000000017820314da0311089aa68cc30110969f989cfdffff),ungrpc(48.59.1,int32)", ""),
    ("bin(080311ec51b81e85eb0f401d000020c025f9ffffff29f8ffffffffffffff320361626308093df0ffffff),protobuf(2,double)", "3"),
    ("bin(080311ec51b81e85eb0f401d000020c025f9ffffff29f8ffffffffffffff320361626308093df0ffffff),protobuf(4,sfixed32)", "-7"),
    ("bin(080311ec51b81e85eb0f401d000020c025f9ffffff29f8ffffffffffffff320361626308093df0ffffff),protobuf(6)", "abc"),
    ("bin(080311ec51b81e85eb0f401d000020c025f9ffffff29f8ffffffffffffff320361626308093df0ffffff),protobuf(1,sint32)", "-2"),
    ("str(\"es;q=0.5, fr, en;q=0.9\"),language(es;en)", "en"),
    ("str(\"en-US;q=0, de\"),language(es;en,xx)", "xx"),
    ("str(\"fr-CA;q=0.8,es;q=0.7\"),language(es;fr)", "fr"),
    ("str(hello),xxh32", "4211111929"),
    ("str(hello),xxh32(5)", "3191799670"),
    ("str(hello),xxh3", "-7685981735718036227"),
    ("str(hello),xxh3(5)", "-5040988036188159185"),
]


def test_protocols_and_odd_values(binary):
    cases = PROTOCOLS + ODD
    for i in range(0, len(cases), 10):  # HAProxy's lines have at most 2 KiB
        part = cases[i : i + 10]
        text = "frontend f\n    mode http\n    bind 127.0.0.1:{port}\n" + "".join(
            f"    http-request set-var(txn.v{k}) '{e}'\n" for k, (e, _) in enumerate(part)
        )
        text += '    http-request return status 200 content-type text/plain lf-string "LINES"\n'
        text = text.replace("LINES", "|".join(f"%[var(txn.v{k})]" for k in range(len(part))))
        with Proxy(binary, config(text)) as p:
            got = get(p).split("\r\n\r\n", 1)[1].split("|")
        for (e, wanted), value in zip(part, got):
            assert value == wanted, (e, value, wanted)


def test_expressions(binary):
    lines = "|".join("%[" + e.replace(" ", "\\ ") + "]" for e, _ in VALUES)
    text = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    option http-buffer-request
    http-request return status 200 content-type text/plain lf-string "LINES"
"""
    with Proxy(binary, config(text.replace("LINES", lines))) as p, p.connect() as s:
        s.sendall(REQUEST)
        got = read_all(s).decode("latin-1").split("\r\n\r\n", 1)[1].split("|")
    for (e, wanted), value in zip(VALUES, got):
        assert value == wanted, (e, value, wanted)


LISTS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    http-request set-var(txn.found) int(1) if { req.hdr(x) -m found }
    http-request return status 200 content-type text/plain lf-string "%[req.hdr_cnt(x)] %[req.fhdr_cnt(x)] <%[req.hdr(x,1)]|%[req.hdr(x,2)]|%[req.hdr(x,-2)]|%[req.hdr(x)]> %[req.hdr_val(x)] %[var(txn.found)]"
"""


def test_empty_values_of_a_list_count(binary):
    with Proxy(binary, config(LISTS)) as p:
        for lines, wanted in (
            ([], "0 0 <|||> "),
            ([""], "1 1 <|||> 0 1"),
            (["a,"], "2 1 <a||a|> 0 1"),
            ([",a"], "2 1 <|a||a> 0 1"),
            (["a,,7"], "3 1 <a|||7> 7 1"),
            ([" , "], "2 1 <|||> 0 1"),
            (['"a,b" , c'], '2 1 <"a,b"|c|"a,b"|c> 0 1'),
            (["a,", ""], "3 2 <a|||> 0 1"),
        ):
            body = get(p, head="".join(f"X: {v}\r\n" for v in lines).encode()).split("\r\n\r\n", 1)[1]
            assert body.rstrip() == wanted.rstrip(), (lines, body, wanted)


STATUS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    http-request deny status 405 if { path /own }
    http-request deny status 499 if { path /any }
    http-request deny deny_status 405 if { path /page }
    http-request deny status 405 default-errorfiles if { path /said }
    http-request deny
"""


TARPIT = """
defaults
    log stdout format raw local0
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend f
    mode http
    option httplog
    timeout tarpit 50ms
    bind 127.0.0.1:{port}
    http-request set-var(txn.path) path
    http-request tarpit status 404 content-type text/plain lf-string "no %[var(txn.path)]" hdr X-A "%[src]" if { path_beg /text }
    http-request tarpit status 405 if { path /own }
    http-request tarpit deny_status 429
    http-after-response set-header X-After yes
"""


def test_a_tarpit_has_an_answer_of_its_own(binary):
    with Proxy(binary, config(TARPIT)) as p:
        head, body = get(p, "/text/x", b"Content-Length: 2\r\n").split("\r\n\r\n", 1)
        assert head.startswith("HTTP/1.1 404 ") and "\r\nx-a: 127.0.0.1" in head.lower() and "\r\nx-after: yes" in head.lower() and body == "no /text/x", (head, body)
        head, body = get(p, "/own").split("\r\n\r\n", 1)
        assert head.startswith("HTTP/1.1 405 ") and body == "", (head, body)
        head, body = get(p, "/").split("\r\n\r\n", 1)
        assert head.startswith("HTTP/1.1 429 ") and "<html>" in body, (head, body)
        for status, path in ((404, "text/x"), (405, "own"), (429, "")):
            until(f"{path} is logged", lambda: re.search(rf'f/<NOSRV> -1/\d+/-1/-1/\d+ {status} \d+ - - PT-- .*"GET /{path} ', p.text()))


def test_a_status_alone_is_a_whole_answer(binary):
    with Proxy(binary, config(STATUS)) as p:
        for path, status, has_page in (("own", 405, False), ("any", 499, False), ("page", 405, True), ("said", 405, True), ("", 403, True)):
            head, body = get(p, "/" + path).split("\r\n\r\n", 1)
            assert head.startswith(f"HTTP/1.1 {status} ") and ("<html>" in body) == has_page, (path, head, body)
            assert has_page or ("content-length: 0" in head.lower() and not body), (path, head, body)


PAIRS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    http-request set-var(txn.query) int(1) if { query -m found }
    http-request return status 200 content-type text/plain lf-string "%[req.cook(c)] %[req.cook_val(c)] %[req.cook_cnt(c)] %[req.cook_cnt] %[req.cook] <%[url_param(b)]> <%[url_param]> %[http_auth_bearer] %[http_auth_bearer(x-token)] %[capture.req.uri] %[var(txn.query)]"
"""


def test_pairs_and_tokens(binary):
    with Proxy(binary, config(PAIRS)) as p:
        for target, head, wanted in (
            ("/?b&c=7&b=8", b"Cookie: c=1; d=2; c=3\r\nX-Token: Bearer t2\r\nAuthorization: Bearer t1\r\n", "3 3 2 3 1 <8> <7> t1 t2 /?b&c=7&b=8 1"),
            ("/?b", b"Cookie: c; =x\r\nCookie: c=9\r\n", "9 9 1 2 x <> <>   /?b 1"),
            ("/x", b"Cookie: d=2\r\nX-Token: t2\r\n", "  0 1 2 <> <>   /x "),
            ("/x", b'Cookie: d=2,c=5; e="x,c=7;c=8"\r\n', "5 5 1 3 2 <> <>   /x "),
            ("/x", b'Cookie: e="c=7;c=8\r\n', '  0 1 "c=7;c=8 <> <>   /x '),
            ("http://h/y?a=1", b"", "  0 0  <> <1>   /y?a=1 1"),
        ):
            body = get(p, target, head).split("\r\n\r\n", 1)[1]
            assert body == wanted, (target, body, wanted)


TARGETS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    option http-buffer-request
    http-request return status 200 content-type text/plain lf-string "%[base]|%[baseq]|%[pathq]|%[urlp(a)]|%[urlp(b)]|%[urlp(b,;)]|%[req.body_param(b)]|%[http_auth_type]|%[req.cook]|%[req.cook_cnt]"
"""


def test_odd_ends_of_names_and_values(binary):
    with Proxy(binary, config(TARGETS)) as p:
        for target, head, wanted in (
            ("/?", b"", "h/|h/?|/?|||||||0"),
            ("http://h", b"Authorization: basic YTpi\r\n", "h|h||||||Basic||0"),
            ("/x?a=1;b=2?a=3", b"Cookie: $Version=1; a=2; $Path=/\r\n", "h/x|h/x?a=1;b=2?a=3|/x?a=1;b=2?a=3|1|2|2?a=3|||2|1"),
            ("/x;a=1;b=2?b=3", b"Cookie: a=1; $b=3\r\nContent-Length: 9\r\n\r\na=1;b=2&c", "h/x;a=1;b=2|h/x;a=1;b=2?b=3|/x;a=1;b=2?b=3||3|2?b=3|2||1|1"),
        ):
            body = get(p, target, head).split("\r\n\r\n", 1)[1]
            assert body == wanted, (target, body, wanted)


CONTROLS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    unique-id-format i%[str(%01z),url_dec]
    unique-id-header X-Id
    http-request set-var(txn.c) req.hdr(x-c),url_dec
    http-request set-var-fmt(txn.f) "<%[var(txn.c)]>"
    http-request set-header X-Hex %[var(txn.f),hex]
    http-request set-header X-Copy <%[var(txn.c)]>
    http-request replace-header X-Old .* <%[var(txn.c)]>
    http-request set-query q=%[var(txn.c)] unless { path /r /ret }
    http-request redirect location /%[var(txn.c)] if { path /r }
    http-request return status 200 content-type text/plain lf-string "<%[var(txn.c)]>" hdr X-H "%[var(txn.c)]" if { path /ret }
    default_backend b
backend b
    mode http
    http-response return status 200 content-type text/plain lf-string "<%[var(txn.c)]>"
    server s 127.0.0.1:{server}
"""


def test_control_bytes_are_encoded_for_http(binary):
    seen = []

    def keep(server, c):
        seen.append(read_head(c).decode("latin-1").lower())
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    s = Server(keep)
    with Proxy(binary, config(CONTROLS, server=s.port)) as p:
        for value, encoded, raw in (("%0d%0aX: y", "%0D%0AX: y", "0D0A583A2079"), ("%01%09%7f%ff", "%01\t%7F\xff", "01097FFF"), ("%00a", "%00a", "")):
            head = b"X-Old: 1\r\nX-C: a%sb\r\n" % value.encode()
            want = f"a{encoded}b"
            assert f"\r\nlocation: /{want}\r\n" in get(p, "/r", head), value
            answer = get(p, "/ret", head)
            assert f"\r\nx-h: {want}\r\n" in answer and answer.endswith(f"\r\n\r\n<{want}>"), answer
            if " " in value or "\t" in encoded:
                continue  # of a target
            assert get(p, "/", head).endswith(f"\r\n\r\n<{want}>"), value
            low = want.lower()
            for line in (f"get /?q={low} http", f"x-copy: <{low}>", f"x-old: <{low}>", "x-id: i%01z", f"x-hex: 3c61{raw}{'' if '%00' in value else '62'}3e".lower()):
                assert line in seen[-1], (line, seen[-1])


# What only a section with servers, a table or a variable can say. The times of the table are those of its first second.
ASKED = [
    ("baseq", "h/v?q=1"),
    ("cookie(c)", "yes"),
    ("fe_defbe", "b"),
    ("fe_client_timeout", "5000"),
    ("fc_src_port,bool", "1"),
    ("fc_dst_port,bool", "1"),
    ("fc_lost", "0"),
    ("fc_retrans", "0"),
    ("fc_sacked", "0"),
    ("fc_unacked", "0"),
    ("fc_fackets", "0"),
    ("fc_reordering", "3"),
    ("str(b),nbsrv", "1"),
    ("str(none),nbsrv", ""),
    ("str(b/s),srv_queue", "0"),
    ("str(a),add_item(;,txn.v)", "a;item"),
    ("str(a),bytes(1),add_item(;,txn.v)", "item"),
    ("str(a),add_item(;,txn.v,_s)", "a;item_s"),
    ("str(a),add_item(;,,_s)", "a;_s"),
    ("str(a),add_item(;,txn.none)", "a"),
    ("str(a),add_item(;,txn.none,x)", "a;x"),
    ("req.hdr(x-b),url_dec,cut_crlf", "one"),
    ("req.hdr(x-c),url_dec,cut_crlf", "one"),
    ("str(k1),table_expire(t),div(100000)", "17279|17280"),
    ("str(k1),table_idle(t),div(100000)", "0"),
    ("str(k2),table_expire(t)", ""),
    ("str(k2),table_expire(t,7)", "7"),
    ("str(k2),table_idle(t,8)", "8"),
]

SECTIONS = """
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 7s
    timeout tunnel 90s
frontend f
    bind 127.0.0.1:{port}
    http-request set-var(txn.v) str(item)
    http-request track-sc0 str(k1) table t
    http-request return status 200 content-type text/plain lf-string "LINES" if { path /v }
    acl is_get method GET
    http-request set-header X-Get yes if is_get
    http-response set-header X-Got "%[res.fhdr_cnt(x-a)] %[res.hdr_cnt(x-a)] %[resp_ver] %[be_server_timeout] %[be_tunnel_timeout]"
    default_backend b
backend b
    server s 127.0.0.1:{s}
backend t
    stick-table type string len 16 size 10 expire 20d store gpc0
"""


def test_sections_are_asked(binary):
    def twice(server, c):
        if b"\r\nx-get: yes\r\n" in read_head(c).lower():
            c.sendall(b"HTTP/1.1 200 OK\r\nX-A: 1, 2\r\nX-A: 3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    s = Server(twice)
    text = SECTIONS.replace("LINES", "|".join(f"%[{e}]" for e, _ in ASKED))
    with Proxy(binary, config(text, s=s.port)) as p:
        got = get(p, "/v?q=1", b"Cookie: c=yes\r\nX-B: one%0d%0atwo\r\nX-C: one%0atwo\r\n").split("\r\n\r\n", 1)[1].split("|")
        for (e, wanted), value in zip(ASKED, got):
            assert value in wanted.split("|"), (e, value, wanted)
        assert re.search("(?i)x-got: 2 3 1.1 7000 90000\r", get(p, "/x"))


PROC = """
global
    nbthread 2
    set-var proc.a int(5)
    set-var proc.b str(hello),upper
    set-var-fmt proc.c "%[var(proc.b)]-x"
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend f
    bind 127.0.0.1:{port}
    http-request set-var(proc.n,ifnotset) int(0)
    http-request set-var(proc.n) var(proc.n),add(1)
    http-request set-var(txn.x,ifexists) str(no)
    http-request set-var(txn.y,ifnotexists) str(yes)
    http-request set-var(txn.y,ifnotexists) str(no)
    http-request set-var(txn.m) int(5)
    http-request set-var(txn.m,ifgt) int(7)
    http-request set-var(txn.m,iflt) int(6)
    http-request set-var(txn.e,ifnotempty) req.hdr(none)
    http-request set-var(txn.e,ifempty) str(full)
    http-request set-var(txn.z) str(a),set-var(txn.q,ifnotempty),set-var(txn.y,ifnotset)
    http-request unset-var(proc.u)
    http-request set-var(proc.u,ifexists,ifnotset) str(u)
    http-request return status 200 content-type text/plain lf-string "%[var(proc.a)]|%[var(proc.c)]|%[var(proc.n)]|%[var(txn.x)]|%[var(txn.y)]|%[var(txn.m)]|%[var(txn.e)]|%[var(txn.q)]|%[var(proc.u)]"
"""


def test_variables_of_the_process_and_conditions(binary):
    with Proxy(binary, PROC) as p:
        for n in (1, 2):
            body = get(p).split("\r\n\r\n", 1)[1]
            assert body == f"5|HELLO-x|{n}||yes|6||a|u", body


FACTS = """
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 7s
frontend f
    bind 127.0.0.1:{other}
    bind 127.0.0.1:{port} name second
    tcp-request connection set-var(sess.so) so_name
    tcp-request connection set-var(sess.open) dst_conn
    http-request set-var(txn.none) prio_class
    http-request set-priority-class int(3)
    http-request set-priority-offset int(-7)
    http-request set-var(txn.p) prio_class
    http-request set-var(txn.o) prio_offset
    http-request deny if { path /deny }
    http-request return status 200 content-type text/plain lf-string "%[so_id] %[so_name] %[var(sess.so)] %[var(sess.open)] %[var(txn.none)] %[var(txn.p)] %[var(txn.o)] %[stopping] %[src_is_local] %[dst_is_local] %[fc_src_is_local]" if { path /v }
    log stdout format raw daemon
    log-format "rule %[last_rule_line] %[last_rule_file,regsub(.*/,)] %[res.comp] %[res.cache_hit]."
    default_backend b
backend b
    http-request set-timeout server 3s
    http-request set-header X-T "%[cur_server_timeout]"
    http-response set-header X-S "%[cur_server_timeout] %[capture.res.ver]"
    server s 127.0.0.1:{s}
"""


def test_facts(binary):
    def mirror(server, c):
        x = re.search(rb"(?i)x-t: (.*)\r", read_head(c)).group(1)
        c.sendall(b"HTTP/1.1 200 OK\r\nX-T: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % x)

    s, other = Server(mirror), free_port()
    with Proxy(binary, config(FACTS, s=s.port, other=other)) as p:
        value = get(p, "/v")
        assert value.endswith("\r\n\r\n2 second second 1 0 3 -7 0 1 1 1"), value
        deny = 1 + config(FACTS, s=s.port, other=other).split("\n").index("    http-request deny if { path /deny }")
        get(p, "/deny")
        until("the rule is logged", lambda: f"rule {deny} test.cfg 0 0." in p.text())
        answer = get(p, "/")
        assert re.search("(?i)x-t: 3000\r", answer) and re.search("(?i)x-s: 3000 HTTP/1.1\r", answer), answer


MASKS = """
frontend f
    mode http
    bind 127.0.0.1:{port}
    acl in str(1.2.3.4),ipmask(24) 1.2.3.0/24
    acl text str(1.2.3.4),ipmask(24) -m str 1.2.3.0
    http-request set-var(txn.ip) str(1.2.3.4),ipmask(32)
    http-request set-header In yes if in text
    http-request return status 200 content-type text/plain lf-string "%[var(txn.ip)] %[str(::1:2),ipmask(24,64)] %[int(16909060),ipmask(24)] %[str(nope),ipmask(24)] %[str(1.2.3.4),ipmask(24),hex] %[str(::ffff:1.2.3.4),ipmask(24)] %[ipv6(::ffff:1.2.3.4),ipmask(24)] %[ipv6(2001::1),ipmask(24)] %[str(2001::1),ipmask(24)] %[ipv6(2001::1),ipmask(24,16)] %[req.hdr(in)]"
"""


def test_what_is_masked_may_be_text_or_a_number(binary):
    with Proxy(binary, config(MASKS)) as p:
        body = get(p).split("\r\n\r\n")[1]
        assert body == "1.2.3.4 :: 1.2.3.0  01020300 1.2.3.0 1.2.3.0   2001:: yes", body


SET_COOKIES = (  # a field's value, and what cook(a), cook(b), cook_cnt(a) and cook_val(a) are
    (b"a=1, b=2", "1|2|1|1"), (b"a=1; b=2", "1||1|1"), (b"a=1,b=2; path=/", "1|2|1|1"), (b'a="x,y"; b=2', '"x,y"||1'), (b"a = 1 , b = 2", "1|2|1|1"),
    (b"a=1;b=2,a=5", "5||2|5"), (b"a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT, b=2", "1|2|1|1"), (b", a=1", "1||1|1"), (b"a=1,,b=2", "1|2|1|1"),
    (b"ab=1, a=2", "2||1|2"), (b"a=1, a=2, a=3", "3||3|3"), (b"a=1\r\nSet-Cookie: b=2\r\nSet-Cookie: a=3", "3|2|2|3"), (b"a", "||0|"),
)


def test_cookies_of_answers_begin_behind_commas_too(binary):
    def answer(server, c):
        n = int(read_head(c).split()[1][1:])
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nSet-Cookie: " + SET_COOKIES[n][0] + b"\r\n\r\n")

    origin = Server(answer)
    with Proxy(binary, config("""
listen l
    mode http
    bind 127.0.0.1:{port}
    http-response set-header x-is %[res.cook(a)]|%[res.cook(b)]|%[res.cook_cnt(a)]|%[res.cook_val(a)]
    server s 127.0.0.1:{server}
""", server=origin.port)) as p:
        for n, (field, wanted) in enumerate(SET_COOKIES):
            got = re.search("(?i)x-is: (.*)\r", get(p, f"/{n}"))[1]
            assert got == wanted or (wanted.count("|") == 2 and got.startswith(wanted)), (field, got, wanted)  # HAProxy makes a number of quotes


def test_addresses_by_the_names_of_hosts(binary):
    with Proxy(binary, config("""
frontend f
    mode http
    bind 127.0.0.1:{port}
    acl here src localhost
    acl net src 192.0.2.0/24 localhost/8
    http-request return status 200 content-type text/plain string both if here net { req.hdr(x-ip) -m ip localhost }
    http-request return status 200 content-type text/plain string one if here
""")) as p:
        assert get(p, head=b"X-Ip: 127.0.0.1\r\n").endswith("both") and get(p, head=b"X-Ip: 127.0.0.2\r\n").endswith("one")


if __name__ == "__main__":
    main(globals())
