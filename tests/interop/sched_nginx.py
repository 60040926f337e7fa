#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold libsched's algorithms of nginx against a running nginx with one worker, request by request.

    sched_nginx.py SCHED_REPL

Connections are held and ended at random, for least_conn; keys are texts and addresses; in some runs a server is down, so
that the further tries of the hashes are compared, too. Exit 77: no nginx here.
"""
import os
import random
import shutil
import sys
import tempfile

from sched_rig import Balancer, Ours, listen_tcp

PICKS = 400
# nginx's directive, libsched's name, weights, numbers of servers that are down, and whether they have a host and a port
RUNS = [("", "smooth-wrr", [5, 1, 1], []), ("", "smooth-wrr", [4, 3, 2], []), ("", "smooth-wrr", [1, 1, 1], []),
        ("", "smooth-wrr", [13, 1, 9, 4, 4], []), ("", "smooth-wrr", [3, 2, 5, 1], [3]),
        ("least_conn;", "least_conn", [1, 1, 1, 1], []), ("least_conn;", "least_conn", [5, 2, 1, 4], []),
        ("least_conn;", "least_conn", [3, 2, 5, 1], [1]),
        ("least_conn;", "least_conn", [2, 4, 2, 1, 4, 4, 1, 2, 6, 3], [4]),
        ("ip_hash;", "ip_hash", [1, 1, 1], []), ("ip_hash;", "ip_hash", [3, 2, 5, 1], []),
        ("ip_hash;", "ip_hash", [3, 2, 50, 1], [3]),
        ("hash $http_x_key;", "nginx-hash", [1, 1, 1], []), ("hash $http_x_key;", "nginx-hash", [3, 2, 5, 1], []),
        ("hash $http_x_key;", "nginx-hash", [3, 2, 50, 1], [3]),
        ("hash $http_x_key consistent;", "ketama", [1, 1, 1], []),
        ("hash $http_x_key consistent;", "ketama", [3, 2, 5, 1], []),
        ("hash $http_x_key consistent;", "ketama", [3, 2, 5, 1], [2, 3]),
        ("hash $http_x_key consistent;", "ketama", [3, 2, 5, 1], [2], True)]


def configuration(where, directive, names, weights, down):
    servers = "\n".join(f"server {name} weight={weight} max_fails=0{' down' if i in down else ''};"
                        for i, (name, weight) in enumerate(zip(names, weights), 1))
    return f"""daemon off; worker_processes 1; user root; pid {where}/pid; error_log {where}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
    uwsgi_temp_path {where}/u; scgi_temp_path {where}/g;
    upstream pool {{ {directive}
{servers} }}
    server {{ listen unix:{where}/front; set_real_ip_from unix:; real_ip_header X-Real-IP;
        location / {{ proxy_pass http://pool; }} }}
}}
"""


def key_of(algo, rng):
    """A random key: nginx's headers for it, and the line that asks libsched."""
    if algo == "ip_hash":
        address = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
        if rng.random() < 0.3:
            address = "2001:db8:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(6))
        return [f"X-Real-IP: {address}"], f"hash nginx-ip {address}"
    if algo in ("nginx-hash", "ketama"):
        if rng.random() < 0.1:
            return [], "hash none"
        text = "k" * rng.randrange(0, 30) + str(rng.randrange(10 ** 6))
        return [f"X-Key: {text}"], f"hash {'nginx' if algo == 'nginx-hash' else 'crc32'} {text}"
    return [], "pick"


def run(repl, seed, directive, algo, weights, down, ports=False):
    rng = random.Random(seed)
    what = f"{algo} {','.join(map(str, weights))}" + (f" without {down}" if down else "") + " by port" * ports
    with tempfile.TemporaryDirectory(prefix="hawser-") as where:
        listening = listen_tcp(len(weights)) if ports else []
        names = [f"127.0.0.1:{s.getsockname()[1]}" for s in listening] or \
            [f"unix:{where}/s{i}" for i in range(1, len(weights) + 1)]
        with open(f"{where}/nginx.conf", "w", encoding="ascii") as file:
            file.write(configuration(where, directive, names, weights, down))
        theirs = Balancer(where, ["nginx", "-c", f"{where}/nginx.conf", "-e", f"{where}/error.log"], len(weights),
                          listening)
        mine = Ours(repl, algo, weights, names=names)
        for i in down:
            mine.ask(f"down {i}")
        held = []
        try:
            for n in range(PICKS):
                headers, line = key_of(algo, rng)
                server, pair = theirs.pick(headers=headers)
                chosen = int(mine.ask(line))
                if chosen != server:
                    print(f"FAILED: {what}: pick {n} ({line}): nginx took {server}, libsched {chosen}")
                    return False
                held.append((server, pair))
                while held and (len(held) > 12 or rng.random() < 0.45):
                    server, pair = held.pop(rng.randrange(len(held)))
                    theirs.done(pair)
                    mine.ask(f"done {server}")
        finally:
            theirs.close()
            mine.close()
    print(f"{what}: {PICKS} picks, all the same")
    return True


def main():
    if not shutil.which("nginx"):
        print("skipped: needs nginx: apt-get install nginx")
        return 77
    repl = os.path.realpath(sys.argv[1])
    good = [run(repl, seed, *case) for seed, case in enumerate(RUNS, 1)]
    return 0 if all(good) else 1


sys.exit(main())
