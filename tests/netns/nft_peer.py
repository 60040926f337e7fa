#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The two ends of a balanced connection, for nft.sh.

    nft_peer.py serve NAME PORT...      answer each TCP connection with "NAME PEER-ADDRESS", then echo; UDP: NAME
    nft_peer.py ask ADDRESS PORT N [SOURCE...]
                                        N connections from each source: "SOURCE COUNT NAME" lines, sorted
    nft_peer.py hold ADDRESS PORT       one connection: prints the name, then echoes each line of stdin through it
    nft_peer.py load ADDRESS PORT N     N established connections and new ones, as fast as it goes, until stdin ends: prints
                                        "requests A broken B connections C failed D", and of those that failed
                                        "KIND=COUNT", by what the client saw
    nft_peer.py talk ADDRESS PORT       one UDP socket: for each line of stdin asks who answers; "nobody" after 0.3 s
"""
import collections
import selectors
import socket
import sys


def serve(name, ports):
    watch = selectors.DefaultSelector()
    for port in ports:
        tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("::", port))
        tcp.listen(512)
        watch.register(tcp, selectors.EVENT_READ, "listen")
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.bind(("::", port))
        watch.register(udp, selectors.EVENT_READ, "udp")
    print("ready", flush=True)
    while True:
        for key, _ in watch.select():
            if key.data == "listen":
                peer, address = key.fileobj.accept()
                peer.sendall(f"{name} {address[0].removeprefix('::ffff:')}\n".encode())
                watch.register(peer, selectors.EVENT_READ, "echo")
            elif key.data == "udp":
                _, address = key.fileobj.recvfrom(2048)
                key.fileobj.sendto(name.encode(), address)
            else:
                try:
                    data = key.fileobj.recv(2048)
                except OSError:
                    data = b""
                if data:
                    key.fileobj.sendall(data)
                else:
                    watch.unregister(key.fileobj)
                    key.fileobj.close()


def connect(address, port, source=None):
    return socket.create_connection((address, port), 5, (source, 0) if source else None)


def ask(address, port, n, sources):
    for source in sources or [None]:
        names = collections.Counter()
        for _ in range(n):
            try:
                with connect(address, port, source) as s:
                    names[s.recv(200).decode().strip().split(" ")[0]] += 1
            except OSError as e:
                names[type(e).__name__] += 1
        print(source or "*", *(f"{name}={count}" for name, count in sorted(names.items())))


def hold(address, port):
    with connect(address, port) as s:
        stream = s.makefile("rw")
        print(stream.readline().strip(), flush=True)
        for line in sys.stdin:
            stream.write(line)
            stream.flush()
            print(stream.readline().strip(), flush=True)


def load(address, port, n):
    """Each turn: a request on every established connection, and a tenth as many new connections with a request each."""
    held, requests, broken, connections, failed = [], 0, 0, 0, collections.Counter()
    for _ in range(n):
        s = connect(address, port)
        s.recv(200)
        held.append(s)
    stop = selectors.DefaultSelector()
    stop.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    while not stop.select(0):
        for s in held:
            s.sendall(b"ping\n")
        for s in list(held):
            requests += 1
            try:
                if s.recv(200) == b"ping\n":
                    continue
            except OSError:
                pass
            broken += 1
            held.remove(s)
        for _ in range(n // 10):
            connections += 1
            try:
                with connect(address, port) as s:
                    if not s.recv(200):
                        failed["closed"] += 1
            except OSError as e:
                failed[type(e).__name__] += 1
    kinds = "".join(f" {kind}={count}" for kind, count in sorted(failed.items()))
    print(f"requests {requests} broken {broken} connections {connections} failed {failed.total()}{kinds}", flush=True)


def talk(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        for _ in sys.stdin:
            s.sendto(b"?", (address, port))
            try:
                print(s.recv(200).decode(), flush=True)
            except TimeoutError:
                print("nobody", flush=True)


command, *args = sys.argv[1:]
if command == "serve":
    serve(args[0], [int(port) for port in args[1:]])
elif command == "ask":
    ask(args[0], int(args[1]), int(args[2]), args[3:])
elif command == "load":
    load(args[0], int(args[1]), int(args[2]))
elif command == "talk":
    talk(args[0], int(args[1]))
else:
    hold(args[0], int(args[1]))
