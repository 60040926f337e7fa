#!/bin/bash
# Direct server return by nftables: client and lb and two servers on a bridge; the servers have the virtual address on lo.
# usage: nft_dsr.sh DSR_HOLD
set -u
shopt -s extglob
hold=$1
peer=$(dirname "$(realpath "$0")")/nft_peer.py
id=dsr$$
failed=0
pids=()

skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
for command in ip nft python3; do command -v $command >/dev/null || skip "needs $command"; done
ip netns add "$id-lan" 2>/dev/null || skip "needs network namespaces"
work=$(mktemp -d)

# shellcheck disable=SC2317  # called by the trap
cleanup() {
    local name
    exec 6>&- 7>&- 8<&- 2>/dev/null
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
    for name in lan lb client web1 web2; do ip netns del "$id-$name" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
in_ns() { nsenter --net="/run/netns/$id-$1" "${@:2}"; }
check() { # check WHAT HAVE WANT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        printf 'FAILED: %s\n have: %s\n want: %s\n' "$1" "$2" "$3"
        failed=1
    fi
}
wire() { # wire NAME NUMBER: NAME has 10.8.0.NUMBER and fd08::NUMBER on the bridge
    ip netns add "$id-$1"
    in_ns lan ip link add "$1" type veth peer name eth0 netns "$id-$1"
    in_ns lan ip link set "$1" master br0 up
    in_ns "$1" ip addr add "10.8.0.$2/24" dev eth0
    in_ns "$1" ip addr add "fd08::$2/64" dev eth0 nodad
    in_ns "$1" ip link set lo up
    in_ns "$1" ip link set eth0 up
}
hear() { local line=''; read -r -t 5 line <&8; echo "$line"; }
until_heard() { local line; while line=$(hear) && [ -n "$line" ]; do [ "$line" = "$1" ] && break; done; echo "$line"; }
ask() { in_ns client python3 "$peer" ask "$@"; }
servers() { ask "$@" | grep -oE 'web[12]|[A-Z][A-Za-z]*Error' | sort -u | tr '\n' ' '; }

in_ns lan ip link add br0 type bridge
in_ns lan ip link set br0 up
wire lb 1
wire client 9
wire web1 11
wire web2 12
in_ns lb ip addr add 10.8.0.100/32 dev lo
in_ns lb ip addr add fd08::100/128 dev lo nodad
in_ns client ip route add 10.8.0.100/32 via 10.8.0.1
in_ns client ip route add fd08::100/128 via fd08::1
for name in web1 web2; do
    in_ns $name sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    in_ns $name ip addr add 10.8.0.100/32 dev lo
    in_ns $name ip addr add fd08::100/128 dev lo nodad
    nsenter --net="/run/netns/$id-$name" python3 "$peer" serve $name 80 >"$work/$name" &
    pids+=($!)
done
for _ in $(seq 600); do [ -s "$work/web1" ] && [ -s "$work/web2" ] && break; sleep 0.05; done

start() { # start VIP SERVER...
    [ -p "$work/in" ] || mkfifo "$work/in" "$work/out"
    nsenter --net="/run/netns/$id-lb" "$hold" eth0 "$1" 80 sh "${@:2}" <"$work/in" >"$work/out" &
    holder=$!
    pids+=($!)
    exec 7>"$work/in" 8<"$work/out"
}
stop() {
    exec 7>&- 8<&-
    wait $holder
}

start 10.8.0.100 10.8.0.11 10.8.0.12=3
first=$(hear)
case $first in "dsr_hold: "*) skip "$first" ;; esac
check "no server is known yet" "$first" "unknown 2"
check "so the load balancer refuses" "$(servers 10.8.0.100 80 2)" "ConnectionRefusedError "
in_ns lb ping -qc1 -W2 10.8.0.11 >/dev/null
check "one is, once somebody talked to it" "$(until_heard "unknown 1")" "unknown 1"
check "and gets all" "$(servers 10.8.0.100 80 10)" "web1 "
in_ns lb ping -qc1 -W2 10.8.0.12 >/dev/null
check "then the other" "$(until_heard "unknown 0")" "unknown 0"
check "both serve" "$(servers 10.8.0.100 80 30)" "web1 web2 "
check "the answers do not pass the load balancer" "$(in_ns lb cat /proc/sys/net/ipv4/ip_forward)" 0
check "servers see the client" "$(in_ns client python3 "$peer" hold 10.8.0.100 80 </dev/null | sed 's/.* //')" 10.8.0.9
in_ns lb nft list table netdev hawser-dsr >"$work/saved"
check "nft shows it" "$(grep -c 'ether daddr set .* fwd to "eth0"' "$work/saved")" 2

echo "-- a table made anew under load"
mkfifo "$work/load.in"
nsenter --net="/run/netns/$id-client" python3 "$peer" load 10.8.0.100 80 20 <"$work/load.in" >"$work/load.out" 2>&1 &
loader=$!
pids+=("$loader")
exec 6>"$work/load.in"
for _ in $(seq 600); do [ -s "$work/load.out" ] && break; sleep 0.05; done
echo 3000 >&7
read -r -t 60 answer <&8
exec 6>&-
wait "$loader"
result=$(tail -1 "$work/load.out")
check "$answer times breaks nothing ($result)" "${result//[1-9]*([0-9])/N}" "requests N broken 0 connections N failed 0"

echo "-- another Ethernet address"
in_ns web1 ip link set eth0 address 02:00:00:00:00:77
in_ns lb ip neigh flush 10.8.0.11 2>/dev/null
in_ns lb ping -qc1 -W2 10.8.0.11 >/dev/null
for _ in $(seq 300); do in_ns lb nft list table netdev hawser-dsr | grep -q 02:00:00:00:00:77 && break; sleep 0.1; done
check "is followed" "$(in_ns lb nft list table netdev hawser-dsr | grep -c 'ether daddr set 02:00:00:00:00:77')" 1
check "and both serve on" "$(servers 10.8.0.100 80 30)" "web1 web2 "

echo "-- an administrator"
in_ns lb nft delete table netdev hawser-dsr
echo >&7
until_heard "unknown 0" >/dev/null
check "a deleted table comes back" "$(servers 10.8.0.100 80 30)" "web1 web2 "
in_ns lb nft list table netdev hawser-dsr >"$work/saved"
stop
check "at the end the table goes" "$(in_ns lb nft list tables)" ""
check "nft takes back what it has shown" "$(in_ns lb nft -f "$work/saved" 2>&1)" ""
check "and it serves" "$(servers 10.8.0.100 80 30)" "web1 web2 "

echo "-- IPv6"
in_ns lb ping -qc1 -W2 fd08::11 >/dev/null
in_ns lb ping -qc1 -W2 fd08::12 >/dev/null
start fd08::100 fd08::11 fd08::12
check "both are known" "$(until_heard "unknown 0")" "unknown 0"
check "and serve" "$(servers fd08::100 80 30)" "web1 web2 "
stop
exit $failed
