#!/bin/bash
# SPDX-License-Identifier: MIT
# takeover.sh ROUTER1 ROUTER2 VERSION ADVERT_INT [4|6]: two routers share an address on a LAN of their own; every way of losing
# and regaining it, seen from the routers, from a client and from the wire. A ROUTER is vipd, or a program's path.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin takeover tshark ping

declare -A program=([r1]=$(test_program "$1") [r2]=$(test_program "$2"))
version=$3
advert_int=$4
family=${5:-4}
if [ "$family" = 6 ]; then
    vip=fd09::100
    addresses=(fd09::1/64 fd09::2/64 fd09::50/64)
    shared="fe80::100/64 fd09::100/64"
    protocol=ipv6
else
    vip=10.9.0.100
    addresses=(10.9.0.1/24 10.9.0.2/24 10.9.0.50/24)
    shared="10.9.0.100/24"
    protocol=ip
fi
capture=$LAB_DIR/wire.pcap

configure() { # NAME PRIORITY
    cat >"$LAB_DIR/$1/keepalived.conf" <<CONF
global_defs {
    router_id $1
}
vrrp_instance VI_1 {
    version $version
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority $2
    advert_int $advert_int
    virtual_ipaddress {
        ${shared// /$'\n'        }
    }
}
CONF
}

start() { VIPD=${program[$1]} vipd_start "$1"; }

# The address is on NAME alone, and the client's frames for it go to NAME.
serves() { # NAME OTHER
    only_on $vip "$1" "$2" || return 1
    lab_ip client neigh flush dev eth0
    lab_on client ping -n -c 1 -W 1 $vip || return 1
    lab_ip client neigh show $vip | grep -qi "lladdr $(lab_mac "$1" eth0)"
}
expect() { # NAME OTHER WHAT
    wait_for 30 "$3" serves "$1" "$2" ||
        fail "$3: $1 alone holds $vip and answers" "$(holders $vip r1 r2); $(lab_ip client neigh show $vip)"
    good "$3: $1 alone holds $vip and answers"
}

# wire FILTER FIELD...: what tshark, another dissector, makes of the capture.
wire() {
    local filter=$1 field fields=()
    shift
    for field in "$@"; do fields+=(-e "$field"); done
    tshark -n -r "$capture" -o vrrp.v3_checksum_as_in_v2:FALSE -Y "$filter" -T fields "${fields[@]}" 2>/dev/null
}
sent() { [ -n "$(wire "vrrp && $1" frame.number | head -n 1)" ]; }

lab_switch lan
i=0
for name in r1 r2 client; do
    lab_machine $name
    lab_plug $name eth0 lan "${addresses[$i]}"
    i=$((i + 1))
done
configure r1 200
configure r2 100
lab_start net capture tcpdump -Z root -U --immediate-mode -n -i lan -w "$capture" \
    'proto 112 or ip6 proto 112 or arp or icmp6'
capture_pid=$LAB_PID
wait_for 30 "the capture begins" test -s "$capture" || fail "tcpdump captures" "$(cat "$LAB_DIR/net/capture.log")"

start r1
start r2
expect r1 r2 "election"

lab_die r1
wait_for 30 "r2 takes over" has_address r2 $vip || fail "r2 holds $vip after r1 died" "$(holders $vip r2)"
lab_boot r1
expect r2 r1 "r1 died"
start r1
expect r1 r2 "r1 is back and preempts"

vipd_stop r1
expect r2 r1 "r1 was stopped (SIGTERM)"
sent "vrrp.prio == 0" || fail "an advert of priority 0 from r1 when it stops" "none"
good "r1 said goodbye with priority 0"
start r1
expect r1 r2 "r1 preempts again"

# Its processes die, the machine lives on: the address stays there until a new one sorts it out.
vipd_crash r1
wait_for 30 "r2 takes over" has_address r2 $vip || fail "r2 holds $vip after r1's processes died" "$(holders $vip r1 r2)"
start r1
expect r1 r2 "r1's processes were killed and started anew"

vipd_stop r2
expect r1 r2 "the backup stops"
vipd_stop r1
has_address r1 $vip && fail "r1 gives $vip back when it stops" "$(holders $vip r1 r2)"
lab_stop "$capture_pid"

# The whole conversation, read by tshark: nothing malformed, nothing but what the configuration says.
bad=$(wire "vrrp && (_ws.malformed || vrrp.version != $version || vrrp.virt_rtr_id != 51 ||
    vrrp.checksum.status != 1 || !(vrrp.prio in {0, 100, 200}))" frame.number vrrp.version vrrp.prio vrrp.checksum.status)
[ -z "$bad" ] || fail "every advert is well-formed, version $version, VRID 51, good checksum" "$(head -n 3 <<<"$bad")"
if [ "$family" = 6 ]; then
    bad=$(wire "vrrp && (ipv6.hlim != 255 || ipv6.dst != ff02::12)" frame.number ipv6.hlim ipv6.dst)
    told=$(wire "icmpv6.nd.na.target_address == $vip && icmpv6.nd.na.flag.o == 1" frame.number | wc -l)
else
    bad=$(wire "vrrp && (ip.ttl != 255 || ip.dst != 224.0.0.18)" frame.number ip.ttl ip.dst)
    told=$(wire "arp.isgratuitous == 1 && arp.src.proto_ipv4 == $vip" frame.number | wc -l)
fi
[ -z "$bad" ] || fail "every advert has TTL 255 and VRRP's group as destination" "$(head -n 3 <<<"$bad")"
[ "$told" -ge 6 ] || fail "each new MASTER tells the LAN (gratuitous ARP, unsolicited NA)" "$told such frames"
for prio in 100 200; do
    sent "vrrp.prio == $prio" || fail "adverts of priority $prio" "none"
done
good "$(wire vrrp frame.number | wc -l) adverts over $protocol, all valid to tshark; $told gratuitous ARPs or NAs"
