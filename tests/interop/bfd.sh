#!/bin/bash
# SPDX-License-Identifier: MIT
# hello/bfd beside Debian's BIRD and FRR: both see each other Up with the timers that were negotiated, over IPv4, IPv6 and
# several hops; a death, a goodbye and a shutdown are each seen for what they are. $1: hello_bfd; $2: bird or frr.
set -u
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
command -v ip >/dev/null || skip "needs ip"
hello=$1 peer=$2
case $peer in
bird) command -v bird >/dev/null || skip "needs bird (Debian's bird2)" ;;
frr)
    frr_dir=$(dirname "$(dpkg -L frr 2>/dev/null | grep -m1 '/bfdd$')")
    [ -x "$frr_dir/bfdd" ] || skip "needs FRR's bfdd (Debian's frr)"
    ;;
*) echo "usage: bfd.sh HELLO_BFD bird|frr" >&2 && exit 2 ;;
esac
dir=$(mktemp -d) a=bfdi-a-$$ b=bfdi-b-$$ pids=()
chmod 777 "$dir" # FRR's programs give up root
cleanup() {
    for p in "${pids[@]}"; do kill -KILL "$p" 2>/dev/null; done
    wait 2>/dev/null
    ip netns del "$a" 2>/dev/null
    ip netns del "$b" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail() {
    echo "FAILED: $*"
    tail -n 20 "$dir"/ours "$dir"/*.log 2>/dev/null
    exit 1
}
ip netns add "$a" && ip netns add "$b" || skip "cannot make network namespaces"
nsenter --net="/run/netns/$a" ip link add eth0 type veth peer name eth0 netns "$b" || skip "cannot make a veth pair"
n=1
for ns in "$a" "$b"; do
    nsenter --net="/run/netns/$ns" ip addr add 10.9.0.$n/24 dev eth0
    nsenter --net="/run/netns/$ns" ip addr add 2001:db8:9::$n/64 dev eth0 nodad
    nsenter --net="/run/netns/$ns" ip link set lo up
    nsenter --net="/run/netns/$ns" ip link set eth0 up
    n=$((n + 1))
done

# start LOG COMMAND...: in b; its process is $pid.
start() {
    local log=$dir/$1.log
    shift
    nsenter --net="/run/netns/$b" "$@" >"$log" 2>&1 &
    pid=$!
    pids+=("$pid")
}

peer_start() {
    if [ "$peer" = bird ]; then
        cat >"$dir/bird.conf" <<'CONF'
log stderr all;
router id 10.9.0.2;
protocol device { }
protocol bfd B {
    interface "eth0" { min rx interval 50 ms; min tx interval 40 ms; idle tx interval 1 s; multiplier 4; };
    multihop { min rx interval 50 ms; min tx interval 40 ms; idle tx interval 1 s; multiplier 4; };
    neighbor 10.9.0.1 dev "eth0";
    neighbor 2001:db8:9::1 dev "eth0";
    neighbor 10.9.0.1 local 10.9.0.2 multihop yes;
}
CONF
        start bird bird -f -c "$dir/bird.conf" -s "$dir/bird.ctl" -P "$dir/bird.pid"
    else
        echo "hostname far" >"$dir/zebra.conf"
        cat >"$dir/bfdd.conf" <<'CONF'
hostname far
bfd
 peer 10.9.0.1 interface eth0
  receive-interval 50
  transmit-interval 40
  detect-multiplier 4
 !
 peer 2001:db8:9::1 local-address 2001:db8:9::2 interface eth0
  receive-interval 50
  transmit-interval 40
  detect-multiplier 4
 !
 peer 10.9.0.1 multihop local-address 10.9.0.2
  receive-interval 50
  transmit-interval 40
  detect-multiplier 4
 !
!
CONF
        chmod 644 "$dir"/*.conf
        if [ ! -S "$dir/zserv" ]; then
            start zebra "$frr_dir/zebra" -f "$dir/zebra.conf" -i "$dir/zebra.pid" -z "$dir/zserv" --vty_socket "$dir" -P 0
            for _ in $(seq 100); do [ -S "$dir/zserv" ] && break; sleep 0.1; done
            sleep 0.5
        fi
        start bfdd "$frr_dir/bfdd" -f "$dir/bfdd.conf" -i "$dir/bfdd.pid" -z "$dir/zserv" --vty_socket "$dir" -P 0 \
            --bfdctl "$dir/bfdd.ctl"
    fi
    peer_pid=$pid
}

# peer_says ADDRESS [multihop]: "STATE INTERVAL_MS TIMEOUT_MS", its state, its own beat and its Detection Time.
peer_says() {
    if [ "$peer" = bird ]; then
        birdc -s "$dir/bird.ctl" show bfd sessions 2>/dev/null |
            awk -v a="$1" -v i="$([ "${2:-}" ] && echo --- || echo eth0)" \
                '$1 == a && $2 == i { printf "%s %d %d\n", tolower($3), $(NF-1) * 1000 + 0.5, $NF * 1000 + 0.5; exit }'
    else
        vtysh --vty_socket "$dir" -c "show bfd peers json" 2>/dev/null | python3 -c '
import json, sys
for p in json.load(sys.stdin):
    if p["peer"] == sys.argv[1] and p.get("multihop", False) == bool(sys.argv[2]):
        mine = max(p["transmit-interval"], p["remote-receive-interval"])
        far = p["remote-detect-multiplier"] * max(p["receive-interval"], p["remote-transmit-interval"])
        print(p["status"], mine, far)' "$1" "${2:-}" 2>/dev/null
    fi
}

wait_peer() { # WANT ADDRESS [multihop]: its words begin with WANT
    local want=$1 says
    shift
    for _ in $(seq 150); do
        says=$(peer_says "$@")
        [[ $says == "$want"* ]] && return
        sleep 0.1
    done
    fail "$peer says \"$says\" of $*, wanted \"$want\""
}
wait_ours() {
    for _ in $(seq 300); do
        [ "$(tail -1 "$dir/ours" 2>/dev/null)" = "$1" ] && return
        sleep 0.05
    done
    fail "hello_bfd does not say \"$1\""
}
ours_start() { # INTERFACE NEIGHBOUR
    nsenter --net="/run/netns/$a" "$hello" "$1" "$2" 20 3 >"$dir/ours" 2>&1 &
    ours=$!
    pids+=("$ours")
}
ours_end() { kill "$ours" && wait "$ours" 2>/dev/null; }

peer_start
# Ours 20 ms times 3, theirs 40 ms and 50 ms times 4: they send every 40 ms and wait for 3 * 50 ms.
# Then we end with a goodbye.
for way in "eth0 10.9.0.2 10.9.0.1" "eth0 2001:db8:9::2 2001:db8:9::1" "- 10.9.0.2 10.9.0.1 multihop"; do
    read -r interface far near kind <<<"$way"
    ours_start "$interface" "$far"
    wait_ours "up: the neighbor answers"
    # shellcheck disable=SC2086 # no kind is no word
    wait_peer "up 40 150" "$near" $kind
    sleep 1 # nobody changes his mind
    [ "$(tail -1 "$dir/ours")" = "up: the neighbor answers" ] || fail "the session does not stay Up"
    ours_end
    # shellcheck disable=SC2086
    wait_peer "down" "$near" $kind
    echo "ok: $peer, $way"
done

# It dies and comes back; then we do.
ours_start eth0 10.9.0.2
wait_ours "up: the neighbor answers"
kill -KILL $peer_pid
wait_ours "down: nothing heard"
echo "ok: $peer died"
rm -f "$dir/bird.ctl"
peer_start
wait_ours "up: the neighbor answers"
wait_peer "up 40 150" 10.9.0.1
kill -KILL "$ours"
wait_peer down 10.9.0.1
echo "ok: $peer saw us die"

if [ "$peer" = frr ]; then # BIRD has no word for AdminDown
    ours_start eth0 10.9.0.2
    wait_ours "up: the neighbor answers"
    vtysh --vty_socket "$dir" -c "configure terminal" -c bfd -c "peer 10.9.0.1 interface eth0" -c shutdown 2>/dev/null
    wait_ours "down: the neighbor was switched off"
    vtysh --vty_socket "$dir" -c "configure terminal" -c bfd -c "peer 10.9.0.1 interface eth0" -c "no shutdown" 2>/dev/null
    wait_ours "up: the neighbor answers"
    echo "ok: $peer shut down and back"
fi
echo ok
