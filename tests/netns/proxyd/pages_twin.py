#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers that the proxy makes itself, and what becomes of the connection:   pages_twin.py BINARY"""
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile

from http_twin import Reader, Web, get, is_haproxy
from support import WAIT, Asked, Proxy, Server, free_port, main, read_all, until

HEAD = """
global
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 5s
    timeout tarpit 100ms
    retries 0
"""


def listen(extra, port=None):
    return HEAD + "listen l\n    bind 127.0.0.1:{port}\n    %s\n    server s 127.0.0.1:%d\n" % (
        extra, port or free_port())


def twice(p, request, asked=b"GET"):
    """Asks, and asks again over the same connection. The answers; fewer than two if it was closed."""
    heads = []
    with p.connect() as c:
        r = Reader(c)
        for _ in range(2):
            try:
                c.sendall(request)
                head = r.head()
            except OSError:
                break
            if head is None:
                break
            r.body(head, asked)
            heads.append(head)
            if head.get("connection") == "close":
                assert r.ended()
                break
    return heads


def test_an_error_page_keeps_the_connection(binary):
    junk = Web(lambda head, body: b"no http at all\r\n\r\n")
    silent = Server(lambda _, c: read_all(c))
    web = Web()
    for extra, port, status in (
        ("", None, 503),
        ("option http-server-close", None, 503),
        ("", junk.port, 502),
        ("", silent.port, 504),
        ("http-request deny", None, 403),
        ("http-request deny deny_status 429", None, 429),
        ("http-request tarpit", None, 500),
        ("http-request tarpit deny_status 429", None, 429),
        ("http-request tarpit status 429 content-type text/plain string x hdr A b", None, 429),
        ("http-response deny", web.port, 502),
        ("http-request auth", None, 401),
        ("monitor-uri /\n    monitor fail if TRUE", None, 503),
    ):
        with Proxy(binary, listen(extra + ("    timeout server 300ms" if port == silent.port else ""), port)) as p:
            heads = twice(p, get("/"))
            assert [h.status for h in heads] == [status] * 2, (extra, [h.line for h in heads])
            assert not [h for h in heads if "connection" in h], (extra, heads)


def test_who_closes_is_told(binary):
    for extra, request in (
        ("", get("/", "Connection: close")),
        ("option httpclose", get("/")),
        ("", get("/", version="1.0")),
        ("", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"),
        ("http-request deny", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"),
    ):
        with Proxy(binary, listen(extra)) as p:
            heads = twice(p, request)
            assert len(heads) == 1 and heads[0].get("connection") == "close", (extra, request, heads)


def test_a_client_of_1_0_is_told_that_it_may_go_on(binary):
    for extra in ("", "redirect location /x", "http-request return status 200", "stats enable\n    stats uri /",
                  "monitor-uri /"):
        with Proxy(binary, listen(extra)) as p:
            heads = twice(p, get("/", "Connection: keep-alive", version="1.0"))
            if extra.startswith("stats") and len(heads) == 1:
                continue  # HAProxy's page has no length that HTTP/1.0 knows
            assert [h.get("connection") for h in heads] == ["keep-alive"] * 2, (extra, heads)


def test_head_gets_the_head_of_a_page(binary):
    with Proxy(binary, listen("http-request deny")) as p:
        heads = twice(p, get("/").replace(b"GET", b"HEAD"), b"HEAD")
        assert [h.status for h in heads] == [403, 403] and int(heads[0]["content-length"]) > 0, heads


def test_an_errorfile_says_whether_the_connection_goes_on(binary):
    for page, answers, word in (
        ("HTTP/1.1 403 Mine\r\nContent-Length: 5\r\n\r\npage\n", 2, None),
        ("HTTP/1.1 403 Mine\r\nConnection: close\r\nContent-Length: 5\r\n\r\npage\n", 1, "close"),
        ("HTTP/1.0 403 Mine\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\npage\n", 2, "keep-alive"),
        ("HTTP/1.0 403 Mine\r\nContent-Length: 5\r\n\r\npage\n", 2, "keep-alive"),
        ("HTTP/1.0 403 Mine\r\nConnection: close\r\nContent-Length: 5\r\n\r\npage\n", 1, None),
        ("HTTP/1.1 403 Mine\r\nX-Page: yes\r\n\r\npage\n", 1, "close"),  # its end is the connection's
    ):
        with tempfile.NamedTemporaryFile("w", suffix=".http") as f:
            f.write(page)
            f.flush()
            for rule in (f"errorfile 403 {f.name}\n    http-request deny", f"http-request return errorfile {f.name}"):
                with Proxy(binary, listen(rule)) as p:
                    heads = twice(p, get("/"))
                    assert len(heads) == answers, (page, rule, heads)
                    assert heads[0].line.endswith("403 Mine"), (page, rule)
                    assert heads[0].get("connection") == word, (page, rule, heads)


def test_auth_asks_with_a_page(binary):
    with Proxy(binary, listen("http-request auth realm Keep\\ out\n    http-after-response set-header X-After yes")) as p:
        with p.connect() as c:
            c.sendall(get("/"))
            r = Reader(c)
            head = r.head()
            assert head.status == 401 and head["www-authenticate"] == 'Basic realm="Keep out"', head
            assert head["x-after"] == "yes" and head["cache-control"] == "no-cache", head
            assert b"<html>" in r.body(head)


def test_a_redirect_for_good_may_be_remembered(binary):
    for code in (301, 302, 303, 307, 308):
        with Proxy(binary, listen(f"redirect scheme https code {code}")) as p, p.connect() as c:
            r = Reader(c)
            for request, location in ((get("/x?y"), "https://a/x?y"), (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "https://a/")):
                c.sendall(request)
                head = r.head()
                assert (head.status, head["location"]) == (code, location), (code, head)
                assert head.get("cache-control") == (None if code in (301, 308) else "no-cache"), (code, head)
    with Proxy(binary, listen("monitor-uri /up")) as p:
        assert twice(p, get("/up"))[0].get("cache-control") == "no-cache"


def test_errors_are_counted_once(binary):
    """What the frontend has sent is what the client got."""
    with Asked(binary, listen("http-request deny if { path /deny }")) as asked:
        got = 0
        for target in ("/", "/deny"):
            with asked.proxy.connect() as c:
                c.sendall(get(target, "Connection: close"))
                got += len(read_all(c))
        until("both are counted", lambda: asked.row("l/FRONTEND", "stot", "scur") == ["2", "0"])
        sent = int(asked.row("l/FRONTEND", "bout")[0])
        assert abs(sent - got) <= 60, (sent, got)  # HAProxy counts blocks of its own


BODY_CODES = (200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 422, 425, 429, 500, 501, 502, 503, 504)
REDIRECTS = ("prefix /p", "prefix /", "prefix / drop-query", "prefix /p drop-query append-slash", "prefix /p append-slash", "scheme https append-slash",
             "prefix http://h/ append-slash code 301", "location /l set-cookie A=b", "prefix /p clear-cookie A= code 303", "location /a%%20b code 307")
RULES = (  # each for a request that has its number
    *(f"http-request deny deny_status {code}" for code in BODY_CODES), "http-request auth realm x", "http-request tarpit",
    "http-request tarpit deny_status 429", "http-request return status 413 content-type text/plain string x hdr X-A b",
    "http-request return status 302 hdr Location /x", "http-request return status 404 default-errorfiles",
    *(f"http-request redirect {to}" for to in REDIRECTS), *(f"redirect {to}" for to in REDIRECTS),
)
SETTINGS = (
    "monitor-uri /", "monitor-uri /\n    monitor fail if TRUE", "option httpclose", "errorloc 403 /x\n    http-request deny",
    "errorloc303 403 /x\n    http-request deny", "http-request early-hint Link x\n    http-request return",
    "http-error status 403 content-type text/plain string no hdr X-A b\n    http-request deny",
)


def is_whole(answer, request):
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return end and (request.startswith(b"HEAD") or not length or len(body) >= int(length[1]))


def said(p, request):
    """All of the answer, and whether the connection is over. What belongs to it, and the end of who says that it closes, has the time
    of a busy machine to come."""
    with p.connect() as c:
        c.sendall(request)
        got = c.recv(65536)
        try:
            while True:
                closes = re.search(rb"(?i)\r\nconnection: close\r\n", got)
                c.settimeout(0.05 if is_whole(got, request) and not closes else WAIT)
                more = c.recv(65536)
                if not more:
                    return got + b"<closed>"
                got += more
        except socket.timeout:
            return got


def all_answers(binary):
    got = {}
    rules = (f"{rule} if {{ req.hdr(X-Rule) -m str {i} }}" for i, rule in enumerate(RULES))
    with Proxy(binary, listen("\n    ".join(rules))) as p:
        for i, rule in enumerate(RULES):
            if "redirect" not in rule:
                for version in "1.1", "1.0":
                    got[rule, version] = said(p, get("/", f"X-Rule: {i}", version=version))
                continue
            for target in "/", "/a", "/a/", "/a?q", "/a?", "/a/?q=1", "/?q", "/a?b/":
                got[rule, target] = said(p, get(target, f"X-Rule: {i}", "Connection: close"))
    for lines in SETTINGS:
        with Proxy(binary, listen(lines)) as p:
            got[lines] = said(p, get("/"))
    with Proxy(binary, listen("timeout http-request 100ms")) as p:
        for unread in b"junk\r\n\r\n", b"GET /" + b"a" * 20000, b"GET / HT":
            got[unread] = said(p, unread)
    codes = range(100, 600)
    rules = "".join(f"    http-after-response set-status {code} if {{ var(txn.path) -m str /{code} }}\n" for code in codes)
    with Proxy(binary, listen("http-request set-var(txn.path) path\n    http-request return\n" + rules)) as p:
        for code in codes:
            got[code] = said(p, get(f"/{code}", "Connection: close")).split(b"\r\n")[0]
    return got


def but_sentence(answer):
    """A page's sentence is its own, and so is the length."""
    page, n = re.subn(rb"(?<=</h1>\n)[^<]*", b"", answer)
    return re.sub(rb"(?i)(content-length: )\d+", rb"\1", page) if n else page


def test_answers_are_haproxys_byte_by_byte(binary):
    if is_haproxy(binary):
        return
    got, twin = all_answers(binary), shutil.which("haproxy")
    assert got["http-request deny deny_status 403", "1.1"].startswith(b"HTTP/1.1 403 Forbidden\r\ncontent-length: "), got
    wanted = all_answers(twin) if twin else got
    for what, answer in got.items():
        assert but_sentence(answer) == but_sentence(wanted[what]), (what, answer, wanted[what])


FACTS = (
    '"%[src] %[path] %[method] %[req.hdr(x-a)] %[var(txn.v)] %[var(req.v)] %[status] %ST %b %s %f %tsc %B %HU %HM %[res.hdr(server)] %{+Q}r 100%%" '
    "hdr X-Src %[src] hdr X-Path %[path] hdr X-None %[req.hdr(none)] hdr X-Control a%[str(b%0dc),url_dec]d"
)
ON = "content-type text/plain lf-string"
COMPOSED = (  # defaults, frontend, backend, others: for a request of a client that waits for one answer
    ("", f"http-error status 403 {ON} {FACTS}\n    http-request deny", "", ""),
    ("", f"http-error status 429 {ON} {FACTS}\n    http-request deny deny_status 429", "", ""),
    ("", f"http-error status 500 {ON} {FACTS}\n    http-request tarpit", "", ""),
    ("", f"http-error status 401 {ON} {FACTS}\n    http-request auth", "", ""),
    ("", f"http-error status 404 {ON} {FACTS}\n    http-request return status 404 default-errorfiles hdr X-B b", "", ""),
    ("", f"http-error status 503 {ON} {FACTS}\n    http-request set-path /new", "", ""),
    ("", f"http-error status 502 {ON} {FACTS}", "JUNK", ""),
    ("", f"http-error status 504 {ON} {FACTS}", "SILENT", ""),
    ("", f"http-error status 502 {ON} {FACTS}\n    http-response deny", "WEB", ""),
    ("", f"http-error status 200 {ON} '%[path] %b'\n    monitor-uri /pa/th?q", "", ""),
    ("", f"http-error status 503 {ON} '%[path] %b'\n    monitor-uri /pa/th?q\n    monitor fail if TRUE", "", ""),
    ("", f"http-error status 408 {ON} {FACTS}\n    http-request wait-for-body time 50ms", "", ""),
    ("", f"http-request return status 200 {ON} '%{{+Q}}[path] %{{+Q}}HM' hdr X-Q a%{{+Q}}[req.hdr(none)]b%{{+Q,+E}}[path]", "", ""),
    ("", "http-error status 403\n    http-request deny", "", ""),
    ("", "http-error status 403 content-type text/plain hdr A b hdr A c\n    http-request deny", "", ""),
    ("", f"http-error status 403 {ON} %[req.hdr(none)]\n    http-request deny", "", ""),
    ("", "http-error hdr Content-Type x content-type text/plain file TEXT hdr Content-Length 7 status 403\n    http-request deny", "", ""),
    ("", "http-error status 403 content-type text/plain lf-file TEXT\n    http-request deny", "", ""),
    ("errorfile 403 PAGE", "http-error status 403 default-errorfiles\n    http-request deny", "", ""),
    ("errorfile 403 PAGE", f"http-error status 403 {ON} front\n    http-request deny", "", ""),
    (f"http-error status 403 {ON} %f-%b", "", "http-request deny", ""),
    (f"http-error status 403 {ON} %f-%b", "", "errorfile 403 PAGE\n    http-request deny", ""),
    ("", f"http-error status 403 {ON} last\n    errorfile 403 PAGE\n    http-request deny", "", ""),
    ("", f"errorfile 403 PAGE\n    http-error status 403 {ON} last\n    http-request deny", "", ""),
    ("", f"http-error status 403 {ON} last\n    errorfiles e\n    http-request deny", "", "http-errors e\n    errorfile 403 PAGE"),
    ("", f"errorfiles e\n    http-error status 403 {ON} last\n    http-request deny", "", "http-errors e\n    errorfile 403 PAGE"),
    ("", f"http-error status 403 {ON} last\n    http-error status 403 errorfiles e\n    http-request deny", "", "http-errors e\n    errorfile 404 PAGE"),
    ("", f"http-error status 403 {ON} last\n    http-error status 403 errorfile PAGE\n    http-request deny", "", ""),
    ("", f"http-error status 403 {ON} front", f"http-error status 403 {ON} back\n    http-request deny", ""),
    ("", f"http-error status 403 {ON} front", "http-request deny", ""),
    ("", "http-after-response set-header x-after %[status]%[method]\n    http-request deny\n    http-error status 403 hdr A b", "", ""),
    ("", "http-response set-header x-m %[method]%[http_first_req]%[res.hdr_cnt(a)] if METH_GET", "WEB", ""),
)


def test_http_error_writes_an_answer_for_each_client(binary):
    if is_haproxy(binary):
        return
    junk, silent, web = Web(lambda head, body: b"no http at all\r\n\r\n"), Server(lambda _, c: read_all(c)), Web()
    servers = {"JUNK": junk.port, "SILENT": silent.port, "WEB": web.port}
    requests = (get("/pa/th?q", "X-A: hello"), get("/pa/th?q", "Connection: close"), get("/pa/th?q", version="1.0"), get("/pa/th?q").replace(b"GET", b"HEAD"))

    def answers(binary, folder):
        for case in COMPOSED:
            defaults, front, back, others = (lines.replace("PAGE", f"{folder}/page").replace("TEXT", f"{folder}/text") for lines in case)
            server = servers.get(back) or free_port()
            text = HEAD + f"    {defaults}\n{others}\nfrontend f\n    bind 127.0.0.1:{{port}}\n    http-request set-var(txn.v) str(t)\n" \
                f"    http-request set-var(req.v) str(r)\n    {front}\n    default_backend b\nbackend b\n" \
                f"    {back if back not in servers else ''}\n    server s 127.0.0.1:{server}\n"
            text = text.replace("timeout server 5s", "timeout server 300ms") if back == "SILENT" else text
            asked = (get("/pa/th?q", "Content-Length: 5"),) if "wait-for-body" in front else requests
            with Proxy(binary, text) as p:
                yield case, [said(p, request) for request in asked]

    with tempfile.TemporaryDirectory(prefix="proxyd-pages.") as folder:
        for name, text in (("page", "HTTP/1.1 403 Mine\r\ncontent-length: 4\r\n\r\npage"), ("text", "<p>%[src]\n%ci</p>\n")):
            with open(f"{folder}/{name}", "w") as f:
                f.write(text)
        got, twin = dict(answers(binary, folder)), shutil.which("haproxy")
        wanted = dict(answers(twin, folder)) if twin else got
    for case, said_here in got.items():
        assert [plain(but_sentence(a)) for a in said_here] == [plain(but_sentence(a)) for a in wanted[case]], (case, said_here, wanted[case])
    assert got[COMPOSED[0]][0].endswith(b'\r\n\r\n127.0.0.1 /pa/th GET hello t r  403 f <NOSRV> f ---- 0 /pa/th?q GET  "GET /pa/th?q HTTP/1.1" 100%'), got[COMPOSED[0]]


def test_a_page_tells_of_its_own_request_alone(binary):
    """One that waits for a form is not in the buffer any more: another one is."""
    web = Web()
    lines = f"timeout client 400ms\n    http-error status 408 {ON} [%[path]]\n    stats enable\n    stats uri /stats\n    stats admin if TRUE"
    with Proxy(binary, listen(lines, web.port)) as p, p.connect() as c:
        c.sendall(b"POST /stats HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\ns=s")
        with p.connect() as other:
            other.sendall(get("/other"))
            assert other.recv(4096).startswith(b"HTTP/1.1 200")
        answer = read_all(c)
        assert b"other" not in answer and (b" 408 " not in answer or answer.endswith((b"[]", b"[/stats]"))), answer


def plain(answer):
    """Names of fields that the server wrote pass through as they are; of own pages for HEAD, too, the length is another one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"content-type: text/html" in head:
        head = re.sub(rb"(content-length: )\d+", rb"\1", head)
    lines = head.lower().split(b"\r\n")  # what is said of the connection stands last in HAProxy's
    lines.sort(key=lambda line: line.startswith(b"connection:"))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_a_request_that_is_none_is_answered_so_too(binary):
    """HAProxy has only its own page for them."""
    if is_haproxy(binary):
        return
    lines = f'http-error status 400 {ON} "no request: %[src] %[path]%HM %tsc" hdr X-A %[src_port]\n    timeout http-request 100ms\n' \
        f"    http-error status 408 {ON} late"
    with Proxy(binary, listen(lines)) as p:
        answer = said(p, b"junk\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nx-a: "), answer
        assert answer.endswith(b"\r\nconnection: close\r\n\r\nno request: 127.0.0.1 <BADREQ> PR--<closed>"), answer
        assert said(p, b"GET / HT").endswith(b"\r\nconnection: close\r\n\r\nlate<closed>")


def test_who_has_no_backend_yet_gets_pages_of_its_frontend(binary):
    page = "HTTP/1.1 {} Of {}\r\nContent-Length: 0\r\n\r\n"
    with tempfile.TemporaryDirectory() as folder:
        for status, of in ((400, "back"), (408, "back"), (503, "front"), (503, "back")):
            with open(f"{folder}/{status}.{of}", "w", newline="") as f:
                f.write(page.format(status, of))
        text = HEAD + "    timeout http-request 100ms\nfrontend f\n    bind 127.0.0.1:{port}\n" \
            f"    errorfile 503 {folder}/503.front\n    http-request deny deny_status 503 if {{ path /front }}\n    default_backend b\nbackend b\n" \
            + "".join(f"    errorfile {status} {folder}/{status}.back\n" for status in (400, 408, 503)) + f"    server s 127.0.0.1:{free_port()}\n"
        with Proxy(binary, text) as p:
            for request, status in ((b"junk\r\n\r\n", b"400"), (b"GET / HT", b"408")):
                answer = said(p, request)
                assert answer.startswith(b"HTTP/1.1 " + status) and b"Of back" not in answer, answer
            assert said(p, get("/front", "Connection: close")).startswith(b"HTTP/1.1 503 Of front")
            assert said(p, get("/", "Connection: close")).startswith(b"HTTP/1.1 503 Of back")


ANY_BYTES = """
    errorfile 503 page.http
    http-error status 403 errorfile page.http
    http-error status 500 content-type image/x-icon file icon
    http-request return status 200 content-type image/x-icon file icon if { path /icon }
    http-request return errorfile page.http if { path /page }
    http-request deny if { path /deny }
    http-request deny deny_status 500 if { path /error }
"""


def test_pages_may_have_any_bytes(binary):
    """An icon has zeros; none of them ends it, nor what its connection says next."""
    icon = bytes(range(256)) * 2
    with tempfile.TemporaryDirectory(prefix="proxyd-bytes.") as folder:
        for name, data in (("icon", icon), ("page.http", b"HTTP/1.1 503 No\r\nContent-Length: 512\r\n\r\n" + icon)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        text = re.sub(r"(errorfile( 503)?|file) (page.http|icon)", rf"\1 {folder}/\3", ANY_BYTES)
        with Proxy(binary, listen(text)) as p, p.connect() as c:
            r = Reader(c)
            for path, status in (("icon", 200), ("page", 503), ("deny", 503), ("error", 500), ("none", 503)) * 2:
                c.sendall(get("/" + path))
                head = r.head()
                assert (head.status, r.body(head)) == (status, icon), (path, head)


def test_a_page_says_its_own_length(binary):
    """Or none: what is wrong would be the next answer of its connection."""
    with tempfile.NamedTemporaryFile(suffix=".http") as f:
        for fields, taken in (("", True), ("Content-Length: 5\n", True), ("content-length:\t5\r\n", True), ("Content-Length: 6\n", False),
                              ("Content-Length: 4\n", False), ("Content-Length: 50\n", False), ("Content-Length: x\n", False),
                              ("Content-Length:\n", False), ("Transfer-Encoding: chunked\n", False)):
            f.seek(0)
            f.truncate()
            f.write(f"HTTP/1.1 503 No\r\nA: b\n{fields}\npage\n".encode())
            f.flush()
            for line in ("errorfile 503", "http-error status 503 errorfile", "http-request return errorfile"):
                with tempfile.NamedTemporaryFile("w", suffix=".cfg") as cfg:
                    cfg.write(listen(f"{line} {f.name}").replace("{port}", "1"))
                    cfg.flush()
                    done = subprocess.run([binary, "-c", "-f", cfg.name], capture_output=True, text=True)
                assert (done.returncode == 0) == taken, (line, fields, done.stdout + done.stderr)


PLACED = """
frontend placed
    mode http
    bind 127.0.0.1:{port}
    bind 127.0.0.2:{port} ssl crt-list list
    bind 127.0.0.3:{port} ssl crt cert.pem
    errorfile 503 page.http
    http-request return status 200 content-type text/plain file text if { path /file }
    http-request return status 200 content-type text/plain lf-string %[str(where),map(a.map)] if { path /map }
"""


def ask_tls(address, port):
    """The name in the certificate."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, port), timeout=WAIT) as raw, c.wrap_socket(raw) as s:
        der = s.getpeercert(True)
    said = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject", "-nameopt", "RFC2253"], input=der, capture_output=True, check=True)
    return said.stdout.decode().strip().rpartition("=")[2]


def test_where_names_of_files_start(binary):
    """default-path: of pages, texts, maps, certificates and their lists."""
    with tempfile.TemporaryDirectory(prefix="proxyd-paths.") as root:
        files = {}
        for name in ("top", "conf", "origin"):
            where = root if name == "top" else os.path.join(root, name)
            os.makedirs(where, exist_ok=True)
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                            "-subj", f"/CN=in {name}", "-keyout", f"{where}/cert.pem", "-out", f"{where}/only.pem"], check=True, capture_output=True)
            with open(f"{where}/only.pem") as f:
                files["cert.pem"] = open(f"{where}/cert.pem").read() + f.read()
            files.update({"list": "cert.pem\n", "page.http": f"HTTP/1.0 503 No\r\n\r\npage in {name}", "text": f"text in {name}", "a.map": f"where map in {name}\n"})
            for file, text in files.items():
                with open(f"{where}/{file}", "w") as f:
                    f.write(text)
        for mode, name in (("config", "conf"), ("parent", "top"), (f"origin {root}/origin", "origin")):
            port = free_port()
            second = os.path.join(root, "conf", "second.cfg")
            with open(second, "w") as f:
                f.write(PLACED.replace("{port}", str(port)))
            first = "global\n    default-path " + mode + "\ndefaults\n    timeout client 9s\n    timeout server 9s\n    timeout connect 9s\n"
            with Proxy(binary, first, port=port, args=("-f", second)) as p:
                for target, wanted in (("/", "page"), ("/file", "text"), ("/map", "map")):
                    with p.connect() as c:
                        c.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
                        got = read_all(c).decode()
                    assert got.endswith(f"{wanted} in {name}"), (mode, target, got)
                for address in ("127.0.0.2", "127.0.0.3"):
                    assert ask_tls(address, port) == f"in {name}", (mode, address)


if __name__ == "__main__":
    main(globals())
