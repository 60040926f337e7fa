# SPDX-License-Identifier: MIT
"""Frames of HTTP/2 (RFC 9113), as a test wants them: right or wrong. What comes back is read by python3-hpack."""
import socket
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY, ACK = 1, 4, 8, 32, 1
MAX_STREAMS, INITIAL_WINDOW = 3, 4
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED = 11, 13


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def integer(n, bits=7):
    """RFC 7541, section 5.1, with nothing in front of the prefix."""
    if n < (1 << bits) - 1:
        return bytes([n])
    out, n = [(1 << bits) - 1], n - (1 << bits) + 1
    while n >= 128:
        out.append(n % 128 + 128)
        n //= 128
    return bytes(out + [n])


def as_bytes(text):
    return text.encode("latin-1") if isinstance(text, str) else text


def literal(*fields):
    """A block of fields, which leaves the table as it is: it may be made before it is sent."""
    texts = ((as_bytes(name), as_bytes(value)) for name, value in fields)
    return b"".join(b"\0" + integer(len(name)) + name + integer(len(value)) + value for name, value in texts)


def head(method="GET", path="/", authority="h", scheme="http", more=()):
    pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [(name, value) for name, value in pseudo if value is not None] + list(more)


def headers(stream, fields, end=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, literal(*fields))


def get(stream=1, path="/", method="GET", more=(), **pseudo):
    return headers(stream, head(method, path, more=more, **pseudo))


def data(stream, text, end=True):
    return frame(DATA, END_STREAM if end else 0, stream, text)


def post(stream=1, *pieces, path="/", method="POST", more=(), **pseudo):
    """Its body in pieces, of which the last one ends the stream."""
    parts = [data(stream, piece, i == len(pieces) - 1) for i, piece in enumerate(pieces)]
    return headers(stream, head(method, path, more=more, **pseudo), False) + b"".join(parts)


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def window(stream, n):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", n))


def settings(**values):
    names = {"table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "list": 6}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", names[name], value) for name, value in values.items()))


START = PREFACE + settings(window=1 << 20) + window(0, 1 << 20)


class Stream:
    def __init__(self):
        self.heads, self.body, self.trailers, self.end = [], b"", None, None

    def status(self):
        return self.heads[-1][0][1] if self.heads else None

    def __repr__(self):
        return f"{self.heads} {self.body[:60]!r} {len(self.body)} {self.trailers} {self.end}"


class Peer:
    """What came over a socket: streams by their number, GOAWAY, settings."""

    def __init__(self, s, acks=True):
        self.socket, self.acks = s, acks
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.bytes, self.block = b"", b""
        self.streams, self.settings, self.goaways, self.pongs = {}, {}, [], 0
        self.returned = {}  # bytes that WINDOW_UPDATE gave back, by stream
        self.is_over = None

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    def take(self, kind, flags, number, payload):
        if kind == DATA:
            s = self.stream(number)
            s.body += payload[1:len(payload) - payload[0]] if flags & PADDED else payload
        elif kind in (HEADERS, CONTINUATION):
            if kind == HEADERS:
                self.ends, self.block = flags & END_STREAM, b""
            self.block += payload
            if not flags & END_HEADERS:
                return
            fields, s, flags = self.decoder.decode(self.block), self.stream(number), self.ends
            if fields and fields[0][0] == ":status":
                s.heads.append(fields)
            else:
                s.trailers = fields
        elif kind == RST_STREAM:
            self.stream(number).end = struct.unpack("!I", payload)[0]
        elif kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack("!HI", payload))
            self.say(frame(SETTINGS, ACK))
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == GOAWAY:
            self.goaways.append(struct.unpack("!II", payload[:8]))
        elif kind == WINDOW_UPDATE:
            self.returned[number] = self.returned.get(number, 0) + struct.unpack("!I", payload)[0]
        if kind in (DATA, HEADERS, CONTINUATION) and flags & END_STREAM:
            self.stream(number).end = "end"

    def say(self, text):
        if self.acks:
            try:
                self.socket.sendall(text)
            except OSError:
                self.is_over = "reset"

    def read(self):
        """Some bytes. False: it is over, and is_over says how; a timeout is raised."""
        if self.is_over:
            return False
        try:
            part = self.socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            self.is_over = "reset"
            return False
        if not part:
            self.is_over = "fin"
            return False
        self.bytes += part
        while len(self.bytes) >= 9:
            n = int.from_bytes(self.bytes[:3], "big")
            if len(self.bytes) < 9 + n:
                break
            kind, flags, number = struct.unpack("!BBI", self.bytes[3:9])
            payload, self.bytes = self.bytes[9:9 + n], self.bytes[9 + n:]
            self.take(kind, flags, number, payload)
        return True

    def read_until(self, condition):
        """True: it holds. False: the connection ended before."""
        while not condition():
            if not self.read():
                return condition()
        return True

    def answer(self, number):
        """A stream that has ended, or what there is of it."""
        self.read_until(lambda: self.stream(number).end is not None)
        return self.streams[number]


def connect(port, first=START, timeout=30):
    s = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    s.sendall(first)
    return s
