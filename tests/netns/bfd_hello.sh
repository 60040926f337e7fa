#!/bin/bash
# SPDX-License-Identifier: MIT
# Two hello/bfd on a veth pair come Up in both families; a cut of the link, with the carrier kept, a goodbye and a
# death are each told for what they are. Then over two hops through a router. $1: hello_bfd.
set -u
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
command -v ip >/dev/null || skip "needs ip"
dir=$(mktemp -d) a=bfd-a-$$ m=bfd-m-$$ b=bfd-b-$$
cleanup() {
    # shellcheck disable=SC2046 # pids are words
    kill $(jobs -p) 2>/dev/null
    wait 2>/dev/null
    for n in "$a" "$m" "$b"; do ip netns del "$n" 2>/dev/null; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
in_ns() { local n=$1; shift; nsenter --net="/run/netns/$n" "$@"; }

# a -- bridge in m -- b, so that a port can be cut without a sign of it at the ends.
for n in "$a" "$m" "$b"; do ip netns add "$n" || skip "cannot make network namespaces"; done
in_ns "$m" ip link add br0 type bridge mcast_snooping 0 || skip "cannot make a bridge"
in_ns "$m" ip link set br0 up
i=1
for n in "$a" "$b"; do
    in_ns "$m" ip link add port$i type veth peer name eth0 netns "$n" || skip "cannot make a veth pair"
    in_ns "$m" ip link set port$i master br0 up
    in_ns "$n" ip addr add 10.9.0.$i/24 dev eth0
    in_ns "$n" ip addr add 2001:db8:9::$i/64 dev eth0 nodad
    in_ns "$n" ip link set eth0 up
    i=$((i + 1))
done

wait_for() { # FILE LINE
    for _ in $(seq 200); do
        [ "$(tail -1 "$dir/$1")" = "$2" ] && return
        sleep 0.05
    done
    echo "FAILED: $1 does not say \"$2\":"; tail "$dir"/*
    exit 1
}
run() { # FILE NAMESPACE INTERFACE NEIGHBOUR [MS [MULT]]
    local file=$1 n=$2
    shift 2
    nsenter --net="/run/netns/$n" "$hello" "$@" >"$dir/$file" 2>&1 & pid=$!
}
end() { kill "$1" 2>/dev/null; wait "$1" 2>/dev/null; }
hello=$1

for peers in "10.9.0.1 10.9.0.2" "2001:db8:9::1 2001:db8:9::2"; do
    read -r first second <<<"$peers"
    run a "$a" eth0 "$second" 20 3; one=$pid
    run b "$b" eth0 "$first" 20 3; two=$pid
    wait_for a "up: the neighbor answers"
    wait_for b "up: the neighbor answers"

    in_ns "$m" bridge link set dev port2 state 0 # nothing passes; both ends keep their carrier
    wait_for a "down: nothing heard"
    wait_for b "down: nothing heard"
    in_ns "$m" bridge link set dev port2 state 3
    wait_for a "up: the neighbor answers"
    wait_for b "up: the neighbor answers"

    end $one # says AdminDown
    wait_for b "down: the neighbor was switched off"
    run a "$a" eth0 "$second" 20 3; one=$pid
    wait_for b "up: the neighbor answers"
    wait_for a "up: the neighbor answers"
    kill -KILL $one; wait $one 2>/dev/null
    wait_for b "down: nothing heard"
    end $two
done

# Two hops: m routes, and takes one off the TTL.
in_ns "$m" ip link set port1 nomaster
in_ns "$m" ip link set port2 nomaster
in_ns "$m" ip addr add 10.1.0.254/24 dev port1
in_ns "$m" ip addr add 10.2.0.254/24 dev port2
in_ns "$m" sysctl -qw net.ipv4.ip_forward=1
in_ns "$a" ip addr add 10.1.0.1/24 dev eth0
in_ns "$b" ip addr add 10.2.0.1/24 dev eth0
in_ns "$a" ip route add 10.2.0.0/24 via 10.1.0.254
in_ns "$b" ip route add 10.1.0.0/24 via 10.2.0.254
run a "$a" - 10.2.0.1 20 3; one=$pid
run b "$b" - 10.1.0.1 20 3; two=$pid
wait_for a "up: the neighbor answers"
wait_for b "up: the neighbor answers"
in_ns "$m" sysctl -qw net.ipv4.ip_forward=0
wait_for a "down: nothing heard"
wait_for b "down: nothing heard"
end $one
end $two
echo ok
