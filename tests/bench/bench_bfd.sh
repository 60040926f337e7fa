#!/bin/bash
# SPDX-License-Identifier: MIT
# bench_bfd at one end of a veth pair, BIRD's or FRR's BFD at the other: CPU per packet of both in the same run, then the time
# until the death of the other end is told. Both receive and send the same packets.
#
#     bench_bfd.sh BENCH_BFD [bird|frr [SECONDS [SESSIONS [MS]]]]
set -u
bench=${1:?usage: bench_bfd.sh BENCH_BFD [bird|frr [SECONDS [SESSIONS [MS]]]]}
peer=${2:-bird} seconds=${3:-10} sessions=${4:-500} ms=${5:-50}
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
dir=$(mktemp -d) a=bfdb-a-$$ b=bfdb-b-$$ pids=()
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
ip netns add "$a" && ip netns add "$b" || skip "cannot make network namespaces"
nsenter --net="/run/netns/$a" ip link add eth0 type veth peer name eth0 netns "$b" || skip "cannot make a veth pair"
addresses() { # NAMESPACE NET
    local i
    for ((i = 1; i <= sessions; i++)); do echo "addr add 10.$2.$((i >> 8)).$((i & 255))/15 dev eth0"; done |
        nsenter --net="/run/netns/$1" ip -batch -
    nsenter --net="/run/netns/$1" ip link set eth0 up
}
addresses "$a" 18
addresses "$b" 19

start() { # LOG COMMAND...: at the far end; its process is $pid
    local log=$dir/$1
    shift
    nsenter --net="/run/netns/$b" "$@" >"$log" 2>&1 &
    pid=$!
    pids+=("$pid")
}
far_bird() {
    {
        echo 'log stderr all; router id 10.19.0.1; protocol device { }'
        echo 'protocol bfd B {'
        echo "    interface \"eth0\" { min rx interval $ms ms; min tx interval $ms ms; multiplier 3; };"
        for ((i = 1; i <= sessions; i++)); do
            echo "    neighbor 10.18.$((i >> 8)).$((i & 255)) dev \"eth0\" local 10.19.$((i >> 8)).$((i & 255));"
        done
        echo '}'
    } >"$dir/bird.conf"
    start bird.log bird -f -c "$dir/bird.conf" -s "$dir/bird.ctl" -P "$dir/bird.pid"
}
far_frr() {
    local frr_dir
    frr_dir=$(dirname "$(dpkg -L frr | grep -m1 '/bfdd$')")
    echo "hostname far" >"$dir/zebra.conf"
    {
        echo bfd
        for ((i = 1; i <= sessions; i++)); do
            echo " peer 10.18.$((i >> 8)).$((i & 255)) local-address 10.19.$((i >> 8)).$((i & 255)) interface eth0"
            echo "  receive-interval $ms"
            echo "  transmit-interval $ms"
            echo " !"
        done
    } >"$dir/bfdd.conf"
    chmod 644 "$dir"/*.conf
    start zebra.log "$frr_dir/zebra" -f "$dir/zebra.conf" -i "$dir/zebra.pid" -z "$dir/zserv" --vty_socket "$dir" -P 0
    for _ in $(seq 100); do [ -S "$dir/zserv" ] && break; sleep 0.1; done
    sleep 1
    start bfdd.log "$frr_dir/bfdd" -f "$dir/bfdd.conf" -i "$dir/bfdd.pid" -z "$dir/zserv" --vty_socket "$dir" -P 0 \
        --bfdctl "$dir/bfdd.ctl"
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # user and system, 10 ms each

command -v bird >/dev/null || [ "$peer" != bird ] || skip "needs bird (Debian's bird2)"
dpkg -L frr >/dev/null 2>&1 || [ "$peer" != frr ] || skip "needs Debian's frr"
"far_$peer"
far=$pid
mkfifo "$dir/tell"
nsenter --net="/run/netns/$a" "$bench" --end eth0 10.18.0.1 10.19.0.1 "$sessions" "$ms" "$seconds" \
    <"$dir/tell" >"$dir/ours" 2>&1 &
ours=$!
pids+=("$ours")
exec 3>"$dir/tell"
sleep 6 # bench_bfd settles as long
before=$(ticks $far)
sleep "$seconds"
after=$(ticks $far)
for _ in $(seq 50); do [ -s "$dir/ours" ] && break; sleep 0.1; done
cat "$dir/ours"
# The packets a second are the same at both ends.
awk -v t=$((after - before)) -v s="$seconds" -v name="$peer" \
    '/packets a second/ { for (i = 1; i < NF; i++) if ($i == "sent" || $i == "received") p += $(i + 1)
     printf "%s: %.2f us of CPU for each of the same packets, %.1f %% of a CPU\n", name, t * 1e4 / (p * s), t / s }' "$dir/ours"
kill -KILL "$far"
echo >&3
wait "$ours" 2>/dev/null
tail -n +2 "$dir/ours"
