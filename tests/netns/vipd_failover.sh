#!/bin/bash
# vipd_failover.sh: an administrator moves addresses with lbctl, for a while and for good, and nobody is without them meanwhile.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin vipfail

vip=10.9.0.100

configure() { # NAME PRIORITY
    cat >"$LAB_DIR/$1/keepalived.conf" <<CONF
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    priority $2
    advert_int 0.2
    virtual_ipaddress {
        $vip/24
    }
}
CONF
}
lbctl() { # NAME ARGUMENT...
    local name=$1
    shift
    "$LBCTL" -s "$LAB_DIR/$name/vipd.sock" "$@"
}
expect() { # NAME TEXT ARGUMENT...: lbctl's output has it
    local name=$1 text=$2
    shift 2
    answers() {
        lbctl "$name" "$@" 2>&1 | grep -qF -- "$text"
    }
    wait_for 30 "$text" answers "$@" || fail "lbctl $* on $name says \"$text\"" "$(lbctl "$name" "$@" 2>&1)"
}

lab_switch lan
i=1
for name in r1 r2; do
    lab_machine $name
    lab_plug $name eth0 lan 10.9.0.$i/24
    i=$((i + 1))
done
lab_machine client
lab_plug client eth0 lan 10.9.0.50/24
configure r1 200
configure r2 100
vipd_start r1
wait_for 30 "r1 becomes MASTER" has_address r1 $vip || fail "r1 holds $vip" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"

# Alone: nobody takes over.
if lbctl r1 failover VI_1 >"$LAB_DIR/alone" 2>&1; then fail "a failover without another node fails" "$(cat "$LAB_DIR/alone")"; fi
grep -q "no other node took over: it stays MASTER here" "$LAB_DIR/alone" || fail "lbctl says why" "$(cat "$LAB_DIR/alone")"
has_address r1 $vip || fail "r1 keeps $vip" "$(holders $vip r1 r2)"
good "without another node a failover changes nothing, and says so"

vipd_start r2
backup() { lbctl r2 status | grep -q "^VI_1 *BACKUP"; }
wait_for 30 "r2 is BACKUP" backup || fail "r2 is BACKUP" "$(lbctl r2 status)"
expect r2 "10.9.0.1 is MASTER, with priority 200" explain VI_1
expect r2 "That priority is higher than ours, 100." explain VI_1
expect r2 "VI_1 is BACKUP: only a MASTER can hand over" failover VI_1
good "lbctl explain tells why r2 is BACKUP"

lab_start client ping ping -i 0.01 -W 1 $vip
lbctl r1 failover VI_1 >"$LAB_DIR/failover" 2>&1 || fail "r1 hands over" "$(cat "$LAB_DIR/failover")"
wait_for 30 "r2 alone" only_on $vip r2 r1 || fail "r2 alone holds $vip" "$(holders $vip r1 r2)"
sleep 0.7
only_on $vip r2 r1 || fail "r1 leaves $vip to r2 though its priority is higher" "$(holders $vip r1 r2)"
lbctl r2 failover VI_1 >"$LAB_DIR/failover" 2>&1 || fail "r2 hands it back" "$(cat "$LAB_DIR/failover")"
wait_for 30 "r1 alone" only_on $vip r1 r2 || fail "r1 alone holds $vip" "$(holders $vip r1 r2)"
sleep 0.3
kill -INT "$LAB_PID"
wait_for 30 "ping's sum" grep -q "packets transmitted" "$LAB_DIR/client/ping.log" || fail "ping ends" "$(tail -n 3 "$LAB_DIR/client/ping.log")"
read -r sent received < <(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$LAB_DIR/client/ping.log")
[ $((sent - received)) -le 5 ] || fail "a client loses at most 50 ms by two failovers" "$sent sent, $received received"
good "there and back: a client that asks every 10 ms lost $((sent - received)) of $sent"

lbctl r1 hold VI_1 >/dev/null || fail "r1 is held" "$(lbctl r1 status)"
wait_for 1 "r2 has it" has_address r2 $vip || fail "hold returns when r2 has taken over" "$(holders $vip r1 r2)"
wait_for 30 "r2 alone" only_on $vip r2 r1 || fail "r2 alone holds $vip" "$(holders $vip r1 r2)"
held() { lbctl r1 status | grep -q "^VI_1 *FAULT.*an administrator holds it (held)"; }
wait_for 30 "r1 in FAULT" held || fail "r1 is in FAULT" "$(lbctl r1 status)"
expect r1 "To let it take part again: lbctl release VI_1." explain VI_1
# It outlives a crash and a reload.
kill -KILL "$(pgrep -P "${vipd_pid[r1]}" vipd_vrrp)"
sleep 0.5
lbctl r1 reload || fail "r1 reloads" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
sleep 1
wait_for 30 "r1 in FAULT" held || fail "a crash and a reload do not release it" "$(lbctl r1 status)"
only_on $vip r2 r1 || fail "r2 alone holds $vip" "$(holders $vip r1 r2)"
good "a held instance stays out through a crash and a reload"
lbctl r1 release VI_1 || fail "r1 is released" "$(lbctl r1 status)"
wait_for 30 "r1 takes part" only_on $vip r1 r2 || fail "r1, with the higher priority, is MASTER again" "$(holders $vip r1 r2)"
good "released, it takes part again"

# Shapes for scripts and for the eye.
lbctl r1 --json status | python3 -c 'import json,sys; assert json.load(sys.stdin)["instances"][0]["state"] == "MASTER"' || fail "JSON" "$(lbctl r1 --json status)"
! lbctl r1 status | grep -q $'\033' || fail "no colours in a pipe" "$(lbctl r1 status)"
lbctl r1 events -n 100 | grep -q "order release  name VI_1  uid 0" || fail "the orders are among the events" "$(lbctl r1 events)"
expect r1 "write lbctl failover INSTANCE" failover
expect r1 VI_1 names instances
expect r1 'there is no "VI_9"' show VI_9
expect none "Does vipd run? systemctl status vipd tells. Its socket is beside its pid file" status
lbctl r1 nonsense >/dev/null 2>&1
[ $? = 2 ] || fail "a wrong command line has exit code 2" "nonsense"
good "lbctl: JSON, no colours in a pipe, messages, exit codes"
vipd_stop r1
vipd_stop r2
[ ! -e "$LAB_DIR/r1/vipd.sock" ] || fail "no socket stays" "$(ls "$LAB_DIR/r1")"
