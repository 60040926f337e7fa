#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Values out of JSON, and JSON Web Tokens, in proxyd and HAProxy alike:   jwt_twin.py BINARY"""
import base64
import hashlib
import hmac
import os
import subprocess
import tempfile

from support import Proxy, config, main, read_all

HEAD = """
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    http-request set-var(txn.alg) req.hdr(x-alg)
    http-request set-var(txn.key) req.hdr(x-key)
    http-request return status 200 content-type text/plain lf-string "LINES"
"""


def configured(lines):
    return config(HEAD.replace("LINES", "|".join(lines).replace("$", "\\$")))  # no variable of the environment


def values(p, fields):
    with p.connect() as s:
        lines = ["GET / HTTP/1.1", "Host: h", "Connection: close", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        s.sendall("\r\n".join(lines).encode())
        return read_all(s).decode().split("\r\n\r\n", 1)[1].split("|")


JSON = (r'{ "a" : {"b": [1, "two", {"c": true}], "d.e": "x\"\n\u00e9y"}, "n": -12, "f": 1.50, "big": 123456789012,'
        r' "t": true, "no": false, "nil": null, "s": "", "l": [ 1,2 ]}')

QUERIES = {
    "$.a.b[0]": "1",
    "$.a.b[1]": "two",
    "$.a.b[2].c": "1",
    "$.a.b[3]": "",
    "$.a.b": '[1, "two", {"c": true}]',
    "$.a": "",
    "$.n": "-12",
    "$.n',int,'": "-12",
    "$.f": "1.5",
    "$.f',int,'": "1",
    "$.big": "1.23457e+11",
    "$.big',int,'": "123456789012",
    "$.t": "1",
    "$.no": "0",
    "$.nil": "",
    "$.s": "",
    "$.l": "[ 1,2 ]",
    "$.none": "",
    "$.n.x": "",
    "$[0]": "",
}


def query(path):
    name, _, more = path.partition("'")
    return f"%[req.fhdr(x-json),json_query('{name}'{',int' if more else ''})]"


def test_json(binary):
    with Proxy(binary, configured(map(query, QUERIES))) as p:
        for (path, wanted), got in zip(QUERIES.items(), values(p, {"X-Json": JSON})):
            if wanted.startswith("[") and os.path.basename(binary) == "haproxy":
                continue  # HAProxy gives arrays from 2.8 on
            assert got == wanted, (path, got)
        for broken in ("", "{", '{"n"', '{"n":', '{"n" 1}', "[" * 50, '{"x":' * 50, '"n'):
            got = values(p, {"X-Json": broken})
            assert not any(got), (broken, got)


def code(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def raw(der, half):
    """The two numbers of a signature by elliptic curves, side by side."""
    at = 3 if der[1] & 0x80 else 2
    numbers = []
    for _ in range(2):
        n = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + n], "big").to_bytes(half, "big"))
        at += 2 + n
    return b"".join(numbers)


def token(alg, sign):
    text = code(b'{"alg":"%s","typ":"JWT"}' % alg.encode()) + "." + code(b'{"sub":"ada","n":5,"roles":["x","y"]}')
    return text + "." + code(sign(text.encode()))


def test_tokens(binary):
    with tempfile.TemporaryDirectory() as folder:
        keys = {"rsa": ["-algorithm", "RSA"], "ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                "ec5": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]}
        for name, how in keys.items():
            openssl("genpkey", *how, "-out", f"{folder}/{name}")
            openssl("pkey", "-in", f"{folder}/{name}", "-pubout", "-out", f"{folder}/{name}.pem")

        def signed(name, digest, *how):
            return lambda text: openssl("dgst", "-" + digest, *how, "-sign", f"{folder}/{name}", data=text)

        good = {
            "HS256": token("HS256", lambda text: hmac.new(b"secret", text, hashlib.sha256).digest()),
            "HS512": token("HS512", lambda text: hmac.new(b"secret", text, hashlib.sha512).digest()),
            "RS256": token("RS256", signed("rsa", "sha256")),
            "RS384": token("RS384", signed("rsa", "sha384")),
            "ES256": token("ES256", lambda text: raw(signed("ec", "sha256")(text), 32)),
            "ES512": token("ES512", lambda text: raw(signed("ec5", "sha512")(text), 66)),
            "none": token("none", lambda text: b""),
        }
        key_of = {"HS256": "secret", "HS512": "secret", "RS256": f"{folder}/rsa.pem", "RS384": f"{folder}/rsa.pem",
                  "ES256": f"{folder}/ec.pem", "ES512": f"{folder}/ec5.pem", "none": "x"}
        if os.path.basename(binary) != "haproxy":  # Debian's does not know them
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
            good["PS256"] = token("PS256", signed("rsa", "sha256", *pss))
            key_of["PS256"] = f"{folder}/rsa.pem"
        lines = [f"%[req.hdr(x-jwt),jwt_verify({alg},'{key}')]" for alg, key in key_of.items()]
        lines += ["%[req.hdr(x-jwt),jwt_verify(txn.alg,txn.key)]", "%[req.hdr(x-jwt),jwt_header_query('$.alg')]",
                  "%[req.hdr(x-jwt),jwt_payload_query('$.n',int)]", "%[req.hdr(x-jwt),jwt_payload_query('$.roles[1]')]",
                  "%[req.hdr(x-jwt),jwt_payload_query]"]
        with Proxy(binary, configured(lines)) as p:
            for i, (alg, jwt) in enumerate(good.items()):
                got = values(p, {"X-Jwt": jwt, "X-Alg": alg, "X-Key": key_of[alg]})
                assert got[i] == "1", (alg, got)
                others = [v for k, v in enumerate(got[:len(good)]) if k != i]
                assert "1" not in others, (alg, got)
                assert not alg.startswith("HS") or got[len(good)] == "1", (alg, got)
                assert got[len(good) + 1:-1] == [alg, "5", "y"], (alg, got)
                if os.path.basename(binary) != "haproxy":  # without a path 2.6.12 gives nothing, its manual says all
                    assert got[-1] == '{"sub":"ada","n":5,"roles":["x","y"]}', (alg, got)
                head, body, signature = jwt.split(".")
                other = code(b'{"sub":"eve"}')
                if signature:
                    assert values(p, {"X-Jwt": f"{head}.{other}.{signature}"})[i] == "0", alg
                    assert values(p, {"X-Jwt": f"{head}.{body}."})[i] == "-3", alg
                    assert values(p, {"X-Jwt": f"{head}.{body}.{signature[:-6]}"})[i] in ("0", "-3"), alg
                assert values(p, {"X-Jwt": f"{head}"})[i] == "-3", alg
                assert values(p, {"X-Jwt": jwt + ".x"})[i] == "-3", alg
            assert values(p, {"X-Jwt": good["HS256"], "X-Alg": "XX", "X-Key": "secret"})[len(good)] == "-1"
            assert values(p, {"X-Jwt": "!.!.!"})[len(good) + 1:] == [""] * 4


if __name__ == "__main__":
    main(globals())
