#!/bin/bash
# Balancing by nftables between real programs: client - lb - web1, web2, each a network namespace.
# usage: nft.sh NFT_APPLY SESSION
set -u
shopt -s extglob
apply=$1
session=$2
here=$(dirname "$(realpath "$0")")
peer=$here/nft_peer.py
id=svc$$
failed=0
pids=()
in_one='' in_swaps='' in_left='' in_right=''

skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
for command in ip nft python3; do command -v $command >/dev/null || skip "needs $command"; done
ip netns add "$id-lb" 2>/dev/null || skip "needs network namespaces"
work=$(mktemp -d)

# shellcheck disable=SC2317  # called by the trap
cleanup() {
    local name
    exec 7>&- 8<&- 2>/dev/null
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
    for name in lb client web1 web2; do ip netns del "$id-$name" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT

# Not `ip netns exec` and `ip -n`: they mount, which a chroot whose root is no mount point refuses.
in_ns() { nsenter --net="/run/netns/$id-$1" "${@:2}"; }
check() { # check WHAT HAVE WANT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        printf 'FAILED: %s\n have: %s\n want: %s\n' "$1" "$2" "$3"
        failed=1
    fi
}
wire() { # wire NAME NET: NAME has NET.1 and the way through lb, which has NET.254
    ip netns add "$id-$1"
    in_ns lb ip link add "$1" type veth peer name eth0 netns "$id-$1"
    in_ns lb ip addr add "10.$2.254/24" dev "$1"
    in_ns lb ip addr add "fd00:${2//./:}::fe/64" dev "$1" nodad
    in_ns lb ip link set "$1" up
    in_ns "$1" ip addr add "10.$2.1/24" dev eth0
    in_ns "$1" ip addr add "fd00:${2//./:}::1/64" dev eth0 nodad
    in_ns "$1" ip link set lo up
    in_ns "$1" ip link set eth0 up
    in_ns "$1" ip route add default via "10.$2.254"
    in_ns "$1" ip route add default via "fd00:${2//./:}::fe"
}
want() { # want LINES: holds the table to them; prints "N steps, result R"
    printf '%s\n' "$@" >"$work/table"
    in_ns lb "$apply" apply <"$work/table" >"$work/steps" 2>&1
    tail -1 "$work/steps"
}
apply_table() { # apply_table LINES: twice, the second time there is nothing to do
    local first
    first=$(want "$@")
    case $first in *" steps, result 0") ;; *) check "apply" "$(cat "$work/steps")" "done" ;; esac
    check "the second apply is none" "$(want "$@")" "0 steps, result 0"
}
ask() { in_ns client python3 "$peer" ask "$@"; }

in_ns lb ip link set lo up
in_ns lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
in_ns lb "$apply" dump >"$work/open" 2>&1
[ $? = 77 ] && skip "needs nf_tables in the kernel: $(cat "$work/open")"
wire client 9.0
wire web1 0.1
wire web2 0.2
for n in 2 3 4 5 6 7 8; do in_ns client ip addr add "10.9.0.$n/24" dev eth0; done
for vip in 192.0.2.1/32 192.0.2.2/32 203.0.113.1/32; do in_ns lb ip addr add $vip dev lo; done
in_ns lb ip addr add 2001:db8::1/128 dev lo nodad
for name in web1 web2; do
    nsenter --net="/run/netns/$id-$name" python3 "$peer" serve $name 8080 80 >"$work/$name" &
    pids+=($!)
done
for _ in $(seq 600); do [ -s "$work/web1" ] && [ -s "$work/web2" ] && break; sleep 0.05; done
in_ns lb nft add table inet stranger
in_ns lb nft add chain inet stranger marks '{ type filter hook prerouting priority mangle; }'
in_ns lb nft add rule inet stranger marks ip daddr 203.0.113.1 meta mark set 7
strangers=$(in_ns lb nft list table inet stranger)

web="tcp 192.0.2.1 80"
one=" 10.0.1.1 8080" two=" 10.0.2.1 8080"
sources=(10.9.0.1 10.9.0.2 10.9.0.3 10.9.0.4 10.9.0.5 10.9.0.6 10.9.0.7 10.9.0.8)

echo "-- schedulers"
apply_table "$web rr" "$one 1" "$two 5"
check "rr spreads evenly whatever the weights" "$(ask 192.0.2.1 80 100)" "* web1=50 web2=50"
check "a new process reads counters and services" "$(in_ns lb "$apply" dump | tr '\n' ';')" \
    "tcp 192.0.2.1:80 rr; 10.0.1.1:8080 NAT weight 1: 50 0 50; 10.0.2.1:8080 NAT weight 5: 50 0 50;"
apply_table "$web wrr" "$one 3" "$two 1"
check "wrr spreads by weight" "$(ask 192.0.2.1 80 40)" "* web1=30 web2=10"
check "counters outlive an edit" "$(in_ns lb "$apply" dump | sed -n 's/.*weight 3: \([0-9]*\) .*/\1/p')" 80
apply_table "$web sh" "$one 1" "$two 1"
check "sh keeps a client on one server" "$(ask 192.0.2.1 80 5 "${sources[@]}" | grep -cE ' web[12]=5$')" 8
check "sh uses both servers" "$(ask 192.0.2.1 80 1 "${sources[@]}" | grep -o 'web[12]' | sort -u | wc -l)" 2
check "a client on the load balancer itself" "$(in_ns lb python3 "$peer" ask 192.0.2.1 80 4 | grep -cE 'web[12]=4')" 1

apply_table "$web random" "$one 1" "$two 3"
share=$(ask 192.0.2.1 80 100 | sed -n 's/.*web2=//p')
check "random spreads by weight, about" "$([ "$share" -gt 50 ] && [ "$share" -lt 98 ] && echo yes)" yes
apply_table "$web fo" "$one 1" "$two 3"
check "fo takes the greatest weight" "$(ask 192.0.2.1 80 5)" "* web2=5"
apply_table "$web fo" "$one 1" "$two 0"
check "and the next when that one is out" "$(ask 192.0.2.1 80 5)" "* web1=5"
apply_table "$web mh slots=BBABB" "$one 1" "$two 1"
ask 192.0.2.1 80 2 "${sources[@]}" >"$work/first"
check "mh keeps a client on one server" "$(grep -cE ' web[12]=2$' "$work/first")" 8
check "another table of slots is one edit" "$(want "$web mh slots=BBBBB" "$one 1" "$two 1")" "1 steps, result 0"
check "that says so" "$(head -1 "$work/steps")" "edit service tcp 192.0.2.1:80 mh slots (other slots): done"
check "mh goes where the caller's table says" "$(ask 192.0.2.1 80 1 "${sources[@]}" | grep -c ' web2=1$')" 8
apply_table "$web mh slots=BBABB" "$one 1" "$two 1"
check "the same table chooses alike" "$(ask 192.0.2.1 80 2 "${sources[@]}" | diff - "$work/first")" ""
apply_table "$web rr slots=AAAB" "$one 1" "$two 1"
check "rr goes through the caller's table" "$(ask 192.0.2.1 80 40)" "* web1=30 web2=10"
check "a table without slots is refused" "$(want "$web mh slots=" "$one 1" "$two 1")" "1 steps, result -22"

echo "-- removal leaves connections alive"
apply_table "$web rr" "$one 1"
mkfifo "$work/in" "$work/out"
nsenter --net="/run/netns/$id-client" python3 "$peer" hold 192.0.2.1 80 <"$work/in" >"$work/out" &
pids+=($!)
exec 7>"$work/in" 8<"$work/out"
read -r -t 5 name _ <&8
check "established with" "$name" web1
apply_table "$web rr" "$two 1"
echo hello >&7
read -r -t 5 answer <&8
check "the established connection lives on" "$answer" hello
check "new ones avoid the removed server" "$(ask 192.0.2.1 80 10)" "* web2=10"
apply_table "$web rr" "$one 0" "$two 1"
check "weight 0 gets no new connections" "$(ask 192.0.2.1 80 10)" "* web2=10"
apply_table "$web rr" "$one 0" "$two 0"
check "without a server connections are refused" "$(ask 192.0.2.1 80 3)" "* ConnectionRefusedError=3"
echo again >&7
read -r -t 5 answer <&8
check "and the established one still lives" "$answer" again
exec 7>&- 8<&-

echo "-- connections, and flows that must not stay"
counts() { in_ns lb "$apply" dump | sed -n "s/ \(.*\):8080 NAT weight [0-9]*: [0-9]*/\1/p" | tr '\n' ';'; }
# hold NAME MODE ADDRESS PORT: a peer that asks in the client's namespace, spoken to by say; fd in `in_NAME` and `out_NAME`
hold() {
    mkfifo "$work/$1.in" "$work/$1.out"
    nsenter --net="/run/netns/$id-client" python3 "$peer" "${@:2}" <"$work/$1.in" >"$work/$1.out" 2>/dev/null &
    pids+=($!)
    exec {fd}>"$work/$1.in" && eval "in_$1=$fd"
    exec {fd}<"$work/$1.out" && eval "out_$1=$fd"
}
hear() { local line='' from="out_$1"; read -r -t 5 line <&"${!from}"; echo "$line"; }
say() { local to="in_$1"; echo "${2-}" >&"${!to}"; hear "$1"; }
drop() { local to="in_$1" from="out_$1"; eval "exec ${!to}>&- ${!from}<&-"; }

apply_table
dns="udp 192.0.2.1 80"
hold early talk 192.0.2.1 80
check "nobody is there yet" "$(say early)" nobody
apply_table "$dns rr" "$one 1"
check "a flow from before the service finds it" "$(say early)" web1
apply_table "$dns rr" "$one 0" "$two 1"
check "weight 0 keeps a flow" "$(say early)" web1
apply_table "$dns rr" "$two 1"
check "a flow leaves a removed server" "$(say early)" web2
check "flows are inactive connections" "$(counts)" "10.0.2.1 0 1;"
drop early
apply_table "udp 2001:db8::1 80 rr" " fd00:0:1::1 8080 1"
hold six talk 2001:db8::1 80
check "IPv6 too" "$(say six)" web1
apply_table "udp 2001:db8::1 80 rr" " fd00:0:2::1 8080 1"
check "and it leaves" "$(say six)" web2
drop six

apply_table "$web rr" "$one 1"
hold one hold 192.0.2.1 80
hear one >/dev/null
hold two hold 192.0.2.1 80
hear two >/dev/null
active() { counts | sed 's/ [0-9]*;$/;/'; } # closed ones are inactive for two minutes
check "established ones are active" "$(active)" "10.0.1.1 2;"
drop two
for _ in $(seq 500); do [ "$(active)" = "10.0.1.1 1;" ] && break; sleep 0.02; done
check "a closed one is not" "$(active)" "10.0.1.1 1;"
printf '%s\n' "$web rr" "$one 1" "$two 1" | CUT_REMOVED=1 in_ns lb "$apply" drain 10.0.1.1 8080 20 >"$work/drain" {in_one}>&- &
pids+=($!)
for _ in $(seq 1500); do [ -s "$work/drain" ] && break; sleep 0.02; done
check "draining tells what is left" "$(cat "$work/drain")" "left 1"
check "new ones go elsewhere" "$(ask 192.0.2.1 80 4)" "* web2=4"
check "and the old one goes on" "$(say one still)" still
drop one
wait "${pids[-1]}"
check "then it is gone" "$(cat "$work/drain")" "left 1
drained with 0"
check "also from the table" "$(counts | sed 's/ .*//')" 10.0.2.1
apply_table "$web rr" "$one 1"
hold late hold 192.0.2.1 80
hear late >/dev/null
printf '%s\n' "$web rr" "$one 1" "$two 1" | CUT_REMOVED=1 in_ns lb "$apply" drain 10.0.1.1 8080 0.3 >"$work/drain"
check "at the deadline it goes with its connections" "$(cat "$work/drain")" "left 1
drained with 1"
check "which are cut" "$(say late anybody)" ""
check "and forgotten" "$(active)" "10.0.2.1 0;"
drop late
apply_table "mark ipv4 7 rr" " 10.0.1.1 0 1" "tcp 192.0.2.2 0 rr 60/32" " 10.0.2.1 0 1"
hold marked hold 203.0.113.1 8080
hear marked >/dev/null
hold any hold 192.0.2.2 8080
hear any >/dev/null
check "those of marks and of every port are counted" "$(in_ns lb "$apply" dump | sed -n 's/.*: \(1 1\) .*/\1/p')" "1 1
1 1"
drop marked
drop any

echo "-- persistence"
apply_table "$web rr 60/32" "$one 1" "$two 1"
ask 192.0.2.1 80 5 "${sources[@]}" >"$work/first"
check "each client sticks" "$(grep -cE ' web[12]=5$' "$work/first")" 8
check "to either server" "$(grep -o 'web[12]' "$work/first" | sort | uniq -c | tr -s ' \n' ' ')" " 4 web1 4 web2 "
apply_table "$web wrr 60/32" "$one 1" "$two 7"
check "and after an edit" "$(ask 192.0.2.1 80 5 "${sources[@]}" | diff - "$work/first")" ""
apply_table "$web wrr 60/32" "$one 0" "$two 1"
check "and at weight 0, as in IPVS" "$(ask 192.0.2.1 80 5 "${sources[@]}" | diff - "$work/first")" ""
apply_table "$web rr 60/32" "$two 1"
check "a removed server loses its clients" "$(ask 192.0.2.1 80 1 "${sources[@]}" | grep -c ' web2=1$')" 8
apply_table "$web rr 60/32" "$one 1" "$two 1"
check "and does not get them back" "$(ask 192.0.2.1 80 1 "${sources[@]}" | grep -c ' web2=1$')" 8
apply_table "$web rr"
apply_table "$web rr 60/24" "$one 1" "$two 1"
check "clients of a network are one client" \
    "$(ask 192.0.2.1 80 2 "${sources[@]}" | grep -o 'web[12]' | sort | uniq -c | tr -s ' ' | sed 's/web./web/')" " 8 web"
apply_table "$web rr 1/32" "$one 1" "$two 1"
ask 192.0.2.1 80 1 10.9.0.1 >"$work/before"
sleep 1.5
check "persistence ends" "$(ask 192.0.2.1 80 1 10.9.0.1 | diff -q - "$work/before" >/dev/null && echo same || echo other)" other
apply_table
AFFINITY_MAX=1 apply_table "$web rr 60/32" "$one 1" "$two 1"
check "a full memory turns nobody away" "$(ask 192.0.2.1 80 2 "${sources[@]}" | grep -o 'web[12]=[12]' | awk -F= '{ n += $2 } END { print n }')" 16

echo "-- kinds of services"
in_ns lb "$apply" apply </dev/null >/dev/null
check "an empty table is gone" "$(in_ns lb nft list tables)" "table inet stranger"
apply_table "$web rr masquerade" "$one 1" "tcp 2001:db8::1 80 rr" " fd00:0:1::1 8080 1" " fd00:0:2::1 8080 1" \
    "mark ipv4 7 rr" " 10.0.1.1 0 1" " 10.0.2.1 0 1" "tcp 192.0.2.2 0 rr 60/32" " 10.0.2.1 0 1" "udp 192.0.2.1 80 rr" "$two 1"
check "masquerade hides the client" "$(in_ns client python3 "$peer" hold 192.0.2.1 80 </dev/null)" "web1 10.0.1.254"
in_ns lb nft flush chain inet hawser postrouting # what a packet meets there while the table is made anew
check "also at the second attempt" "$(in_ns client python3 "$peer" hold 192.0.2.1 80 </dev/null)" "web1 10.0.1.254"
check "IPv6" "$(ask 2001:db8::1 80 10)" "* web1=5 web2=5"
check "fwmark, the client's port stays" "$(ask 203.0.113.1 8080 10)" "* web1=5 web2=5"
check "every port" "$(ask 192.0.2.2 8080 3; ask 192.0.2.2 80 3)" "* web2=3
* web2=3"
check "UDP" "$(in_ns client python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(b"?", ("192.0.2.1", 80)); print(s.recv(99).decode())')" web2
check "nft shows the table" "$(in_ns lb nft list table inet hawser >"$work/list" 2>&1; echo $?)" 0
check "with servers, ports and weights" "$(grep -cE '0 : 10.0.1.1 . 8080 }|192.0.2.1 . 80 . 10.0.1.1 . 8080 comment "weight 1"' "$work/list")" 2

all=("$web wrr 300/24 masquerade" "$one 3" "$two 1" "tcp 192.0.2.1 81 random" "$one 1" "tcp 192.0.2.1 82 sh port" "$one 1" "$two 1"
    "tcp 192.0.2.1 83 dh" "$one 1" "tcp 192.0.2.1 84 fo" "$one 1" "tcp 192.0.2.1 85 mh slots=ABBA" "$one 1" "$two 1"
    "tcp 192.0.2.1 86 rr" "udp 2001:db8::1 53 sh 60/64 port masquerade" " fd00:0:1::1 53 1" "sctp 192.0.2.1 0 rr 60/32" " 10.0.1.1 0 1"
    "mark ipv4 7 rr" " 10.0.1.1 0 1" "mark ipv6 7 rr masquerade" " fd00:0:1::1 0 1")
apply_table "${all[@]}"
in_ns lb nft list table inet hawser >"$work/saved"
in_ns lb nft delete table inet hawser
check "nft takes back what it has shown" "$(in_ns lb nft -f "$work/saved" 2>&1)" ""
check "as it was" "$(in_ns lb nft list table inet hawser | diff - "$work/saved")" ""
check "and we adopt it" "$(want "${all[@]}")" "0 steps, result 0"
check "and it balances" "$(ask 192.0.2.1 80 4)" "* web1=4"
apply_table "$web rr masquerade" "$one 1"

echo "-- transactions"
ours() { in_ns lb nft list table inet hawser | sed 's/ expires [0-9a-z]*//g'; }
before=$(ours)
check "what cannot be expressed is refused" "$(want "$web wlc" "$one 1" | sed 's/.*steps/N steps/')" "N steps, result -95"
check "and nothing happened" "$(diff <(ours) <(echo "$before"))" ""
check "the step is named" "$(head -1 "$work/steps" | sed 's/(was.*)//')" "edit service tcp 192.0.2.1:80 wlc : Operation not supported"
apply_table "$web rr" "$one 1" "$two 1"
hold swaps load 192.0.2.1 80 20
hear swaps >/dev/null
for n in $(seq 5); do
    for table in "$one 1" "$two 1"; do want "$web rr masquerade" "$table" >/dev/null; done
    want "$web wrr" "$one $n" "$two 1" >/dev/null
done
exec {in_swaps}>&-
result=$(hear swaps)
check "15 changes under load break nothing ($result)" "${result//[1-9]*([0-9])/N}" "requests N broken 0 connections N failed 0"
drop swaps
hold left load 192.0.2.1 80 20
hold right load 192.0.2.1 80 20
hear left >/dev/null
hear right >/dev/null
# Every kind of change that replaces rules and the maps they ask, as fast as the kernel takes them.
rotated=$(printf '%s\n' "$web wrr" "$one 3" "$two 1" "" "$web rr masquerade" "$one 1" "" "$web wrr 60/32" "$one 5" "$two 1" "" \
    "$web rr" "$two 1" "tcp 192.0.2.1 81 rr" "$one 1" "" "$web wrr" "$one 7" "$two 1" | in_ns lb "$apply" rotate 4)
exec {in_left}>&- {in_right}>&-
result="$(hear left), $(hear right)"
check "nor do thousands ($rotated; $result)" "${rotated/[1-9]*([0-9]) /N }, ${result//[1-9]*([0-9])/N}" \
    "N tables, 0 failed, requests N broken 0 connections N failed 0, requests N broken 0 connections N failed 0"
drop left
drop right
apply_table "$web rr" "$one 1" "$two 1"
in_ns lb nft flush map inet hawser slots-tcp-192.0.2.1-80
check "a service without its slots serves nobody" "$(ask 192.0.2.1 80 1)" "* ConnectionRefusedError=1"
apply_table "$web rr" "$one 1" "$two 1"
check "that is seen and repaired" "$(ask 192.0.2.1 80 10)" "* web1=5 web2=5"
in_ns lb nft add element inet hawser masquerade-tcp-ipv4 '{ 192.0.2.1 . 80 }'
check "and a set that knows too much" "$(in_ns lb "$apply" dump)" ""
apply_table "$web rr" "$one 1" "$two 1"
in_ns lb nft flush chain inet hawser dispatch
check "damage is seen" "$(in_ns lb "$apply" dump)" ""
apply_table "$web rr" "$one 1" "$two 1"
check "and repaired" "$(ask 192.0.2.1 80 10)" "* web1=5 web2=5"
in_ns lb nft add table inet hawser '{ flags dormant; }'
check "a table that was switched off serves nobody" "$(ask 192.0.2.1 80 1)" "* ConnectionRefusedError=1"
apply_table "$web rr" "$one 1" "$two 1"
check "and is switched on again" "$(ask 192.0.2.1 80 10)" "* web1=5 web2=5"
in_ns lb nft delete element inet hawser port-ipv4 '{ 192.0.2.1 . tcp . 80 }'
apply_table "$web rr" "$one 1" "$two 1"
check "also where a service was cut off" "$(ask 192.0.2.1 80 10)" "* web1=5 web2=5"
hold older hold 192.0.2.1 80
hear older >/dev/null
in_ns lb nft list table inet hawser | sed -e 's/, format [0-9]*"/, format 2"/' -e '/chain .*-again {/,/}/d' >"$work/saved"
in_ns lb nft delete table inet hawser
in_ns lb nft -f "$work/saved"
check "an older version's table still serves" "$(ask 192.0.2.1 80 10)" "* web1=5 web2=5"
check "but is not ours" "$(in_ns lb "$apply" dump)" ""
apply_table "$web rr" "$one 1" "$two 1"
check "until it is made anew" "$(in_ns lb nft list table inet hawser | grep -c 'chain .*-again')" 3
check "with its connections" "$(say older hello)" hello
drop older

apply_table
check "the recorded session is the kernel's" "$(in_ns lb "$apply" session "$session" 2>&1)" ""

mapfile -t many < <(for n in $(seq 0 999); do
    echo "tcp 198.18.$((n / 250)).$((n % 250 + 1)) 80 wrr"
    for d in 1 2 3 4; do echo " 10.1.$((n / 250)).$d 80 $d"; done
done)
apply_table "${many[@]}"
check "1000 services with 4 destinations each" "$(in_ns lb "$apply" dump | grep -c ' NAT weight')" 4000
check "one change is one step" "$(want "${many[@]/% 10.1.3.4 80 4/ 10.1.3.4 80 9}" | sed 's/^[1-9][0-9]* /some /')" "some steps, result 0"
apply_table
check "strangers' tables are untouched" "$(in_ns lb nft list ruleset)" "$strangers"
exit $failed
