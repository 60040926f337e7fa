#!/bin/bash
# SPDX-License-Identifier: MIT
# vrrp_vmac.sh ROUTER2: vipd with use_vmac beside ROUTER2 (vipd, or keepalived) on a LAN, both families with one VRID. The client
# keeps its neighbour entries over every takeover, no Backup of vipd's ever uses a virtual MAC address, two MASTERs find each other
# again, and nothing stays behind.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin vmac bridge ping

declare -A program=([r1]=$VIPD [r2]=$(test_program "$1"))
vip4=10.9.0.100 vip6=fd09::100
mac4=00:00:5e:00:01:33 mac6=00:00:5e:00:02:33

configure() { # NAME PRIORITY
    cat >"$LAB_DIR/$1/keepalived.conf" <<CONF
vrrp_instance FOUR {
    version 3
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority $2
    advert_int 0.1
    use_vmac
    virtual_ipaddress {
        $vip4
    }
}
vrrp_instance SIX {
    version 3
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority $2
    advert_int 0.1
    use_vmac
    virtual_ipaddress {
        fe80::100/64
        $vip6/64
    }
}
CONF
}

start() { VIPD=${program[$1]} vipd_start "$1"; }

# What a router sends is what comes in at its port of the switch.
masterships() { grep -c "Entering MASTER STATE" "$LAB_DIR/$1/vipd.log" 2>/dev/null; }
declare -A masterships_before=()
listen() { # NAME
    masterships_before[$1]=$(masterships "$1")
    rm -f "$LAB_DIR/$1.pcap"
    lab_start net "$1-capture" tcpdump -Z root -U --immediate-mode -Q in -n -i "$1-eth0" -w "$LAB_DIR/$1.pcap"
    listener[$1]=$LAB_PID
    wait_for 30 "the capture begins" test -s "$LAB_DIR/$1.pcap" || fail "tcpdump captures" "$(cat "$LAB_DIR/net/$1-capture.log")"
}
declare -A listener=()
heard() { # NAME FILTER: frames since listen
    lab_stop "${listener[$1]}"
    tcpdump -r "$LAB_DIR/$1.pcap" -en "$2" 2>/dev/null
}

pings() { lab_on client ping -n -c 1 -W 1 "$vip4" && lab_on client ping -n -c 1 -W 1 "$vip6"; }
holds_both() { only_on $vip4 "$1" "$2" && only_on $vip6 "$1" "$2"; }
neighbours() { lab_ip client neigh show to "$1"; }

# NAME alone holds both, the client reaches them, and under the virtual MAC addresses, though nobody made it forget.
expect() { # NAME OTHER WHAT
    wait_for 20 "$3" holds_both "$1" "$2" || fail "$3: $1 alone holds both" "$(holders $vip4 r1 r2); $(holders $vip6 r1 r2)"
    wait_for 30 "the client reaches them" pings || fail "$3: the client reaches $1" "$(neighbours $vip4) $(neighbours $vip6)"
    # keepalived 2.2.7 asks for the client with its address and its interface's MAC address, and is believed (against RFC 9568 8.1.2).
    [ "${program[$1]}" = "$VIPD" ] || { good "$3: $1 alone holds both"; return; }
    neighbours $vip4 | grep -q "$mac4" || fail "$3: $vip4 at $mac4" "$(neighbours $vip4)"
    neighbours $vip6 | grep -q "$mac6" || fail "$3: $vip6 at $mac6" "$(neighbours $vip6)"
    good "$3: $1 alone holds both and answers with the virtual MAC addresses"
}

# A Backup that is quiet: vipd's. keepalived's answers queries through nftables, and joins groups. On a machine in use adverts may
# be so late that it takes over for a moment: then it is looked at again.
quiet() { # NAME WHAT
    local seen
    for _ in 1 2 3 4 5; do
        sleep 1
        seen=$(heard "$1" "ether src $mac4 or ether src $mac6")
        if [ -z "$seen" ] || [ "$(masterships "$1")" = "${masterships_before[$1]}" ]; then break; fi
        wait_for 20 "$1 is Backup again" has_not_address "$1" || break
        listen "$1"
    done
    [ -z "$seen" ] || fail "$2: no frame of $1 from a virtual MAC address" "$(head -n 3 <<<"$seen")"
    good "$2: no frame of $1 came from a virtual MAC address"
}
has_not_address() { ! has_address "$1" $vip4 && ! has_address "$1" $vip6; }

lab_switch lan
i=0
for name in r1 r2 client; do
    i=$((i + 1))
    lab_machine $name
    lab_plug $name eth0 lan 10.9.0.$i/24 fd09::$i/64
done
configure r1 200
configure r2 100
before=$(lab_on r1 sh -c 'cat /proc/sys/net/ipv4/conf/eth0/*')

listen r1
start r2
start r1
expect r1 r2 "election"
[ "$(lab_on r1 ip -o link show type macvlan | grep -c 'state UP')" = 2 ] || fail "two macvlans up" "$(lab_ip r1 link)"
adverts=$(heard r1 "ip proto 112 or ip6 proto 112")
others=$(grep -v -e "$mac4 > 01:00:5e:00:00:12" -e "$mac6 > 33:33:00:00:00:12" <<<"$adverts")
if [ -z "$adverts" ] || [ -n "$others" ]; then
    fail "R6: adverts of r1 from the virtual MAC addresses" "$(head -n 3 <<<"$others")"
fi
good "R6: $(wc -l <<<"$adverts") adverts, all from the virtual MAC addresses"

if [ "$1" = vipd ]; then
    listen r2
    lab_on client ping -n -c 2 -i 0.2 ff02::1%eth0 >/dev/null 2>&1 # everybody wakes
    quiet r2 "r2 is Backup"
fi

# Both MASTER for a while: the frames of each have the MAC address of the other.
lab_on net bridge link set dev r1-eth0 state 0
wait_for 20 "r2 takes over, too" has_address r2 $vip4 || fail "r2 holds $vip4 beside r1" "$(holders $vip4 r1 r2)"
lab_on net bridge link set dev r1-eth0 state 3
expect r1 r2 "the LAN was split and is whole again"

ifindex=$(lab_ip r1 -o link show vrrp.51 | cut -d: -f1)
kill -HUP "${vipd_pid[r1]}"
sleep 1
expect r1 r2 "reload"
[ "$(lab_ip r1 -o link show vrrp.51 | cut -d: -f1)" = "$ifindex" ] || fail "the macvlan is the same after a reload" "another"

# Somebody puts it down: it is put up again.
lab_ip r1 link set vrrp.51 down
wait_for 30 "the macvlan is up again" has_address r1 $vip4 || fail "r1 puts vrrp.51 up again" "$(lab_ip r1 addr show vrrp.51)"
expect r1 r2 "vrrp.51 was put down"
lab_ip r1 link del vrrp.51
wait_for 30 "the macvlan is there again" has_address r1 $vip4 || fail "r1 makes vrrp.51 anew" "$(lab_ip r1 addr)"
expect r1 r2 "vrrp.51 was deleted"

# no_accept, and accept again, by reloads: what is not accepted is answered by ARP and neighbour discovery all the same.
found() { lab_ip client neigh show to "$1" | grep -q "$2 .*\(REACHABLE\|STALE\|DELAY\|PROBE\)"; }
refused() {
    pings && return 1
    lab_ip client neigh flush dev eth0
    lab_on client ping -n -c 1 -W 0.3 $vip4
    lab_on client ping -n -c 1 -W 0.3 $vip6
    found $vip4 $mac4 && found $vip6 $mac6
}
if command -v nft >/dev/null; then
    sed -i 's/use_vmac/use_vmac\n    no_accept/' "$LAB_DIR/r1/keepalived.conf"
    kill -HUP "${vipd_pid[r1]}"
    wait_for 30 "no_accept acts" refused || fail "no_accept: no ping, but ARP and ND" "$(lab_ip client neigh; lab_on r1 nft list ruleset)"
    only_on $vip4 r1 r2 || fail "r1 holds $vip4" "$(holders $vip4 r1 r2)"
    good "no_accept: no ping is answered, ARP and neighbour discovery are"
    sed -i '/no_accept/d' "$LAB_DIR/r1/keepalived.conf"
    kill -HUP "${vipd_pid[r1]}"
    expect r1 r2 "accept again"
    [ -z "$(lab_on r1 nft list tables)" ] || fail "no table without no_accept" "$(lab_on r1 nft list tables)"
    sed -i 's/use_vmac/use_vmac\n    no_accept/' "$LAB_DIR/r1/keepalived.conf"
    kill -HUP "${vipd_pid[r1]}"
    wait_for 30 "no_accept acts" refused || fail "no_accept after a reload" "$(lab_on r1 nft list ruleset)"
    vipd_stop r1
    [ -z "$(lab_on r1 nft list tables)" ] || fail "no table stays behind" "$(lab_on r1 nft list tables)"
    sed -i '/no_accept/d' "$LAB_DIR/r1/keepalived.conf"
    start r1
    expect r1 r2 "r1 again, without no_accept"
fi

vipd_stop r2
listen r1
start r2
sed -i 's/priority 200/priority 50/' "$LAB_DIR/r1/keepalived.conf"
vipd_stop r1
start r1
expect r2 r1 "r1 came back with a lower priority"
heard r1 none >/dev/null
listen r1
quiet r1 "r1 is Backup, after it was MASTER"
lab_die r2
wait_for 20 "r1 takes over" has_address r1 $vip4 || fail "r1 takes over" "$(holders $vip4 r1)"
lab_boot r2
expect r1 r2 "r2 died"

vipd_stop r1
[ -z "$(lab_ip r1 link show type macvlan)" ] || fail "no macvlan stays behind" "$(lab_ip r1 link show type macvlan)"
after=$(lab_on r1 sh -c 'cat /proc/sys/net/ipv4/conf/eth0/*')
[ "$before" = "$after" ] || fail "the settings of eth0 are as they were" "$(diff <(echo "$before") <(echo "$after"))"
good "nothing stays behind"

# Without VRRP (-C) the instances are another daemon's.
sed -i 's/use_vmac/use_vmac\n    no_accept/' "$LAB_DIR/r1/keepalived.conf"
VIPD=${program[r1]} vipd_start r1 -C
sleep 1
[ -z "$(lab_ip r1 link show type macvlan)$(lab_on r1 nft list tables 2>/dev/null)" ] ||
    fail "no macvlan and no table of a daemon without VRRP" "$(lab_ip r1 link show type macvlan)"
vipd_stop r1
good "vipd -C makes no macvlan and no table"
