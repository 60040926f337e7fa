#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What lies beside certificates, as HAProxy looks for it:   cert_files_twin.py BINARY

issuers-chain-path, ssl-skip-self-issued-ca, ssl-load-extra-files, ssl-load-extra-del-ext, ssl-provider."""
import os
import shutil
import subprocess
import tempfile

from support import Asked, config, main
from tls_support import Authority, openssl

AUTHORITY = Authority("root")


def intermediate(authority):
    """An authority that the other one made: certificate and key."""
    base = authority.path("middle")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=middle", "-keyout", base + ".k", "-out", base + ".csr")
    with open(base + ".ext", "w") as f:
        f.write("basicConstraints=critical,CA:true\nsubjectKeyIdentifier=hash\n")
    openssl("x509", "-req", "-in", base + ".csr", "-CA", authority.ca, "-CAkey", authority.ca_key, "-CAcreateserial", "-days", "9", "-extfile",
            base + ".ext", "-out", base + ".c")
    return base + ".c", base + ".k"


def leaf(authority, by, key, name):
    """Certificate and key, in files of their own."""
    base = authority.path(name)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", base + ".k", "-out", base + ".csr")
    with open(base + ".ext", "w") as f:
        f.write("authorityKeyIdentifier=keyid\n")
    openssl("x509", "-req", "-in", base + ".csr", "-CA", by, "-CAkey", key, "-CAcreateserial", "-days", "9", "-extfile", base + ".ext", "-out", base + ".c")
    return base + ".c", base + ".k"


def join(to, *files):
    with open(to, "w") as out:
        for name in files:
            with open(name) as f:
                out.write(f.read())
    return to


def shown(port):
    """The names of the chain that a client is shown."""
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts"], input=b"", capture_output=True, timeout=20)
    return [line.split("CN = ")[1] for line in r.stdout.decode().splitlines() if line.strip()[:1].isdigit() and " s:" in line]


def text(crt, more):
    return config(f"frontend f\n    bind 127.0.0.1:{{port}} ssl crt {crt}\n").replace("global\n", "global\n" + more)


def test_chains_of_issuers(binary):
    middle, middle_key = intermediate(AUTHORITY)
    cert, key = leaf(AUTHORITY, middle, middle_key, "leaf")
    alone = join(AUTHORITY.path("alone.pem"), cert, key)
    own = join(AUTHORITY.path("own.pem"), cert, middle, AUTHORITY.ca, key)
    folder = AUTHORITY.path("issuers")
    os.mkdir(folder)
    chain = join(folder + "/middle.pem", middle, AUTHORITY.ca)
    path = f"    issuers-chain-path {folder}\n"
    skip = "    ssl-skip-self-issued-ca\n"
    for crt, more, wanted in (
        (alone, "", ["leaf"]),
        (alone, path, ["leaf", "middle", "root"]),
        (alone, path + skip, ["leaf", "middle"]),
        (own, "", ["leaf", "middle", "root"]),
        (own, path + skip, ["leaf", "middle"]),
    ):
        with Asked(binary, text(crt, more)) as p:
            assert shown(p.proxy.port) == wanted, (crt, more, shown(p.proxy.port))
            said = p.ask("show ssl cert " + crt).splitlines()
            assert [line.split(": ")[1] for line in said if line.startswith("Chain Filename")] == ([chain] if crt == alone and path in more else []), said
            assert sum(line.startswith("Chain Subject") for line in said) == (0 if crt == alone and path not in more else 2), said


def loads(binary, crt, more):
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as f:
        f.write(text(crt, more).replace("{port}", "1"))
        f.flush()
        return subprocess.run([binary, "-c", "-f", f.name], capture_output=True, timeout=20).returncode == 0


def test_files_that_are_looked_for(binary):
    cert, key = leaf(AUTHORITY, AUTHORITY.ca, AUTHORITY.ca_key, "files")
    apart = shutil.copy(cert, AUTHORITY.path("apart.crt"))
    shutil.copy(key, apart + ".key")
    short = shutil.copy(cert, AUTHORITY.path("short.crt"))
    shutil.copy(key, AUTHORITY.path("short.key"))
    bundle = AUTHORITY.path("bundle.pem")
    join(bundle + ".ecdsa", cert, key)
    for crt, more, well in (
        (apart, "", True),
        (apart, "    ssl-load-extra-files none\n", False),
        (apart, "    ssl-load-extra-files bundle ocsp\n", False),
        (apart, "    ssl-load-extra-files ocsp key\n", True),
        (apart, "    ssl-load-extra-files keys\n", False),
        (short, "    ssl-load-extra-del-ext\n", True),
        (short, "    ssl-load-extra-del-ext\n    ssl-load-extra-files none\n", False),
        (bundle, "", True),
        (bundle, "    ssl-load-extra-files key\n", False),
        (apart, "    issuers-chain-path /nonexistent\n", False),
        (apart, "    ssl-provider default\n    ssl-propquery provider=default\n", True),
        (apart, "    ssl-provider nonexistent\n", False),
    ):
        assert loads(binary, crt, more) == well, (crt, more)


if __name__ == "__main__":
    try:
        main(globals())
    finally:
        AUTHORITY.close()
