#!/bin/bash
# vipd_routes.sh: virtual_routes, virtual_rules and static_*: the kernel holds what it holds with keepalived on the same file,
# gets it back when somebody removes it, changes with a reload, and is as before at the end.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin viprt keepalived

vip=10.9.0.100
configure() { # METRIC: of one route
    cat >"$LAB_DIR/r1/keepalived.conf" <<CONF
global_defs {
    default_interface eth0
}
static_ipaddress {
    10.8.0.1/32 dev eth0 scope global
}
static_routes {
    192.0.2.0/24 via 10.9.0.9 dev eth0 metric 7
}
static_rules {
    from 10.8.0.1/32 table 77 priority 900
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 1
    garp_master_delay 1
    virtual_ipaddress {
        $vip/24
    }
    virtual_routes {
        198.51.100.0/24 via 10.9.0.2 dev eth0 metric $1
        0.0.0.0/0 via 10.9.0.3 dev eth0 table 100
        203.0.113.0/25 dev eth0 scope link src $vip mtu 1400 advmss 1300 table 100
        blackhole 203.0.113.128/25 table 100
        203.0.113.0/24 table 101 nexthop via 10.9.0.4 dev eth0 weight 2 nexthop via 10.9.0.5 dev eth0 weight 1
        2001:db8:1::/48 via fd00:9::9 dev eth0 metric 50
    }
    virtual_rules {
        from 10.9.0.0/24 table 100 priority 500
        to 203.0.113.0/24 iif eth0 fwmark 4/0xf lookup 101 priority 501
        from 2001:db8::/32 prohibit priority 502
    }
}
CONF
}

# What the kernel holds, without who put it there.
routing() {
    lab_ip r1 -4 route show table all
    lab_ip r1 -6 route show table all
    lab_ip r1 -4 rule
    lab_ip r1 -6 rule
    lab_ip r1 -o -4 addr show dev eth0
}
held() { routing | grep -vE "table local|fe80|ff00" | sed -E 's/ proto [a-z0-9]+//; s/ (pref|preference) medium//; s/ +valid_lft.*//; s/ +$//' | sort; }
holds() { lab_ip r1 -o addr show dev eth0 | grep -qF " $vip/24"; }
is_before() { [ "$(held)" = "$before" ]; }
has_metric() { lab_ip r1 route show | grep -q "^198.51.100.0/24 .* metric $1"; }

lab_switch lan
lab_machine r1
lab_plug r1 eth0 lan 10.9.0.1/24 fd00:9::1/64
no_tentative() { ! lab_ip r1 -o addr show dev eth0 | grep -q tentative; }
wait_for 30 "duplicate addresses have been looked for" no_tentative || fail "an address stays tentative" "$(lab_ip r1 addr)"
before=$(held)
configure 20

lab_start r1 keepalived keepalived -n -l -f "$LAB_DIR/r1/keepalived.conf" -p "$LAB_DIR/r1/k.pid" -r "$LAB_DIR/r1/kr.pid" -c "$LAB_DIR/r1/kc.pid"
keepalived_pid=$LAB_PID
wait_for 30 "keepalived is MASTER" holds || fail "keepalived becomes MASTER" "$(tail "$LAB_DIR/r1/keepalived.log")"
is_still() { theirs=$(held) && sleep 1 && [ "$(held)" = "$theirs" ]; }
wait_for 30 "keepalived has done all" is_still || fail "keepalived comes to an end" "$(tail "$LAB_DIR/r1/keepalived.log")"
lab_stop "$keepalived_pid"
wait_for 30 "keepalived takes all back" is_before || fail "keepalived takes all back" "$(held)"

vipd_start r1
wait_for 30 "vipd is MASTER" holds || fail "vipd becomes MASTER" "$(tail "$LAB_DIR/r1/vipd.log")"
all_there() { [ "$(held)" = "$theirs" ]; }
wait_for 30 "vipd has done all" all_there || fail "vipd holds what keepalived held" "$(diff <(echo "$theirs") <(held))"
good "addresses, routes and rules are those of keepalived"

for what in "route del 198.51.100.0/24" "rule del priority 500" "-6 route del 2001:db8:1::/48" "route del 192.0.2.0/24"; do # the last is a static one
    # shellcheck disable=SC2086
    lab_ip r1 $what
    wait_for 30 "what others removed comes back" all_there || fail "what others removed comes back ($what)" "$(diff <(echo "$theirs") <(held))"
done
[ "$(grep -c "was gone: added again" "$LAB_DIR/r1/vipd.log")" = 4 ] || fail "each is said once" "$(tail "$LAB_DIR/r1/vipd.log")"
good "routes and a rule that were removed came back, though no link or address changed"
lab_ip r1 link set eth0 down
lab_ip r1 link set eth0 up
restored() { [ "$(held | grep -v fd00)" = "$(echo "$theirs" | grep -v fd00)" ]; } # the lab's own IPv6 address went with the link
wait_for 30 "what a link took along comes back" restored || fail "what a link took along comes back" "$(diff <(echo "$theirs") <(held))"
grep "cannot add route [0-9]*\." "$LAB_DIR/r1/vipd.log" && fail "a link that is down is no error of a route" "$(tail "$LAB_DIR/r1/vipd.log")"
good "all that a link took along came back"

configure 30
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "a reload changes a route" has_metric 30 || fail "the reload changes the route" "$(lab_ip r1 route show)"
wait_for 30 "the old one goes" eval '! has_metric 20' || fail "the old route goes" "$(lab_ip r1 route show)"
good "a reload changed one route"

# The kernel refuses it, however often it is asked: one line. The route that comes back shows that it was asked.
configure 30
sed -i 's|^    virtual_routes {|&\n        198.51.101.0/24 via 172.30.0.1|' "$LAB_DIR/r1/keepalived.conf"
kill -HUP "${vipd_pid[r1]}"
refused() { grep -c "cannot add route 198.51.101.0/24" "$LAB_DIR/r1/vipd.log"; }
wait_for 30 "a refused route is said" eval '[ "$(refused)" = 1 ]' || fail "a refused route is said" "$(tail "$LAB_DIR/r1/vipd.log")"
for i in 1 2 3; do
    lab_ip r1 route del 198.51.100.0/24
    lab_ip r1 addr add "10.9.0.20$i/32" dev eth0
    wait_for 30 "the other one comes back" has_metric 30 || fail "the other route comes back" "$(lab_ip r1 route show)"
done
[ "$(refused)" = 1 ] || fail "a refused route is said once" "$(grep "cannot add" "$LAB_DIR/r1/vipd.log")"
for i in 1 2 3; do lab_ip r1 addr del "10.9.0.20$i/32" dev eth0; done
good "a route that the kernel refuses is said once"

# Who removes it again and again meets ever less of it, and of the log: 1 line, and one for each of 2, 4 and 8 s.
configure 30
said_before=$(wc -l <"$LAB_DIR/r1/vipd.log")
kill -HUP "${vipd_pid[r1]}"
said() { tail -n "+$((said_before + 1))" "$LAB_DIR/r1/vipd.log"; }
wait_for 30 "a reload" eval 'said | grep -q reloaded' || fail "the file is read again" "$(said)"
{ while :; do
    lab_ip r1 route del 198.51.100.0/24
    sleep 0.05
done; } 2>"$LAB_DIR/r1/fight" &
fighter=$!
wait_for 30 "vipd gives way" eval 'said | grep -q "come back after 8 s"' || fail "vipd gives way" "$(said)"
kill "$fighter"
wait "$fighter" 2>/dev/null
[ "$(said | grep -c "198.51.100.0/24")" = 4 ] || fail "each rhythm is said once" "$(said)"
wait_for 30 "the route comes back in the end" has_metric 30 || fail "the route comes back in the end" "$(said)"
good "vipd gave way to somebody who removed a route again and again"

vipd_stop r1
is_gone() { ! held | grep -qE "198.51.100|203.0.113|table 77|table 100|10.8.0.1|2001:db8"; }
wait_for 30 "vipd takes all back" is_gone || fail "vipd takes all back" "$(held)"
good "nothing stays behind"

# All of it is killed, and the next start knows another configuration: what it does not name goes, what others put there stays.
configure 20
sed -i "s|advert_int 1|version 3\n    advert_int 0.1\n    use_vmac vr51|; s|^    virtual_routes {|&\n        198.51.102.0/24 scope link|
        s|^static_ipaddress {|&\n    10.8.0.11 peer 10.8.0.12/32 dev eth0 label eth0:own|" "$LAB_DIR/r1/keepalived.conf"
vipd_start r1
vmac_there() { lab_ip r1 -o addr show dev vr51 2>/dev/null | grep -qF " $vip/24" && lab_ip r1 route show | grep -q "^198.51.102.0/24 dev vr51"; }
wait_for 30 "vipd is MASTER" vmac_there || fail "vipd becomes MASTER on vr51" "$(lab_ip r1 addr)"
[ "$(lab_ip r1 route show proto keepalived | grep -c "^198.51.10[02].0/24\|^192.0.2.0/24")" = 3 ] || fail "routes are marked as keepalived's are" "$(lab_ip r1 route show)"
lab_ip r1 -d rule show | grep "^50[0-2]:" | grep -qv "proto keepalived" && fail "rules are marked as keepalived's are" "$(lab_ip r1 -d rule show)"
mapfile -t own < <(process_tree "${vipd_pid[r1]}")
kill -STOP "${own[@]}"
kill -KILL "${own[@]}"
wait "${vipd_pid[r1]}" 2>/dev/null
vmac_there || fail "all of it stays behind" "$(lab_ip r1 addr)"
held | grep -qF "10.8.0.11 peer 10.8.0.12/32" || fail "an address with a peer stays behind" "$(held)"
lab_ip r1 route add 198.51.103.0/24 dev eth0 proto keepalived
cat >"$LAB_DIR/r1/keepalived.conf" <<CONF
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        10.9.0.101/24
    }
}
CONF
vipd_start r1
all_gone() { is_gone && ! held | grep -qF "$vip" && ! lab_ip r1 link show vr51 >/dev/null 2>&1; }
wait_for 30 "what was left behind goes" all_gone || fail "what was left behind goes" "$(held; lab_ip r1 link; tail "$LAB_DIR/r1/vipd.log")"
lab_ip r1 route show | grep -q "^198.51.103.0/24" || fail "another's route stays" "$(lab_ip r1 route show)"
vipd_stop r1
good "what all of it left behind when it was killed goes with the next start"

# Without VRRP (-C) they are another vipd's, also when a reload no longer has them.
configure 20
said_before=$(wc -l <"$LAB_DIR/r1/vipd.log")
vipd_start r1
wait_for 30 "vipd is MASTER" holds || fail "vipd becomes MASTER" "$(lab_ip r1 addr)"
cp "$LAB_DIR/r1/keepalived.conf" "$LAB_DIR/r1/check.conf"
cat >"$LAB_DIR/r1/server.conf" <<CONF
virtual_server 10.9.0.1 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.9.0.2 80 {
    }
}
CONF
cat "$LAB_DIR/r1/server.conf" >>"$LAB_DIR/r1/check.conf"
lab_start r1 check "$VIPD" -C -n -l -f "$LAB_DIR/r1/check.conf" -p "$LAB_DIR/r1/c.pid" -r "$LAB_DIR/r1/cr.pid" -c "$LAB_DIR/r1/cc.pid"
check_pid=$LAB_PID
wait_for 30 "vipd -C runs" grep -q "starts:" "$LAB_DIR/r1/check.log" || fail "vipd -C runs" "$(cat "$LAB_DIR/r1/check.log")"
cp "$LAB_DIR/r1/server.conf" "$LAB_DIR/r1/check.conf"
kill -HUP "$check_pid"
wait_for 30 "vipd -C reads its file again" grep -q reloaded "$LAB_DIR/r1/check.log" || fail "vipd -C reads its file again" "$(cat "$LAB_DIR/r1/check.log")"
kill "$check_pid"
wait "$check_pid" 2>/dev/null
said | grep "added again" && fail "vipd -C removes nothing of VRRP" "$(said)"
vipd_stop r1
good "vipd -C leaves alone what VRRP holds"
