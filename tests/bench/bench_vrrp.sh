# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# VRRP beside a peer: how soon a backup speaks, what an advert costs, how a crowd begins, and whether a busy machine fools it.
# Sourced by tools/bench, which brings `ours`, `peer`, `rounds`, `minutes` and the lab. Times are those of the wire: a capture on
# the switch, from the last advert of the old MASTER to the first one of the new, so that the phase of the timer does not blur them.

adverts_py() { /usr/bin/python3 "$lab_root/tests/bench/adverts.py" "$@"; }
quantiles() { # NUMBER...: the median and the 99th percentile
    sorted "$@" | awk '{ v[NR] = $1 } END { i = int(NR * 0.99 + 0.999999); printf("%.2f %.2f", v[int((NR + 1) / 2)], v[i]) }'
}
wire_start() { # TAG [SWITCH]
    wire=$LAB_DIR/net/$1.pcap
    rm -f "$wire"
    adverts_start net "${2:-lan}" "$wire"
}
settle() { sleep "$(calc "$1 * 4 + 0.3 + $1 * ($SRANDOM % 1000) / 1000")"; } # any phase of the timer

# ---------------------------------------------------------------- takeover

takeover_once() { # EVENT ADVERT_INT THEORY_MS: milliseconds in `result`; r1 is MASTER before and after
    local since
    settle "$2"
    wire_start takeover
    sleep "$(calc "$2 * 1.5")"
    since=$EPOCHREALTIME
    case $1 in
    death) lab_cut r1 eth0 ;;
    stop) kill -TERM "${vipd_pid[r1]}" ;;
    esac
    sleep "$(calc "$3 / 1000 + 0.1")" # who asks meanwhile takes the CPU from those who are measured
    wait_for 30 "r2 takes over" has_address r2 "$vip" || fail "r2 takes over" "$(holders "$vip" r1 r2)"
    adverts_stop
    result=$(adverts_py takeover "$wire" 10.9.0.1 10.9.0.2 "$since")
    case $1 in
    death) lab_heal r1 eth0 ;;
    stop) vipd_stop r1 && VIPD=$program vipd_start r1 ;;
    esac
    wait_for 30 "r1 is MASTER again" only_on "$vip" r1 r2 || fail "$program: r1 is MASTER again" "$(holders "$vip" r1 r2)"
}

lane_network() { # LANE: in a subshell, a network of its own with a pair to be started
    lab_machines=() lab_cables=()
    network "hwbench$$x$1"
    prepare_pair
}
takeover_lane() { # LANE ROUNDS PROGRAM EVENT ADVERT_INT THEORY_MS: a pair of its own; prints what each round took
    local program=$3 i
    lane_network "$1"
    pair_start "$program"
    for ((i = 0; i < $2; i++)); do
        takeover_once "$4" "$5" "$6"
        echo "$result"
    done
    pair_stop
}
takeover_of() { # PROGRAM EVENT ADVERT_INT THEORY_MS: `samples`, of as many pairs side by side as do not disturb each other
    local lane lanes=1 lane_pids=() out=$LAB_DIR/lane status=0
    case $3 in 1) lanes=10 ;; 0.1) lanes=4 ;; esac
    [ $lanes -le "$rounds" ] || lanes=$rounds
    for ((lane = 0; lane < lanes; lane++)); do
        (takeover_lane $lane $(((rounds + lanes - 1 - lane) / lanes)) "$@") >"$out$lane" &
        lane_pids+=($!)
        sleep 0.3
    done
    for lane in "${lane_pids[@]}"; do wait "$lane" || status=1; done
    [ $status = 0 ] || fail "$(basename "$1"): every pair of routers ends well" "see above"
    mapfile -t samples < <(for ((lane = 0; lane < lanes; lane++)); do cat "$out$lane"; done)
}

vrrp_takeover() {
    local version advert event theory mine theirs a b
    printf '\nvrrp takeover: last advert of the old MASTER to first of the new, ms, p50 and p99 of %s; backup has priority 100\n' "$rounds"
    printf '%-9s %-12s %-10s %-22s %-22s %s\n' adverts event theory vipd "$(basename "$peer")" "ratio of p99"
    for advert in ${ADVERTS:-1 0.1 0.01}; do
        version=3
        [ "$advert" != 1 ] || version=2
        for event in death stop; do
            theory=$(calc "$advert * 1000 * (156 / 256 + ($([ $event = death ] && echo 3 || echo 0)))")
            takeover_of "$ours" $event "$advert" "$theory"
            mine=$(quantiles "${samples[@]}")
            takeover_of "$peer" $event "$advert" "$theory"
            theirs=$(quantiles "${samples[@]}")
            read -r _ a <<<"$mine"
            read -r _ b <<<"$theirs"
            printf '%-9s %-12s %-10.2f %-22s %-22s %s\n' "$advert s" "$([ $event = death ] && echo "link lost" || echo SIGTERM)" \
                "$theory" "$mine" "$theirs" "$(ratio "$a" "$b")"
        done
    done
}

# ---------------------------------------------------------------- crash

vrrp_crash() {
    local version advert i program column
    printf '\nvrrp crash: kill -9 of the MASTER'"'"'s VRRP process alone, client'"'"'s gap in ms, median [least-most] of %s\n' "$rounds"
    printf '%-9s %-28s %-28s %s\n' adverts vipd "$(basename "$peer")" ratio
    for advert in ${ADVERTS:-1 0.1 0.01}; do
        version=3
        [ "$advert" != 1 ] || version=2
        prepare_pair
        column=()
        for program in "$ours" "$peer"; do
            samples=()
            for ((i = 0; i < rounds; i++)); do
                one_round "$program" crash "$advert"
                samples+=("$result")
            done
            column+=("$(figures "${samples[@]}")")
        done
        printf '%-9s %-28s %-28s %s\n' "$advert s" "${column[0]}" "${column[1]}" "$(ratio "${column[0]%% *}" "${column[1]%% *}")"
    done
}

# ---------------------------------------------------------------- routers

crowd_network() { # three more switches for both; and a machine whose four interfaces lead nowhere
    local i
    for i in 1 2 3; do
        lab_switch "lan$i"
        lab_plug r1 eth$i "lan$i" 10.$((9 + i)).0.1/16
        lab_plug r2 eth$i "lan$i" 10.$((9 + i)).0.2/16
    done
    lab_machine alone
    for i in 0 1 2 3; do
        lab_ip net link add alone$i type veth peer name eth$i netns "$(lab_ns alone)"
        lab_ip net link set alone$i up
        lab_ip alone addr add 10.$((9 + i)).0.1/16 dev eth$i
        lab_ip alone link set eth$i up
    done
}
crowd_conf() { # PRIORITY ADVERT_INT
    local i
    for i in 0 1 2 3; do instances 250 "$1" 3 "$2" eth$i $((9 + i)); done
}
held() { lab_ip "$1" -4 -o addr show scope global | grep -c '/32 '; }
holds() { [ "$(held "$1")" = "$2" ]; }
packets() { # NAME tx|rx: of all four
    lab_on "$1" cat /proc/net/dev | awk -v c="$([ "$2" = tx ] && echo 11 || echo 3)" '/eth[0-3]:/ { sub(/:/, " "); s += $c } END { print s }'
}

# crowd_of PROGRAM NAME tx|rx: ns per advert and PSS of NAME, which runs it, in `cost` and `memory`
crowd_of() {
    local seconds=5 cpu count
    cpu=$(cpu_ns "$2") count=$(packets "$2" "$3")
    sleep $seconds
    cpu=$(($(cpu_ns "$2") - cpu)) count=$(($(packets "$2" "$3") - count))
    [ $count -gt 0 ] || fail "$1: adverts on $2" "none in $seconds s"
    cost=$((cpu / count)) memory=$(pss_kb "$2")
}
sent_by() { # PROGRAM: a MASTER of 1,000 whose adverts go nowhere: no switch and no receiver are paid for
    VIPD=$1 vipd_start alone
    wait_for 60 "alone holds 1000 addresses" holds alone 1000 || fail "$1: 1000 addresses" "$(held alone)"
    sleep 7 # the second set of gratuitous ARPs goes out after five
    crowd_of "$1" alone tx
    vipd_stop alone
}
received_by() { # PROGRAM: a BACKUP of 1,000 whose MASTER runs already, for both programs the same
    VIPD=$1 vipd_start r2
    sleep 4
    crowd_of "$1" r2 rx
    holds r2 0 || fail "$1: r2 stays BACKUP" "$(held r2) addresses"
    vipd_stop r2
}

vrrp_routers() {
    local i program n=$((rounds < 3 ? rounds : 3)) what row mine theirs
    local -A seen=()
    [ -n "${lab_cables[r1 eth1]:-}" ] || crowd_network
    crowd_conf 200 0.1 | tee "$LAB_DIR/r1/keepalived.conf" >"$LAB_DIR/alone/keepalived.conf"
    crowd_conf 100 0.1 >"$LAB_DIR/r2/keepalived.conf"
    for ((i = 0; i < n; i++)); do
        for program in "$ours" "$peer"; do
            sent_by "$program"
            seen["sent $program"]+=" $cost" seen["MASTER $program"]+=" $memory"
        done
    done
    VIPD=$ours vipd_start r1
    wait_for 60 "r1 holds 1000 addresses" holds r1 1000 || fail "1000 addresses on r1" "$(held r1)"
    sleep 7
    for ((i = 0; i < n; i++)); do
        for program in "$ours" "$peer"; do
            received_by "$program"
            seen["received $program"]+=" $cost" seen["BACKUP $program"]+=" $memory"
        done
    done
    vipd_stop r1
    printf '\nvrrp routers: 4 interfaces x 250 at 100 ms; CPU of all processes of a daemon, median [least-most] of %s\n' "$n"
    printf '%-26s %-26s %-26s %s\n' '' vipd "$(basename "$peer")" ratio
    for row in "sent:ns per advert sent" "received:ns per advert received" "MASTER:PSS kB, MASTER" "BACKUP:PSS kB, BACKUP"; do
        what=${row%%:*}
        read -ra mine <<<"${seen[$what $ours]}"
        read -ra theirs <<<"${seen[$what $peer]}"
        printf '%-26s %-26s %-26s %s\n' "${row#*:}" "$(figures "${mine[@]}")" "$(figures "${theirs[@]}")" \
            "$(ratio "$(median "${mine[@]}")" "$(median "${theirs[@]}")")"
    done
}

# ---------------------------------------------------------------- start

start_limit=90

start_of() { # PROGRAM: seconds in `result`, start_limit if they do not settle before
    local since name
    wire_start start
    since=$EPOCHREALTIME
    for name in r2 r1; do VIPD=$1 vipd_start $name; done
    if wait_for $start_limit "r1 holds 250 addresses" start_is_over && sleep 3 && start_is_over; then
        adverts_stop
        result=$(adverts_py settled "$wire" 10.9.0.1 250 "$since")
    else
        adverts_stop
        result=$start_limit
    fi
    pair_stop
}
start_is_over() { [ "$(held r1)" = 250 ] && [ "$(held r2)" = 0 ]; }

vrrp_start() {
    local i program column=()
    instances 250 200 3 0.1 >"$LAB_DIR/r1/keepalived.conf"
    instances 250 100 3 0.1 >"$LAB_DIR/r2/keepalived.conf"
    printf '\nvrrp start: two nodes at once, 250 routers on one link at 100 ms: s until each has one MASTER, the better one (%s: not by then)\n' $start_limit
    for program in "$ours" "$peer"; do
        samples=()
        for ((i = 0; i < (rounds < 3 ? rounds : 3); i++)); do
            start_of "$program"
            samples+=("$result")
        done
        column+=("$(figures "${samples[@]}")")
    done
    printf '%-28s %-28s %s\n' vipd "$(basename "$peer")" ratio
    printf '%-28s %-28s %s\n' "${column[0]}" "${column[1]}" "$(ratio "${column[0]%% *}" "${column[1]%% *}")"
}

# ---------------------------------------------------------------- calm

calm_lane() { # LANE PROGRAM: how many times the backup began to speak, its adverts, and the longest gap of the MASTER
    local since
    lane_network "$1"
    pair_start "$2"
    sleep 1
    wire_start calm
    sleep 0.2
    since=$EPOCHREALTIME
    sleep "$(calc "$minutes * 60")"
    adverts_stop
    echo "$(adverts_py usurped "$wire" 10.9.0.2 "$since") $(adverts_py gap "$wire" 10.9.0.1 "$since")"
    pair_stop
}

vrrp_calm() {
    local version=3 advert=0.01 program begun n longest lane_pids=() busy=() i out=$LAB_DIR/calm
    printf '\nvrrp calm: 10 ms adverts, a pair of each at the same time, four busy loops on %s CPUs, %s min: takeovers that nothing called for\n' \
        "$(nproc)" "$minutes"
    printf '%-14s %-18s %-20s %s\n' '' "false takeovers" "adverts of r2" "longest gap of r1, ms"
    for i in 0 1; do
        program=$ours
        [ $i = 0 ] || program=$peer
        (calm_lane $i "$program") >"$out$i" &
        lane_pids+=($!)
    done
    sleep 3 # both pairs have begun
    for i in 1 2 3 4; do
        (while :; do :; done) &
        busy+=($!)
        disown $!
    done
    wait "${lane_pids[@]}"
    kill -KILL "${busy[@]}" 2>/dev/null
    for i in 0 1; do
        program=$ours
        [ $i = 0 ] || program=$peer
        read -r begun n longest <"$out$i"
        printf '%-14s %-18s %-20s %s\n' "$(basename "$program")" "$begun" "$n" "$longest"
    done
}

bench_vrrp() {
    local part
    for part in "${vrrp_parts[@]}"; do "vrrp_$part"; done
}
