#!/bin/bash
# SPDX-License-Identifier: MIT
# article.sh dr|nat PEER VIPD, in the guest: real IPVS gets from vipd exactly what keepalived would have programmed, real
# connections go through it, and both leave the same behind.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck disable=SC2034
LAB_PLAIN=1 LAB_SAVE=${OUTDIR:-} LAB_PAUSE=0.3
# shellcheck source=tools/lab/lab.sh
. "$lab_root/tools/lab/lab.sh"
kind=$1
peer=$2
ours=$3
for command in "$peer" nginx curl ipvsadm; do
    command -v "$command" >/dev/null || {
        echo "skipped: needs $command"
        exit 77
    }
done

# Ten for each play: persistence remembers a customer longer than a play lasts.
customers=()

network() {
    local addresses=() i
    for i in {110..129}; do addresses+=("10.10.0.$i/24"); done
    lab_up hwk
    lab_switch front
    lab_switch back
    lab_machine client
    lab_plug client eth0 front 10.10.0.50/24 "${addresses[@]}"
    lab_machine lb
    lab_plug lb eth0 front 10.10.0.11/24
    lab_plug lb eth1 back 10.20.0.11/24
    for i in 1 2; do
        lab_machine web$i
        "server_$kind" web$i $i
        web_start web$i "Test Web $i"
    done
    [ "$kind" = dr ] || lab_sysctl lb net.ipv4.ip_forward=1
    # In a hurry: who owns the address (priority 255) needs no election, and checks come every second.
    "article_$kind" lb1 | sed 's/delay_loop 10/delay_loop 1/; s/priority 101/priority 255/' >"$LAB_DIR/lb/keepalived.conf"
}
server_nat() {
    lab_plug "$1" eth0 back "10.20.0.2$2/24"
    lab_ip "$1" route replace default via "$article_gateway"
}
server_dr() {
    lab_plug "$1" eth0 front "10.10.0.2$2/24"
    lab_sysctl "$1" net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.eth0.arp_ignore=1 \
        net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.eth0.arp_announce=2
    lab_ip "$1" addr add "$article_vip/32" dev lo
}

table() { lab_on lb ipvsadm -Sn | sort; }
servers() { # COUNT: the table has as many
    [ "$(table | grep -c -- ' -r ')" = "$1" ]
}
both() {
    counts=$(pages client "http://$article_vip/" "${customers[@]}")
    [ "$(answered "$counts" "Test Web 1")" -gt 0 ] && [ "$(answered "$counts" "Test Web 2")" -gt 0 ] &&
        [ "$(answered "$counts" "no answer")" = 0 ]
}
only_web2() {
    counts=$(pages client "http://$article_vip/" "${customers[@]}")
    [ "$(answered "$counts" "Test Web 2")" = ${#customers[@]} ]
}

# play WHO PROGRAM FIRST-CUSTOMER: the whole life of the daemon; what the table looked like goes into files WHO.*
play() {
    local who=$1 i
    customers=()
    for ((i = $3; i < $3 + 10; i++)); do customers+=("10.10.0.$i"); done
    VIPD=$2 vipd_start lb
    { wait_for 60 "$who: MASTER" has_address lb "$article_vip" && wait_for 60 "$who: two servers" servers 2; } ||
        fail "$who becomes MASTER and programs two servers" "$(holders "$article_vip" lb); $(table)"
    table >"$LAB_DIR/$who.full"
    counts=
    wait_for 60 "$who: both servers answer" both || fail "$who: both pages, nobody without an answer" "$(in_words "$counts")"
    good "$who, $kind: $(in_words "$counts")"

    web_stop web1
    wait_for 60 "$who: web1 is removed" servers 1 || fail "$who removes the stopped server" "$(table)"
    table >"$LAB_DIR/$who.less"
    wait_for 20 "$who: the rest answers" only_web2 || fail "$who: all from Test Web 2" "$(in_words "$counts")"
    web_start web1 "Test Web 1"
    wait_for 60 "$who: web1 returns" servers 2 || fail "$who takes the server back" "$(table)"
    table >"$LAB_DIR/$who.again"
    good "$who, $kind: a stopped server is removed and comes back"

    vipd_stop lb
    table >"$LAB_DIR/$who.left"
    has_address lb "$article_vip" && fail "$who gives the address back" "$(holders "$article_vip" lb)"
    lab_on lb ipvsadm -C
}

network
play keepalived "$peer" 110
[ ! -s "$LAB_DIR/keepalived.left" ] || fail "keepalived leaves an empty table" "$(cat "$LAB_DIR/keepalived.left")"
play vipd "$ours" 120
for state in full less again left; do
    diff -u "$LAB_DIR/keepalived.$state" "$LAB_DIR/vipd.$state" ||
        fail "the table that keepalived has ($state)" "the difference above"
done
good "$kind: the same IPVS table as keepalived with all servers, with one less, with it back, and after the end:"
sed 's/^/          /' "$LAB_DIR/vipd.full"
