#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`cookie NAME …`: what servers and clients see of it, and what the log says, in proxyd and HAProxy alike:

    cookie_twin.py BINARY
"""
import re
import socket
import struct
import time
from base64 import b64encode

from http_twin import is_haproxy
from support import Proxy, Server, config, free_port, main, read_all, read_head, until

HEAD = """
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
"""

# A cookie line, and what is asked under it: method, Cookie, the server's Set-Cookie; then who answers, what he sees, what the
# client is to keep; and the log's two letters. `@N` is a date N seconds ago.
CASES = [
    ("S insert", [
        ("GET", "", "", "a | - | S=a; path=/", "NI"),
        ("GET", "S=a", "", "a | S=a", "VN"),
        ("GET", "S=b; T=1", "", "b | S=b; T=1", "VN"),
        ("GET", "S=none", "", "a | S=none | S=a; path=/", "II"),
        ("GET", "S=", "", "a | S= | S=a; path=/", "II"),
        ("GET", "S", "", "a | S | S=a; path=/", "NI"),
        ("GET", "S=b,x=1", "", "b | S=b,x=1", "VN"),
        ("GET", 'T="x,S=a"; S=b', "", 'b | T="x,S=a"; S=b', "VN"),
        ("GET", 'T="x;S=a\\";S=a"; S=b', "", 'b | T="x;S=a\\";S=a"; S=b', "VN"),
        ("GET", 'S="b"', "", 'a | S="b" | S=a; path=/', "II"),
        ("GET", 'T="x,S=a;S=b', "", 'a | T="x,S=a;S=b | S=a; path=/', "NI"),
        ("GET", "S=a", "S=x; path=/", "a | S=a", "VD"),
        ("GET", "", "S=x", "a | - | S=a; path=/", "NI"),
        ("GET", "", "T=x", "a | - | T=x + S=a; path=/", "NI"),
    ]),
    ("S insert indirect", [
        ("GET", "S=a", "", "a | -", "VN"),
        ("GET", "T=1; S=a; U=2", "", "a | T=1; U=2", "VN"),
        ("GET", "S=a; U=2", "S=x", "a | U=2", "VD"),
        ("GET", "S=none; S=b; T=3; S=a", "", "b | T=3", "VN"),
    ]),
    ("S insert indirect nocache postonly", [
        ("GET", "", "", "a | -", "NN"),
        ("POST", "", "", "a | - | S=a; path=/", "NI"),
        ("POST", "S=a", "", "a | -", "VN"),
        ("GET", "", "S=x", "a | -", "ND"),
    ]),
    ("S insert indirect preserve", [
        ("GET", "", "", "b | - | S=b; path=/", "NI"),
        ("GET", "S=a", "S=", "a | - | S=", "VP"),
        ("GET", "", "S=x; secure", "b | - | S=x; secure", "NP"),
        ("GET", "T=1; S = b", "S", "b | T=1 | S", "VN"),
        ("GET", "S= a ;T=1", "", "a | T=1", "VN"),
    ]),
    ("S insert attr x=y secure domain .a.example httponly attr z domain .b.example", [
        ("GET", "", "", "a | - | S=a; path=/; domain=.a.example; domain=.b.example; HttpOnly; Secure; x=y; z", "NI"),
    ]),
    ("S rewrite", [
        ("GET", "", "", "b | -", "NN"),
        ("GET", "", "S=x; path=/", "b | - | S=b; path=/", "NR"),
        ("GET", "S=b", "S=x; path=/", "b | S=b | S=b; path=/", "VR"),
        ("GET", "S=b", "T=1", "b | S=b | T=1", "VN"),
        ("GET", "S=b", "S=x,y; path=/", "b | S=b | S=b,y; path=/", "VR"),
        ("GET", "S=b", 'S="x,y"; path=/', "b | S=b | S=b; path=/", "VR"),
    ]),
    ("S prefix", [
        ("GET", "", "", "a | -", "NN"),
        ("GET", "", "S=x; path=/", "a | - | S=a~x; path=/", "NR"),
        ("GET", "S=b~x; T=1", "S=x", "b | S=x; T=1 | S=b~x", "VR"),
        ("GET", "S=b", "", "b | S=b", "VN"),
        ("GET", "T=2; S=b~x~y; S=a~z", "", "b | T=2; S=x~y; S=z", "VN"),
        ("GET", "S=none~v", "", "a | S=v", "IN"),
    ]),
    ("S indirect", [
        ("GET", "S=a; T=1", "", "a | S=a; T=1", "VN"),
        ("GET", "S=a", "S=x", "a | S=a", "VD"),
        ("GET", "", "S=x", "b | - | S=x", "NP"),
    ]),
    ("S nocache", [
        ("GET", "S=a", "", "a | S=a", "--"),
    ]),
    ("S", [
        ("GET", "S=a", "", "a | S=a", "--"),
        ("GET", "S=b; S=a", "S=x", "b | S=b; S=a | S=x", "--"),
    ]),
    ("S insert indirect maxidle 60", [
        ("GET", "", "", "b | - | S=b|@0; path=/", "NI"),
        ("GET", "S=a", "", "a | - | S=a|@0; path=/", "VU"),
        ("GET", "S=a|@8", "", "a | - | S=a|@0; path=/", "VU"),
        ("GET", "S=b|@30; T=1", "", "b | T=1 | S=b|@0; path=/", "VU"),
        ("GET", "S=b|@70", "", "b | - | S=b|@0; path=/", "EI"),
        ("GET", "S=a|@-5000", "", "a | -", "VN"),
        ("GET", "S=a|@-90000", "", "b | - | S=b|@0; path=/", "EI"),
        ("GET", "S=a|AA", "", "a | - | S=a|@0; path=/", "VU"),
        ("GET", "S=a|!!!!!", "", "a | - | S=a|@0; path=/", "VU"),
        ("GET", "S=a|@8|@9", "", "a | - | S=a|@0; path=/", "VU"),
        ("GET", "S=|@8", "", "b | - | S=b|@0; path=/", "II"),
    ]),
    ("S insert maxlife 1m", [
        ("GET", "", "", "a | - | S=a|@0|@0; path=/", "NI"),
        ("GET", "S=a", "", "a | S=a | S=a|@0|@0; path=/", "VU"),
        ("GET", "S=a|@8|@8", "", "a | S=a|@10|@10 | S=a|@0|@10; path=/", "VU"),
        ("GET", "S=b|@8|@40", "", "b | S=b|@10|@40 | S=b|@0|@40; path=/", "VU"),
        ("GET", "S=b|@8|@70", "", "a | S=b|@10|@70 | S=a|@0|@0; path=/", "OI"),
        ("GET", "S=a|@8|@-90000", "", "a | S=a|@10|@-90000 | S=a|@0|@0; path=/", "OI"),
        ("GET", "S=a|@8", "", "a | S=a|@10 | S=a|@0|@0; path=/", "VU"),
        ("GET", "S=a|@500|@8", "", "a | S=a|@500|@10 | S=a|@0|@10; path=/", "VU"),
    ]),
    ("S insert maxidle 60 maxlife 600s", [
        ("GET", "", "", "b | - | S=b|@0|@0; path=/", "NI"),
        ("GET", "S=a|@20|@300", "", "a | S=a|@20|@300 | S=a|@0|@300; path=/", "VU"),
        ("GET", "S=a|@80|@300", "", "b | S=a|@80|@300 | S=b|@0|@0; path=/", "EI"),
        ("GET", "S=a|@20|@700", "", "b | S=a|@20|@700 | S=b|@0|@0; path=/", "OI"),
        ("GET", "S=a|@20", "", "a | S=a|@20 | S=a|@0|@0; path=/", "VU"),
    ]),
]

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def date(seconds_ago):
    units = int(time.time() - seconds_ago) >> 2
    return "".join(DIGITS[units >> shift & 63] for shift in (24, 18, 12, 6, 0))


def age(digits):
    """To the next ten seconds: a request may take its time."""
    units = 0
    for d in digits:
        units = units << 6 | DIGITS.index(d)
    return "@%d" % (round((time.time() - 4 * units) / 10) * 10)


def dated(text):
    return re.sub(r"@(-?\d+)", lambda m: date(int(m.group(1))), text)


def undated(text):
    return re.sub(r"(?<=\|)[A-Za-z0-9+/]{5}(?=[|;]|$)", lambda m: age(m.group(0)), text)


def serve(name):
    def answer(server, c):
        head = read_head(c).decode("latin-1")
        if not head:
            return
        fields = [line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line]
        said = {k.lower(): v for k, v in fields}
        lines = ["HTTP/1.1 200 OK", "X-Name: " + name, "X-Seen: " + said.get("cookie", "-"), "Content-Length: 0",
                 "Connection: close"]
        lines += [said["x-more"]] if "x-more" in said else []
        lines += ["Set-Cookie: " + said["x-set"]] if "x-set" in said else []
        c.sendall("\r\n".join(lines + ["", ""]).encode("latin-1"))

    return answer


def ask(p, path, method="GET", cookie="", set_cookie="", *more):
    """Who answered, what he saw, what the client is to keep."""
    lines = [f"{method} {path} HTTP/1.1", "Host: h", "Connection: close"]
    lines += ["Content-Length: 0"] if method == "POST" else []
    lines += ["Cookie: " + dated(cookie)] if cookie else []
    lines += ["X-Set: " + set_cookie] if set_cookie else []
    lines += more
    with p.connect() as s:
        s.sendall("\r\n".join(lines + ["", ""]).encode())
        answer = read_all(s).decode("latin-1")
    if "x-name" not in answer.lower():  # HAProxy says 200 here, and "Service ready."
        return "blocked"
    fields = [line.split(": ", 1) for line in answer.split("\r\n")[1:] if ": " in line]

    def values(name):
        return " + ".join(undated(v) for k, v in fields if k.lower() == name)

    return " | ".join((values("x-name"), values("x-seen"), values("set-cookie"), values("cache-control"))).strip(" |")


def cases_config(servers):
    lines = [HEAD, "frontend f", "    bind 127.0.0.1:{port}", "    option httplog", "    log stdout format raw local0",
             "    use_backend %[path,field(2,/)]"]
    for i, (line, _) in enumerate(CASES):
        lines += [f"backend b{i}", "    balance uri", "    cookie " + line]
        lines += [f"    server {n} 127.0.0.1:{s.port} cookie {n}" for n, s in servers.items()]
    return config("\n".join(lines) + "\n")


def test_cookies_of_servers(binary):
    servers = {n: Server(serve(n)) for n in "ab"}
    wanted = []
    with Proxy(binary, cases_config(servers)) as p:
        for i, (line, requests) in enumerate(CASES):
            for method, cookie, set_cookie, said, letters in requests:
                got = ask(p, f"/b{i}/", method, cookie, set_cookie)
                assert got == said, (line, method, cookie, set_cookie, got)
                wanted.append(letters)
        until("all is logged", lambda: p.text().count(" HTTP/1.1") == len(wanted))
        letters = re.findall(r" - - --(..) ", p.text())
    assert letters == wanted, list(zip(letters, wanted))


CACHE = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    use_backend check if { path /check }
    default_backend b
backend b
    cookie S insert nocache
    server a 127.0.0.1:{a} cookie a
backend check
    option checkcache
    server a 127.0.0.1:{a}
"""

# What an answer to a GET says; what Cache-Control `nocache` makes of it; whether `checkcache` blocks it with a cookie.
ANSWERS = {
    "X: y": ("", False),
    "ETag: x": ("private", True),
    "Last-Modified: x": ("private", True),
    "Pragma: no-cache": ("", False),
    "Cache-Control: public": ("public", False),
    "Cache-Control: max-age=5": ("max-age=5 + private", True),
    "Cache-Control: max-age=0": ("max-age=0", False),
    "Cache-Control: foo, private, max-age=5": ("foo, private, max-age=5", False),
    'Cache-Control: no-cache="set-cookie", max-age=5': ('no-cache="set-cookie", max-age=5 + private', False),
}


def test_nocache_and_checkcache(binary):
    s = Server(serve("a"))
    with Proxy(binary, config(CACHE, a=s.port)) as p:
        for line, (nocache, check) in ANSWERS.items():
            got = ask(p, "/", "GET", "", "", "X-More: " + line)
            assert got == ("a | - | S=a; path=/ | " + nocache).strip(" |"), (line, got)
            got = ask(p, "/check", "GET", "", "T=1", "X-More: " + line)
            assert got == "blocked" if check else got.startswith("a | - | T=1"), (line, got)
            assert ask(p, "/check", "GET", "", "", "X-More: " + line).startswith("a"), line
        assert ask(p, "/", "POST", "", "", "X-More: ETag: x") == "a | - | S=a; path=/"


ORDER = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    default_backend b
backend b
    cookie S insert
    stick-table type string size 10 store server_id
    stick on path,field(2,/)
    use-server c if { path_beg /c/ }
    server a 127.0.0.1:{a} cookie a
    server b 127.0.0.1:{b} cookie b
    server c 127.0.0.1:{c} cookie c
    server d 127.0.0.1:{c}
"""


def test_letters_without_an_answer(binary):
    """A server that was asked and says nothing has sent no cookie."""
    mute, dead = Server(lambda s, c: c.recv(9999)), free_port()
    text = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    use_backend dead if { path /dead }
    default_backend b
backend b
    cookie S insert
    server a 127.0.0.1:{mute} cookie a
backend dead
    cookie S insert
    retries 0
    server a 127.0.0.1:{dead} cookie a
"""
    with Proxy(binary, config(text, mute=mute.port, dead=dead)) as p:
        for path, letters in (("/", "SHNN"), ("/dead", "SCNN")):
            with p.connect() as c:
                c.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                assert read_all(c).startswith(b"HTTP/1.1 50"), path
            until(f"{letters} is logged", lambda: f" {letters} " in p.text())


def test_who_is_asked_first(binary):
    """use-server goes before a cookie, and that before what a table remembers."""
    servers = {n: Server(serve(n)) for n in "abc"}
    asked = [
        (("/x/", "GET", "S=b"), "b | S=b", "VN"),
        (("/x/", "GET", "S=a"), "a | S=a", "VN"),
        (("/x/",), "a | -", "NN"),
        (("/c/",), "c | -", "NN"),
        (("/c/", "GET", "S=b"), "c | S=b", "UN"),
        (("/x/", "GET", "S=none"), "a | S=none", "IN"),
    ]
    with Proxy(binary, config(ORDER, **{n: s.port for n, s in servers.items()})) as p:
        for request, said, _ in asked:
            assert ask(p, *request) == said, request
        until("all is logged", lambda: p.text().count(" HTTP/1.1") == len(asked))
        assert re.findall(r" - - --(..) ", p.text()) == [letters for _, _, letters in asked], p.text()


def test_ignored_persistence(binary):
    """The cookie of an answer is the server's own then."""
    modes = ("insert", "insert indirect maxidle 60", "insert preserve", "rewrite", "prefix", "indirect")
    text = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    option httplog
    log stdout format raw local0
    use_backend %[path,field(2,/)]
"""
    for i in range(len(modes)):
        text += f"backend b{i}\n    cookie S {modes[i]}\n    ignore-persist if TRUE\n    server a 127.0.0.1:{{a}} cookie a\n"
    with Proxy(binary, config(text, a=Server(serve("a")).port)) as p:
        for i, mode in enumerate(modes):
            got = ask(p, f"/b{i}/", "GET", "", "S=x; path=/")
            assert got == "a | - | S=x; path=/", (mode, got)
        until("all is logged", lambda: p.text().count(" HTTP/1.1") == len(modes))
        assert re.findall(r" - - --(..) ", p.text()) == ["NN"] * len(modes), p.text()


def test_values_of_the_message_at_hand(binary):
    """hdr and cookie are the answer's in rules of answers, and the request's in their conditions."""
    text = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    http-request set-var(txn.asked) hdr(x-more)
    http-response set-var(txn.cookie) cookie(S)
    http-response add-header X-Name "%[hdr(x-seen)] %[var(txn.cookie)] %[var(txn.asked)]"
    http-response add-header X-Name wrong if { hdr(x-seen) S=a }
    default_backend b
backend b
    server a 127.0.0.1:{a}
"""
    with Proxy(binary, config(text, a=Server(serve("a")).port)) as p:
        got = ask(p, "/", "GET", "S=a", "S=b; path=/", "X-More: X-A: b")
        assert got == "a + S=a b X-A: b | S=a | S=b; path=/", got


def test_captured_cookies(binary):
    """Without what is behind a comma, and without blanks at the end."""
    text = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    capture cookie S len 20
    log stdout format raw local0
    log-format "<%CC> <%CS>"
    default_backend b
backend b
    server a 127.0.0.1:{a}
"""
    with Proxy(binary, config(text, a=Server(serve("a")).port)) as p:
        ask(p, "/", "GET", "T=1; S=a ; U=2", "S=x , T=1; path=/")
        until("it is logged", lambda: "<S=a> <S=x>" in p.text())


DYNAMIC = HEAD + """
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-text),b64dec,xxh64]" if { path /hash }
    default_backend b
backend b
    cookie S insert dynamic
    dynamic-cookie-key secret
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
    server c 127.0.0.1:{c} cookie own
"""


def dynamic_of(p, port):
    """XXH64 of the key, the address and the port, by the proxy's own converter."""
    text = b64encode(b"secret" + socket.inet_aton("127.0.0.1") + struct.pack("!I", port)).decode()
    with p.connect() as s:
        s.sendall(f"GET /hash HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Text: {text}\r\n\r\n".encode())
        return "%016x" % (int(read_all(s).split(b"\r\n\r\n")[1]) & (2**64 - 1))


def test_dynamic_cookies(binary):
    servers = {n: Server(serve(n)) for n in "abc"}
    with Proxy(binary, config(DYNAMIC, **{n: s.port for n, s in servers.items()})) as p:
        names = {n: dynamic_of(p, servers[n].port) for n in "ab"} | {"c": "own"}
        for n, name in names.items():
            assert ask(p, "/") == f"{n} | - | S={name}; path=/"
        for n, name in reversed(names.items()):
            assert ask(p, "/", "GET", "S=" + name) == f"{n} | S={name}"


def bigip_of(port):
    """What a BIG-IP tells of 127.0.0.1 and this port: the bytes of both the other way round."""
    return f"{int.from_bytes(socket.inet_aton('127.0.0.1'), 'little')}.{socket.htons(port)}.0000"


def test_cookies_of_a_big_ip_are_ours(binary):
    if is_haproxy(binary):
        return
    servers = {n: Server(serve(n)) for n in "abc"}
    text = DYNAMIC.replace("cookie S insert dynamic", "cookie BIGipServerpool insert indirect bigip").replace("    dynamic-cookie-key secret\n", "")
    with Proxy(binary, config(text, **{n: s.port for n, s in servers.items()})) as p:
        names = {n: bigip_of(servers[n].port) for n in "ab"} | {"c": "own"}
        for n, name in names.items():
            assert ask(p, "/") == f"{n} | - | BIGipServerpool={name}; path=/"
        for n, name in reversed(names.items()):
            assert ask(p, "/", "GET", "BIGipServerpool=" + name) == f"{n} | -"
        # as its route domains write it, with the server's own name known as well, and what nobody made
        domain = "rd5o00000000000000000000ffff7f000001o%d"
        assert ask(p, "/", "GET", "BIGipServerpool=" + domain % servers["b"].port) == "b | -"
        assert ask(p, "/", "GET", "BIGipServerpool=" + domain % servers["c"].port) == "c | -"
        assert ask(p, "/", "GET", "BIGipServerpool=!xyz==").endswith("; path=/")


if __name__ == "__main__":
    main(globals())
