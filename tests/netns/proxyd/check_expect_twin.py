#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What checks expect of an answer, and what is told of it, as in HAProxy:   check_expect_twin.py BINARY

The expectations are what the statistics show: status, check_status, check_code and last_chk."""
import time

from check_scripts_twin import Web, backend, text
from support import Asked, Server, main, read_all, until

ANSWER = b"HTTP/1.1 404 no\r\nContent-Length: 14\r\nX-A: 1\r\nX-B: 2\r\nX-L: one, two\r\nConnection: close\r\n\r\nhello \\E there"
UP, DOWN, NOLB = ["UP", "L7OK", "404", ""], ["DOWN", "L7STS", "404", "no"], ["NOLB", "L7OKC", "404", ""]
NO_TEXT = ["DOWN", "L7RSP", "", "log-format string evaluated to an empty string"]
MISMATCH = ["DOWN", "L7RSP", "", "HTTP content check did not match"]

# http-check expect …; several of them with " | " between
HTTP = {
    "status 404": UP,
    "status 200": DOWN,
    "! status 404": DOWN,
    "status " + ",".join(str(code) for code in range(100, 600, 2)): UP,
    "status " + ",".join(str(code) for code in range(101, 600, 2)): DOWN,
    "rstatus ^2": DOWN,
    "rstatus ^4": UP,
    "string hello": UP,
    "string hullo": MISMATCH,
    "! string hello": ["DOWN", "L7RSP", "", "HTTP check matched unwanted content"],
    "rstring he.*xo": MISMATCH,
    "string-lf hel%[str(lo)]": UP,
    "string-lf hel%[str(la)]": MISMATCH,
    "hdr name x-a value 1": UP,
    "hdr name x-a value 2": DOWN,
    "hdr name x-c": DOWN,
    "! hdr name x-a": DOWN,
    "! hdr name x-c": UP,
    "hdr name -m beg x- value 2": UP,
    "hdr name -m end -B value -m reg ^[0-9]$": UP,
    "hdr name -m reg ^x-[ab]$ value 1": UP,
    "hdr name -m sub -l value two": UP,
    "fhdr name x-l value two": DOWN,
    "fhdr name x-l value 'one, two'": UP,
    "fhdr name x-l value -m sub two": UP,
    "hdr name-lf x-%[str(a)] value-lf %[int(1)]": UP,
    "ok-status L7OKC status 404": NOLB,
    "ok-status L4OK status 404": ["UP", "L4OK", "", ""],
    "ok-status L6OK status 404": ["UP", "L6OK", "", ""],
    "ok-status L7OKC status 404 | string hello": UP,  # it is of the last line
    "error-status L7OKC status 200": ["NOLB", "L7OKC", "404", "no"],
    "error-status L7RSP status 200": ["DOWN", "L7RSP", "", "no"],
    "error-status L4CON status 200": ["DOWN", "L4CON", "", "no"],
    "error-status L6RSP status 200": ["DOWN", "L6RSP", "", "no"],
    "on-success fine:%[status]:%[res.hdr(x-a)] status 404": ["UP", "L7OK", "404", "fine:404:1"],
    "on-success one status 404 | on-success two string hello": ["UP", "L7OK", "404", "two"],
    "on-error bad:%[status]:%[res.hdr(x-a)] status 200": ["DOWN", "L7STS", "404", "bad:404:1"],
    "on-error bad:%[res.body] status 200": ["DOWN", "L7STS", "404", "bad:hello \\E there"],
    "on-error a%[srv_name]b on-success c string hullo": ["DOWN", "L7RSP", "", "asb"],
    "status-code int(77) status 404": ["UP", "L7OK", "77", ""],
    "status-code res.hdr(x-a),add(7) status 200": ["DOWN", "L7STS", "8", "no"],
    "comment foo status 200": ["DOWN", "L7STS", "404", "no comment: foo"],
    "comment foo string hullo": MISMATCH[:3] + [MISMATCH[3] + " comment: foo"],
    "!status 404": DOWN,
    "!! status 404": UP,
    "! !string hullo": MISMATCH,
    "status 200 comment foo": ["DOWN", "L7STS", "404", "no comment: foo"],
    "string hullo on-error bad comment foo": ["DOWN", "L7RSP", "", "bad comment: foo"],
    "hdr name x-a value 1 ok-status L7OKC": NOLB,
    "! string-lf %[var(check.none)]": NO_TEXT,
    "! hdr name x-a value-lf %[var(check.none)]": NO_TEXT,
    "! hdr name-lf %[var(check.none)]": NO_TEXT,
    "min-recv 100 string hello": UP,
    "min-recv 3 string hullo": MISMATCH,
    "min-recv 100 string hullo": MISMATCH,
    "status 404 | string hullo": MISMATCH,
    "string hello | status 200": DOWN,
}  # fmt: skip


def web_of(answer):
    web = Web(answer)
    return lambda lines, name: backend(name, "    option httpchk GET /\n" + lines, f"s 127.0.0.1:{web.port} check")


def see(binary, cases, backends):
    """Each case's row comes to be as expected."""
    with Asked(binary, text(*backends)) as p:
        for n, (what, wanted) in enumerate(cases.items()):
            got = []

            def shown():
                got[:] = p.row(f"b{n}/s", "status", "check_status", "check_code", "last_chk")
                return got == wanted

            try:
                until(what, shown)
            except AssertionError as e:
                raise AssertionError(f"{what}: {got}, not {wanted}") from e


def test_what_an_answer_is_worth(binary):
    make = web_of(ANSWER)
    lines = ["".join(f"    http-check expect {e}\n" for e in what.split(" | ")) for what in HTTP]
    see(binary, HTTP, [make(l, f"b{n}") for n, l in enumerate(lines)])


def test_chunks_are_no_part_of_a_body(binary):
    cases = {"string hello": ["UP", "L7OK", "200", ""], "rstring ^hello$": ["UP", "L7OK", "200", ""], "string 3": ["DOWN", "L7RSP", "", MISMATCH[3]]}
    make = web_of(b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
    see(binary, cases, [make(f"    http-check expect {what}\n", f"b{n}") for n, what in enumerate(cases)])


def test_an_answer_without_a_body_has_nothing_that_is_looked_for(binary):
    wanted = ["DOWN", "L7RSP", "", "HTTP content check could not find a response body"]
    cases = {"string x": wanted, "! string x": wanted, "on-error none string x": ["DOWN", "L7RSP", "", "none"]}
    make = web_of(b"HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n")
    see(binary, cases, [make(f"    http-check expect {what}\n", f"b{n}") for n, what in enumerate(cases)])


def wrong(what, more=""):
    return ["DOWN", "L7RSP", "", f"TCPCHK {what}{more}"]


WELL, HULLO = ["UP", "L7OK", "0", "(tcp-check)"], "did not match content 'hullo' at step "
# tcp-check lines behind a send
TCP = {
    "expect string hello": WELL,
    "expect string hullo": wrong(HULLO, "2"),
    "expect ! string hello": wrong("matched unwanted content 'hello' at step 2"),
    "expect rstring hel+o": WELL,
    "expect rstring he.*xo": wrong("did not match content (regex) at step 2"),
    "expect binary 68656c6c6f": WELL,
    "expect binary 68656c6c6e": wrong("did not match content (binary) at step 2"),
    "expect rbinary 68656C6C6F": WELL,
    "expect rbinary 68656C6C6E": wrong("did not match content (binary regex) at step 2"),
    "expect string-lf hel%[str(lo)]": WELL,
    "expect string-lf hel%[str(la)]": wrong("did not match content (log-format string) at step 2"),
    "expect binary-lf %[str(hello),hex]": WELL,
    "expect ! string-lf %[var(check.none)]": NO_TEXT,
    "expect !string hullo comment foo": WELL,
    "expect ok-status L7OKC string hello": ["NOLB", "L7OKC", "0", "(tcp-check)"],
    "expect ok-status L6OK string hello": ["UP", "L6OK", "", "(tcp-check)"],
    "expect error-status L7OKC string hullo": ["NOLB", "L7OKC", "0", "TCPCHK " + HULLO + "2"],
    "expect error-status L7STS string hullo": ["DOWN", "L7STS", "0", "TCPCHK " + HULLO + "2"],
    "expect error-status L4CON string hullo": ["DOWN", "L4CON", "", "TCPCHK " + HULLO + "2"],
    "expect on-success fine:%[res.payload(0,4)] string hello": ["UP", "L7OK", "0", "fine:HTTP"],
    "expect on-error bad:%[res.payload(0,4)] string hullo": ["DOWN", "L7RSP", "", "bad:HTTP"],
    "expect status-code int(77) string hello": ["UP", "L7OK", "77", "(tcp-check)"],
    "expect comment foo string hullo": wrong(HULLO, "2 comment: foo"),
    "expect min-recv 1000 string hello": WELL,
    "expect min-recv 1000 string hullo": wrong(HULLO, "2"),
    "expect on-success one string hello | tcp-check expect string lo": WELL,
    "expect ok-status L7OKC string hello | tcp-check comment foo": ["NOLB", "L7OKC", "0", "(tcp-check)"],
    "comment foo | tcp-check expect string hullo": wrong(HULLO, "3 comment: foo"),
    "set-var(check.x) int(1) | tcp-check expect string hullo": wrong(HULLO, "3"),
    "comment foo | tcp-check send x | tcp-check expect string hullo": wrong(HULLO, "4"),
}  # fmt: skip


def script(name, lines, port, timeout="20s"):
    steps = "    option tcp-check\n    tcp-check send GET\\ /\\ HTTP/1.0\\r\\n\\r\\n\n    tcp-check " + lines.replace(" | ", "\n    ") + "\n"
    return backend(name, steps, f"s 127.0.0.1:{port} check").replace("mode http", "mode tcp").replace("check 20s", "check " + timeout)


def test_what_came_to_a_script_is_worth(binary):
    port = Web(ANSWER).port
    see(binary, TCP, [script(f"b{n}", lines, port) for n, lines in enumerate(TCP)])


def test_a_server_that_says_nothing(binary):
    port = Server(lambda s, c: c.recv(9999)).port
    cases = {"expect string x": wrong("got an empty response at step 2"), "expect ! string x": wrong("got an empty response at step 2"),
             "expect on-error none string x": wrong("got an empty response at step 2")}  # fmt: skip
    see(binary, cases, [script(f"b{n}", lines, port) for n, lines in enumerate(cases)])


def late(code, what="string 'x'", step=2, more=""):
    return ["DOWN", code, "", f" at step {step} of tcp-check (expect {what}){more}"]


LATE = {
    "expect tout-status L6TOUT string x": late("L6TOUT"),
    "expect tout-status L4TOUT on-error late string x": late("L4TOUT"),
    "expect comment why string x": late("L7TOUT", more=" comment: 'why'"),
    "expect rstring x": late("L7TOUT", "regex"),
    "expect binary 78": late("L7TOUT", "binary 'x'"),
    "comment why | tcp-check expect string-lf x": late("L7TOUT", "log-format string", 3, " comment: 'why'"),
    "http-check expect tout-status L6TOUT status 200": ["DOWN", "L6TOUT", "", ""],
    "http-check expect on-error late status 200": ["DOWN", "L7TOUT", "", ""],
    "http-check expect comment why string x": ["DOWN", "L7TOUT", "", ""],
}


def test_an_answer_that_is_late(binary):
    mute = Server(lambda s, c: read_all(c))
    lines = {n: f"    option httpchk\n    {what}\n" for n, what in enumerate(LATE) if what.startswith("http")}
    backends = [backend(f"b{n}", lines[n], f"s 127.0.0.1:{mute.port} check").replace("check 20s", "check 150") if n in lines
                else script(f"b{n}", what, mute.port, "150") for n, what in enumerate(LATE)]  # fmt: skip
    see(binary, LATE, backends)


def test_an_answer_has_the_time_of_timeout_check(binary):
    """However short the interval is, and from the connection on."""
    slow, mute = Web(b"HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n"), Server(lambda s, c: read_all(c))
    answer = slow.serve_one
    slow.serve = lambda s, c: (time.sleep(0.4), answer(s, c))
    see(binary, {"slow": ["UP", "L7OK", "200", ""]}, [backend("b0", "    option httpchk\n", f"s 127.0.0.1:{slow.port} check")])
    with Asked(binary, text(backend("b", "    option httpchk\n", f"s 127.0.0.1:{mute.port} check inter 25s fall 1").replace("check 20s", "check 300"))) as p:
        until("it is down", lambda: p.row("b/s", "status", "check_status") == ["DOWN", "L7TOUT"])
        assert int(p.row("b/s", "check_duration")[0]) < 25000


def test_a_check_goes_to_an_address_of_its_own(binary):
    web = Web(ANSWER)
    lines = f"    option httpchk\n    http-check connect addr 127.0.0.1 port {web.port}\n    http-check send meth GET\n    http-check expect status 404\n"
    steps = f"    option tcp-check\n    tcp-check connect addr 127.0.0.1 port {web.port}\n    tcp-check send GET\\ /\\ HTTP/1.0\\r\\n\\r\\n\n    tcp-check expect string hello\n"
    see(binary, {"http-check": UP, "tcp-check": WELL},
        [backend("b0", lines, "s 127.0.0.2:1 check"), backend("b1", steps, "s 127.0.0.2:1 check").replace("mode http", "mode tcp")])  # fmt: skip


def test_variables_take_what_an_answer_says(binary):
    web = Web(ANSWER)
    lines = f"""    option httpchk
    http-check connect
    http-check send meth GET
    http-check expect status 404
    http-check set-var(check.a) res.hdr(x-b)
    http-check connect
    http-check send meth GET uri-lf /%[var(check.a)]
    http-check expect status 404
"""
    with Asked(binary, text(backend("b", lines, f"s 127.0.0.1:{web.port} check"))) as p:
        until("it is up", lambda: p.row("b/s", "status", "check_status") == ["UP", "L7OK"])
        assert [first.split()[1] for first, _, _ in web.asked[:2]] == ["/", "/2"], web.asked[:2]


if __name__ == "__main__":
    main(globals())
