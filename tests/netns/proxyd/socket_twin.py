#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What sockets are told, in proxyd and HAProxy alike: each is fetched out of the process and asked.   socket_twin.py BINARY"""
import ctypes
import os
import socket
import struct

from support import WAIT, Proxy, Server, config, echo, main, read_all, until

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD = 434, 438
USER_TIMEOUT, FASTOPEN, FASTOPEN_CONNECT = 18, 23, 30


def sockets_of(p):
    """(socket, own port, peer's port) of each TCP socket of the process."""
    pidfd = LIBC.syscall(PIDFD_OPEN, p.process.pid, 0)
    assert pidfd >= 0, os.strerror(ctypes.get_errno())
    found = []
    for name in os.listdir(f"/proc/{p.process.pid}/fd"):
        fd = LIBC.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:  # closed by now
            continue
        try:
            s = socket.socket(fileno=fd)
        except OSError:  # no socket
            os.close(fd)
            continue
        if s.family != socket.AF_INET or s.type != socket.SOCK_STREAM:
            s.close()
            continue
        try:
            peer = s.getpeername()[1]
        except OSError:
            peer = 0
        found.append((s, s.getsockname()[1], peer))
    os.close(pidfd)
    return found


def told(s):
    """What the tests below ask for."""
    o = s.getsockopt
    return {
        "rcvbuf": o(socket.SOL_SOCKET, socket.SO_RCVBUF),
        "sndbuf": o(socket.SOL_SOCKET, socket.SO_SNDBUF),
        "keepalive": (
            o(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            o(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            o(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            o(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        ),
        "tcp-ut": o(socket.IPPROTO_TCP, USER_TIMEOUT),
        "mss": o(socket.IPPROTO_TCP, socket.TCP_MAXSEG),
    }


def both_ends(p, server_port):
    """The client's and the server's socket of the one connection that there is."""
    with p.connect() as c:
        c.sendall(b"x")
        assert c.recv(1) == b"x"
        own = c.getsockname()[1]
        ends = sockets_of(p)
        client = [told(s) for s, _, peer in ends if peer == own]
        server = [told(s) for s, _, peer in ends if peer == server_port]
        for s, _, _ in ends:
            s.close()
    assert len(client) == len(server) == 1, ends
    return client[0], server[0]


TUNED = """
global
    tune.rcvbuf.client 40000
    tune.sndbuf.client 50000
    tune.rcvbuf.server 60000
    tune.sndbuf.server 70000
defaults
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    clitcpka-cnt 4
    clitcpka-idle 30
    clitcpka-intvl 1m
    srvtcpka-cnt 5
    srvtcpka-idle 40s
    srvtcpka-intvl 7
listen l
    mode tcp
    option clitcpka
    option srvtcpka
    bind 127.0.0.1:{port} mss 1000 tcp-ut 20s
    server s 127.0.0.1:{server} tcp-ut 10s
"""


def test_sockets_are_told(binary):
    s = Server(echo)
    with Proxy(binary, TUNED.replace("{server}", str(s.port))) as p:
        client, server = both_ends(p, s.port)
        # the kernel doubles what buffers it is asked for
        assert (client["rcvbuf"], client["sndbuf"]) == (80000, 100000), client
        assert (server["rcvbuf"], server["sndbuf"]) == (120000, 140000), server
        assert client["keepalive"] == (1, 4, 30, 60), client
        assert server["keepalive"] == (1, 5, 40, 7), server
        assert client["tcp-ut"] == 20000 and server["tcp-ut"] == 10000, (client, server)
        assert client["mss"] <= 1000, client


def test_probes_without_keepalive_are_none(binary):
    s = Server(echo)
    text = TUNED.replace("    option clitcpka\n    option srvtcpka\n", "").replace(" mss 1000 tcp-ut 20s", "")
    with Proxy(binary, text.replace("{server}", str(s.port))) as p:
        client, server = both_ends(p, s.port)
        assert client["keepalive"][0] == server["keepalive"][0] == 0, (client, server)
        assert client["tcp-ut"] == 0 and client["mss"] > 1000, client


def test_fast_open(binary):
    s = Server(echo)
    body = "listen l\n    bind 127.0.0.1:{port} tfo backlog 77\n    server s 127.0.0.1:{server} tfo\n    retry-on conn-failure empty-response response-timeout\n"
    with Proxy(binary, config(body, server=s.port)) as p:
        both_ends(p, s.port)
        queues = [x.getsockopt(socket.IPPROTO_TCP, FASTOPEN) for x, own, peer in sockets_of(p) if own == p.port and not peer]
        assert queues and all(q == 77 for q in queues), queues


def test_nolinger_resets(binary):
    body = "    option nolinger\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:{server}\n"
    s = Server(echo)
    with Proxy(binary, config("listen l\n" + body, server=s.port)) as p, p.connect() as c:
        c.sendall(b"x")
        assert c.recv(1) == b"x"
        found = [x.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) for x, _, peer in sockets_of(p) if peer == s.port]
        c.shutdown(socket.SHUT_WR)
        until("it is over", lambda: not any(peer == s.port for _, _, peer in sockets_of(p)))
    if found != [struct.pack("ii", 1, 0)]:  # HAProxy tells it in the moment of its close
        assert "haproxy" in binary, found


def test_transparent(binary):
    """What goes to any address is accepted, once the kernel brings it."""
    os.system("ip route add local 192.0.2.0/24 dev lo")
    s = Server(echo)
    with Proxy(binary, config("listen l\n    bind 192.0.2.77:{port} transparent\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:{server}\n", server=s.port)) as p:
        with socket.create_connection(("192.0.2.77", p.port), timeout=WAIT) as c:
            c.sendall(b"x")
            assert c.recv(1) == b"x"
        found = [x.getsockopt(socket.IPPROTO_IP, 19) for x, own, peer in sockets_of(p) if own == p.port and not peer]
        assert 1 in found, found


if __name__ == "__main__":
    main(globals())
