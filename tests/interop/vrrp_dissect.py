# SPDX-License-Identifier: MIT
"""What tshark, a dissector of other people, makes of everything that a router of ours said."""
from vrrp_lab import Failed, run

# RFC 5798 as deployed: the checksum of version 3 over IPv4 covers a pseudo-header.
OPTIONS = ("-o", "vrrp.v3_checksum_as_in_v2:FALSE", "-o", "ip.check_checksum:TRUE")


def read(file, where, *fields):
    """A list of rows, a row a dict; a field that occurs several times has commas."""
    command = ["tshark", "-n", "-r", str(file), *OPTIONS, "-Y", where, "-T", "fields"]
    for field in ("frame.number", *fields):
        command += ["-e", field]
    rows = [line.split("\t") for line in run(*command).splitlines()]
    return [dict(zip(command[command.index("-e") + 1::2], row)) for row in rows]


def must(row, what, wanted):
    for field, value in wanted.items():
        allowed = value if isinstance(value, (set, tuple)) else (value,)
        if row.get(field) not in {str(v) for v in allowed}:
            raise Failed(f"tshark, frame {row['frame.number']}: {what}: {field} is {row.get(field)!r}, "
                         f"should be {value!r}")


def check(file, router, before=None, priorities=None):
    """All frames of the router before that time; each of `priorities` (else its own and 0) must have been sent."""
    adverts = check_adverts(file, router, before, priorities or (router.priority, 0))
    told = check_arps(file, router) if router.setting.family == 4 else check_nas(file, router)
    print(f"tshark: {adverts} adverts of {router.name} and {told} announcements of its MAC are as the RFC draws them")


def check_adverts(file, router, before, priorities):
    s = router.setting
    ip = "ip" if s.family == 4 else "ipv6"
    addresses = ",".join(a.split("/")[0] for a in s.addresses)
    wanted = {
        "_ws.malformed": "", "_ws.expert.severity": "", "eth.src": router.source_mac(),
        f"{ip}.dst": tuple(to for to, _ in router.destinations()), "eth.dst": tuple(mac for _, mac in router.destinations()),
        "ip.ttl" if s.family == 4 else "ipv6.hlim": 255, "vrrp.version": s.version, "vrrp.type": 1,
        "vrrp.virt_rtr_id": s.vrid, "vrrp.prio": (router.priority, 0), "vrrp.addr_count": len(s.addresses),
        "vrrp.checksum.status": 1, "vrrp.ip_addr" if s.family == 4 else "vrrp.ipv6_addr": addresses,
    }
    if s.family == 4:
        wanted |= {"ip.checksum.status": 1, "ip.hdr_len": 20}
    if s.version == 2:
        kind, secret = s.auth or ("none", "")
        wanted |= {"vrrp.auth_type": ("none", "PASS", "AH").index(kind), "vrrp.adver_int": round(s.interval),
                   "vrrp.auth_string": secret if kind == "PASS" else "", "ip.proto": 51 if kind == "AH" else 112}
    else:
        wanted |= {"vrrp.reserved_mbz": 0, "vrrp.short_adver_int": round(s.interval * 100)}
    where = f"vrrp && {ip}.src == {router.source()}" + (f" && frame.time_epoch < {before:.3f}" if before else "")
    rows = read(file, where, *wanted)
    for row in rows:
        must(row, "an advert", wanted)
    for priority in priorities:
        if not any(row["vrrp.prio"] == str(priority) for row in rows):
            raise Failed(f"tshark sees no advert of {router.name} with priority {priority}")
    return len(rows)


def check_arps(file, router):
    """RFC 9568 section 6.4.1 (115): a gratuitous ARP request for each address. That its MAC changes, tshark finds odd."""
    vip = router.setting.vip()
    wanted = {
        "_ws.malformed": "", "eth.dst": "ff:ff:ff:ff:ff:ff", "arp.hw.type": 1, "arp.proto.type": "0x0800", "arp.hw.size": 6,
        "arp.proto.size": 4, "arp.opcode": 1, "arp.src.proto_ipv4": vip, "arp.dst.proto_ipv4": vip,
        "arp.src.hw_mac": tuple(router.macs()),
    }
    # The kernel answers another one's announcement while it has the address still: that is no announcement of ours.
    answer = "arp.opcode == 2 && eth.dst != ff:ff:ff:ff:ff:ff"
    rows = read(file, f"arp.isgratuitous == 1 && eth.src == {next(iter(router.macs()))} && !({answer})", *wanted)
    for row in rows:
        must(row, "a gratuitous ARP", wanted)
    return some(rows, router)


def check_nas(file, router):
    """RFC 9568 section 6.4.1 (120): Router and Override set, Solicited not, to all nodes, with the link-layer address."""
    mac = next(iter(router.macs()))
    wanted = {
        "_ws.malformed": "", "_ws.expert.severity": "", "eth.dst": "33:33:00:00:00:01", "ipv6.dst": "ff02::1", "ipv6.hlim": 255,
        "icmpv6.code": 0, "icmpv6.checksum.status": 1, "icmpv6.nd.na.flag.r": 1, "icmpv6.nd.na.flag.s": 0,
        "icmpv6.nd.na.flag.o": 1, "icmpv6.opt.linkaddr": mac, "icmpv6.opt.type": 2,
        "icmpv6.nd.na.target_address": tuple(a.split("/")[0] for a in router.setting.addresses),
    }
    rows = read(file, f"icmpv6.type == 136 && eth.src == {mac} && ipv6.dst == ff02::1", *wanted)
    for row in rows:
        must(row, "an unsolicited NA", wanted)
    return some(rows, router)


def some(rows, router):
    if not rows:
        raise Failed(f"tshark sees no announcement of {router.name}")
    return len(rows)
