#!/bin/bash
# SPDX-License-Identifier: MIT
# A libha virtual router and Debian's keepalived elect each other: VRRP 2 with password and with AH, VRRP 3 over IPv4 and
# IPv6, unicast. Each scenario: backup, silent death of the peer, preemption by the peer, its resignation, and
# the same with us as the better one. $1: the program vrrp_router.
set -u
router=$1
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
for command in ip keepalived; do
    command -v "$command" >/dev/null || skip "needs $command"
done

dir=$(mktemp -d)
us=vrrp-us-$$ them=vrrp-them-$$
router_pid='' keepalived_pid=''
chmod 755 "$dir"

# Children of keepalived die with their parent.
cleanup() {
    [ -z "$router_pid" ] || kill "$router_pid" 2>/dev/null
    [ -z "$keepalived_pid" ] || kill -KILL "$keepalived_pid" 2>/dev/null
    wait 2>/dev/null
    ip netns del "$us" 2>/dev/null
    ip netns del "$them" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

if ! { ip netns add "$us" && ip netns add "$them"; }; then skip "cannot make network namespaces"; fi
nsenter --net="/run/netns/$us" ip link add eth0 type veth peer name eth0 netns "$them" || skip "cannot make a veth pair"
for side in 1 2; do
    ns=$([ $side = 1 ] && echo "$us" || echo "$them")
    nsenter --net="/run/netns/$ns" ip link set lo up
    nsenter --net="/run/netns/$ns" ip addr add 10.9.0.$side/24 dev eth0
    nsenter --net="/run/netns/$ns" ip addr add fe80::$side/64 dev eth0 nodad
    nsenter --net="/run/netns/$ns" ip link set eth0 addrgenmode none
    nsenter --net="/run/netns/$ns" ip link set eth0 up
done

fail() {
    echo "FAILED: $scenario: $*"
    echo "--- router"; cat "$dir/router.log"
    echo "--- keepalived"; tail -30 "$dir/keepalived.log"
    exit 1
}

# wait_for WHAT COMMAND...: up to 15 s, which is far above every timer here.
wait_for() {
    local what=$1
    shift
    for _ in $(seq 150); do
        "$@" && return
        sleep 0.1
    done
    fail "$what"
}

# Remarks do not count: on a busy machine timers are late, and it says so.
said() { [ "$(grep -v -e '^remark:' -e '^dropped: not running' "$dir/router.log" | tail -1)" = "$1" ]; }
they_hold() { nsenter --net="/run/netns/$them" ip addr show dev eth0 | grep -qF " $address/"; }
they_lack() { ! they_hold; }

start_router() { # PRIORITY
    # shellcheck disable=SC2086 # the scenario's tail is words
    nsenter --net="/run/netns/$us" "$router" eth0 51 "$address" "$1" "$interval_cs" "$version" $tail >"$dir/router.log" 2>&1 &
    router_pid=$!
}

stop_router() {
    kill "$router_pid"
    wait "$router_pid" || fail "the router ended with an error"
    router_pid=''
}

start_keepalived() { # PRIORITY
    cat >"$dir/keepalived.conf" <<CONF
global_defs {
    vrrp_garp_master_delay 1
}
vrrp_instance A {
    state BACKUP
    interface eth0
    virtual_router_id 51
    version $version
    priority $1
    advert_int $interval
    $keepalived_words
    virtual_ipaddress {
        $address
    }
}
CONF
    nsenter --net="/run/netns/$them" keepalived -n -l -D -P -f "$dir/keepalived.conf" -p "$dir/k.pid" -r "$dir/v.pid" \
        >>"$dir/keepalived.log" 2>&1 &
    keepalived_pid=$!
}

# Silent: the child that speaks VRRP first, so that nobody sends priority 0.
kill_keepalived() {
    kill -STOP "$keepalived_pid"
    kill -KILL "$(cat "$dir/v.pid")"
    kill -KILL "$keepalived_pid"
    wait "$keepalived_pid" 2>/dev/null
    keepalived_pid=''
    rm -f "$dir"/*.pid
    nsenter --net="/run/netns/$them" ip addr del "$address/${address_bits}" dev eth0 2>/dev/null
}

stop_keepalived() {
    kill "$keepalived_pid"
    wait "$keepalived_pid" 2>/dev/null
    keepalived_pid=''
}

run_scenario() {
    : >"$dir/keepalived.log"
    start_keepalived 150
    wait_for "keepalived does not become MASTER alone" they_hold
    for _ in 1 2 3; do # on a busy machine adverts are late, too
        start_router 100
        sleep 2
        if said "backup: started"; then break; fi
        stop_router
        wait_for "the better router does not hold the address" they_hold
    done
    said "backup: started" || fail "we should be a quiet Backup of a better router"
    kill_keepalived
    wait_for "we do not notice its silent death" said "active: no advert heard"
    start_keepalived 150
    wait_for "we do not yield to the better router" said "backup: a higher priority was heard"
    wait_for "the better router does not hold the address" they_hold
    stop_keepalived
    wait_for "we do not take over from the one that resigned" said "active: the active resigned"
    start_keepalived 50
    for _ in 1 2 3; do
        sleep 2
        if they_lack; then break; fi
    done
    they_lack || fail "keepalived of lower priority took the address"
    stop_router
    wait_for "keepalived does not take over from us" they_hold
    start_router 200
    wait_for "we do not preempt" said "active: preempts a lower priority"
    wait_for "keepalived does not yield" they_lack
    ! grep -q "^dropped" "$dir/router.log" || fail "we dropped what keepalived sent"
    ! grep -qiE "checksum|invalid|mismatch" "$dir/keepalived.log" || fail "keepalived dropped what we sent"
    stop_router
    stop_keepalived
    echo "ok: $scenario"
}

scenario="version 3, IPv4"
address=10.9.0.100 address_bits=32 version=3 interval=0.1 interval_cs=10 tail='' keepalived_words=''
run_scenario
scenario="version 2 with password, IPv4"
version=2 interval=1 interval_cs=100 tail='secret' keepalived_words='authentication {
        auth_type PASS
        auth_pass secret
    }'
run_scenario
scenario="version 2 with AH, IPv4"
tail='ah:secret' keepalived_words='authentication {
        auth_type AH
        auth_pass secret
    }'
"$router" none 51 $address 100 100 2 $tail >/dev/null 2>&1
if [ $? = 77 ]; then echo "left out: $scenario: needs libcrypto"; else run_scenario; fi
scenario="version 3, unicast"
version=3 interval=0.1 interval_cs=10 tail='- 10.9.0.2' keepalived_words='unicast_src_ip 10.9.0.2
    unicast_peer {
        10.9.0.1
    }'
run_scenario
scenario="version 3, IPv6"
address=fe80::100 address_bits=128 tail='' keepalived_words=''
run_scenario
