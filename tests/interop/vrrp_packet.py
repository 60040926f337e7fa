# SPDX-License-Identifier: MIT
"""VRRP packets, written down from the RFCs and not from libha: what the tests send, and how they read what they hear.

Version 2: RFC 3768 section 5.1, RFC 2338 section 5.3. Version 3: RFC 9568 section 5.1.
"""
import dataclasses
import ipaddress
import struct

PROTOCOL = 112
PROTOCOL_AH = 51
GROUP = {4: "224.0.0.18", 6: "ff02::12"}
GROUP_MAC = {4: "01:00:5e:00:00:12", 6: "33:33:00:00:00:12"}
CHECKSUM_FORMS = ("pseudo-header", "message only", "pseudo-header of the group")


def packed(address):
    return ipaddress.ip_address(address).packed


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def virtual_mac(family, vrid):
    return f"00:00:5e:00:0{1 if family == 4 else 2}:{vrid:02x}"


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo_header(source, destination, length):
    return packed(source) + packed(destination) + struct.pack("!IHBB", length, 0, 0, PROTOCOL)


@dataclasses.dataclass
class Advert:
    """One advertisement. Each field may be wrong; `form` says how the checksum is made, `csum` replaces it."""
    version: int
    vrid: int
    priority: int
    interval: int  # seconds in version 2, centiseconds in version 3
    addresses: list
    source: str
    destination: str = None
    kind: int = 1
    count: int = None
    reserved: int = 0
    auth_type: int = 0
    auth_data: bytes = b""
    form: str = CHECKSUM_FORMS[0]
    csum: int = None
    tail: bytes = b""  # bytes after the message
    cut: int = None    # so many bytes of it only

    def family(self):
        return ipaddress.ip_address(self.source).version

    def group(self):
        return GROUP[self.family()]

    def bytes(self):
        count = len(self.addresses) if self.count is None else self.count
        if self.version == 2 or self.auth_data or self.auth_type:
            field = struct.pack("!BB", self.auth_type, self.interval)
        else:
            field = struct.pack("!H", self.reserved << 12 | self.interval)
        head = struct.pack("!BBBB", self.version << 4 | self.kind, self.vrid, self.priority, count) + field
        body = b"".join(packed(a) for a in self.addresses)
        if self.version == 2:
            body += self.auth_data.ljust(8, b"\0")
        body += self.tail
        message = head + struct.pack("!H", self._sum(head + b"\0\0" + body)) + body
        return message if self.cut is None else message[:self.cut]

    def _sum(self, message):
        if self.csum is not None:
            return self.csum
        destination = self.destination or self.group()
        if self.form == CHECKSUM_FORMS[2]:
            destination = self.group()
        bare = self.form == CHECKSUM_FORMS[1] and self.family() == 4
        if self.version == 2 and self.form == CHECKSUM_FORMS[0]:
            bare = True
        return checksum(message if bare else pseudo_header(self.source, destination, len(message)) + message)


def ipv4(source, destination, payload, ttl=255, protocol=PROTOCOL, options=b"", more_fragments=False, length=None):
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH", 4 << 4 | words, 0xc0, total, 0, 0x2000 if more_fragments else 0, ttl, protocol, 0)
    head += packed(source) + packed(destination) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source, destination, payload, ttl=255, protocol=PROTOCOL):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + packed(source) + packed(destination) + payload


def ethernet(source_mac, destination_mac, packet):
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86dd
    return mac_bytes(destination_mac) + mac_bytes(source_mac) + struct.pack("!H", kind) + packet


@dataclasses.dataclass
class Heard:
    """An advertisement on the wire, as far as a test needs it; tshark reads the rest."""
    time: float
    mac: str
    source: str
    version: int
    vrid: int
    priority: int
    frame: bytes


def hear(time, frame):
    """The advert in this Ethernet frame, or None. An authentication header (RFC 4302) is passed over."""
    kind = frame[12:14]
    if kind == b"\x08\x00":
        protocol, source = frame[23], ipaddress.ip_address(frame[26:30])
        payload = frame[14 + (frame[14] & 15) * 4:]
    elif kind == b"\x86\xdd":
        protocol, source, payload = frame[20], ipaddress.ip_address(frame[22:38]), frame[54:]
    else:
        return None
    if protocol == PROTOCOL_AH and len(payload) > 24:
        protocol, payload = payload[0], payload[(payload[1] + 2) * 4:]
    if protocol != PROTOCOL or len(payload) < 8:
        return None
    return Heard(time, frame[6:12].hex(":"), str(source), payload[0] >> 4, payload[1], payload[2], frame)
