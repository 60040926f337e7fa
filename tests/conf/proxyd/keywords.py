#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every keyword of HAProxy's gets an answer: it works, it is said that it has no effect, or it is refused with its reason.

    keywords.py PROXYD PAGE           the page's list of keywords says what proxyd does
    keywords.py PROXYD PAGE --write   … is made to
    keywords.py PROXYD haproxy        the table has every keyword that HAProxy itself lists
    keywords.py PROXYD haproxy --each   … and prints the lines that HAProxy does not take (for whoever adds some; slow)

keywords.txt is the table: "family | keyword | arguments", the line being both, or what stands behind "=". A line is
tried alone, in a section made for its family.
"""
import collections
import json
import pathlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

BATCH = 60  # lines in one file: proxyd keeps 200 findings
TABLE = pathlib.Path(__file__).with_name("keywords.txt")
Row = collections.namedtuple("Row", "family name line")

BASE = """global
    stats socket {socket}
defaults
    mode http
    timeout client 1s
    timeout server 1s
    timeout connect 1s
userlist ul
    user u insecure-password x
resolvers dns
    nameserver d 127.0.0.1:53
mailers m
    mailer x 127.0.0.1:25
cache c
    total-max-size 4
ring r
    size 32768
http-errors he
    errorfile 503 {errorfile}
peers p
    peer x 127.0.0.1:1024
    server y 127.0.0.1:1025
backend st
    stick-table type ip size 1k expire 1m store conn_cnt,gpc0,gpc1,gpt0,http_req_rate(1m)
backend be
    server s 127.0.0.1:80 check
frontend fe
    bind 127.0.0.1:8000
    default_backend be
"""
BEHIND = "    http-request track-sc0 src table st\n"  # for what asks a counter
PARTS = {
    "section": "",
    "directive": "",
    "global": "global\n",
    "bind": "listen l{n}\n    bind 127.0.0.1:{port} ssl crt {pem} ",
    "server": "backend be{n}\n    server s{n} 127.0.0.1:80 ",
    "condition": "listen l{n}\n    ",
    "fetch": "listen l{n}\n    declare capture request len 9\n    http-request set-var(txn.v) ",
    "fetch-res": "listen l{n}\n    declare capture response len 9\n    http-response set-var(txn.v) ",
    "conv": "listen l{n}\n    declare capture request len 9\n    http-request set-var(txn.v) ",
    "flag": "listen l{n}\n    acl a ",
    "peers": "peers p{n}\n    ",
    "ring": "ring r{n}\n    ",
    "resolvers": "resolvers d{n}\n    ",
    "cache": "cache c{n}\n    total-max-size 4\n    ",
    "mailers": "mailers m{n}\n    ",
    "userlist": "userlist u{n}\n    ",
    "http-errors": "http-errors h{n}\n    ",
}
# Of HAProxy's own list: its debugging aids, parts that take another program, and families that its list shortens.
NOT_OURS = re.compile(r"internal\.|fcgi\.|.*track-sc$|.*ot-group$|http-errors$")


def table():
    for text in TABLE.read_text().splitlines():
        family, name, rest = [*(x.strip() for x in text.split(" | ", 2)), ""][:3]
        join = "" if rest.startswith("(") else " "
        yield Row(family, name, rest[1:].replace("\\n", "\n") if rest.startswith("=") else
                  rest if family in ("fetch", "fetch-res", "conv") else (name + join + rest).strip())


class Files(dict):
    """What lines name: {pem} and its like."""

    def __init__(self, folder):
        super().__init__(dir=folder, socket=folder + "/socket")
        self.folder = folder
        key, cert = folder + "/key", folder + "/cert"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                        "-subj", "/CN=x.example", "-keyout", key, "-out", cert], check=True, capture_output=True)
        both = open(cert).read() + open(key).read()
        self.put("pem", both)
        self["ca"] = cert
        os.mkdir(folder + "/issuers")
        self["issuers"] = os.path.dirname(self.write("issuers/one.pem", open(cert).read()))
        open(folder + "/index", "w").close()
        ca = self.put("ca_cnf", f"[ca]\ndefault_ca=c\n[c]\ndatabase={folder}/index\ndefault_md=sha256\ndefault_crl_days=9\n")
        subprocess.run(["openssl", "ca", "-config", ca, "-gencrl", "-keyfile", key, "-cert", cert, "-out", folder + "/crl"],
                       check=True, capture_output=True)
        self["crl"] = folder + "/crl"
        self.put("crtlist", self["pem"] + "\n")
        self.put("tickets", "".join("A" * 63 + "%s\n" % c for c in "AEI"))
        self.put("dh", subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"],
                                      check=True, capture_output=True, text=True).stdout)
        self.put("map", "x y\n")
        self.put("mapint", "x 1\n")
        self.put("mapip", "x 127.0.0.1\n")
        self.put("mapintint", "1 1\n")
        self.put("mapintip", "1 127.0.0.1\n")
        self.put("mapipint", "127.0.0.1 1\n")
        self.put("mapipip", "127.0.0.1 127.0.0.1\n")
        self.put("acl", "127.0.0.1\n")
        self.put("empty", "")
        self.put("errorfile", "HTTP/1.0 503 No\r\nContent-Length: 0\r\n\r\n")

    def put(self, name, text):
        self[name] = self.write(name, text)
        return self[name]

    def write(self, name, text):
        path = self.folder + "/" + name
        with open(path, "w", newline="") as f:
            f.write(text)
        return path

    def fill(self, text):
        for name, path in self.items():
            text = text.replace("{%s}" % name, path)
        return text


def write(files, name, rows):
    """A file with a section for each row. Returns its name and, for each row, the lines it has there."""
    text, places = BASE.rstrip("\n") + "\n", []
    for n, row in enumerate(rows):
        part = PARTS.get(row.family, "listen l{n}\n    ").replace("{n}", str(n)).replace("{port}", str(8100 + n))
        if row.family in ("fetch", "conv") and ("sc" in row.name):
            part = part.replace("    http-request", BEHIND + "    http-request")
        if row.family in ("fetch", "fetch-res") and row.line.startswith("acl "):
            part = part[: part.rindex("    ") + 4]
        line = row.line.replace("{n}", str(n)).replace("{port}", str(8100 + n))
        first = text.count("\n") + part.count("\n") + 1
        part += line + "\n"
        text += part
        places.append(range(first, text.count("\n") + 1))
    return files.write(name, files.fill(text)), places


def findings(proxyd, path):
    out = subprocess.run([proxyd, "--json", "-dr", "-dD", "-f", path], capture_output=True, text=True, timeout=20)
    assert out.returncode in (0, 1), (out.returncode, out.stderr)
    return json.loads(out.stdout)


WORKS, NO_EFFECT, REFUSED, UNKNOWN = "works", "no effect", "refused", "unknown"


def judge(found):
    """State and reason of a row by its findings. What only warns of the example's own shape is no loss of effect."""
    worst, why = WORKS, ""
    for f in found:
        text = f["text"]
        if text.startswith("cannot open the network namespace"):  # this machine has none of that name
            continue
        if f["level"] == "error":
            return (UNKNOWN if re.match(r"unknown|there is no", text) else REFUSED), text
        if f["level"] == "warning" and not re.search(r"has no bind line|never gets a connection|taken as mode http|is above: this line is ignored|^x$", text):
            worst, why = NO_EFFECT, text
    return worst, why


def states(proxyd, rows, files):
    """What proxyd says of each row. An error ends the reading before all is checked: those rows are left out then."""
    state = {}
    for _ in range(2):
        left = [r for r in rows if r not in state or state[r][0] in (WORKS, NO_EFFECT)]
        alone = [r for r in left if r.name == "namespace"]
        left = [r for r in left if r not in alone]
        for batch in [alone] + [left[i : i + BATCH] for i in range(0, len(left), BATCH)]:
            path, places = write(files, "batch.cfg", batch)
            found = findings(proxyd, path)
            for row, lines in zip(batch, places):
                state[row] = judge([f for f in found if f.get("line") in lines])
    return state


def refusal(haproxy, files, row):
    """HAProxy's first alert about a row, or None."""
    path, _ = write(files, "one.cfg", [row])
    out = subprocess.run([haproxy, "-dr", "-c", "-f", path], capture_output=True, text=True, timeout=20)
    return next((x for x in out.stderr.splitlines() if "ALERT" in x), None)


def reason(text):
    """What stands behind the words every such line has."""
    text = re.sub(r"^.* is known to HAProxy, not supported by this version(: ignored)?(; |: )?", "", text)
    return re.sub(r"^section \S+ is read and has no effect(:| but for its tables:) ", "", text)


TITLES = {
    "section": "Sections",
    "directive": "Directives (`.if` and its like)",
    "global": "`global`",
    "bind": "`bind`",
    "server": "`server`",
    "proxy": "`frontend`, `backend`, `listen`, `defaults`",
    "rule argument": "Arguments of rules",
    "cookie": "`cookie`",
    "table": "`stick-table`",
    "log": "`log`",
    "address": "Addresses",
    "condition": "Conditions (predefined ACLs)",
    "flag": "Flags of ACLs",
    "fetch": "Sample fetches",
    "conv": "Converters",
}
MANY = 100  # names in a list: more are put in groups of the same beginning


def listed(names):
    """A list of names, in lines that a person can read."""
    text = ", ".join(f"`{n}`" for n in names).replace(" ", "\0").replace(",\0", ", ")  # no break within a name
    return textwrap.fill(text, 140, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ").replace("\0", " ")


def groups(names):
    """Names of the same beginning, where there are some; the others."""
    many = collections.defaultdict(list)
    for n in names:
        many[re.match(r"no option|(?!option)[\w-]+(?= )|[a-z]*", n).group()].append(n)
    alone = [n for begin, here in many.items() if len(here) < 5 or not begin for n in here]
    return [here for begin, here in many.items() if len(here) >= 5 and begin] + ([alone] if alone else [])


def report(rows, state):
    count = collections.Counter(state[r][0] for r in rows)
    out = [f"Of {len(rows)} keywords, {count[WORKS]} work, {count[NO_EFFECT]} have no effect (a warning says so) and {count[REFUSED]} are "
           "refused (an error says so).", ""]
    for family in dict.fromkeys(r.family.replace("-res", "") for r in rows):
        here = [r for r in rows if r.family.replace("-res", "") == family]
        out += [f"### {TITLES.get(family, f'Section `{family}`' if family in PARTS else family)}", ""]
        good = [r.name for r in here if state[r][0] == WORKS]
        if good:
            out += ["These work:", ""] + ["- " + listed(g) for g in (groups(good) if len(good) > MANY else [good])] + [""]
        rest = collections.defaultdict(list)
        for r in here:
            if state[r][0] != WORKS:
                why = reason(state[r][1]) or ("not in this version" if state[r][0] == REFUSED else "ignored")
                rest[state[r][0], why].append(f"`{r.name}`")
        if rest:
            out += ["| keyword | is | what is said of it |", "|---|---|---|"]
            out += [f"| {', '.join(names)} | {what} | {why.replace('|', chr(92) + '|')} |" for (what, why), names in rest.items()]
            out.append("")
    return "\n".join(out)


def registered(haproxy, files):
    """The names HAProxy lists when asked for its keywords (2.6 and later)."""
    path = files.write("none.cfg", "defaults\n")
    text = subprocess.run([haproxy, "-dKall", "-q", "-c", "-f", path], capture_output=True, text=True).stdout
    part = dict(p.split("\n", 1) for p in re.split(r"^# List of registered ", text, flags=re.M)[1:])
    for line in part["configuration keywords:"].splitlines():
        if line.startswith("\t"):
            words = re.sub(r" \[.*| \+.*|\*$", "", line.strip())
            m = re.match(r"(bind|server) (?:<\w+> )+(?:ssl (?=\S))?(.*)", words)
            yield ("bind" if m.group(1) == "bind" else "server", m.group(2)) if m else ("", words)
    for line in part["sample converter functions:"].splitlines():
        yield "conv", re.match(r"[\w.+-]+", line).group()
    for line in part["sample fetch functions:"].splitlines():
        m = re.match(r"\[.*\] ([\w.+-]+)", line)
        if m:
            yield "fetch", m.group(1)


def main():
    proxyd, other = sys.argv[1:3]
    rows = list(table())
    assert len(rows) == len(set(rows)) > 1500
    if other == "haproxy" and not shutil.which(other):
        print("no haproxy here: apt-get install haproxy")
        return 77
    with tempfile.TemporaryDirectory(prefix="proxyd-keywords.") as folder:
        files = Files(folder)
        state = states(proxyd, rows, files)
        bad = [f"{r.family} | {r.name}: {state[r][1]}" for r in rows if state[r][0] == UNKNOWN]
        if other == "haproxy":
            known = {(r.family.replace("-res", ""), r.name) for r in rows}
            names = {r.name for r in rows} | {r.name.split()[0] for r in rows}
            for family, name in registered(other, files):
                if not NOT_OURS.match(name) and (family, name) not in known and (family or name not in names):
                    bad.append(f"not in the table: {family} {name}")
            for row in rows if "--each" in sys.argv else ():
                said = refusal(other, files, row)
                if said:
                    print("HAProxy refuses", row, said)
        else:
            page = pathlib.Path(other)
            begin, end = "<!-- keywords -->\n", "<!-- end of keywords -->"
            text = page.read_text()
            new = text[: text.index(begin) + len(begin)] + report(rows, state) + text[text.index(end) :]
            if "--write" in sys.argv:
                page.write_text(new)
            elif new != text:
                bad.append(f"{page} is not what proxyd does: run {sys.argv[0]} PROXYD {page} --write")
    print("\n".join(bad))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
