#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules in mode http, which proxyd and HAProxy must follow alike:   rules_twin.py BINARY

One configuration with many frontends' worth of paths; each request is asked once and what came back, and
what the server got, is what stands here.
"""
import re
import socket
import tempfile
import threading

from support import Proxy, Server, main, read_all, read_head, read_message, until

CONFIG = """
global
    maxconn 500
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout tarpit 300ms

frontend f
    bind 127.0.0.1:{port}
    acl is_api path_beg /api/
    acl is_static path_end -i .png .css
    acl from_us src 127.0.0.0/8
    acl internal hdr_sub(user-agent) -i robot
    acl internal req.cook(staff) yes
    acl many req.hdr_cnt(x-many) gt 2
    http-request deny deny_status 429 if many
    http-request deny if { path_beg /forbidden } !internal
    http-request tarpit deny_status 503 if { path /tarpit }
    http-request return status 200 content-type text/plain string "pong" hdr X-Ping yes if { path /ping }
    http-request return status 200 content-type text/plain lf-string "%[src] %[path,upper]" if { path_beg /echo }
    http-request return status 200 content-type text/plain lf-string "%[uuid]" if { path /uuid }
    http-request redirect scheme https code 301 if { path_beg /secure } !{ ssl_fc }
    http-request redirect prefix https://new.example drop-query if { path_beg /moved }
    http-request redirect location /login?from=%[path,url_enc] code 303 set-cookie seen=1 if { path_beg /private }
    http-request set-var(txn.user) req.hdr(x-user),lower
    http-request set-header X-User %[var(txn.user)] if { var(txn.user) -m found }
    http-request set-header X-Real-IP %[src] if from_us
    http-request add-header X-Many another
    http-request del-header X-Secret
    http-request replace-header Host ^www\\.(.*)$ \\1
    http-request set-header Host told.example if { path /told }
    http-request set-uri http://away.example%[path] if { path /away }
    http-request set-uri %[urlp(uri)] if { path /as }
    http-request set-header X-Path <%[path]> if { url_beg odd: }
    http-request replace-value X-List two 2
    http-request set-path /v2%[path] if { path_beg /api/old }
    http-request set-query a=%[urlp(a),add(1)] if { urlp(a) -m found }
    http-request replace-path ^/swap/([^/]+)/([^/]+)$ /swap/\\2/\\1
    http-request set-uri http://u@other.example:81/x if { path /uri }
    http-request set-method PUT if METH_POST { path /put }
    http-response set-header X-User-Seen %[var(txn.user)]
    http-response del-header Server
    http-response replace-value Cache-Control max-age=.* max-age=0
    http-response set-status 404 reason "Not here" if { res.hdr(x-status) gone }
    use_backend api if is_api or { hdr(host) -i api.example }
    use_backend %[req.hdr(x-backend)] if { req.hdr(x-backend) -m found }
    use_backend static if is_static METH_GET
    default_backend web

backend web
    http-request set-header X-Backend-Was web
    server s 127.0.0.1:{server}

backend api
    http-request deny deny_status 405 if METH_DELETE
    http-request set-header X-Backend-Was api
    http-response set-header X-Api yes
    server s 127.0.0.1:{server}

backend static
    http-request set-header X-Backend-Was static
    server s 127.0.0.1:{server}
"""

# What is asked (request line, fields), the status, and patterns that the answer has. The answer of the server is the
# head it got, so what rules changed on the way there can be seen. "!" before one: the answer has it not.
CASES = [
    ("GET / HTTP/1.1", [], 200, [r"GET / HTTP/1.1\r\n", r"x-backend-was: web", r"x-real-ip: 127.0.0.1", "!x-user: "]),
    ("GET /api/x HTTP/1.1", [], 200, [r"x-backend-was: api", r"x-api: yes"]),
    ("GET /a.PNG HTTP/1.1", [], 200, [r"x-backend-was: static", "!x-api"]),
    ("POST /a.PNG HTTP/1.1", ["Content-Length: 0"], 200, [r"x-backend-was: web"]),
    ("GET / HTTP/1.1", ["Host: API.example"], 200, [r"x-backend-was: api"]),
    ("GET / HTTP/1.1", ["X-Backend: static"], 200, [r"x-backend-was: static"]),
    ("GET / HTTP/1.1", ["X-Backend: none"], 200, [r"x-backend-was: web"]),
    ("DELETE /api/x HTTP/1.1", [], 405, []),
    ("GET /forbidden HTTP/1.1", [], 403, []),
    ("GET /forbidden HTTP/1.1", ["User-Agent: a ROBOT"], 200, []),
    ("GET /forbidden HTTP/1.1", ["Cookie: a=b; staff=yes"], 200, []),
    ("GET / HTTP/1.1", ["X-Many: 1, 2", "X-Many: 3"], 429, []),
    ("GET / HTTP/1.1", ["X-Many: 1, 2"], 200, [r"x-many: another"]),
    ("GET /tarpit HTTP/1.1", [], 503, []),
    ("GET /ping HTTP/1.1", [], 200, [r"x-ping: yes", r"content-type: text/plain", r"\r\n\r\npong$"]),
    ("HEAD /ping HTTP/1.1", [], 200, [r"content-length: 4", r"\r\n\r\n$"]),
    ("GET /echo/abc HTTP/1.1", [], 200, [r"\r\n\r\n127.0.0.1 /ECHO/ABC$"]),
    ("GET /secure/x?y=1 HTTP/1.1", ["Host: www.example"], 301, [r"location: https://www.example/secure/x\?y=1\r\n"]),
    ("GET /moved/x?y=1 HTTP/1.1", [], 302, [r"location: https://new.example/moved/x\r\n"]),
    ("GET /private/a b HTTP/1.1", [], 400, []),
    ("GET /uri HTTP/1.1", [], 200, [r"GET http://u@other.example:81/x ", r"host: other.example:81\r"]),
    ("GET / HTTP/1.1", ["X-List: one,twofold,\"a\",three"], 200, [r"x-list: one,2,\"a\",three\r"]),
    ("GET /private/a HTTP/1.1", [], 303, [r"location: /login\?from=%2Fprivate%2Fa\r\n", r"set-cookie: seen=1; path=/;"]),
    ("GET / HTTP/1.1", ["X-User: Ada"], 200, [r"x-user: ada\r\n", r"x-user-seen: ada\r\n"]),
    ("GET / HTTP/1.1", ["X-Secret: 1", "x-SECRET: 2"], 200, ["!x-secret"]),
    ("GET / HTTP/1.1", ["Host: www.example.org"], 200, [r"\r\nhost: example.org\r\n"]),
    ("GET http://www.example.org/?q HTTP/1.1", ["Host: www.example.org"], 200, [r"GET http://example.org/\?q HTTP", r"\r\nhost: example.org\r\n"]),
    ("GET /told HTTP/1.1", [], 200, [r"GET /told HTTP", r"\r\nhost: told.example\r\n"]),
    ("GET http://example/told?q HTTP/1.1", [], 200, [r"GET http://told.example/told\?q HTTP", r"\r\nhost: told.example\r\n"]),
    ("GET http://example HTTP/1.1", [], 200, [r"GET http://example/? HTTP", r"\r\nhost: example\r\n"]),
    ("GET /away HTTP/1.1", [], 200, [r"GET http://away.example/away HTTP", r"\r\nhost: away.example\r\n"]),
    ("GET http://example/away HTTP/1.1", [], 200, [r"GET http://away.example/away HTTP", r"\r\nhost: away.example\r\n"]),
    ("GET /as?uri=odd: HTTP/1.1", [], 200, [r"GET odd: HTTP", r"\r\nx-path: <>\r\n"]),
    ("GET / HTTP/1.1", ["X-List: one, two, three"], 200, [r"x-list: one, ?2, three\r\n"]),
    ("GET /api/old/1?q=2 HTTP/1.1", [], 200, [r"GET /v2/api/old/1\?q=2 HTTP"]),
    ("GET /x?a=41&b=2 HTTP/1.1", [], 200, [r"GET /x\?a=42 HTTP"]),
    ("GET /swap/one/two?q HTTP/1.1", [], 200, [r"GET /swap/two/one\?q HTTP"]),
    ("POST /put HTTP/1.1", ["Content-Length: 0"], 200, [r"PUT /put HTTP"]),
    ("GET /gone HTTP/1.1", [], 404, [r"^HTTP/1.1 404 Not here", "!\r\nserver:", r"cache-control: no-store, ?max-age=0\r\n"]),
]


def serve(server, c):
    data = read_head(c)
    if not data:
        return
    gone = b"X-Status: gone\r\n" if b" /gone " in data else b""
    c.sendall(
        b"HTTP/1.1 200 OK\r\nServer: us\r\nCache-Control: no-store, max-age=60\r\n"
        + gone
        + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(data)
        + data
    )


def ask(p, line, fields):
    with p.connect() as s:
        head = [line] + ([] if any(f.startswith("Host:") for f in fields) else ["Host: example"]) + fields
        s.sendall("\r\n".join(head + ["Connection: close", "", ""]).encode())
        return read_all(s).decode("latin-1")


def small(text):
    """Names of fields in small letters, in the answer and in what the server got."""
    return re.sub(r"(?m)^[A-Za-z][A-Za-z0-9-]*:", lambda m: m.group(0).lower(), text)


def test_rules_are_followed(binary):
    server = Server(serve)
    wrong = []
    with Proxy(binary, CONFIG.replace("{server}", str(server.port))) as p:
        for line, fields, status, patterns in CASES:
            answer = small(ask(p, line, fields))
            got = int(answer.split()[1]) if answer.startswith("HTTP/1.") else 0
            missing = [
                q for q in patterns
                if bool(re.search(q.lstrip("!"), answer)) == q.startswith("!")
            ]
            if got != status or missing:
                wrong.append(f"{line} {fields}: {got}, not {status}; {missing} in {answer!r}")
    assert not wrong, "\n" + "\n".join(wrong)


MORE = """
defaults plain
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    http-request set-header X-From defaults

defaults back
    mode http
    timeout connect 1s
    timeout server 5s
    http-response set-header X-From-Too defaults

frontend f from plain
    bind 127.0.0.1:{port}
    http-request return status 201 content-type text/plain file {file} if { path /file }
    http-request return status 200 content-type text/plain lf-file {lf} if { path /lf }
    http-request deny if { path /no }
    http-request wait-for-handshake
    http-request redirect location %[req.hdr(x-to)] ignore-empty if { path /maybe }
    http-request return status 200 errorfile {page} hdr X-Lost yes if { path /page }
    http-request redirect location /there if { path /go }
    http-request del-header X-A -m beg
    http-request del-header b$ -m reg
    http-after-response set-header Strict-Transport-Security max-age=1
    http-after-response del-header Cache-Control if { status 302 }
    http-after-response set-header X-Var %[var(txn.v)] if { var(txn.v) -m found }
    http-request set-var(txn.v) str(kept)
    default_backend web
backend web from back
    http-after-response set-header X-Web yes
    server s 127.0.0.1:{server}
"""


def test_own_answers_defaults_and_files(binary):
    server = Server(serve)
    with tempfile.NamedTemporaryFile("w") as f, tempfile.NamedTemporaryFile("w") as lf:
        f.write("as %[it] is")
        f.flush()
        lf.write("path %[path]")
        lf.flush()
        page = tempfile.NamedTemporaryFile("w")
        page.write("HTTP/1.1 200 OK\r\nX-Page: yes\r\n\r\nthe page")
        page.flush()
        text = MORE.replace("{server}", str(server.port)).replace("{file}", f.name).replace("{lf}", lf.name).replace("{page}", page.name)
        with Proxy(binary, text) as p:
            answer = small(ask(p, "GET / HTTP/1.1", ["X-A-1: 1", "X-Ab: 2", "X-C: 3", "X-Cb: 4"]))
            head, body = answer.split("\r\n\r\n", 1)
            for field in ("strict-transport-security: max-age=1", "x-web: yes", "x-from-too: defaults", "x-var: kept"):
                assert f"\r\n{field}" in head, (field, head)
            assert "x-from: defaults\r\n" in body and "x-c: 3" in body, body
            assert not re.search(r"x-a-1|x-ab|x-cb", body), body
            answer = small(ask(p, "GET /no HTTP/1.1", []))
            assert answer.startswith("HTTP/1.1 403") and "\r\nstrict-transport-security: max-age=1\r\n" in answer, answer
            assert "x-web" not in answer
            answer = small(ask(p, "GET /go HTTP/1.1", []))
            assert answer.startswith("HTTP/1.1 302") and "\r\nstrict-transport-security: max-age=1\r\n" in answer
            assert "cache-control" not in answer and "\r\nlocation: /there\r\n" in answer, answer
            answer = ask(p, "GET /file HTTP/1.1", [])
            assert answer.startswith("HTTP/1.1 201") and answer.endswith("\r\n\r\nas %[it] is"), answer
            assert ask(p, "GET /lf HTTP/1.1", []).endswith("\r\n\r\npath /lf")
            answer = small(ask(p, "GET /maybe HTTP/1.1", ["X-To: /x"]))
            assert answer.startswith("HTTP/1.1 302") and "\r\nlocation: /x\r\n" in answer, answer
            assert "\r\nx-web: yes" in small(ask(p, "GET /maybe HTTP/1.1", []))
            answer = small(ask(p, "GET /page HTTP/1.1", []))
            assert "\r\nx-page: yes" in answer and "x-lost" not in answer and answer.endswith("the page"), answer


def test_a_client_goes_on_after_a_redirect(binary):
    server = Server(serve)
    with Proxy(binary, CONFIG.replace("{server}", str(server.port))) as p, p.connect() as s:
        ask_twice = b"GET /moved HTTP/1.1\r\nHost: a\r\n\r\nGET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        s.sendall(ask_twice)
        answers = read_all(s)
    assert b" 302 " in answers and answers.endswith(b"pong"), answers


def test_dice_differ_within_a_turn(binary):
    server = Server(serve)
    with Proxy(binary, CONFIG.replace("{server}", str(server.port))) as p, p.connect() as s:
        s.sendall(b"GET /uuid HTTP/1.1\r\nHost: a\r\n\r\n" * 20 + b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        ids = re.findall(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", read_all(s))
    assert len(ids) == 20 and len(set(ids)) == 20, ids


def test_rules_have_no_memory_of_other_requests(binary):
    """Variables of a request end with it."""
    server = Server(serve)
    with Proxy(binary, CONFIG.replace("{server}", str(server.port))) as p:
        barrier = threading.Barrier(8)
        wrong = []

        def client(i):
            barrier.wait()
            for k in range(20):
                name = f"user{i}x{k}" if k % 2 else None
                answer = small(ask(p, "GET / HTTP/1.1", [f"X-User: {name}"] if name else []))
                seen = re.findall(r"x-user(?:-seen)?: *(\S*)\r", answer)
                if (name and set(seen) != {name}) or (not name and any(seen)):
                    wrong.append((name, seen))

        threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not wrong, wrong[:3]


COOKIES = """
global
    nbthread 1
    log {log}
defaults
    mode http
    log global
    option httplog
    timeout connect 1s
    timeout client 5s
    timeout server 5s

listen l
    bind 127.0.0.1:{port}
    cookie SRV {how}
    server a 127.0.0.1:{a} cookie one
    server b 127.0.0.1:{b} cookie two
    server c 127.0.0.1:{dead} cookie three
"""


def cookies_of(answer):
    return re.findall(r"set-cookie: ([^\r]*)", small(answer).split("\r\n\r\n")[0])


def with_cookies(binary, how, script):
    """Each of `script`: fields, what Set-Cookie says, and the Cookie field that the server got."""

    def named(name):
        def answer(server, c):
            data = c.recv(65536)
            own = b"Set-Cookie: SRV=mine; Path=/x\r\n" if b"x-own" in data.lower() else b""
            c.sendall(b"HTTP/1.1 200 OK\r\n" + own + b"X-Name: " + name + b"\r\nContent-Length: %d\r\n"
                      b"Connection: close\r\n\r\n" % len(data) + data)
        return answer

    a, b = Server(named(b"a")), Server(named(b"b"))
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # nobody listens
        text = COOKIES.replace("{a}", str(a.port)).replace("{b}", str(b.port)).replace("{how}", how)
        text = text.replace("{dead}", str(dead.getsockname()[1])).replace("{log}", "stdout format raw daemon")
        # "c" is down for cookies, and takes no turn of its own
        text = text.replace("cookie three", "cookie three backup")
        with Proxy(binary, text) as p:
            for fields, set_cookie, name, got in script:
                answer = ask(p, "GET / HTTP/1.1", fields)
                parts = answer.split("\r\n\r\n", 1)
                served = re.search("(?i)x-name: (.)", parts[0]).group(1)
                cookie = re.findall(r"(?i)\r\ncookie: ([^\r]*)", parts[1])
                assert cookies_of(answer) == set_cookie, (how, fields, cookies_of(answer), set_cookie)
                assert name in (None, served), (how, fields, served)
                assert cookie == got, (how, fields, cookie, got)
            until("the last line is logged", lambda: p.text().count('"GET / ') == len(script))
            return p.text()


def test_a_cookie_is_inserted(binary):
    with_cookies(binary, "insert indirect nocache", [
        ([], ["SRV=one; path=/"], "a", []),
        ([], ["SRV=two; path=/"], "b", []),
        (["Cookie: SRV=two"], [], "b", []),
        (["Cookie: SRV=two"], [], "b", []),
        (["Cookie: x=1; SRV=one; y=2"], [], "a", ["x=1; y=2"]),
        (["Cookie: SRV=one; y=2"], [], "a", ["y=2"]),
        (["Cookie: x=1; SRV=one"], [], "a", ["x=1"]),
    ])
    with_cookies(binary, "insert httponly secure domain .example", [
        ([], ["SRV=one; path=/; domain=.example; HttpOnly; Secure"], "a", []),
        (["Cookie: SRV=one"], [], "a", ["SRV=one"]),
    ])
    with_cookies(binary, "insert preserve", [(["X-Own: 1"], ["SRV=mine; Path=/x"], "a", [])])


def test_an_unknown_cookie_is_replaced(binary):
    with_cookies(binary, "insert", [(["Cookie: SRV=nobody"], ["SRV=one; path=/"], "a", ["SRV=nobody"])])


def test_a_cookie_is_rewritten_or_prefixed(binary):
    with_cookies(binary, "rewrite", [
        (["X-Own: 1"], ["SRV=one; Path=/x"], "a", []),
        (["Cookie: SRV=two"], [], "b", ["SRV=two"]),
    ])
    with_cookies(binary, "prefix", [
        (["X-Own: 1"], ["SRV=one~mine; Path=/x"], "a", []),
        (["Cookie: SRV=two~mine"], [], "b", ["SRV=mine"]),
        (["Cookie: a=b; SRV=one~mine; c=d"], [], "a", ["a=b; SRV=mine; c=d"]),
    ])


def test_the_log_tells_of_cookies(binary):
    log = with_cookies(binary, "insert", [
        ([], ["SRV=one; path=/"], "a", []),
        (["Cookie: SRV=two"], [], "b", ["SRV=two"]),
        (["Cookie: SRV=nobody"], ["SRV=two; path=/"], "b", ["SRV=nobody"]),
    ])
    assert re.findall(r" - - (\S{4}) ", log) == ["--NI", "--VN", "--II"], log


HINTS = """
global
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    http-request early-hint Link "</style.css>; rel=preload; as=style"
    http-request early-hint Link "<%[path]>; rel=preload" if { path /script.js }
    http-request return status 200 content-type text/plain string "done" if { path /own }
    default_backend web
backend web
    http-request early-hint Link "</back>"
    server s 127.0.0.1:{server}
"""


def test_hints_come_early(binary):
    def read_hints(s):
        """The fields of all answers 103, and the last head."""
        f, links = s.makefile("rb"), []
        while (head := read_message(f)[0].decode().lower()).startswith("http/1.1 103 early hints\r\n"):
            assert head.count("link:") == head.count("\r\n") - 2, head  # nothing else stands there
            links += re.findall(r"link: ([^\r]*)", head)
        return links, head

    server = Server(lambda server, c: read_head(c) and c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    with Proxy(binary, HINTS.replace("{server}", str(server.port))) as p:
        with p.connect() as s:
            s.sendall(b"GET /own HTTP/1.1\r\nHost: h\r\n\r\n")
            links, last = read_hints(s)
            assert links == ["</style.css>; rel=preload; as=style"] and last.startswith("http/1.1 200"), (links, last)
        with p.connect() as s:
            s.sendall(b"GET /script.js HTTP/1.1\r\nHost: h\r\n\r\n")
            links, last = read_hints(s)
            assert links == ["</style.css>; rel=preload; as=style", "</script.js>; rel=preload", "</back>"], links
            assert last.startswith("http/1.1 200"), last


if __name__ == "__main__":
    main(globals())
