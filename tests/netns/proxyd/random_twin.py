#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Expressions and conditions made at random, in proxyd and HAProxy alike:   random_twin.py BINARY

What a seed makes is always the same. RANDOM_SEED=N RANDOM_ROUNDS=N hunts elsewhere, and longer; a failure names its seed.
What differs stands in a line of its own, so there is nothing to make smaller.
"""
import os
import random
import shutil

from support import Proxy, config, main, read_all

LINES = 24  # of a configuration: their values have to fit in one answer
TEXTS = ("", "abc", "AbC dEf", "a,b,c", "a;b", "a=1&b=2", "1.2.3.4", "::1", "%41%zz%4", "a%20b+c", "  x  ", "a//b/../c", "..a..", "123abc", "YWJj", "YWI", "host.Com:80")
NUMBERS = (0, 1, 2, 3, 7, 10, 63, 255, 65536, -1, -10, 2**63 - 1, -(2**63))
PLACES = (1, 2, 3, 5, 9, -1, -2, -9)
PATTERNS = ("a", "(.)", "b+", "^", "[a-c]", ".*", r"\d", r"\w", r"(a)(b)?", r"\.")
NAMES = ("x-a", "X-B", "host", "x-none")
TARGETS = ("/", "/?", "/p?a=1&b=2", "/a/b/c?b=%41;a=+x", "/a?=1&b&a", "/x?a=1?b=2", "/p;b=1?a", "//p//?=&=", "http://h.example", "/%2e/.A")
VALUES = ("", "a", "abc", "10", "-5", "a,b,c", " a , b ", "1.2.3.4, ::1", '"q,r",s', "AbC", ",,a", "caf\xe9", "a;b")


class Maker:
    """Text of a configuration. Each of text(), number() and truth() is an expression of that type."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.one_of = self.random.choice

    def word(self):
        return f'"{self.one_of(TEXTS)}"'

    def delimiter(self):
        return self.one_of((";", "/", ".", ":", "=", "&", "a", '","', '" "', "ab"))

    def text(self, depth=None):
        depth = self.random.randrange(4) if depth is None else depth
        if not depth:
            name, place = self.one_of(NAMES), self.one_of(PLACES)
            return self.one_of((
                f"str({self.word()})", f"req.hdr({name})", f"req.hdr({name},{place})", f"req.fhdr({name},{place})", "path", "pathq", "query", "url",
                "base", "baseq", "urlp(a)", "urlp(b)", "urlp(b,;)", "req.cook(a)", "req.cook(b)", "var(txn.s)", f"var(txn.none,{self.word()})", "src"))
        inner = self.text(depth - 1)
        place, count, number = self.one_of(PLACES), self.one_of(PLACES + (0,)), self.one_of(NUMBERS)
        return self.one_of((
            f"{inner},{self.one_of(('lower', 'upper', 'hex', 'base64', 'url_dec', 'url_enc', 'host_only', 'cut_crlf', 'json', 'json(utf8s)'))}",
            f"{inner},field({place},{self.delimiter()},{count})", f"{inner},word({place},{self.delimiter()},{count})",
            f"{inner},ltrim({self.delimiter()})", f"{inner},rtrim({self.delimiter()})", f"{inner},concat({self.word()},txn.s,{self.word()})",
            f'{inner},regsub("{self.one_of(PATTERNS)}","<{self.one_of(("", "x", r"&"))}>",{self.one_of(("", "g", "gi"))})',
            f"{inner},add_item({self.delimiter()},txn.s,{self.word()})", f"{inner},bytes({abs(place)},{abs(number) % 9}),hex", f"{inner},sha1,hex",
            f"{self.truth()},iif({self.word()},{self.word()})", f"{inner},language(a;b;c,none)"))

    def number(self):
        inner = self.one_of((
            f"int({self.one_of(NUMBERS)})", f"{self.text()},length", f"req.hdr_cnt({self.one_of(NAMES)})", f"req.hdr_val({self.one_of(NAMES)})", "req.cook_cnt(a)",
            f"{self.text()},{self.one_of(('crc32', 'djb2', 'sdbm', 'wt6', 'xxh32', 'xxh64', 'crc32c'))}", f"{self.text()},strcmp(txn.s)", "url32", "base32"))
        for _ in range(self.random.randrange(3)):  # no sums: of two negative numbers HAProxy 2.6 has the largest one
            inner += self.one_of((",neg", ",cpl", f",{self.one_of(('mul', 'div', 'mod', 'and', 'or', 'xor'))}({self.one_of(NUMBERS)})"))
        return inner

    def truth(self):
        return self.one_of((f"{self.text(0)},length,odd", "bool(true)", "bool(false)", "req.hdr_cnt(x-a),not"))

    def condition(self):
        text, number, name = f"'{self.text()}'", f"'{self.number()}'", self.one_of(NAMES)
        match, pattern = self.one_of(("str", "beg", "end", "sub", "dir", "dom")), f"'{self.one_of(TEXTS[1:])}' '{self.one_of(VALUES[1:5])}'"
        test = self.one_of((
            f"{text} -m {match} {self.one_of(('', '-i '))}{pattern}", f"{text} -m found", f"req.hdr({name}) -m ip 1.0.0.0/8 ::/64",
            f"{number} {self.one_of(('lt', 'le', 'eq', 'ge', 'gt'))} {self.random.randrange(12)}", f"{text} -m len 0 3:5 9:",
            f"{text} -m reg {self.one_of(('', '-i '))}'{self.one_of(PATTERNS)}'", f"path -m {match} {pattern}", f"hdr({name}) -m {match} -i {pattern}"))
        return self.one_of(("", "!")) + "{ " + test + " }"

    def line(self):
        kind = self.random.randrange(3)
        if kind == 2:
            return f"str(yes) if {self.condition()} {self.one_of(('', 'or '))}{self.condition()}"
        return f"'{self.text() if kind else self.number()}'"

    def request(self):
        fields = [("Host", self.one_of(("h", "h.example", "H:80")))]
        fields += [(name, self.one_of(VALUES)) for name in ("x-a", "X-A", "X-B") if self.random.random() < 0.7]
        fields += [("Cookie", value) for value in ("a=1; b=2", "b=; a=3; $x=1", "a=x,b") if self.random.random() < 0.4]
        target = self.one_of(TARGETS)
        if target.startswith("http"):
            fields[0] = ("Host", target[7:])
        return f"GET {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "Connection: close\r\n\r\n"


def values(binary, lines, requests):
    """For each request what each line gives, in hexadecimal: as text, and as it is."""
    text = "frontend f\n    mode http\n    bind 127.0.0.1:{port}\n    http-request set-var(txn.s) str(abc)\n"
    text += "".join(f"    http-request set-var(txn.v{i}) {line}\n" for i, line in enumerate(lines))
    shown = "|".join(f"%[var(txn.v{i}),lower,hex].%[var(txn.v{i}),hex]" for i in range(len(lines)))
    text += f'    http-request return status 200 content-type text/plain lf-string "{shown}"\n'
    answers = []
    with Proxy(binary, config(text)) as p:
        for request in requests:
            with p.connect() as s:
                s.sendall(request.encode("latin-1"))
                answers.append(read_all(s).decode().split("\r\n\r\n", 1)[1].split("|"))
    return answers


def test_random_expressions(binary):
    first, rounds = int(os.environ.get("RANDOM_SEED", 1)), int(os.environ.get("RANDOM_ROUNDS", 10))
    for seed in range(first, first + rounds):
        maker = Maker(seed)
        lines, requests = [maker.line() for _ in range(LINES)], [maker.request() for _ in range(8)]
        ours, theirs = values(binary, lines, requests), values(shutil.which("haproxy"), lines, requests)
        wrong = [
            f"{line}\n  {a} and not {b}, of {request!r}"
            for request, own, other in zip(requests, ours, theirs)
            for line, a, b in zip(lines, own, other)
            if a != b
        ]
        assert not wrong and len(ours) == len(theirs), f"seed {seed}:\n" + "\n".join(wrong)


if __name__ == "__main__":
    main(globals(), needs=("haproxy",))
