#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Certificates that change at run time, where proxyd and HAProxy must do alike:   certs_twin.py BINARY"""
import base64
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from http_twin import is_haproxy
from support import Asked, Proxy, Server, ask_api, config, main, own_network, until
from tls_support import Authority, connect, context, get, openssl, serial, serial_of, with_a_strange_key

CONFIG = """
global
    nbthread 2
    maxconn 500
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 1s
    timeout client 2m  # what is slow here is the machine
    timeout server 2m
frontend f
    bind 127.0.0.1:{port} ssl {bind}
    http-request return status 200
"""


class Certified:
    """A proxy whose only `bind` line says {bind}."""

    def __init__(self, binary, bind, more=""):
        self.folder = tempfile.mkdtemp(prefix="proxyd-certs.")
        self.path = os.path.join(self.folder, "socket")
        self.proxy = Proxy(binary, CONFIG.replace("{bind}", bind).replace("{socket}", self.path) + more)
        self.port = self.proxy.port

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.proxy.__exit__(*what)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, command, payload=None):
        """The lines of the answer. A payload is a text or a file."""
        if payload and os.path.exists(payload):
            with open(payload) as f:
                payload = f.read()
        text = ask_api(self.path, f"{command} <<\n{payload.strip()}\n" if payload else command)
        return [line for line in text.splitlines() if line]

    def replace(self, file, pem, kind="cert"):
        assert self.ask(f"set ssl {kind} {file}", pem)[0].lower().startswith("transaction created for"), pem
        assert self.ask(f"commit ssl {kind} {file}")[-1] == "Success!"

    def shows(self, name=None, times=8):
        """Of several connections, so that each worker has its turn: the one certificate that is shown."""
        found = {serial(self.port, name) for _ in range(times)}
        assert len(found) == 1, found
        return found.pop()


def copy(name, of):
    shutil.copy(of, AUTHORITY.path(name))
    return AUTHORITY.path(name)


def parts(pem):
    """Certificate and key."""
    with open(pem) as f:
        text = f.read()
    at = text.index("-----BEGIN PRIVATE KEY")
    return text[:at], text[at:]


def test_a_certificate_is_replaced_and_connections_keep_theirs(binary):
    site, new = copy("site.pem", ONE), AUTHORITY.make("new1", ["one.example"])
    with Certified(binary, f"crt {site}") as p:
        assert p.shows() == serial_of(ONE)
        with connect(p.port) as old:
            assert get(old)[0] == 200
            assert p.ask(f"set ssl cert {site}", new) == [f"Transaction created for certificate {site}!"]
            assert p.shows() == serial_of(ONE), "before it is committed"
            assert p.ask("show ssl cert") == ["# transaction", f"*{site}", "# filename", site]
            assert f"Serial: {serial_of(new)}" in p.ask(f"show ssl cert *{site}")
            assert p.ask(f"commit ssl cert {site}") == [f"Committing {site}.", "Success!"]
            assert p.shows() == serial_of(new)
            assert get(old)[0] == 200, "what was open goes on"
        assert p.ask("show ssl cert") == ["# filename", site]
        assert "Status: Used" in p.ask(f"show ssl cert {site}")


def test_a_handshake_that_has_begun_keeps_the_old_one(binary):
    site, new = copy("begun.pem", ONE), AUTHORITY.make("new2", ["one.example"])
    with Certified(binary, f"crt {site}") as p:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context().wrap_bio(incoming, outgoing)
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = outgoing.read()
        with socket.create_connection(("127.0.0.1", p.port)) as s:
            s.sendall(hello[:20])
            until("it was accepted", lambda: int(dict(l.split(": ", 1) for l in p.ask("show info") if ": " in l)["CurrConns"]) > 0)
            p.replace(site, new)
            s.sendall(hello[20:])
            while True:
                incoming.write(s.recv(65536))
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    continue
            shown = serial_of(ssl.DER_cert_to_PEM_cert(client.getpeercert(True)).encode())
            assert shown in (serial_of(ONE), serial_of(new))
        assert p.shows() == serial_of(new)


def test_what_is_wrong_changes_nothing(binary):
    site = copy("wrong.pem", ONE)
    (cert, _), (_, key) = parts(ONE), parts(AUTHORITY.make("other", ["other.example"]))
    chain = open(ONE).read() + "-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----\n"
    with Certified(binary, f"crt {site}") as p:
        for payload in (chain, "nonsense"):
            said = p.ask(f"set ssl cert {site}", payload)
            assert said[-1] == f"Can't update {site}!" and len(said) > 1, said
        assert p.ask("show ssl cert /none.pem")[0].startswith("Can't display")
        assert p.ask("set ssl cert /none.pem", ONE)[-1] == "Can't update /none.pem!"
        assert p.ask("commit ssl cert /none.pem") == ["No ongoing transaction! !", "Can't commit /none.pem!"]
        assert p.ask(f"abort ssl cert {site}") == ["No ongoing transaction!"]
        assert p.ask("del ssl cert /none.pem")[0].endswith("doesn't exist!"), p.ask("del ssl cert /none.pem")
        assert p.ask(f"del ssl cert {site}")[0].endswith("in use, can't be deleted!")
        assert p.ask(f"new ssl cert {site}") == [f"Certificate '{site}' already exists!"]
        wrong = [(site + ".key", key)]
        if not is_haproxy(binary):  # 2.6 ends with a segmentation fault
            wrong.append((site, with_a_strange_key(cert)))
        for path, text in wrong:
            p.ask(f"set ssl cert {path}", text)
            assert p.ask(f"commit ssl cert {site}") == [
                f"inconsistencies between private key and certificate loaded '{site}'.", f"Can't commit {site}!"]
            assert p.ask(f"abort ssl cert {site}") == [f"Transaction aborted for certificate '{site}'!"]
        assert p.shows() == serial_of(ONE)


def test_key_and_certificate_may_come_apart(binary):
    site, new = copy("apart.pem", ONE), AUTHORITY.make("new3", ["one.example"])
    cert, key = parts(new)
    with Certified(binary, f"crt {site}") as p:
        p.ask(f"set ssl cert {site}", cert)
        assert p.ask(f"set ssl cert {site}.key", key) == [f"Transaction updated for certificate {site}!"]
        assert p.ask(f"commit ssl cert {site}")[-1] == "Success!"
        assert p.shows() == serial_of(new)


def deploy(p, folder, pem):
    """What the hook of acme.sh for HAProxy sends, each by socat, and what it greps for. True: it is deployed."""

    def said(command, wanted):
        out = subprocess.run(["socat", p.path, "-"], input=command.encode(), capture_output=True, timeout=20).stdout.decode()
        return any(line == wanted[1:] if wanted[0] == "=" else wanted in line for line in out.splitlines())

    is_new = not said("show ssl cert\n", "=" + pem)
    with open(pem) as f:
        text = f.read()
    if is_new and not said(f"show ssl crt-list\n", "=" + folder):
        return False
    return ((not is_new or said(f"new ssl cert {pem}\n", "New empty")) and
            said(f"set ssl cert {pem} <<\n{text.strip()}\n\n", "Transaction created") and
            said(f"commit ssl cert {pem}\n", "=Success!") and
            (not is_new or said(f"add ssl crt-list {folder} {pem}\n", "Success!")))


def test_the_hook_of_acme_sh_deploys(binary):
    folder = AUTHORITY.path("acme")
    os.mkdir(folder)
    shutil.copy(ONE, folder + "/one.pem")
    first, second = AUTHORITY.make("acme1", ["fresh.example"]), AUTHORITY.make("acme2", ["fresh.example"])
    with Certified(binary, f"crt {folder}/") as p:
        assert p.shows("fresh.example") == serial_of(ONE)
        for new in (first, second):
            shutil.copy(new, folder + "/fresh.pem")
            assert deploy(p, folder, folder + "/fresh.pem")
            assert p.shows("fresh.example") == serial_of(new)
        assert p.shows("one.example") == serial_of(ONE)
        assert sorted(p.ask(f"show ssl crt-list {folder}"))[1:] == [folder + "/fresh.pem", folder + "/one.pem"]
        assert "must contain the directory path" in p.ask(f"add ssl crt-list {folder} {ONE}")[0]


def test_a_crt_list_grows_and_shrinks(binary):
    a = AUTHORITY
    listed, extra = a.path("grow.list"), a.make("extra", ["extra.example"])
    with open(listed, "w") as f:
        f.write(f"{ONE} one.example\n")
    with Certified(binary, f"crt-list {listed}") as p:
        assert p.ask(f"add ssl crt-list {listed} {extra}") == [
            f"Can't edit the crt-list: certificate '{extra}' does not exist!"]
        assert p.ask(f"new ssl cert {extra}") == [f"New empty certificate store '{extra}'!"]
        assert "Status: Empty" in p.ask(f"show ssl cert {extra}")
        assert p.ask(f"add ssl crt-list {listed} {extra}") == [f"Can't edit the crt-list: certificate '{extra}' is empty!"]
        assert p.ask(f"del ssl crt-list {listed} {extra}") == [f"Can't delete the entry: certificate '{extra}' is empty!"]
        p.replace(extra, extra)
        assert "Status: Unused" in p.ask(f"show ssl cert {extra}")
        assert p.ask(f"add ssl crt-list {listed} {extra}") == [
            f"Inserting certificate '{extra}' in crt-list '{listed}'.", "Success!"]
        assert p.shows("extra.example") == serial_of(extra)
        p.ask(f"add ssl crt-list {listed}", f"{extra} [ssl-max-ver TLSv1.2] *.more.example !not.more.example")
        assert p.shows("a.more.example") == serial_of(extra) and p.shows("not.more.example") == serial_of(ONE)
        with connect(p.port, "a.more.example") as s:
            assert s.version() == "TLSv1.2"
        lines = p.ask(f"show ssl crt-list -n {listed}")
        assert lines[:3] == [f"# {listed}", f"{ONE}:1 one.example", f"{extra}:2"], lines
        assert lines[3].startswith(f"{extra}:3 [ssl-max-ver TLSv1.2") and lines[3].endswith(" *.more.example !not.more.example")
        assert p.ask("show ssl crt-list") == [listed]
        assert p.ask(f"del ssl crt-list {listed} {extra}")[0].endswith("(2, 3)!")
        assert p.ask(f"del ssl crt-list {listed} {extra}:9")[0].endswith("(2, 3)!")
        assert "used as default certificate" in p.ask(f"del ssl crt-list {listed} {ONE}")[0]
        assert p.ask(f"del ssl crt-list {listed} {extra}:3") == [f"Entry '{extra}' deleted in crtlist '{listed}'!"]
        assert p.shows("a.more.example") == serial_of(ONE) and p.shows("extra.example") == serial_of(extra)
        assert "in use" in p.ask(f"del ssl cert {extra}")[0]
        p.ask(f"del ssl crt-list {listed} {extra}")
        assert p.ask(f"del ssl cert {extra}") == [f"Certificate '{extra}' deleted!"]
        assert p.shows("extra.example") == serial_of(ONE)
        for wrong in (f"add ssl crt-list /none {ONE}", f"del ssl crt-list /none {ONE}"):
            assert p.ask(wrong)[0].endswith("crt-list '/none' does not exist!")


def test_a_folder_takes_its_own_files_and_each_once(binary):
    a, folder = AUTHORITY, AUTHORITY.path("grown")
    os.mkdir(folder)
    one, listed = shutil.copy(ONE, f"{folder}/one.pem"), a.path("z.list")
    with open(listed, "w") as f:
        f.write(f"{ONE}\n")
    with Certified(binary, f"crt-list {listed} crt {folder} verify optional ca-file {a.ca}") as p:
        assert p.ask("show ssl crt-list") == [folder, listed], "by name"
        for words, told in (((ONE,), f"'{folder}' is a directory, certificate path '{ONE}' must contain the directory path"),
                            ((one,), "file already exists in this directory!")):
            for payload in (None, words[0] + " more.example"):
                line = f"add ssl crt-list {folder}" + ("" if payload else " " + words[0])
                assert p.ask(line, payload)[0] == "Can't edit the crt-list: " + told, (line, payload)
        p.ask(f"set ssl cert {ONE}", ONE)
        assert p.ask(f"del ssl cert {ONE}") == [f"Can't remove the certificate: ongoing transaction for the certificate '{ONE}'"]
        p.ask(f"set ssl ca-file {a.ca}", a.ca)
        assert p.ask("set ssl ca-file /none", a.ca)[0] == f"The ongoing transaction is about '{a.ca}' but you are trying to set '/none'"
        assert p.ask("show ssl ca-file /none") == ["Can't display the CA file : Not found!"]
        assert p.ask(f"set ssl ca-file {a.ca}", "nothing")[-2:] == ["Invalid payload", f"Can't update {a.ca}!"]


def lets_in(port, cert):
    try:
        with connect(port, "one.example", context(cert=cert)) as s:
            return get(s)[0] == 200
    except (ssl.SSLError, OSError):
        return False


TO_SERVERS = """
listen l
    bind 127.0.0.1:{port}
    server good 127.0.0.1:{front} ssl verify required ca-file {folder} crt {crt} check inter 200ms
    server bad 127.0.0.1:{front} ssl verify required ca-file {wrong} crt {crt} check inter 200ms fall 1
"""


def test_authorities_may_be_a_folder(binary):
    """Of clients and of servers; what is no certificate is left out, and nobody waits for a FIFO."""
    other = Authority("another authority")
    stranger = Authority("a stranger")
    folder = AUTHORITY.path("authorities")
    os.mkdir(folder)
    for name, what in (("a.pem", AUTHORITY.ca), ("b.cer", other.ca), (".c.pem", stranger.ca), ("d.txt", stranger.ca)):
        shutil.copy(what, os.path.join(folder, name))
    if "haproxy" not in binary:  # 2.6 waits
        os.mkfifo(os.path.join(folder, "b.pem"))
    clients = [a.make(f"folder{i}", [f"client{i}"]) for i, a in enumerate((AUTHORITY, other, stranger))]
    try:
        with Certified(binary, f"crt {ONE} verify required ca-file {folder}") as p:
            assert [lets_in(p.port, c) for c in clients] == [True, True, False]
            with Asked(binary, config(TO_SERVERS, front=p.port, folder=folder, wrong=stranger.ca, crt=clients[0])) as q:
                until("checks are through", lambda: (q.status("l/good"), q.status("l/bad")) == ("UP", "DOWN"))
                assert q.proxy.ask(b"GET / HTTP/1.0\r\n\r\n").startswith("HTTP/1.")
    finally:
        other.close()
        stranger.close()


def test_authorities_and_revocations_change(binary):
    ours, theirs = AUTHORITY, Authority("another authority")
    mine, other = ours.make("client1", ["mine"]), theirs.make("client2", ["other"])
    file, crl = copy("trusted.crt", ours.ca), ours.path("revoked.crl")
    open(ours.path("crl.index"), "w").close()
    with open(ours.path("crl.conf"), "w") as f:
        f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={ours.path('crl.index')}\ndefault_md=sha256\ndefault_crl_days=5\n")
    sign = ["ca", "-config", ours.path("crl.conf"), "-keyfile", ours.ca_key, "-cert", ours.ca]
    openssl(*sign, "-gencrl", "-out", crl)
    try:
        with Certified(binary, f"crt {ONE} verify required ca-file {file} crl-file {crl}") as p:
            assert lets_in(p.port, mine) and not lets_in(p.port, other)
            openssl(*sign, "-revoke", mine)
            openssl(*sign, "-gencrl", "-out", crl)
            p.replace(crl, crl, "crl-file")
            assert not lets_in(p.port, mine)
            assert "Status: Used" in p.ask(f"show ssl crl-file {crl}")
            assert f"    Serial Number: {serial_of(mine)}" in p.ask(f"show ssl crl-file {crl}:1")
        with Certified(binary, f"crt {ONE} verify required ca-file {file}") as p:
            p.replace(file, theirs.ca, "ca-file")
            assert lets_in(p.port, other) and not lets_in(p.port, mine)
            said = p.ask(f"show ssl ca-file {file}")
            assert said[:2] == [f"Filename: {file}", "Status: Used"] and "Subject: /CN=another authority" in said, said
            assert f"{file} - 1 certificate(s)" in p.ask("show ssl ca-file")
            assert p.ask(f"set ssl ca-file {file}", "nonsense")[-1] == f"Can't update {file}!"
            assert p.ask(f"new ssl ca-file {file}") == [f"CA file '{file}' already exists!"]
            assert p.ask("new ssl ca-file /more") == ["New CA file created '/more'!"]
            p.ask("set ssl ca-file /more", ours.ca)
            assert p.ask("abort ssl ca-file /more") == ["Transaction aborted for certificate '/more'!"]
            assert p.ask("del ssl ca-file /more") == ["CA file '/more' deleted!"]
            assert lets_in(p.port, other)
            if "haproxy" not in os.path.basename(binary):  # there since HAProxy 2.9
                assert p.ask(f"add ssl ca-file {file}", ours.ca)[0].startswith("transaction created for")
                assert p.ask(f"commit ssl ca-file {file}")[-1] == "Success!"
                assert lets_in(p.port, other) and lets_in(p.port, mine)
                assert f"{file} - 2 certificate(s)" in p.ask("show ssl ca-file")
    finally:
        theirs.close()


def test_an_ocsp_answer_is_replaced(binary):
    a = AUTHORITY
    site = a.make("ocsp.pem", ["ocsp.example"])
    cert, key = parts(site)
    with open(site, "w") as f:
        f.write(cert + open(a.ca).read() + key)

    def answer(status):
        with open(a.path("ocsp.index"), "w") as f:
            f.write(f"{status}\t351231235959Z\t{'260101000000Z' if status == 'R' else ''}\t{serial_of(site)}\tunknown\t/CN=x\n")
        openssl("ocsp", "-index", a.path("ocsp.index"), "-rsigner", a.ca, "-rkey", a.ca_key, "-CA", a.ca, "-issuer", a.ca,
                "-serial", "0x" + serial_of(site), "-respout", site + ".ocsp", "-ndays", "1")
        with open(site + ".ocsp", "rb") as f:
            return base64.b64encode(f.read()).decode()

    def stapled(p):
        r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{p.port}", "-servername", "x", "-status"],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        return [l.split(": ")[1] for l in r.stdout.decode().splitlines() if "Cert Status" in l]

    answer("V")
    with Certified(binary, f"crt {site}") as p:
        assert stapled(p) == ["good"]
        assert p.ask("set ssl ocsp-response", answer("R")) == ["OCSP Response updated!"]
        assert stapled(p) == ["revoked"]
        assert p.ask("set ssl ocsp-response", "Zm9v") == ["Unable to parse OCSP response."]
        assert p.ask("set ssl ocsp-response x")[0].endswith("invalid base64 encoded response.")
        assert stapled(p) == ["revoked"]


def test_ticket_keys_move_on(binary):
    keys = [base64.b64encode(os.urandom(80)).decode() for _ in range(5)]
    file = AUTHORITY.path("tickets")
    with open(file, "w") as f:
        f.write("\n".join(keys[:3]) + "\n")
    tls12 = context(high=ssl.TLSVersion.TLSv1_2)

    def session(p, old=None):
        """A new one, and whether `old` was taken up."""
        with connect(p.port, ctx=tls12, session=old) as s:
            get(s)
            return s.session, s.session_reused

    with Certified(binary, f"crt {ONE} tls-ticket-keys {file}") as p:
        assert p.ask("show tls-keys") == ["# id (file)", f"0 ({file})"]
        first, _ = session(p)
        assert session(p, first)[1]
        for new in keys[3:]:
            assert p.ask(f"set ssl tls-key {file} {new}") == ["TLS ticket key updated!"]
            assert session(p, first)[1] == (new == keys[3]), "it was made with the second of three"
        assert p.ask("show tls-keys #0") == ["# id secret", f"# 0 ({file})"] + [f"0.{i} {k}" for i, k in enumerate(keys[2:])]
        assert p.ask("set ssl tls-key #0 abc") == ["'set ssl tls-key' received invalid base64 encoded TLS key."]
        small = base64.b64encode(os.urandom(48)).decode()
        assert p.ask(f"set ssl tls-key #0 {small}") == ["'set ssl tls-key' received a key of wrong size."]
        assert p.ask(f"set ssl tls-key #1 {small}") == ["'set ssl tls-key' unable to locate referenced filename"]


BACK = """
global
    stats socket {socket} level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen f
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{server} ssl verify required ca-file {ca} crt {crt}
"""


def test_what_servers_see_and_must_show_changes(binary):
    a, other = AUTHORITY, Authority("another authority")
    mine, new = copy("mine.pem", ONE), a.make("new5", ["two.example"])
    trusted, theirs = copy("servers.crt", a.ca), other.make("theirs", ["server.example"])
    shown = {"cert": ONE}

    def serve(server, c):
        """Tells the serial number of who asks."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(shown["cert"])
        ctx.load_verify_locations(a.ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
        try:
            with ctx.wrap_socket(c, server_side=True) as s:
                s.sendall(serial_of(ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode()).encode())
        except OSError:
            pass

    server = Server(serve)
    folder = tempfile.mkdtemp(prefix="proxyd-certs.")
    text = BACK.replace("{server}", str(server.port)).replace("{ca}", trusted).replace("{crt}", mine)
    try:
        with Proxy(binary, text.replace("{socket}", folder + "/socket")) as p:
            ask = Certified.ask
            p.path = folder + "/socket"
            assert p.ask(b"") == serial_of(ONE)
            for kind, file, pem in (("cert", mine, new), ("ca-file", trusted, other.ca)):
                assert "reated for" in ask(p, f"set ssl {kind} {file}", pem)[0]
                assert ask(p, f"commit ssl {kind} {file}") == [f"Committing {file}.", "Success!"]
                if kind == "ca-file":
                    assert p.ask(b"") == "", "it is not trusted any more"
                    shown["cert"] = theirs
                assert p.ask(b"") == serial_of(new)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        other.close()


def test_checks_take_them_at_once(binary):
    a, other = AUTHORITY, Authority("another authority")
    mine, trusted, stranger = copy("mine.pem", ONE), copy("checks.crt", a.ca), other.make("stranger", ["two.example"])

    def serve(server, c):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2  # whose handshake ends with the server's word
        ctx.load_cert_chain(ONE)
        ctx.load_verify_locations(a.ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
        try:
            with ctx.wrap_socket(c, server_side=True):
                pass
        except OSError:
            pass

    server = Server(serve)
    folder = tempfile.mkdtemp(prefix="proxyd-certs.")
    text = BACK.replace("{server}", str(server.port)).replace("{ca}", trusted).replace("{crt}", mine)
    text = text.replace(" ssl verify", " check inter 200ms fall 1 rise 1 ssl no-ssl-reuse verify")
    text = text.replace("defaults", "defaults\n    timeout check 5s")
    try:
        with Proxy(binary, text.replace("{socket}", folder + "/socket")) as p:
            p.path = folder + "/socket"

            def status():
                return next(row.split(",")[17] for row in Certified.ask(p, "show stat") if row.startswith("f,s,"))

            until("it is up", lambda: status() == "UP")
            for kind, file, pem, then in (("ca-file", trusted, other.ca, "DOWN"), ("ca-file", trusted, a.ca, "UP"),
                                          ("cert", mine, stranger, "DOWN"), ("cert", mine, ONE, "UP")):
                if kind == "cert" and "haproxy" in os.path.basename(binary):
                    break  # its check goes on with the session it has, for half a minute
                assert "reated for" in Certified.ask(p, f"set ssl {kind} {file}", pem)[0]
                assert Certified.ask(p, f"commit ssl {kind} {file}")[-1] == "Success!"
                until(f"with {pem} it is {then}", lambda: status() == then)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        other.close()


def test_traffic_does_not_notice(binary):
    """Handshakes all the while: each gets one of the two."""
    site, new = copy("busy.pem", ONE), AUTHORITY.make("new4", ["one.example"])
    known, wrong, end = {serial_of(ONE), serial_of(new)}, [], threading.Event()

    def client(port):
        while not end.is_set():
            try:
                with connect(port) as s:
                    got = serial_of(ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode())
                    if got not in known or get(s)[0] != 200:
                        wrong.append(got)
            except OSError as e:
                wrong.append(str(e))

    with Certified(binary, f"crt {site}") as p:
        threads = [threading.Thread(target=client, args=(p.port,)) for _ in range(3)]
        for t in threads:
            t.start()
        for i in range(12):
            p.replace(site, ONE if i % 2 else new)
        end.set()
        for t in threads:
            t.join()
        assert not wrong, wrong[:3]
        assert p.shows() == serial_of(ONE)


if __name__ == "__main__":
    own_network()
    AUTHORITY = Authority()
    ONE = AUTHORITY.make("one", ["one.example"])
    try:
        main(globals(), needs=["openssl", "socat"])
    finally:
        AUTHORITY.close()
