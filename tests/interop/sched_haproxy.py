#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold libsched's algorithms of HAProxy against a running HAProxy with one thread, request by request.

    sched_haproxy.py SCHED_REPL

The rotations and hashes must choose alike, with all four hash functions, the avalanche modifier, both hash types, a
server that is disabled, requests without a key, and a bound on the load under connections held and ended at random.
For `random` the shares must be alike. Exit 77: no haproxy here.
"""
import collections
import os
import random
import shutil
import sys
import tempfile

from sched_rig import Balancer, Ours

ROUNDROBIN = [[1, 1, 1], [3, 2, 1], [5, 1, 1], [1, 2, 3], [7, 5, 3, 2], [100, 50, 10, 7], [13, 1, 9, 4, 4],
              [256, 1, 100], [2, 0, 5]]
STATIC_RR = [[1, 1, 1], [3, 2, 1], [4, 2, 2], [7, 5, 3, 2], [100, 50, 10, 7], [2, 0, 5]]
REQUESTS_MAX = 1500  # for each: 16 * sum of the weights is a whole window
KEYS = 300
DRAWS = 2000
CONSISTENT = 2  # LB_GROUP_CONSISTENT


class Case:
    """A `balance` with its further lines, and libsched's words for the same."""

    def __init__(self, balance, algo, weights, n, more="", down=(), key=None, flags=0, factor=0, hold=0):
        self.balance, self.algo, self.weights, self.n, self.more, self.down = balance, algo, weights, n, more, down
        self.key, self.flags, self.factor, self.hold = key, flags, factor, hold

    def name(self):
        words = [self.balance, *self.more.split("\n"), ",".join(map(str, self.weights))]
        return " ".join(words) + (f" without {list(self.down)}" if self.down else "")

    def configuration(self, where):
        lines = ["global", " nbthread 1", "defaults", " mode http", " timeout client 5s", " timeout server 5s",
                 " timeout connect 5s", "frontend front", f" bind unix@{where}/front",
                 " http-request set-src hdr(x-src) if { req.hdr(x-src) -m found }", " default_backend pool",
                 "backend pool", f" balance {self.balance}", *(" " + line for line in self.more.split("\n"))]
        lines += [f" server s{i} unix@{where}/s{i} weight {weight}{' disabled' if i in self.down else ''}"
                  for i, weight in enumerate(self.weights, 1)]
        return "\n".join(lines) + "\n"

    def start(self, where, repl):
        path = f"{where}/haproxy.cfg"
        with open(path, "w", encoding="ascii") as file:
            file.write(self.configuration(where))
        theirs = Balancer(where, ["haproxy", "-db", "-f", path], len(self.weights))
        mine = Ours(repl, self.algo, self.weights, flags=self.flags, factor=self.factor)
        for i in self.down:
            mine.ask(f"down {i}")
        return theirs, mine


def no_key(_):
    return "/", [], "pick"


def text_key(where, function):
    """A random text at its place in the request; now and then none, if it may be missing."""
    def key(rng):
        text = "k" * rng.randrange(0, 40) + str(rng.randrange(10 ** 6))
        if where != "uri" and rng.random() < 0.1:
            return "/", [], "hash none"
        if where == "uri":
            return f"/{text}?{rng.random()}", [], f"hash {function} /{text}"
        if where == "url_param":
            return f"/?a=b&id={text}", [], f"hash {function} {text}"
        return "/", [f"X-Key: {text}"], f"hash {function} {text}"
    return key


def address_key(function):
    def key(rng):
        address = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
        if rng.random() < 0.3:
            address = "2001:db8:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(6))
        return "/", [f"X-Src: {address}"], f"hash {function} {address}"
    return key


def cases():
    for weights in ROUNDROBIN:
        yield Case("roundrobin", "roundrobin", weights, min(3 * 16 * sum(weights), REQUESTS_MAX))
    for weights in STATIC_RR:
        yield Case("static-rr", "static-rr", weights, min(3 * sum(weights), REQUESTS_MAX))
    for weights in [1, 1, 1], [3, 2, 1], [100, 30, 7, 55, 1], [4, 4, 2, 2, 1, 1]:
        for hold in 0, 40:
            yield Case("leastconn", "leastconn", weights, KEYS, hold=hold)
    for kind, flags in ("map-based", 0), ("consistent", CONSISTENT):
        for function in "sdbm", "djb2", "wt6", "crc32":
            for modifier in "", "avalanche":
                name = f"{function}+{modifier}" if modifier else function
                yield Case("hdr(x-key)", "hdr", [3, 2, 5, 1], KEYS, f"hash-type {kind} {function} {modifier}",
                           key=text_key("hdr", name), flags=flags)
        bare = "+avalanche" if kind == "consistent" else ""  # what `consistent` alone means
        for modifier, name in ("", "address" + bare), ("sdbm", "address"), ("sdbm avalanche", "address+avalanche"):
            yield Case("source", "source", [1, 1, 1, 1], KEYS, f"hash-type {kind} {modifier}",
                       key=address_key(name), flags=flags)
        for down in (2,), (1, 3):
            yield Case("uri", "uri", [4, 2, 6, 3], KEYS, f"hash-type {kind}", down, key=text_key("uri", "sdbm" + bare),
                       flags=flags)
        yield Case("url_param id", "url_param", [1, 256, 30], KEYS, f"hash-type {kind}",
                   key=text_key("url_param", "sdbm" + bare), flags=flags)
    for factor in 101, 125, 200:
        yield Case("hdr(x-key)", "hdr", [3, 2, 5, 1, 1], KEYS,
                   f"hash-type consistent sdbm avalanche\nhash-balance-factor {factor}",
                   key=text_key("hdr", "sdbm+avalanche"), flags=CONSISTENT, factor=factor, hold=40)


def compare(repl, case, seed):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="hawser-") as where:
        theirs, mine = case.start(where, repl)
        held = []
        try:
            for n in range(case.n):
                path, headers, line = (case.key or no_key)(rng)
                server, pair = theirs.pick(path, headers)
                chosen = int(mine.ask(line))
                if chosen != server:
                    print(f"FAILED: {case.name()}: pick {n} ({line}): HAProxy took {server}, libsched {chosen}")
                    return False
                held.append((server, pair))
                while held and (len(held) > case.hold or (case.hold and rng.random() < 0.3)):
                    server, pair = held.pop(rng.randrange(len(held)))
                    theirs.done(pair)
                    mine.ask(f"done {server}")
        finally:
            theirs.close()
            mine.close()
    print(f"{case.name()}: {case.n} requests, all the same")
    return True


def compare_shares(repl, draws, weights):
    """HAProxy draws from its ring of 16 points a unit of weight, whose own shares are within some percent."""
    case = Case(f"random({draws})", "random", weights, DRAWS)
    count = [collections.Counter(), collections.Counter()]
    with tempfile.TemporaryDirectory(prefix="hawser-") as where:
        theirs, mine = case.start(where, repl)
        try:
            for _ in range(DRAWS):
                server, pair = theirs.pick()
                theirs.done(pair)
                count[0][server] += 1
                server = int(mine.ask("pick"))
                mine.ask(f"done {server}")
                count[1][server] += 1
        finally:
            theirs.close()
            mine.close()
    good = all(abs(count[0][i] - count[1][i]) < 0.06 * DRAWS for i in range(1, len(weights) + 1))
    shares = ["/".join(f"{100 * c[i] / DRAWS:.0f}" for i in range(1, len(weights) + 1)) for c in count]
    print(f"{'' if good else 'FAILED: '}{case.name()}: HAProxy {shares[0]} %, libsched {shares[1]} %")
    return good


def main():
    if not shutil.which("haproxy"):
        print("skipped: needs haproxy: apt-get install haproxy")
        return 77
    repl = os.path.realpath(sys.argv[1])
    good = [compare(repl, case, seed) for seed, case in enumerate(cases(), 1)]
    good += [compare_shares(repl, draws, weights) for draws, weights in ((1, [100, 50, 200]), (2, [60, 60, 30, 90]))]
    return 0 if all(good) else 1


sys.exit(main())
