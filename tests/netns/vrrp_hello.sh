#!/bin/bash
# SPDX-License-Identifier: MIT
# One hello/vrrp on a veth pair becomes Active, another is its backup; the first is ended, the other takes over. $1: hello_vrrp.
set -u
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root: VRRP uses raw sockets"
command -v ip >/dev/null || skip "needs ip"
dir=$(mktemp -d) a=vrrp-a-$$ b=vrrp-b-$$
cleanup() {
    # shellcheck disable=SC2046 # pids are words
    kill $(jobs -p) 2>/dev/null
    wait
    ip netns del "$a" 2>/dev/null
    ip netns del "$b" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
if ! { ip netns add "$a" && ip netns add "$b"; }; then skip "cannot make network namespaces"; fi
nsenter --net="/run/netns/$a" ip link add eth0 type veth peer name eth0 netns "$b" || skip "cannot make a veth pair"
nsenter --net="/run/netns/$a" ip addr add 10.9.0.1/24 dev eth0 && nsenter --net="/run/netns/$a" ip link set eth0 up
nsenter --net="/run/netns/$b" ip addr add 10.9.0.2/24 dev eth0 && nsenter --net="/run/netns/$b" ip link set eth0 up

wait_for() { # FILE LINE
    for _ in $(seq 100); do
        [ "$(tail -1 "$dir/$1")" = "$2" ] && return
        sleep 0.1
    done
    echo "FAILED: $1 does not say \"$2\":"; tail "$dir/a" "$dir/b"
    exit 1
}

nsenter --net="/run/netns/$a" "$1" eth0 51 10.9.0.100 200 10 >"$dir/a" & first=$!
wait_for a "active: no advert heard" # alone: of two that start at once, either may be the first on a loaded machine
nsenter --net="/run/netns/$b" "$1" eth0 51 10.9.0.100 100 10 >"$dir/b" &
wait_for b "backup: started"
kill $first
wait_for b "active: the active resigned"
echo ok
