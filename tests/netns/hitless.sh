#!/bin/bash
# SPDX-License-Identifier: MIT
# hitless.sh: a part of vipd dies, or it reads its file again, and nobody outside can tell: the other node stays silent, the
# address never leaves, the service answers. With the configuration of two balancers and NAT, over nftables or IPVS.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin hitless nginx curl
capture=$LAB_DIR/wire.pcap
vip=$article_vip
customers=(10.10.0.{110..115})

network() {
    local i
    lab_switch front
    lab_switch back
    lab_machine client
    lab_plug client eth0 front 10.10.0.50/24 "${customers[@]/%//24}"
    for i in 1 2; do
        lab_machine lb$i
        lab_plug lb$i eth0 front 10.10.0.1$i/24
        lab_plug lb$i eth1 back 10.20.0.1$i/24
        lab_sysctl lb$i net.ipv4.ip_forward=1
        article_nat lb$i >"$LAB_DIR/lb$i/keepalived.conf"
        lab_machine web$i
        lab_plug web$i eth0 back 10.20.0.2$i/24
        lab_ip web$i route replace default via "$article_gateway"
        web_start web$i "Test Web $i"
    done
}

part_of() { # NAME COMM: the pid of that part of vipd
    local pid
    for pid in $(process_tree "${vipd_pid[$1]}"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && echo "$pid" && return
    done
    return 1
}
renewed() { # COMM PID: another process plays that part
    local pid
    pid=$(part_of lb1 "$1") && [ "$pid" != "$2" ]
}
adverts_of() { tcpdump -n -r "$capture" "src host $1" 2>/dev/null | wc -l; }
more_adverts() { [ "$(adverts_of 10.10.0.11)" -gt "$1" ]; }
both() {
    counts=$(pages client "http://$vip/" "${customers[@]}")
    [ "$(answered "$counts" "Test Web 1")" -gt 0 ] && [ "$(answered "$counts" "Test Web 2")" -gt 0 ] &&
        [ "$(answered "$counts" "no answer")" = 0 ]
}

# quiet WHAT: after five more adverts of lb1 (a takeover takes less than four) nothing has changed hands.
quiet() {
    wait_for 30 "lb1 goes on" more_adverts $(($(adverts_of 10.10.0.11) + 4)) ||
        fail "$1: lb1 goes on advertising" "$(tail -n 3 "$LAB_DIR/lb1/vipd.log")"
    [ "$(adverts_of 10.10.0.12)" = 0 ] || fail "$1: lb2 stays silent" "$(adverts_of 10.10.0.12) adverts of lb2"
    grep -F " $vip/" "$LAB_DIR/lb1/monitor.log" && fail "$1: $vip does not leave lb1" "the lines above"
    counts=
    both || fail "$1: both servers answer" "$(in_words "$counts")"
    good "$1: lb2 is silent, $vip never left, $(in_words "$counts")"
}

network
adverts_start net front "$capture"
vipd_start lb1
wait_for 20 "lb1 becomes MASTER" has_address lb1 "$vip" || fail "$vip on lb1" "$(holders "$vip" lb1)"
vipd_start lb2
wait_for 20 "both servers answer" both || fail "both servers answer" "$(in_words "$counts")"
lab_start lb1 monitor ip monitor address dev eth0
monitor=$LAB_PID

for part in vipd_vrrp vipd_kernel vipd_health; do
    pid=$(part_of lb1 $part) || fail "a process $part" "none"
    kill -KILL "$pid"
    wait_for 20 "$part is started again" renewed $part "$pid" || fail "the supervisor starts $part again" "no new process"
    quiet "$part was killed"
done

pid=$(part_of lb1 vipd_vrrp)
kill -HUP "${vipd_pid[lb1]}"
wait_for 20 "the file is read again" renewed vipd_vrrp "$pid" || fail "SIGHUP makes new processes" "the old one stays"
quiet "the file was read again (SIGHUP)"

mv "$LAB_DIR/lb1/keepalived.conf" "$LAB_DIR/lb1/away.conf"
kill -HUP "${vipd_pid[lb1]}"
quiet "the file is gone and the reload was refused (SIGHUP)"

kill "$monitor"
vipd_stop lb1
wait_for 20 "lb2 takes over" only_on "$vip" lb2 lb1 || fail "$vip on lb2 alone" "$(holders "$vip" lb1 lb2)"
wait_for 20 "both servers answer" both || fail "both servers answer through lb2" "$(in_words "$counts")"
good "after the end of lb1: lb2 serves"
