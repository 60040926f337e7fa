#!/bin/bash
# vipd_address.sh: a MASTER and its address. It never advertises without it: what vanished is set again, also when the kernel's
# events about it were lost; what cannot be set again makes it resign. And IPv6
# unicast waits for its source.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin vipaddr tshark

vip=10.9.0.100
vip6=fd00:9::100

configure() { # NAME PRIORITY
    cat >"$LAB_DIR/$1/keepalived.conf" <<CONF
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    priority $2
    advert_int 0.1
    virtual_ipaddress {
        $vip/24
    }
    virtual_ipaddress_excluded {
        $vip6/64
    }
}
CONF
}
says() { grep -qF -- "$2" "$LAB_DIR/$1/vipd.log"; } # NAME TEXT
child() { pgrep -P "${vipd_pid[$1]}" "$2"; } # NAME PROCESS

lab_switch lan
i=1
for name in r1 r2; do
    lab_machine $name
    lab_plug $name eth0 lan 10.9.0.$i/24 fd00:9::$i/64
    i=$((i + 1))
done
configure r1 200
configure r2 100
capture=$LAB_DIR/wire.pcap
lab_start net capture tcpdump -Z root -U --immediate-mode -n -i lan -w "$capture" 'proto 112'
capture_pid=$LAB_PID
vipd_start r1
vipd_start r2
wait_for 30 "r1 becomes MASTER" only_on $vip r1 r2 || fail "r1 alone holds $vip" "$(holders $vip r1 r2)"
good "r1 is MASTER"

# Events lost: the kernel process does not read while thousands of them pass, one of which took the address.
kernel=$(child r1 vipd_kernel)
kill -STOP "$kernel"
for ((i = 0; i < 4000; i++)); do printf 'addr add 10.200.%d.%d/32 dev lo\naddr del 10.200.%d.%d/32 dev lo\n' $((i / 200)) $((i % 200 + 1)) $((i / 200)) $((i % 200 + 1)); done >"$LAB_DIR/storm"
printf 'addr del %s/24 dev eth0\n' $vip >>"$LAB_DIR/storm"
lab_ip r1 -batch "$LAB_DIR/storm"
! has_address r1 $vip || fail "$vip is gone" "$(lab_ip r1 -o addr show dev eth0)"
kill -CONT "$kernel"
wait_for 30 "the address comes back" has_address r1 $vip || fail "r1 sets $vip again" "$(tail -n 5 "$LAB_DIR/r1/vipd.log")"
only_on $vip r1 r2 || fail "r1 alone holds $vip" "$(holders $vip r1 r2)"
good "8,000 events were lost with the one that mattered: the address is back"

# An address that cannot be set again: IPv6 is switched off under it. r1 resigns, r2 is told by priority 0.
masters=$(grep -c "Entering MASTER STATE" "$LAB_DIR/r2/vipd.log")
since=$EPOCHREALTIME
lab_sysctl r1 net.ipv6.conf.eth0.disable_ipv6=1
taken() { [ "$(grep -c "Entering MASTER STATE" "$LAB_DIR/r2/vipd.log")" -gt "$masters" ]; }
wait_for 30 "r2 takes over" taken || fail "r1 resigns when $vip6 cannot be held" "$(tail -n 5 "$LAB_DIR/r1/vipd.log")"
says r1 "Entering FAULT STATE, was MASTER: its virtual addresses cannot be set" || fail "r1 says why" "$(tail -n 5 "$LAB_DIR/r1/vipd.log")"
wait_for 30 "r1 gives all of them up" only_on $vip r2 r1 || fail "r1 gives up $vip, too" "$(holders $vip r1 r2)"
resigned() {
    zero=$(tshark -n -r "$capture" -Y "vrrp.prio == 0 && frame.time_epoch > $since" -T fields -e frame.time_epoch 2>/dev/null | head -n 1)
    [ -n "$zero" ]
}
wait_for 30 "an advert of priority 0" resigned || fail "r1 resigns with priority 0" "no such advert"
good "an address that cannot be held: r1 resigned $(calc "($zero - $since) * 1000") ms after it vanished"

lab_sysctl r1 net.ipv6.conf.eth0.disable_ipv6=0
wait_for 30 "r1 is MASTER again" only_on $vip r1 r2 || fail "r1 tries again" "$(tail -n 5 "$LAB_DIR/r1/vipd.log")"
wait_for 30 "both addresses" has_address r1 $vip6 || fail "r1 holds $vip6" "$(lab_ip r1 -o addr show dev eth0)"
good "when it can be held again, r1 is MASTER again"

vipd_stop r1
vipd_stop r2
lab_stop "$capture_pid"

# As at boot: the address that adverts leave from is tentative when vipd starts.
lab_sysctl r1 net.ipv6.conf.eth0.accept_dad=1 net.ipv6.conf.eth0.dad_transmits=2
cat >"$LAB_DIR/r1/keepalived.conf" <<CONF
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    advert_int 0.1
    unicast_src_ip fd00:9::9
    unicast_peer {
        fd00:9::8
    }
    virtual_ipaddress {
        $vip6/64
    }
}
CONF
lab_ip r1 addr add fd00:9::9/64 dev eth0
vipd_start r1
wait_for 30 "r1 sends from it" has_address r1 $vip6 || fail "r1 is MASTER" "$(tail -n 5 "$LAB_DIR/r1/vipd.log")"
good "IPv6 unicast begins when its source is no longer tentative"
vipd_stop r1
