#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TLS, where proxyd and HAProxy must do alike:   tls_twin.py BINARY"""
import os
import socket
import ssl
import subprocess
import threading
import time

from support import WAIT, Proxy, Server, ask_api, config, echo, free_port, main, own_network, read_all, until
from tls_support import Authority, connect, context, get, openssl, serial, serial_of, show_headers

HTTP = """
global
    nbthread {threads}
    maxconn 500
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port} ssl {bind}
    {rules}
    default_backend b
backend b
    server s 127.0.0.1:{server}
"""


def http(bind, server, rules="", threads=1):
    return (HTTP.replace("{bind}", bind).replace("{server}", str(server.port)).replace("{rules}", rules)
            .replace("{threads}", str(threads)))


def fails(port, name=None, ctx=None):
    """The handshake, or what follows it: TLS 1.3 tells a client late."""
    try:
        with connect(port, name, ctx) as s:
            return get(s)[0] is None
    except (ssl.SSLError, OSError):
        return True


def test_each_name_gets_its_certificate(binary):
    a = AUTHORITY
    folder = a.path("folder")
    os.mkdir(folder)
    for name in ("one", "two"):
        os.rename(a.make(name + ".pem", [name + ".folder.example"]), f"{folder}/{name}.pem")
    one, both = a.make("one", ["one.example", "www.one.example"]), a.make("w", ["*.wild.example", "wild.example"])
    exact = a.make("exact", ["exact.wild.example"])
    bind = f"crt {a.default} crt {one} crt {both} crt {exact} crt {folder}"
    server = Server(show_headers)
    expected = {
        "one.example": one, "WWW.one.example": one, "a.wild.example": both, "exact.wild.example": exact,
        "a.b.wild.example": a.default, "wild.example": both, "other.example": a.default, None: a.default,
        "one.folder.example": f"{folder}/one.pem", "two.folder.example": f"{folder}/two.pem",
    }
    with Proxy(binary, http(bind, server)) as p:
        for name, file in expected.items():
            assert serial(p.port, name) == serial_of(file), name


def test_strict_sni_refuses_other_names(binary):
    server = Server(show_headers)
    with Proxy(binary, http(f"crt {AUTHORITY.default} strict-sni", server)) as p:
        assert serial(p.port, "default.example") == serial_of(AUTHORITY.default)
        assert fails(p.port, "other.example") and fails(p.port)


def signer(name, passphrase=None):
    """Certificate and key of our authority in one file."""
    a = AUTHORITY
    key = openssl("pkey", "-in", a.ca_key, *(["-aes128", "-passout", "pass:" + passphrase] if passphrase else []))
    with open(a.path(name), "wb") as f, open(a.ca, "rb") as ca:
        f.write(ca.read() + key)
    return a.path(name)


def key_of(file):
    return openssl("pkey", "-in", file, "-pubout").decode()


def forged(port, name, key=None):
    """A certificate that our authority signed for this name: what openssl says of it. SSLError: it is another."""
    c = context(ca=AUTHORITY.ca)
    c.check_hostname = True
    with connect(port, name, c) as s:  # no request: HAProxy 2.6 hangs up behind the first handshake of a name
        pem = ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode()
    said = openssl("x509", "-noout", "-issuer", "-serial", "-pubkey", "-ext", "subjectAltName", data=pem).decode()
    assert "issuer=CN = our authority\n" in said and f"    DNS:{name.lower()}\n" in said, said
    assert (key or AUTHORITY.default_key) in said, said
    openssl("x509", "-noout", "-checkend", str(364 * 86400), data=pem)
    return serial_of(pem)


def test_certificates_are_made_on_the_fly(binary):
    a = AUTHORITY
    bind, server = f"crt {a.default} crt {a.wild} generate-certificates ca-sign-file {signer('sign.pem')}", Server(show_headers)
    with Proxy(binary, http(bind, server, threads=2)) as p:
        one, two = forged(p.port, "one.made.example"), forged(p.port, "two.made.example")
        assert one != two
        for _ in range(6):  # by whichever thread
            assert forged(p.port, "One.made.example") == one and forged(p.port, "two.made.example") == two
        assert serial(p.port, "a.wild.test") == serial_of(a.wild)
        assert serial(p.port) == serial_of(a.default)
        for high in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with connect(p.port, "one.made.example", context(high=high)) as s:
                assert serial_of(ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode()) == one and get(s)[0] == 200, high
    with Proxy(binary, http(bind + " strict-sni", server)) as p:
        forged(p.port, "one.made.example")
        assert fails(p.port)
    with Proxy(binary, http(bind, server).replace("global\n", "global\n    tune.ssl.ssl-ctx-cache-size 1\n")) as p:
        one = forged(p.port, "one.made.example")
        assert forged(p.port, "one.made.example") == one
        forged(p.port, "two.made.example")
        assert forged(p.port, "one.made.example") != one


def test_an_authority_that_cannot_sign_is_an_error(binary):
    a = AUTHORITY
    locked = signer("locked.pem", "secret")
    for words, told in (("", ""), ("ca-sign-file /nowhere.pem", "/nowhere.pem"), (f"ca-sign-file {a.ca}", a.ca),
                        (f"ca-sign-file {locked}", locked), (f"ca-sign-file {locked} ca-sign-pass wrong", locked)):
        text = http(f"crt {a.default} generate-certificates {words}", Server(show_headers)).replace("{port}", "1")
        with open(a.path("bad.cfg"), "w") as f:
            f.write(text)
        line = 1 + [" bind " in x for x in text.splitlines()].index(True)
        r = subprocess.run([binary, "-c", "-f", a.path("bad.cfg")], capture_output=True, text=True, timeout=20, start_new_session=True)
        assert r.returncode and f"bad.cfg:{line}" in r.stderr and told in r.stderr, (words, r.stderr)


def test_an_authority_with_a_passphrase_signs(binary):
    if "haproxy" in os.path.basename(binary):  # 2.6 asks the terminal for it
        return
    a, path = AUTHORITY, AUTHORITY.path("sign.sock")
    cert = a.make("signed.pem", ["signed.example"])
    bind = f"crt {cert} generate-certificates ca-sign-file {signer('secret.pem', 'secret')} ca-sign-pass secret"
    text = http(bind, Server(show_headers)).replace("global\n", f"global\n    stats socket {path} level admin\n")
    with Proxy(binary, text) as p:
        with connect(p.port, "first.made.example", context(ca=a.ca, high=ssl.TLSVersion.TLSv1_2)) as s:
            assert get(s)[0] == 200
        forged(p.port, "one.made.example", key_of(cert))
        for name in ("no+host.example", "x" * 60 + ".example"):  # HAProxy signs the one, and hangs up at the other: no common name is as long
            assert serial(p.port, name) == serial_of(cert), name
        with open(a.default) as f:  # at run time another certificate and key
            ask_api(path, f"set ssl cert {cert} <<\n{f.read()}\n")
        assert "Success" in ask_api(path, f"commit ssl cert {cert}")
        forged(p.port, "one.made.example")


def test_a_list_names_certificates(binary):
    a = AUTHORITY
    one, two = a.make("l1", ["unused.example"]), a.make("l2", ["two.example"])
    with open(a.path("list"), "w") as f:
        f.write(f"# certificates\n{a.default}\n{one} *.list.example !not.list.example plain.example\n"
                f"{two} [ssl-max-ver TLSv1.2 verify required ca-file {a.ca}]\n")
    server = Server(show_headers)
    with Proxy(binary, http(f"crt-list {a.path('list')}", server)) as p:
        for name, file in {"a.list.example": one, "not.list.example": a.default, "plain.example": one,
                           "unused.example": a.default}.items():
            assert serial(p.port, name) == serial_of(file), name
        assert fails(p.port, "two.example")
        with connect(p.port, "two.example", context(cert=a.client)) as s:
            assert s.version() == "TLSv1.2" and get(s)[0] == 200


def test_the_client_decides_by_its_kind_of_key(binary):
    a = AUTHORITY
    ec, rsa = a.make("k.pem.ecdsa", ["k.example"]), a.make("k.pem.rsa", ["k.example"], key="rsa")
    server = Server(show_headers)
    with Proxy(binary, http(f"crt {a.default} crt {a.path('k.pem')}", server)) as p:
        for ciphers, file in (("ECDHE-ECDSA-AES128-GCM-SHA256", ec), ("ECDHE-RSA-AES128-GCM-SHA256", rsa)):
            c = context(high=ssl.TLSVersion.TLSv1_2)
            c.set_ciphers(ciphers)
            assert serial(p.port, "k.example", c) == serial_of(file), ciphers


def test_a_name_is_not_served_by_another_key(binary):
    """Two certificates share one name; the other name is of one of them alone."""
    a, server = AUTHORITY, Server(show_headers)
    ec, rsa = a.make("s1", ["shared.example", "only.example"]), a.make("s2", ["shared.example"], key="rsa")
    by = {}
    for kind in ("ECDSA", "RSA"):
        by[kind] = context(high=ssl.TLSVersion.TLSv1_2)
        by[kind].set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    with Proxy(binary, http(f"crt {ec} crt {rsa}", server)) as p:
        assert serial(p.port, "shared.example", by["ECDSA"]) == serial_of(ec)
        assert serial(p.port, "shared.example", by["RSA"]) == serial_of(rsa)
        assert serial(p.port, "only.example", by["ECDSA"]) == serial_of(ec)
        assert fails(p.port, "only.example", by["RSA"])


def test_the_first_of_a_list_speaks_for_itself_alone(binary):
    """What its brackets say does not hold for the others."""
    a, server = AUTHORITY, Server(show_headers)
    with open(a.path("first"), "w") as f:
        f.write(f"{a.wild} [ssl-max-ver TLSv1.2 verify required ca-file {a.ca}]\n{a.default}\n")
    with Proxy(binary, http(f"crt-list {a.path('first')}", server)) as p:
        with connect(p.port, "default.example") as s:
            assert s.version() == "TLSv1.3" and get(s)[0] == 200
        assert fails(p.port, "a.wild.test") and fails(p.port)
        with connect(p.port, "no.example", context(cert=a.client)) as s:  # nor its versions for who asks for none of them
            assert s.version() == "TLSv1.3" and get(s)[0] == 200
        with connect(p.port, "a.wild.test", context(cert=a.client)) as s:
            assert s.version() == "TLSv1.2" and get(s)[0] == 200


def test_versions_are_kept_to(binary):
    server = Server(show_headers)
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    for words, low, high in (("ssl-min-ver TLSv1.3", False, True), ("ssl-max-ver TLSv1.2", True, False),
                             ("no-tlsv13", True, False), ("force-tlsv13", False, True), ("", True, True), ("no-tlsv13 ssl-min-ver TLSv1.2", True, True)):
        with Proxy(binary, http(f"crt {AUTHORITY.default} {words}", server)) as p:
            assert fails(p.port, ctx=context(high=v12)) != low, words
            assert fails(p.port, ctx=context(low=v13)) != high, words
    with open(AUTHORITY.path("versions"), "w") as f:  # what one of a list says of itself is more than what its line leaves out
        f.write(f"{AUTHORITY.default}\n{AUTHORITY.wild} [ssl-max-ver TLSv1.3]\n")
    with Proxy(binary, http(f"no-tlsv13 crt-list {AUTHORITY.path('versions')}", server)) as p:
        assert fails(p.port, "a.wild.test", context(low=v13)) is fails(p.port, "a.wild.test", context(high=v12)) is False
        assert fails(p.port, "default.example", context(low=v13)) and not fails(p.port, "default.example")


def test_a_version_must_be_left(binary):
    bind, server = "    bind 127.0.0.1:1 ssl crt " + AUTHORITY.default, "    server s 127.0.0.1:1 ssl verify none"
    for text in (f"{bind} no-tlsv12 no-tlsv13", f"{bind} ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.2", f"{bind}\n{server} ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.2"):
        with open(AUTHORITY.path("none.cfg"), "w") as f:
            f.write("defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\nlisten l\n" + text + "\n")
        r = subprocess.run([binary, "-c", "-f", AUTHORITY.path("none.cfg")], capture_output=True, text=True, timeout=20, start_new_session=True)
        assert r.returncode and f"none.cfg:{7 + text.count(chr(10))}" in r.stderr, (text, r.stderr)


def test_curves_are_more_than_ecdhe(binary):
    server, c = Server(show_headers), context()
    c.set_ecdh_curve("secp384r1")
    for words, fit in (("ecdhe secp384r1", True), ("ecdhe secp384r1 curves X25519", False), ("curves X25519 ecdhe secp384r1", False)):
        with Proxy(binary, http(f"crt {AUTHORITY.default} {words}", server)) as p:
            assert fails(p.port, ctx=c) is not fit, words


def test_alpn_is_answered(binary):
    server = Server(show_headers)
    with Proxy(binary, http(f"crt {AUTHORITY.default} alpn http/1.1,http/1.0", server)) as p:
        for offer, chosen in ((["h2", "http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0"), (["spdy/3"], None), (None, None)):
            with connect(p.port, ctx=context(alpn=offer)) as s:
                assert s.selected_alpn_protocol() == chosen and get(s)[0] == 200, offer


TELLS = """
    http-request set-header X-Conn %[ssl_fc],%[ssl_fc_protocol],%[ssl_fc_cipher],%[ssl_fc_sni],%[ssl_fc_alpn],%[ssl_fc_has_sni],%[ssl_fc_use_keysize],%[ssl_fc_is_resumed]
    http-request set-header X-Client %[ssl_c_used],%[ssl_c_verify],%[ssl_c_s_dn],%[ssl_c_s_dn(CN)],%[ssl_c_s_dn(OU,-1)],%[ssl_c_i_dn],%[ssl_c_err],%[ssl_c_ca_err],%[ssl_fc_has_crt]
    http-request set-header X-Cert %[ssl_c_serial,hex],%[ssl_c_sha1,hex],%[ssl_c_sig_alg],%[ssl_c_key_alg],%[ssl_c_version]
    http-request set-header X-Dates %[ssl_c_notbefore],%[ssl_c_notafter]
    http-request set-header X-Ours %[ssl_f_serial,hex],%[ssl_f_s_dn],%[ssl_f_i_dn(cn)]
    http-request deny deny_status 421 if { path /own } !{ ssl_c_used 1 }"""


def lines(text):
    return dict(line.split(":", 1) for line in text.split("\n"))


def test_the_server_learns_of_the_connection(binary):
    a, server = AUTHORITY, Server(show_headers)
    sha1 = openssl("x509", "-in", a.client, "-noout", "-fingerprint", "-sha1").decode().split("=")[1].strip().replace(":", "")
    bind = f"crt {a.default} crt {a.wild} verify optional ca-file {a.ca} crt-ignore-err all ca-ignore-err all alpn http/1.1"
    with Proxy(binary, http(bind, server, TELLS)) as p:
        with connect(p.port, "a.wild.test", context(cert=a.client, alpn=["http/1.1"])) as s:
            told = lines(get(s)[1])
            assert get(s, "/own")[0] == 200
        assert told["x-conn"] == "1,TLSv1.3,TLS_AES_256_GCM_SHA384,a.wild.test,http/1.1,1,256,0", told
        assert told["x-client"] == "1,0,/C=FR/O=Acme/OU=one/OU=two/CN=client 1,client 1,two,/CN=our authority,0,0,1", told
        assert told["x-cert"] == f"{serial_of(a.client)},{sha1},ecdsa-with-SHA256,id-ecPublicKey,3", told
        assert len(told["x-dates"]) == 27 and told["x-dates"].endswith("Z"), told
        assert told["x-ours"] == f"{serial_of(a.wild)},/CN=*.wild.test,our authority", told
        with connect(p.port) as s:
            told = lines(get(s)[1])
            assert get(s, "/own")[0] == 421
        assert told["x-conn"].startswith("1,TLSv1.3,TLS_AES_256_GCM_SHA384,,,0,256") and told["x-client"] == "0,0,,,,,0,0,0", told
        with connect(p.port, ctx=context(cert=a.stranger)) as s:
            told = lines(get(s)[1])
        used, verify, *_, err, ca_err, has = told["x-client"].split(",")
        assert (used, has) == ("1", "1") and verify != "0" and (err, ca_err) != ("0", "0"), told


def test_clients_are_verified(binary):
    a, server = AUTHORITY, Server(show_headers)
    for verify, without, wrong in (("required", True, True), ("optional", False, True), ("none", False, False)):
        with Proxy(binary, http(f"crt {a.default} verify {verify} ca-file {a.ca}", server)) as p:
            assert not fails(p.port, ctx=context(cert=a.client)), verify
            assert fails(p.port) == without, verify
            assert fails(p.port, ctx=context(cert=a.stranger)) == wrong, verify


def test_sessions_are_taken_up_by_any_thread(binary):
    server = Server(show_headers)
    tell = "http-request set-header X-Resumed %[ssl_fc_is_resumed]"
    for high, words in ((ssl.TLSVersion.TLSv1_2, ""), (ssl.TLSVersion.TLSv1_2, "no-tls-tickets"), (ssl.TLSVersion.TLSv1_3, ""),
                        (ssl.TLSVersion.TLSv1_3, "no-tls-tickets")):
        ctx = context(high=high)
        with Proxy(binary, http(f"crt {AUTHORITY.default} {words}", server, tell, threads=2)) as p:
            session, resumed, ids = None, [], set()
            for _ in range(6):
                with connect(p.port, "default.example", ctx, session) as s:
                    resumed.append(get(s)[1])
                    session = s.session
                    ids.add(session.id)
            assert resumed == ["x-resumed:0"] + ["x-resumed:1"] * 5, (high, words, resumed)
            # a client uses a session of TLS 1.3 once: each connection brings the next
            assert len(ids) == (6 if high == ssl.TLSVersion.TLSv1_3 else 1), (high, words)
    ctx = context(high=ssl.TLSVersion.TLSv1_2)
    for words, taken in (("no-tls-tickets", "x-resumed:0"), ("", "x-resumed:1")):  # without a cache tickets are left
        text = http(f"crt {AUTHORITY.default} {words}", server, tell).replace("global\n", "global\n    tune.ssl.cachesize 0\n")
        with Proxy(binary, text) as p:
            with connect(p.port, "default.example", ctx) as s:
                get(s)
                session = s.session
            assert bool(session.id) is (not words), words
            with connect(p.port, "default.example", ctx, session) as s:
                assert get(s)[1] == taken, words


def staple(cert):
    """An answer of its authority beside it."""
    a = AUTHORITY
    with open(a.path("index"), "w") as f:
        f.write(f"V\t401231000000Z\t\t{serial_of(cert)}\tunknown\t/CN=x\n")
    openssl("ocsp", "-index", a.path("index"), "-rsigner", a.ca, "-rkey", a.ca_key, "-CA", a.ca, "-issuer", a.ca, "-serial",
            "0x" + serial_of(cert), "-respout", cert + ".ocsp", "-ndays", "1")
    with open(cert + ".issuer", "w") as f, open(a.ca) as ca:
        f.write(ca.read())


def test_handshakes_are_counted(binary):
    a = AUTHORITY
    path = a.path("counted.sock")
    with Proxy(binary, http(f"crt {a.default} no-tls-tickets", Server(show_headers)).replace("global\n", f"global\n    stats socket {path}\n")) as p:

        def rows(line):
            return ask_api(path, line).splitlines()

        def info():
            return {k: int(v) for k, _, v in (r.partition(": ") for r in rows("show info")) if "Ssl" in k}

        ctx = context(high=ssl.TLSVersion.TLSv1_2)
        with connect(p.port, "x", ctx) as s:
            assert get(s)[0] == 200
            assert info()["CurrSslConns"] == 1, info()
            session = s.session
        with connect(p.port, "x", ctx, session) as s:
            assert get(s)[0] == 200
        with p.connect() as s:  # no TLS at all
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            read_all(s)
        table = [r.split(",") for r in rows("show stat")]
        row = dict(zip(table[0], next(r for r in table if r[:2] == ["f", "FRONTEND"])))
        got = [row[k] for k in ("ssl_sess", "ssl_reused_sess", "ssl_failed_handshake")]
        assert got == ["1", "1", "1"], got
        until("all TLS connections are closed", lambda: info()["CurrSslConns"] == 0)
        got = info()
        assert got["CumSslConns"] == 3 and got["SslCacheLookups"] == 1 and not got["SslCacheMisses"], got
        assert got["MaxSslRate"] >= 1 and got["SslFrontendMaxKeyRate"] == 1, got
        assert not any(v for k, v in got.items() if "Backend" in k), got


def test_a_handshake_that_fails_is_no_request(binary):
    path = AUTHORITY.path("failed.sock")
    text = config(TCP, crt=AUTHORITY.default, server=Server(echo).port).replace("global\n", f"global\n    stats socket {path}\n", 1)
    with Proxy(binary, text) as p:
        with p.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            read_all(s)
        table = [r.split(",") for r in ask_api(path, "show stat").splitlines()]
        row = dict(zip(table[0], next(r for r in table if r[1:2] == ["FRONTEND"])))
        assert [row[k] for k in ("ssl_failed_handshake", "dreq", "ereq", "dcon", "dses")] == ["1"] + ["0"] * 4, row


FAILED = ("%[fc_err] %[fc_err_str]/%[ssl_fc_err,hex] %[ssl_fc_err_str]/%[ssl_c_err] %[ssl_c_ca_err] %[ssl_c_verify]/%sslv %sslc %[ssl_fc_sni] "
          "%[ssl_c_used] %[ssl_c_s_dn(CN)] %[ssl_fc_has_early] %[ssl_fc_alg_keysize]")
REFUSED = "31 SSL client certificate not trusted/000000000A000086 error:0A000086:SSL routines::certificate verify failed"


def test_a_failed_handshake_is_told(binary):
    """What rules would know of it, in error-log-format; HAProxy's words in the usual line, and behind them more."""
    a = AUTHORITY
    other = Authority("other authority")
    strange = other.make("strange.pem", ["stranger"])
    bind, old = f"crt {a.default} strict-sni verify required ca-file {a.ca}", context(low=ssl.TLSVersion.TLSv1_1, high=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    cases = (
        (b"", None, "Connection closed during SSL handshake", "24 Connection closed during SSL handshake/0000000000000000 -/0 0 -/TLSv1.3 (NONE) - 0 - 0 -"),
        (b"GET / HTTP/1.0\r\n\r\n", None, "SSL handshake failure",
         "34 SSL handshake failure/000000000A00009C error:0A00009C:SSL routines::http request/0 0 -/TLSv1.3 (NONE) - 0 - 0 -"),
        ("default.example", old, "SSL handshake failure",
         "34 SSL handshake failure/000000000A000102 error:0A000102:SSL routines::unsupported protocol/0 0 -/TLSv1.1 (NONE) - 0 - 0 -"),
        ("no.example", context(), "SSL handshake failure",
         "34 SSL handshake failure/000000000A0000EA error:0A0000EA:SSL routines::callback failed/0 0 -/TLSv1.3 (NONE) no.example 0 - 0 -"),
        ("default.example", context(cert=strange), "SSL client certificate not trusted",
         REFUSED + "/20 0 -/TLSv1.3 TLS_AES_256_GCM_SHA384 default.example 1 stranger 0 256"),
        ("default.example", context(cert=strange, high=ssl.TLSVersion.TLSv1_2), "SSL client certificate not trusted",
         REFUSED + "/20 0 -/TLSv1.2 (NONE) default.example 1 stranger 0 -"),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(WAIT)
        for own in (True, False):
            more = f'error-log-format "={FAILED}"' if own else ""
            text = http(bind, Server(show_headers), more).replace("defaults\n", f"defaults\n    log 127.0.0.1:{log.getsockname()[1]} local0\n    option httplog\n")
            with Proxy(binary, text) as p:
                for sent, ctx, words, told in cases:
                    if ctx:
                        assert fails(p.port, sent, ctx), words
                    else:
                        with p.connect() as s:
                            s.sendall(sent)
                            s.shutdown(socket.SHUT_WR)
                            s.recv(1)
                    said, mark = "", "]: =" if own else "] f/1: "
                    while mark not in said:  # beginnings are told, too
                        said = log.recv(4096).decode().strip()
                    said = said.split(mark)[1]
                    assert said == told if own else said.split(" (")[0] == words, (said, words, told)
    other.close()


def test_certificates_and_stapled_answers_are_shown(binary):
    a = AUTHORITY
    path, cert = a.path("shown.sock"), a.make("shown.pem", ["shown.example", "*.shown.example"])
    with open(cert, "a") as f, open(a.ca) as ca:
        f.write(ca.read())
    staple(cert)
    text = http(f"crt {cert} crt {a.default} crt {cert}", Server(show_headers)).replace("global\n", f"global\n    stats socket {path} level admin\n")
    with Proxy(binary, text):

        def rows(line):
            return [r for r in ask_api(path, line).splitlines() if r.strip()]

        def said_by_openssl(word, *options):
            return openssl("x509", "-in", cert, "-noout", word, *options).decode().strip().partition("=")[2]

        assert rows("show ssl cert") == ["# filename", *sorted([a.default, cert])], rows("show ssl cert")
        got = dict(r.partition(": ")[::2] for r in rows(f"show ssl cert {cert}"))
        assert (got["Filename"], got["Status"]) == (cert, "Used"), got
        assert got["Serial"] == said_by_openssl("-serial") and got["notAfter"] == said_by_openssl("-enddate"), got
        assert got["notBefore"] == said_by_openssl("-startdate"), got
        assert got["Subject Alternative Name"] == "DNS:shown.example, DNS:*.shown.example", got
        assert got["SHA1 FingerPrint"] == said_by_openssl("-fingerprint", "-sha1").replace(":", ""), got
        assert got["Subject"].startswith("/") and got["Issuer"] == got["Chain Subject"] == got["Chain Issuer"], got
        key = got["OCSP Response Key"]
        assert f"Certificate ID key : {key}" in rows("show ssl ocsp-response"), key
        assert f"   Serial Number: {got['Serial']}" in rows("show ssl ocsp-response"), key
        assert "    Cert Status: good" in rows(f"show ssl ocsp-response {key}"), key
        assert rows("show ssl ocsp-response 00") == ["Certificate ID does not match any certificate."]
        assert rows("show ssl cert nothing") == ["Can't display the certificate: Not found or the certificate is a bundle!"]
        assert "OCSP Response Key: " in ask_api(path, f"show ssl cert {a.default}").splitlines()


def test_one_connection_carries_many_requests(binary):
    server = Server(show_headers)
    with Proxy(binary, http(f"crt {AUTHORITY.default}", server)) as p, connect(p.port) as s:
        for i in range(50):
            assert get(s, headers=f"X-N: {i}\r\n") == (200, f"x-n:{i}")
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_all(s).count(b"HTTP/1.1 200") == 2


def test_plain_clients_are_sent_to_tls(binary):
    text = http(f"crt {AUTHORITY.default}", Server(show_headers), "redirect scheme https code 301 if !{ ssl_fc }")
    other = free_port()
    text = text.replace("    bind ", f"    bind 127.0.0.1:{other}\n    bind ", 1)
    with Proxy(binary, text) as p, p.connect(other) as s:
        s.sendall(b"GET /a?b HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n")
        answer = read_all(s).lower()
        assert b" 301 " in answer and b"location: https://h.example/a?b" in answer, answer
        with connect(p.port) as t:
            assert get(t)[0] == 200


TCP = """
listen f
    bind 127.0.0.1:{port} ssl crt {crt}
    server s 127.0.0.1:{server}
"""


def half_close(port, data):
    """Sends all, says close_notify, and returns what still came: an ssl socket cannot do that."""
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(came, goes)
    got, left, said = b"", data, False
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as s:
        while True:
            try:
                if not tls.version():
                    tls.do_handshake()
                while left:
                    left = left[tls.write(left[:16384]):]
                if not said:
                    said = True
                    tls.unwrap()
                part = tls.read(65536)
                got += part
                if not part:
                    return got
            except ssl.SSLWantReadError:
                s.sendall(goes.read())
                part = s.recv(65536)
                came.write(part) if part else came.write_eof()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return got


def test_tcp_ends_tls_and_keeps_half_a_connection(binary):
    data = os.urandom(2_000_000)
    server = Server(lambda server, c: c.sendall(read_all(c)))
    with Proxy(binary, config(TCP, crt=AUTHORITY.default, server=server.port)) as p:
        assert half_close(p.port, data) == data
    server = Server(echo)
    with Proxy(binary, config(TCP, crt=AUTHORITY.default, server=server.port)) as p, connect(p.port) as s:
        for size in (1, 100, 16384, 16385, 70000):
            s.sendall(data[:size])
            got = b""
            while len(got) < size:
                got += s.recv(65536)
            assert got == data[:size], size


CHAIN = """
listen a
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{middle} ssl verify required ca-file {ca} sni str(a.wild.test) {proxy}
frontend b
    bind 127.0.0.1:{middle} {accept} ssl crt {crt} crt {wild} alpn h2,http/1.1
    use_backend named if { ssl_fc_sni -i a.wild.test }
backend named
    server s 127.0.0.1:{server}
"""


def test_tcp_goes_to_a_server_over_tls(binary):
    """Through two of them, with and without a PROXY header in front of the handshake."""
    data = os.urandom(2_000_000)
    server = Server(lambda server, c: c.sendall(read_all(c)))
    for proxy, accept in (("", ""), ("send-proxy", "accept-proxy"), ("send-proxy-v2", "accept-proxy")):
        text = config(CHAIN, middle=free_port(), ca=AUTHORITY.ca, crt=AUTHORITY.default, wild=AUTHORITY.wild, server=server.port,
                      proxy=proxy, accept=accept)
        with Proxy(binary, text) as p:
            for size in (0, 1, 20_000, len(data)):
                with p.connect() as s:
                    got = []
                    reader = threading.Thread(target=lambda: got.append(read_all(s)))
                    reader.start()
                    s.sendall(data[:size])
                    s.shutdown(socket.SHUT_WR)
                    reader.join(20)
                assert got == [data[:size]], (proxy, size)


BACK = """
global
    maxconn 500
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    retries 0
frontend f
    bind 127.0.0.1:{port}
    use_backend %[path,field(2,/)]
{backends}
"""


def backends(each):
    return BACK.replace("{backends}", "".join(f"backend {n}\n    {words}\n" for n, words in each.items()))


def tls_server(cert, names, ca=None, high=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if high:
        ctx.set_ciphers("ALL:@SECLEVEL=0")
        ctx.minimum_version = ctx.maximum_version = high
    ctx.load_cert_chain(cert)
    ctx.sni_callback = lambda s, name, c: names.append(name)
    if ca:
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(ca)

    def serve(server, c):
        with ctx.wrap_socket(c, server_side=True) as s:
            show_headers(server, s)

    return Server(serve)


def test_servers_are_asked_over_tls(binary):
    a, names = AUTHORITY, []
    server, asks, older = tls_server(a.wild, names), tls_server(a.wild, [], a.ca), tls_server(a.wild, [], high=ssl.TLSVersion.TLSv1_1)
    at = f"server s 127.0.0.1:{server.port} ssl"
    text = backends({
        "any": f"{at} verify none",
        "good": f"{at} verify required ca-file {a.ca}",
        "wrong": f"{at} verify required ca-file {a.other_ca}",
        "host": f"{at} verify required ca-file {a.ca} verifyhost a.wild.test",
        "nohost": f"{at} verify required ca-file {a.ca} verifyhost other.test",
        "fixed": f"{at} verify none sni str(fixed.test)",
        "header": f"http-response set-header X-B %[ssl_bc],%[ssl_bc_protocol]\n    {at} verify none sni req.hdr(host)",
        "maybe": f"{at} verify none sni req.hdr(x-name)",
        "badname": f"{at} verify required ca-file {a.ca} sni str(other.test)",
        "cert": f"server s 127.0.0.1:{asks.port} ssl verify none crt {a.client}",
        "nocert": f"server s 127.0.0.1:{asks.port} ssl verify none",
        "old": f"{at} verify none ssl-max-ver TLSv1.2",
        "older": f"server s 127.0.0.1:{older.port} ssl verify none ciphers ALL:@SECLEVEL=0",
    })
    with Proxy(binary, text) as p, p.connect() as s:
        for path, status in {"any": 200, "good": 200, "wrong": 503, "host": 200, "nohost": 503, "badname": 503, "cert": 200,
                             "old": 200, "older": 200}.items():
            with p.connect() as s:
                assert get(s, f"/{path}")[0] == status, path
        del names[:]
        with p.connect() as s:
            get(s, "/fixed")
            for host in ("h1.test", "h1.test", "h2.test", "h1.test"):
                assert get(s, "/header", host)[0] == 200
        assert names[0] == "fixed.test" and set(names[1:]) == {"h1.test", "h2.test"}, names
        del names[:]
        with p.connect() as s:
            for more in ("X-Name: h1.test\r\n", "", "X-Name: h1.test\r\n"):
                assert get(s, "/maybe", "a", more)[0] == 200
        assert None in names and "h1.test" in names, names  # who asks for no name does not use what another one asked for
        with p.connect() as s:
            assert get(s, "/nocert")[0] in (502, 503, None)


def test_in_mode_tcp_the_name_is_of_the_server(binary):
    """What the client sent is on its way by then, and names nobody."""

    names = []
    server = tls_server(AUTHORITY.wild, names)
    rules = "tcp-request inspect-delay 5s\n    tcp-request content accept if { req.len gt 6 }\n    "
    for n, sni in enumerate(("srv_name", "be_name", "req.payload(0,7)", "path")):
        text = "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n" \
            "listen b1.test\n    bind 127.0.0.1:{port}\n    " + rules + f"server s1.test 127.0.0.1:{server.port} ssl verify none sni {sni}\n"
        with Proxy(binary, text) as p, p.connect() as s:
            s.sendall(b"GET c1.test HTTP/1.0\r\n\r\n")
            until("the server is asked", lambda: len(names) > n)
    assert names == ["s1.test", "b1.test", None, None], names


def test_each_server_is_asked_by_its_own_expression(binary):
    """Found out for the server that was chosen, once more when that is another one; and only who asks for one name shares a connection."""
    names = []
    server = tls_server(AUTHORITY.wild, names)
    at, nowhere = f"127.0.0.1:{server.port} ssl verify none", f"127.0.0.1:{free_port()} ssl verify none"
    first, last = "balance first\n    option redispatch 1\n    retries 1\n    ", "sni req.hdr(host),regsub(h,l)"
    text = backends({
        "own": f"default-server sni srv_name\n    server-template own 2 {at}\n    server host {at} sni req.hdr(host)\n"
               f"    server fixed {at} sni str(fixed.test)\n    server path {at} sni path,field(3,/)\n    server no {at} sni req.hdr(x-no)",
        "again": f"{first}server a {nowhere} sni req.hdr(host)\n    server b.test {at} {last}",
        "chosen": f"{first}server a {nowhere} sni srv_name\n    server c.test {at} sni srv_name",
    }).replace("retries 0", "http-reuse always")
    with Proxy(binary, text) as p, p.connect() as s:
        asked = {"own1", "own2", "h1.test", "fixed.test", "path.test", None}, {"h2.test"}, set(), {"h2.test"}  # one is as many idle ones as are kept
        for host, new in zip(("h1.test", "h2.test") * 2, asked):
            del names[:]
            for _ in range(6):
                assert get(s, "/own/path.test", host)[0] == 200
            assert set(names) == new and len(names) == len(new), (host, names)
        del names[:]
        for _ in range(3):
            assert get(s, "/again", "h1.test")[0] == 200 and get(s, "/chosen")[0] == 200
        assert names == ["l1.test", "c.test"], names  # once each: what is idle was asked for the same


def test_a_check_speaks_tls(binary):
    a = AUTHORITY
    server = tls_server(a.wild, [])
    plain = Server(show_headers)
    text = backends({
        "good": f"server s 127.0.0.1:{server.port} ssl verify none check inter 100ms",
        "plain": f"server s 127.0.0.1:{plain.port} ssl verify none check inter 100ms fall 1",
    }).replace("use_backend %", "http-request return status 200 if { path /up } { nbsrv(good) 1 } { nbsrv(plain) 0 }\n    use_backend %")
    with Proxy(binary, text) as p:
        for _ in range(100):
            with p.connect() as s:
                if get(s, "/up")[0] == 200:
                    break
            time.sleep(0.05)
        else:
            raise AssertionError("the checks did not tell them apart")
        with p.connect() as s:
            assert get(s, "/good")[0] == 200


def test_the_proxy_header_tells_of_tls(binary):
    """The bytes behind the addresses, with a certificate and without."""
    a, heads = AUTHORITY, []

    def take(server, c):
        head = c.recv(4096)
        heads.append(head[12:14] + head[28:16 + int.from_bytes(head[14:16], "big")])
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    server = Server(take)
    bind = f"crt {a.default} verify optional ca-file {a.ca} ca-ignore-err all crt-ignore-err all"
    want = {
        "send-proxy-v2": (b"", b""),
        "send-proxy-v2-ssl": (b"\x20\0\x0f\x01" + b"\0" * 4 + b"\x21\0\x07TLSv1.2", b"\x20\0\x0f\x07" + b"\0" * 4 + b"\x21\0\x07TLSv1.2"),
        "send-proxy-v2-ssl-cn": (b"\x20\0\x0f\x01" + b"\0" * 4 + b"\x21\0\x07TLSv1.2",
                                 b"\x20\0\x1a\x07" + b"\0" * 4 + b"\x21\0\x07TLSv1.2\x22\0\x08client 1"),
    }
    for word, (without, shown) in want.items():
        text = http(bind, server).replace(f"server s 127.0.0.1:{server.port}", f"server s 127.0.0.1:{server.port} {word}")
        with Proxy(binary, text) as p:
            for cert, tail in ((None, without), (a.client, shown)):
                with connect(p.port, ctx=context(cert=cert, high=ssl.TLSVersion.TLSv1_2)) as s:
                    assert get(s)[0] == 200
                assert heads.pop() == b"\x21\x11" + tail, (word, cert)


def extras(data):
    """Of a header of version 2: type and value of each, those of TLS within."""
    found = []
    while data:
        size = int.from_bytes(data[1:3], "big")
        found.append((data[0], data[3:8] if data[0] == 0x20 else data[3:3 + size]))
        data = data[8:] if data[0] == 0x20 else data[3 + size:]
    return found


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_the_proxy_header_tells_more(binary):
    """proxy-v2-options: each alone, in the order of HAProxy, and with the protocol that ALPN chose."""
    a, heads = AUTHORITY, []

    def take(server, c):
        heads.append(c.recv(4096))
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    server = Server(take)
    bind = f"crt {a.default} alpn http/1.1 verify optional ca-file {a.ca} ca-ignore-err all crt-ignore-err all"
    tls = [(0x20, b"\x07\0\0\0\0"), (0x21, b"TLSv1.2")]
    cn, cipher = (0x22, b"client 1"), (0x23, b"ECDHE-ECDSA-AES256-GCM-SHA384")
    sig, key = (0x24, b"ecdsa-with-SHA256"), (0x25, b"EC256")
    alpn, name, number = (1, b"http/1.1"), (2, b"default.example"), (5, b"id-127.0.0.1")
    for words, protocols, wanted in (
        ("", None, []),
        ("", ["http/1.1"], [alpn]),
        ("ssl", None, tls),
        ("cert-cn", None, [*tls, cn]),
        ("ssl-cipher", None, [*tls, cipher]),
        ("cert-sig", None, [*tls, sig]),
        ("cert-key", None, [*tls, key]),
        ("authority", None, [name]),
        ("unique-id", None, [number]),
        ("unique-id,crc32c", None, [(3, None), number]),
        ("ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id", ["http/1.1"],
         [(3, None), alpn, name, number, *tls, cn, key, sig, cipher]),
    ):
        word = f"send-proxy-v2 proxy-v2-options {words}" if words else "send-proxy-v2"
        text = (http(bind, server).replace(f"server s 127.0.0.1:{server.port}", f"server s 127.0.0.1:{server.port} {word}")
                .replace("    bind ", "    unique-id-format id-%[src]\n    bind ", 1))
        with Proxy(binary, text) as p:
            with connect(p.port, "default.example", context(cert=a.client, alpn=protocols, high=ssl.TLSVersion.TLSv1_2)) as s:
                assert get(s)[0] == 200
        head = heads.pop()
        head = head[:16 + int.from_bytes(head[14:16], "big")]
        got = extras(head[28:])
        assert [(t, None if t == 3 else v) for t, v in got] == wanted, (words, got)
        if got and got[0][0] == 3:
            assert crc32c(head[:31] + b"\0\0\0\0" + head[35:]) == int.from_bytes(got[0][1], "big"), (words, head)


SEEN = """
global
    tune.ssl.keylog on
    tune.ssl.capture-buffer-size 2000
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port} ssl crt {crt}
    http-request set-var(txn.ext) ssl_fc_extlist_bin(1),hex
    http-request return status 200 content-type text/plain lf-string "%[ssl_fc_protocol_hello_id]|%[ssl_fc_cipherlist_bin,hex]|%[ssl_fc_cipherlist_hex(1)]|%[ssl_fc_cipherlist_str]|%[ssl_fc_cipherlist_xxh]|%[var(txn.ext)]|%[ssl_fc_eclist_bin,hex]|%[ssl_fc_ecformats_bin,hex]|%[ssl_fc_client_handshake_traffic_secret]|%[ssl_fc_server_handshake_traffic_secret]|%[ssl_fc_client_traffic_secret_0]|%[ssl_fc_server_traffic_secret_0]|%[ssl_fc_exporter_secret]|%[ssl_fc_client_early_traffic_secret]"
"""


def parse_hello(data):
    """Version, ciphers, ids of extensions, and the extensions of a client's first record."""
    body = data[5 + 4:]
    at = 34 + 1 + body[34]
    n = int.from_bytes(body[at:at + 2], "big")
    ciphers, at = body[at + 2:at + 2 + n], at + 2 + n
    at += 1 + body[at]
    ids, ext = b"", {}
    end = at + 2 + int.from_bytes(body[at:at + 2], "big")
    at += 2
    while at < end:
        n = int.from_bytes(body[at + 2:at + 4], "big")
        ids += body[at:at + 2]
        ext[int.from_bytes(body[at:at + 2], "big")] = body[at + 4:at + 4 + n]
        at += 4 + n
    return int.from_bytes(body[:2], "big"), ciphers, ids, ext


def test_hello_and_secrets_are_told(binary):
    def pump(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                s.sendall(out.read())
                into.write(s.recv(65536))

    a = AUTHORITY
    with Proxy(binary, SEEN.replace("{crt}", a.default)) as p, p.connect() as s:
        c = context()
        c.keylog_filename = a.path("keys")
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = c.wrap_bio(into, out, server_hostname="one.example")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            hello = out.read()
        s.sendall(hello)
        pump(tls.do_handshake)
        tls.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer or b"|" not in answer.split(b"\r\n\r\n", 1)[1]:
            answer += pump(lambda: tls.read(65536))
        got = answer.split(b"\r\n\r\n", 1)[1].decode().split("|")
        version, ciphers, ids, ext = parse_hello(hello)
        assert got[0] == str(version) and got[1] == got[2] == ciphers.hex().upper(), (got, ciphers)
        names = got[3].split(",")
        assert len(names) == len(ciphers) // 2 and names[0] == "TLS_AES_256_GCM_SHA384", names
        assert int(got[4]) != 0
        assert got[5] == ids.hex().upper() and got[6] == ext[10][2:].hex().upper() and got[7] == ext[11][1:].hex().upper(), got
        keys = dict(line.split()[::2] for line in open(a.path("keys")) if not line.startswith("#"))
        assert got[8] == keys["CLIENT_HANDSHAKE_TRAFFIC_SECRET"] and got[9] == keys["SERVER_HANDSHAKE_TRAFFIC_SECRET"], (got, keys)
        assert got[10] == keys["CLIENT_TRAFFIC_SECRET_0"] and got[11] == keys["SERVER_TRAFFIC_SECRET_0"], (got, keys)
        assert got[12] == keys["EXPORTER_SECRET"] and got[13] == "", (got, keys)


def test_handshakes_have_a_time_of_their_own(binary):
    if "haproxy" in os.path.basename(binary):  # since 3.1
        return
    for mode in ("tcp", "http"):
        text = config(f"listen l\n    mode {mode}\n    bind 127.0.0.1:{{port}} ssl crt {AUTHORITY.default}\n    timeout client 1h\n"
                      f"    timeout client-hs 1s\n    server s 127.0.0.1:{Server(echo).port}\n")
        with Proxy(binary, text) as p, p.connect() as silent, connect(p.port) as done:
            assert silent.recv(1) == b"", mode
            time.sleep(0.2)
            done.setblocking(False)
            try:
                assert done.recv(1), "whose handshake is over is not sent away"
            except ssl.SSLWantReadError:
                pass


def test_an_ocsp_answer_is_stapled(binary):
    a = AUTHORITY
    cert = a.make("st.pem", ["staple.example"])
    staple(cert)
    with Proxy(binary, http(f"crt {a.default} crt {cert}", Server(show_headers))) as p:
        said = openssl("s_client", "-connect", f"127.0.0.1:{p.port}", "-servername", "staple.example", "-status", "-showcerts").decode()
        assert "OCSP Response Status: successful" in said and serial_of(cert) in said.upper(), said
        assert said.partition("Certificate chain")[2].count("BEGIN CERTIFICATE") == 1, said  # its .issuer is not for clients
        said = openssl("s_client", "-connect", f"127.0.0.1:{p.port}", "-status").decode()
        assert "no response sent" in said, said


if __name__ == "__main__":
    own_network()
    AUTHORITY = Authority()
    stranger = Authority("another authority")
    try:
        AUTHORITY.default = AUTHORITY.make("default.pem", ["default.example"])
        AUTHORITY.default_key = key_of(AUTHORITY.default)
        AUTHORITY.wild = AUTHORITY.make("wild.pem", ["*.wild.test"])
        AUTHORITY.client = AUTHORITY.make("client.pem", ["client.example"], "/C=FR/O=Acme/OU=one/OU=two/CN=client 1")
        AUTHORITY.stranger = stranger.make("client.pem", ["client.example"], "/CN=nobody")
        AUTHORITY.other_ca = stranger.ca
        main(globals())
    finally:
        AUTHORITY.close()
        stranger.close()
