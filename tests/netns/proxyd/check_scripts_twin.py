#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What checks say that is found out in each run, as HAProxy says it:   check_scripts_twin.py BINARY

Variables, formats, the state of the server, and several connections of one check."""
import re
import ssl

from support import Asked, Server, config, free_port, main, until
from tls_support import Authority

WELL = b"HTTP/1.1 200 ok\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


class Web(Server):
    """Keeps what it was asked: lines in small letters, but for the first and values."""

    def __init__(self, answer=WELL, port=0, host="127.0.0.1"):
        self.asked, self.answer = [], answer
        super().__init__(self.serve_one, port, host=host)

    def serve_one(self, server, c):
        data = c.recv(9999)
        if data:
            head, _, body = data.partition(b"\r\n\r\n")
            first, *fields = head.decode().split("\r\n")
            self.asked.append((first, dict((f.split(": ", 1)[0].lower(), f.split(": ", 1)[1]) for f in fields), body))
            c.sendall(self.answer)


def backend(name, lines, server, inter="100"):
    return f"backend {name}\n    mode http\n    timeout check 20s\n    default-server inter {inter} rise 2 fall 3\n{lines}    server {server}\n"


SHAKES_HANDS = "2s fastinter 200 downinter 500"  # a connection may take as long as `inter`, the handshake with a busy thread of ours included


def text(*backends, more=""):
    return config("frontend f\n    bind 127.0.0.1:{port}\n" + "".join(backends)).replace("global\n", "global\n    node box\n" + more)


def test_servers_are_told_their_state(binary):
    web, port = Web(), free_port()
    lines = "    option httpchk\n    http-check send-state\n    server other 127.0.0.1:1 weight 7\n"
    with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{port} check weight 5"))) as p:
        until("it is down", lambda: p.status("b/s") == "DOWN")
        web = Web(port=port)
        rest = rf"; address=127\.0\.0\.1; port={port}; name=b/s; node=box; weight=5/%d; scur=0/0; qcur=0"
        until("all states were told", lambda: len(web.asked) > 2)
        states = [fields["x-haproxy-server-state"] for _, fields, _ in web.asked[:3]]
        for state, word in zip(states, ("DOWN", "DOWN 1/2", "UP")):
            assert re.fullmatch(word + rest % (12 if word == "UP" else 7), state), states


def test_requests_have_variables_and_formats(binary):
    web = Web()
    lines = """    option httpchk
    http-check set-var(check.path) str(/hello)
    http-check set-var-fmt(check.who) %[srv_name]/%[be_name]
    http-check set-var(check.gone) str(x)
    http-check unset-var(check.gone)
    http-check send meth POST uri-lf %[var(check.path)]?%[var(check.who)] ver HTTP/1.1 hdr Host %[srv_name].%b hdr X-Nobody (%ci%cp%fi%fp) hdr X-To %si:%sp hdr X-Var "a%[var(check.gone)]b %[var(proc.p)] 100%%" body-lf body=%[var(check.path)]
"""
    with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{web.port} check"), more="    set-var proc.p int(9)\n")) as p:
        until("it was asked", lambda: web.asked)
        first, fields, body = web.asked[0]
        assert first == "POST /hello?s/b HTTP/1.1", first
        assert (fields["host"], fields["x-var"], fields["content-length"], body) == ("s.b", "ab 9 100%", "11", b"body=/hello")
        assert fields["x-nobody"] == "()", fields
        assert fields["x-to"] == f"127.0.0.1:{web.port}", fields
        until("it is up", lambda: p.row("b/s", "status", "check_status") == ["UP", "L7OK"])


def test_one_check_asks_over_several_connections(binary):
    one, two, own = Web(), Web(WELL.replace(b"hello", b"howdy")), Web()
    lines = f"""    option httpchk HEAD /first
    http-check set-var(check.n) int(1)
    http-check connect port {one.port}
    http-check send hdr X-N %[var(check.n)]
    http-check expect status 200
    http-check set-var(check.n) int(2)
    http-check connect port {two.port}
    http-check send meth GET uri /second hdr X-N %[var(check.n)]
    http-check expect string how
    http-check connect
    http-check send meth GET uri /own
"""
    with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{own.port} check"))) as p:
        until("all were asked, and it is up", lambda: own.asked and p.row("b/s", "status", "check_status") == ["UP", "L7OK"])
        assert [(web.asked[0][0], web.asked[0][1].get("x-n")) for web in (one, two, own)] == [
            ("HEAD /first HTTP/1.0", "1"), ("GET /second HTTP/1.0", "2"), ("GET /own HTTP/1.0", None)]  # fmt: skip
        two.answer = WELL
        until("what the second says counts", lambda: p.row("b/s", "status", "check_status") == ["DOWN", "L7RSP"])
        before = len(own.asked)
        asked = len(two.asked)
        until("it is asked again", lambda: len(two.asked) > asked + 2)
        assert len(own.asked) == before


# What is expected, and whether 404 with the body "hello \E there" is that.
EXPECTED = [
    ("", False),
    ("status 404", True),
    ("! status 500", True),
    ("string hello", True),
    ("string hullo", False),
    ("status 400-499 | ! status 405", True),
    ("status 400-499 | ! status 404", False),
    ("status 200,404 | rstatus ^2", False),
    ("string hello | string there", True),
    ("string hello | string here.", False),
    ("string hello | ! string there", False),
    ("! string hullo | rstring ^hel+o.+re$", True),
    (r"string 'o \E t' | ! rstring ^there | status 404", True),
    ("string hello | status 200", False),
    ("hdr name x-a value 1 | string hello", True),
    ("hdr name x-a value 2 | string hello", False),
    ("hdr name x-a value 1 | hdr name x-b value 2", True),
]


def test_all_that_is_expected_has_to_be(binary):
    web = Web(b"HTTP/1.1 404 no\r\nContent-Length: 14\r\nX-A: 1\r\nX-B: 2\r\nConnection: close\r\n\r\nhello \\E there")
    lines = [f"    option httpchk GET /{n}\n" + "".join(f"    http-check expect {e}\n" for e in what.split(" | ") if e) for n, (what, _) in enumerate(EXPECTED)]
    backends = [backend(f"b{n}", l, f"s 127.0.0.1:{web.port} check") for n, l in enumerate(lines)]
    with Asked(binary, text(*backends)) as p:
        for n, (what, well) in enumerate(EXPECTED):
            until(f"{what} is judged", lambda: p.row(f"b{n}/s", "status", "check_status")[1] in ("L7OK", "L7STS", "L7RSP"))
            until(f"{what} is {well}", lambda: p.status(f"b{n}/s") == ("UP" if well else "DOWN"))


INHERITED = """defaults
    mode http
    timeout connect 5s
    timeout server 5s
    option httpchk GET /usual HTTP/1.1
    http-check send hdr X d
    http-check expect status 404
    default-server inter 100 rise 1 fall 1
backend as_usual
    server s 127.0.0.1:{web} check
backend asks
    http-check send hdr Y b
    server s 127.0.0.1:{web} check
backend anew
    option httpchk GET /anew
    server s 127.0.0.1:{web} check
backend both
    option httpchk HEAD /both HTTP/1.1
    http-check send hdr Y e
    http-check expect status 200
    server s 127.0.0.1:{web} check
"""


def test_own_lines_take_the_place_of_those_of_the_defaults(binary):
    web = Web()
    with Asked(binary, text() + INHERITED.replace("{web}", str(web.port))) as p:
        for name, status in (("as_usual", "DOWN"), ("asks", "UP"), ("anew", "UP"), ("both", "UP")):
            until(f"{name} is judged", lambda: p.row(name + "/s", "check_status") in (["L7OK"], ["L7STS"]))
            until(f"{name} is {status}", lambda: p.status(name + "/s") == status)
        asked = {(first, fields.get("x"), fields.get("y")) for first, fields, _ in web.asked}
        assert asked == {("GET /usual HTTP/1.1", "d", None), ("OPTIONS / HTTP/1.0", None, "b"), ("GET /anew HTTP/1.0", None, None),
                         ("HEAD /both HTTP/1.1", None, "e")}, asked  # fmt: skip


class Https(Web):
    """Web over TLS; keeps the name it was asked for, too. With `proxy`, a PROXY header of version 1 comes first."""

    def __init__(self, cert, proxy=False, port=0):
        self.names, self.proxy = [], proxy
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert)
        self.context.sni_callback = lambda s, name, c: self.names.append(name)
        super().__init__(port=port)

    def serve_one(self, server, c):
        if self.proxy:
            line = b""
            while not line.endswith(b"\r\n"):
                line += c.recv(1)
            assert line.startswith(b"PROXY "), line
        try:
            with self.context.wrap_socket(c, server_side=True) as s:
                super().serve_one(server, s)
        except (ssl.SSLError, OSError):  # its client is gone
            pass


def test_each_connection_is_made_in_its_own_way(binary):
    authority = Authority()
    cert = authority.make("web.pem", ["web"])
    plain, tls, behind, usual = Web(), Https(cert), Https(cert, True), Https(cert)
    script, secret = Web(), Https(cert)
    lines = f"""    option httpchk
    http-check connect port {plain.port}
    http-check send meth GET uri /plain
    http-check expect status 200
    http-check connect port {tls.port} ssl sni one.example
    http-check send meth GET uri /tls
    http-check expect status 200
    http-check connect port {behind.port} ssl sni two.example send-proxy
    http-check send meth GET uri /behind
    http-check expect status 200
    http-check connect default
    http-check send meth GET uri /usual
"""
    steps = f"""    option tcp-check
    tcp-check connect port {script.port}
    tcp-check send GET\\ /a\\ HTTP/1.0\\r\\n\\r\\n
    tcp-check expect string hello
    tcp-check connect port {secret.port} ssl
    tcp-check send GET\\ /b\\ HTTP/1.0\\r\\n\\r\\n
    tcp-check expect string hello
"""
    with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{usual.port} check ssl verify none", SHAKES_HANDS),
                            backend("c", steps, "s 127.0.0.1:1 check verify none", SHAKES_HANDS).replace("mode http", "mode tcp"))) as p:  # fmt: skip
        until("all are up", lambda: usual.asked and secret.asked and p.row("b/s", "status", "check_status") == ["UP", "L7OK"] == p.row("c/s", "status", "check_status"))
        assert [web.asked[0][0].split()[1] for web in (plain, tls, behind, usual, script, secret)] == ["/plain", "/tls", "/behind", "/usual", "/a", "/b"]
        assert (tls.names[0], behind.names[0], secret.names[0]) == ("one.example", "two.example", None)
        tls.stop()
        until("one that cannot be had takes it down", lambda: p.row("b/s", "status", "check_status") == ["DOWN", "L4CON"])
        asked = len(plain.asked)
        until("it begins in the first way again", lambda: len(plain.asked) > asked + 1)
    authority.close()


def test_each_connection_has_its_own_address(binary):
    """The first at 127.0.0.2 or 127.0.0.3, those without one where the server, or its check, is."""
    port = free_port()
    own, check, two, three = (Web(port=port, host=f"127.0.0.{n}") for n in (1, 4, 2, 3))
    web = f"""    option httpchk
    http-check connect addr 127.0.0.2
    http-check send uri /two
    http-check expect status 200
    http-check connect addr 127.0.0.3 port {port}
    http-check send uri /three
    http-check expect status 200
    http-check connect
    http-check send uri /own
"""
    tcp = "".join(f"    tcp-check connect {where}\n    tcp-check send-lf \"GET /tcp HTTP/1.0\\r\\n\\r\\n\"\n    tcp-check expect string hello\n" for where in ("addr 127.0.0.3", "", "addr 127.0.0.2"))
    backends = (backend("w", web, f"s 127.0.0.1:{port} check"), backend("c", web, f"s 127.0.0.1:{port} check addr 127.0.0.4"),
                backend("t", "    option tcp-check\n" + tcp, f"s 127.0.0.1:{port} check"))  # fmt: skip
    paths = lambda server: {first.split()[1] for first, _, _ in server.asked}
    with Asked(binary, text(*backends)) as p:
        for name in ("w", "c", "t"):
            until(f"{name} is up", lambda: p.row(f"{name}/s", "status", "check_status") == ["UP", "L7OK"])
        assert [paths(server) for server in (own, check, two, three)] == [{"/own", "/tcp"}, {"/own"}, {"/two", "/tcp"}, {"/three", "/tcp"}], [
            server.asked for server in (own, check, two, three)]  # fmt: skip


def test_what_passed_is_of_the_last_connection(binary):
    authority = Authority()
    plain = Server(lambda s, c: (c.recv(99), c.sendall(b"hello")))
    secret = Https(authority.make("web.pem", ["web"]))
    talk = "connect | send hi | expect string hello"
    scripts = (  # of HAProxy's manual, check_status and last_chk
        ("connect", "L4OK", "(tcp-check)"), ("send hi", "L7OK", "(tcp-check)"), (talk, "L7OK", "(tcp-check)"), ("set-var(check.a) str(x)", "L4OK", ""),
        (f"{talk} | connect", "L4OK", "(tcp-check)"), (f"{talk} | connect port {secret.port} ssl", "L6OK", "(tcp-check)"),
        (f"connect port {secret.port} ssl", "L6OK", "(tcp-check)"), (f"connect port {secret.port} ssl | {talk}", "L7OK", "(tcp-check)"),
    )
    sections = [backend(f"c{i}", "    option tcp-check\n" + "".join(f"    tcp-check {step}\n" for step in script.split(" | ")),
                        f"s 127.0.0.1:{plain.port} check verify none", SHAKES_HANDS).replace("mode http", "mode tcp") for i, (script, *_) in enumerate(scripts)]  # fmt: skip
    with Asked(binary, text(*sections)) as p:
        for i, (script, status, said) in enumerate(scripts):
            until(f"{script} is {status}", lambda: p.row(f"c{i}/s", "check_status", "last_chk") == [status, said])
    authority.close()


def test_a_check_that_was_stopped_begins_in_the_first_way_again(binary):
    authority = Authority()
    cert = authority.make("web.pem", ["web"])
    heard = []
    first = Server(lambda s, c: (heard.append(c.recv(99)), c.sendall(b"hello")))
    mute = Server(lambda s, c: c.recv(9999) and c.recv(9999))
    steps = f"""    option tcp-check
    tcp-check connect port {first.port}
    tcp-check send hi
    tcp-check expect string hello
    tcp-check connect port {mute.port} ssl
"""
    with Asked(binary, text(backend("c", steps, "s 127.0.0.1:1 check verify none", SHAKES_HANDS).replace("mode http", "mode tcp"))) as p:
        until("its second connection hangs", lambda: mute.open)
        p.ask("disable health c/s")
        mute.stop()
        for c in list(mute.live):
            c.close()
        there = Https(cert, port=mute.port)
        n = len(heard)
        p.ask("enable health c/s")
        until("it begins", lambda: len(heard) > n and there.names)
        assert set(heard) == {b"hi"}, heard
    authority.close()


def test_scripts_have_variables_and_formats(binary):
    said = [b"name=s\r\n"]
    heard = []

    def serve(server, c):
        data = b""
        while not data.endswith(b"\n"):
            part = c.recv(99)
            if not part:
                return
            data += part
        heard.append(data)
        c.sendall(said[0])

    web = Server(serve)
    lines = r"""    option tcp-check
    tcp-check set-var(check.word) str(ping)
    tcp-check set-var-fmt(check.hex) %[str(ab),hex]
    tcp-check connect
    tcp-check send-lf %[var(check.word)]\ %[srv_name]
    tcp-check send -
    tcp-check send-binary-lf %[var(check.hex)]0d0a
    tcp-check expect string-lf name=%[srv_name]
"""
    with Asked(binary, text(backend("b", lines.replace("\n    tcp", "\n    tcp"), f"s 127.0.0.1:{web.port} check").replace("mode http", "mode tcp"))) as p:
        until("it is up", lambda: p.row("b/s", "status", "check_status") == ["UP", "L7OK"])
        assert heard[0] == b"ping s-ab\r\n", heard[0]
        said[0] = b"name=t\r\n"
        until("another name takes it down", lambda: p.status("b/s") == "DOWN")


def test_any_method_asks_and_any_may_have_a_body(binary):
    for method, body in (("SEARCH", "where am i"), ("GET", "hello"), ("PROPFIND", "")):
        web = Web(b"HTTP/1.1 207 well\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        send = f"    option httpchk\n    http-check send meth {method} uri /x" + (f" body '{body}'" if body else "") + "\n"
        with Asked(binary, text(backend("b", send, f"s 127.0.0.1:{web.port} check"))):
            until("it was asked", lambda: web.asked)
        first, fields, got = web.asked[0]
        assert first.startswith(f"{method} /x HTTP/1.0"), first
        assert (fields.get("content-length", "0"), got) == (str(len(body)), body.encode()), (fields, got)


def test_a_port_may_be_an_expression(binary):
    webs = [Web() for _ in range(3)]
    one, two, three = (w.port for w in webs)
    http = f"""    option httpchk
    http-check connect port int({one})
    http-check send uri /a
    http-check expect status 200
    http-check set-var(check.p) int({one}),add({two - one})
    http-check connect port var(check.p)
    http-check send uri /b
    http-check expect status 200
    http-check connect port var(check.none)
    http-check send uri /c
"""
    tcp = f"""    option tcp-check
    tcp-check connect port str({one})
    tcp-check send a
    tcp-check expect string hello
    tcp-check set-var(check.p) int({two})
    tcp-check connect port var(check.p)
    tcp-check send b
    tcp-check expect string hello
    tcp-check connect port int(0)
    tcp-check send c
    tcp-check expect string hello
"""
    for lines in http, tcp:
        for w in webs:
            w.asked.clear()
        with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{three} check"))) as p:
            until("it is up", lambda: p.row("b/s", "status", "check_status") == ["UP", "L7OK"])
            assert all(w.asked for w in webs), [w.asked for w in webs]
    if "haproxy" in binary:  # 2.6 sets no variables at run time but in its mode of experiments
        return
    lines = "    option httpchk\n    http-check connect port var(proc.at)\n    http-check send uri /now\n"
    with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{three} check"), more=f"    set-var proc.at int({one})\n")) as p:
        until("the first is asked", lambda: any("/now" in a[0] for a in webs[0].asked))
        p.ask(f"set var proc.at int({two})")
        until("the second is", lambda: any("/now" in a[0] for a in webs[1].asked))
        assert p.status("b/s") == "UP"


if __name__ == "__main__":
    main(globals())
