#!/bin/bash
# SPDX-License-Identifier: MIT
# The figures of bench_nft, then swaps of servers under load, between network namespaces: client - lb - four servers.
# usage: bench_nft.sh BENCH_NFT [SWAPS]
set -u
bench=${1:?usage: bench_nft.sh BENCH_NFT [SWAPS]}
swaps=${2:-300}
peer=$(dirname "$(realpath "$0")")/../netns/nft_peer.py
"$bench" || exit

id=nftb$$
pids=()
# shellcheck disable=SC2317  # called by the trap
cleanup() {
    local name
    exec 7>&- 8<&- 2>/dev/null
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
    for name in lb client web1 web2 web3 web4; do ip netns del "$id-$name" 2>/dev/null; done
    rm -rf "$work"
}
work=$(mktemp -d)
trap cleanup EXIT
in_ns() { nsenter --net="/run/netns/$id-$1" "${@:2}"; }
wire() { # NAME NET: NAME has NET.1 and the way through lb, which has NET.254
    ip netns add "$id-$1"
    in_ns lb ip link add "$1" type veth peer name eth0 netns "$id-$1"
    in_ns lb ip addr add "$2.254/24" dev "$1"
    in_ns lb ip link set "$1" up
    in_ns "$1" ip addr add "$2.1/24" dev eth0
    in_ns "$1" ip link set eth0 up
    in_ns "$1" ip route add default via "$2.254"
}

ip netns add "$id-lb"
in_ns lb ip link set lo up
in_ns lb sysctl -qw net.ipv4.ip_forward=1
in_ns lb ip addr add 192.0.2.1/32 dev lo
wire client 10.9.0
for n in 1 2 3 4; do
    wire web$n 10.0.$n
    nsenter --net="/run/netns/$id-web$n" python3 "$peer" serve web$n 8080 >"$work/web$n" &
    pids+=($!)
done
for n in 1 2 3 4; do
    for _ in $(seq 100); do [ -s "$work/web$n" ] && break; sleep 0.05; done
done
in_ns lb "$bench" swap 0 >/dev/null
mkfifo "$work/in" "$work/out"
nsenter --net="/run/netns/$id-client" python3 "$peer" load 192.0.2.1 80 200 <"$work/in" >"$work/out" &
pids+=($!)
exec 7>"$work/in" 8<"$work/out"
read -r -t 20 _ <&8 || { echo "the load did not begin"; exit 1; }
in_ns lb "$bench" swap "$swaps"
exec 7>&-
read -r -t 20 result <&8
echo "  under load: ${result:-nothing was heard of it}"
