#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connections that come faster than they may wait, in proxyd and HAProxy alike:   rate_twin.py BINARY"""
import re
import ssl
import time

from support import Asked, Proxy, Server, config, echo, main, until
from tls_support import Authority, context

N, LIMIT = 11, 5


def passed(p):
    """Seconds until as many connections, begun at once, have all been answered."""
    began = time.monotonic()
    open_ones = [p.connect() for _ in range(N)]
    try:
        for c in open_ones:
            c.sendall(b"x")
        for c in open_ones:
            assert c.recv(1) == b"x"
        return time.monotonic() - began
    finally:
        for c in open_ones:
            c.close()


def check_waits(binary, text):
    """No second has more than the limit: the last of them comes in the third one at the earliest."""
    s = Server(echo)
    for may_forget in ("haproxy" in binary, False):
        with Proxy(binary, text.replace("{server}", str(s.port))) as p:
            try:
                seconds = passed(p)
            except TimeoutError:  # on a busy machine 2.6 forgot one that waited, once in many runs
                if may_forget:
                    continue
                raise
            assert seconds > 1.0, seconds
            return


BODY = """
listen l
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{server}
"""


def test_a_frontend_has_its_rate(binary):
    check_waits(binary, config(BODY + f"    rate-limit sessions {LIMIT}\n", threads=2))


def test_the_process_has_its_rate(binary):
    for word in ("maxconnrate", "maxsessrate"):
        check_waits(binary, config(BODY, threads=2).replace("global\n", f"global\n    {word} {LIMIT}\n"))


def test_without_a_limit_nobody_waits_for_one(binary):
    s = Server(echo)
    with Proxy(binary, config(BODY, server=s.port)) as p:
        passed(p)
        assert s.count == N


def test_limits_are_told(binary):
    text = config(BODY, server=1).replace("global\n", "global\n    maxconnrate 11\n    maxsessrate 12\n    maxsslrate 13\n    maxsslconn 14\n")
    with Asked(binary, text + "    rate-limit sessions 15\n") as p:
        told = dict(re.findall(r"(\w+): (\d+)", p.ask("show info")))
        wanted = {"ConnRateLimit": "11", "SessRateLimit": "12", "SslRateLimit": "13", "MaxSslConns": "14"}
        assert {k: told[k] for k in wanted} == wanted, told
        assert p.row("l/FRONTEND", "rate_lim") == ["15"]


TLS = """
listen l
    bind 127.0.0.1:{port} ssl crt {pem}
    server s 127.0.0.1:{server}
"""


def test_tls_has_a_rate_and_a_number(binary):
    s = Server(echo)
    made, tls = Authority(), context()
    try:
        pem = made.make("server.pem", ["localhost"])
        text = config(TLS, server=s.port, pem=pem)
        with Proxy(binary, text.replace("global\n", "global\n    maxsslconn 2\n")) as p:
            kept = [tls.wrap_socket(p.connect()) for _ in range(2)]
            try:
                tls.wrap_socket(p.connect(timeout=2 if "haproxy" in binary else 30))  # 2.6 leaves it waiting
                raise AssertionError("a third one was let in")
            except (ssl.SSLError, OSError):
                pass
            kept.pop().close()

            def again():
                try:
                    kept.append(tls.wrap_socket(p.connect()))
                    return True
                except (ssl.SSLError, OSError):
                    return False

            if "haproxy" not in binary: 
                until("there is room again", again)
            for c in kept:
                c.close()
        with Proxy(binary, text.replace("global\n", f"global\n    maxsslrate {LIMIT}\n")) as p:
            began = time.monotonic()
            for _ in range(N):
                tls.wrap_socket(p.connect()).close()
            assert time.monotonic() - began > 1.0
    finally:
        made.close()


if __name__ == "__main__":
    main(globals())
