#!/bin/bash
# vipd_life.sh: what happens inside one node is not seen outside: crashes of its processes, reloads, strangers who remove addresses.
# Two nodes on a LAN, virtual servers on both; r1 must stay MASTER and keep its address through all of it.
set -u
lab_root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
# shellcheck source=tests/netns/netns.sh
. "$lab_root/tests/netns/netns.sh"
test_begin viplife tshark

vip=10.9.0.100
capture=$LAB_DIR/wire.pcap

advert=1 # seconds: three of them are longer than a busy machine takes to run a process again
configure() { # NAME PRIORITY ADDRESS...
    local name=$1 priority=$2
    shift 2
    cat >"$LAB_DIR/$name/keepalived.conf" <<CONF
vrrp_sync_group G {
    group {
        VI_1
    }
    notify "$LAB_DIR/group.sh $LAB_DIR/$name/notified"
}
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    priority $priority
    advert_int $advert
    virtual_ipaddress {
        $(printf '%s\n        ' "$@")
    }
    notify_master "/bin/sh -c 'sleep 0.3; echo master >>$LAB_DIR/$name/notified'"
    notify "$LAB_DIR/notify.sh $LAB_DIR/$name/notified"
}
virtual_server $vip 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.9.0.50 80 {
        TCP_CHECK {
            connect_timeout 1
        }
    }
    real_server 10.9.0.50 81 {
        inhibit_on_failure
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
CONF
}
child() { pgrep -P "${vipd_pid[$1]}" "$2"; } # NAME PROCESS
pid_changed() { local now; now=$(child "$1" "$2") && [ -n "$now" ] && [ "$now" != "$3" ]; }
status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
says() { grep -qF -- "$2" "$LAB_DIR/$1/vipd.log"; } # NAME TEXT
count() { grep -cF -- "$2" "$LAB_DIR/$1/vipd.log"; }
sent() { tshark -n -r "$capture" -Y "vrrp && $1" 2>/dev/null; }

# kill_child NODE PROCESS: -9, and until its supervisor has taken note: the next one that is found is another.
kill_child() {
    local pid
    wait_for 30 "$2 runs on $1" child "$1" "$2" || fail "$2 runs on $1" "$(tail -n 3 "$LAB_DIR/$1/vipd.log")"
    pid=$(child "$1" "$2")
    kill -KILL "$pid"
    wait_for 30 "$2 of $1 has ended" lab_gone "$pid" || fail "$2 of $1 ends" "process $pid is there"
}

cat >"$LAB_DIR/notify.sh" <<'SH'
#!/bin/sh
echo "$2 $3 $4 $5" >>"$1"
SH
cat >"$LAB_DIR/group.sh" <<SH
#!/bin/sh
there=without
ip -o addr show dev eth0 | grep -qF " $vip/" && there=with
echo "group \$4 \$there the address" >>"\$1"
SH
chmod 755 "$LAB_DIR/notify.sh" "$LAB_DIR/group.sh"
lab_switch lan
i=1
for name in r1 r2; do
    lab_machine $name
    lab_plug $name eth0 lan 10.9.0.$i/24
    i=$((i + 1))
done
lab_machine client
lab_plug client eth0 lan 10.9.0.50/24
configure r1 200 $vip/24
configure r2 100 $vip/24
lab_start net capture tcpdump -Z root -U --immediate-mode -n -i lan -w "$capture" 'proto 112'
capture_pid=$LAB_PID
vipd_start r1
vipd_start r2
wait_for 30 "r1 becomes MASTER" only_on $vip r1 r2 || fail "r1 alone holds $vip" "$(holders $vip r1 r2)"
for told in "INSTANCE VI_1 MASTER" "group MASTER"; do
    wait_for 30 "the scripts have run" grep -q "$told" "$LAB_DIR/r1/notified" || fail "scripts ($told)" "$(cat "$LAB_DIR/r1/notified")"
done
good "r1 is MASTER"

# Who may do what.
for process in vipd_kernel vipd_vrrp vipd_health; do
    pid=$(child r1 $process)
    [ "$(status "$pid" NoNewPrivs)" = 1 ] || fail "$process: no_new_privs" "$(status "$pid" NoNewPrivs)"
    [ "$(status "$pid" Seccomp)" = 2 ] || fail "$process: a filter for system calls" "$(status "$pid" Seccomp)"
    case $(status "$pid" Uid) in 0*) fail "$process does not run as root" "$(status "$pid" Uid)" ;; esac
    want=0000000000000000
    [ $process != vipd_kernel ] || want=0000000000003000
    for set in CapPrm CapEff CapBnd; do
        [ "$(status "$pid" $set)" = $want ] || fail "$process: $set $want" "$(status "$pid" $set)"
    done
done
users=$(for process in vipd_kernel vipd_vrrp vipd_health; do status "$(child r1 $process)" Uid; done | sort -u | wc -l)
[ "$users" = 3 ] || fail "each has a user of its own" "$users users"
good "kernel has NET_ADMIN and NET_RAW, vrrp and health have nothing; none is root, each is another user"

before=$(sort "$LAB_DIR/r1/notified")
masters=$(count r2 "Entering MASTER STATE")
# Without its complaints: other namespaces of this machine come and go, and it cannot name peers there.
lab_start r1 monitor sh -c 'exec ip monitor address 2>/dev/null'
monitor_pid=$LAB_PID
for process in vipd_vrrp vipd_kernel vipd_health; do
    pid=$(child r1 $process)
    kill -KILL "$pid"
    wait_for 30 "$process runs again" pid_changed r1 $process "$pid" || fail "the supervisor starts $process again" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
    sleep 1
    good "$process was killed (-9) and started again"
done
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "the reload" says r1 "reloaded" || fail "r1 reloads" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
sleep 1
[ ! -s "$LAB_DIR/r1/monitor.log" ] || fail "no address changes through crashes and a reload" "$(cat "$LAB_DIR/r1/monitor.log")"
[ "$(sort "$LAB_DIR/r1/notified")" = "$before" ] || fail "no script runs through crashes and a reload" "$(cat "$LAB_DIR/r1/notified")"
[ "$(count r2 "Entering MASTER STATE")" = "$masters" ] || fail "r2 notices nothing" "$(grep MASTER "$LAB_DIR/r2/vipd.log")"
[ -z "$(sent 'vrrp.prio == 0')" ] || fail "nobody resigned" "$(sent 'vrrp.prio == 0')"
good "three crashes and a reload: no address touched, no script run, r2 noticed nothing"

# The two servers are down for the checks; one of them stays with weight 0.
says r1 "Removing service [10.9.0.50]:tcp:80" || fail "the check notices the closed port" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
[ "$(count r1 "Removing service [10.9.0.50]:tcp:80")" = 1 ] || fail "a new health process knows what the old one knew" "$(grep Removing "$LAB_DIR/r1/vipd.log")"
good "a server that is down is told once, whoever checks"

echo "include $LAB_DIR/r1/keepalived.conf" >>"$LAB_DIR/r1/keepalived.conf"
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "the refusal" says r1 "is not taken: the old configuration goes on" || fail "a broken file is refused" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
[ ! -s "$LAB_DIR/r1/monitor.log" ] || fail "no address changes" "$(cat "$LAB_DIR/r1/monitor.log")"
good "a file that cannot run is refused as a whole"

configure r1 200 $vip/24
sed -i '/virtual_ipaddress {/q' "$LAB_DIR/r1/keepalived.conf" # somebody is still writing it
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "the refusal" says r1 "ends in the middle of a block" || fail "half a file is refused" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
[ ! -s "$LAB_DIR/r1/monitor.log" ] || fail "no address changes" "$(cat "$LAB_DIR/r1/monitor.log")"
good "a file that ends in the middle of a block is refused"

: >"$LAB_DIR/r1/keepalived.conf"
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "the refusal" says r1 "To give up all of them, stop vipd" || fail "an empty file is refused" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
[ ! -s "$LAB_DIR/r1/monitor.log" ] || fail "no address changes" "$(cat "$LAB_DIR/r1/monitor.log")"
mv "$LAB_DIR/r1/keepalived.conf" "$LAB_DIR/r1/away.conf"
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "the second refusal" says r1 "keepalived.conf cannot be read: No such file or directory: the old configuration goes on" || fail "a missing file is refused" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
[ "$(sed -n '/To give up all/,$p' "$LAB_DIR/r1/vipd.log" | grep -c .)" = 2 ] || fail "each has one line" "$(tail -n 5 "$LAB_DIR/r1/vipd.log")"
good "a file with nothing left in it, or none, is refused with one line: it was cut short"

advert=0.2
configure r1 200 $vip/24 10.9.0.101/24
configure r2 100 $vip/24 10.9.0.101/24
kill -HUP "${vipd_pid[r1]}" "${vipd_pid[r2]}"
wait_for 30 "the second address" only_on 10.9.0.101 r1 r2 || fail "r1 has the second address" "$(holders 10.9.0.101 r1 r2)"
has_address r1 $vip || fail "r1 keeps the first one" "$(holders $vip r1 r2)"
grep -qF 10.9.0.101/24 "$LAB_DIR/r1/monitor.log" || fail "the monitor tells of it" "$(cat "$LAB_DIR/r1/monitor.log")"
! grep -q Deleted "$LAB_DIR/r1/monitor.log" || fail "nothing is removed" "$(cat "$LAB_DIR/r1/monitor.log")"
good "a reload adds an address and touches no other"
configure r1 200 $vip/24
configure r2 100 $vip/24
kill -HUP "${vipd_pid[r1]}" "${vipd_pid[r2]}"
gone() { ! has_address r1 10.9.0.101; }
wait_for 30 "the second address goes" gone || fail "r1 gives the second address back" "$(holders 10.9.0.101 r1 r2)"
has_address r1 $vip || fail "r1 keeps the first one" "$(holders $vip r1 r2)"
good "a reload removes an address and touches no other"

lab_ip r1 addr del $vip/24 dev eth0
wait_for 30 "the address comes back" has_address r1 $vip || fail "r1 adds the address that was removed" "$(holders $vip r1 r2)"
good "an address that a stranger removed is back"
lab_stop "$monitor_pid"

# The order to give the address back waits for the kernel process, which is away for a second.
kill_child r1 vipd_kernel
kill_child r1 vipd_kernel
configure r2 250 $vip/24
kill -HUP "${vipd_pid[r2]}"
wait_for 30 "r2 takes over" has_address r2 $vip || fail "r2 has the higher priority now" "$(holders $vip r1 r2)"
wait_for 30 "r1 gives $vip back" only_on $vip r2 r1 || fail "r1 gives $vip back" "$(holders $vip r1 r2)"
configure r2 100 $vip/24
kill -HUP "${vipd_pid[r2]}"
wait_for 30 "r1 is MASTER again" only_on $vip r1 r2 || fail "r1 alone holds $vip" "$(holders $vip r1 r2)"
twice() { [ "$(grep -c "INSTANCE VI_1 MASTER" "$LAB_DIR/r1/notified")" = 2 ]; }
wait_for 30 "the scripts have run again" twice || fail "scripts for the second time" "$(cat "$LAB_DIR/r1/notified")"
good "what was to be done while the kernel process was away is done by the next one"

# A vrrp that dies again and again is away for longer than the adverts may be: r2 takes over, so r1 must not hold the address.
kill_child r1 vipd_vrrp
kill_child r1 vipd_vrrp
wait_for 30 "r2 takes over" has_address r2 $vip || fail "r2 takes over" "$(holders $vip r1 r2)"
only_on $vip r2 r1 || fail "r1 lets $vip go" "$(holders $vip r1 r2)"
thrice() { [ "$(grep -c "INSTANCE VI_1 MASTER" "$LAB_DIR/r1/notified")" = 3 ]; }
wait_for 30 "r1 is MASTER again" thrice || fail "r1 is MASTER again" "$(cat "$LAB_DIR/r1/notified")"
wait_for 30 "r1 alone" only_on $vip r1 r2 || fail "r1 alone holds $vip" "$(holders $vip r1 r2)"
good "a VRRP process that is away for long lets its address go"

# Stopped while vrrp and the kernel process are away for a second or more: nothing stays behind.
for process in vipd_vrrp vipd_kernel vipd_vrrp vipd_kernel; do
    kill_child r2 $process
done
lab_ip r2 addr add $vip/24 dev eth0 # as if it had been MASTER
vipd_stop r2
! has_address r2 $vip || fail "r2 leaves no address" "$(holders $vip r1 r2)"
! lab_on r2 nft list tables | grep -q hawser || fail "r2 leaves no table" "$(lab_on r2 nft list tables)"
good "a stop while processes are away takes back addresses and services, too"
vipd_start r2
wait_for 30 "r2 runs again" child r2 vipd_health || fail "r2 runs again" "$(tail -n 3 "$LAB_DIR/r2/vipd.log")"
eight() {
    mapfile -t all < <(process_tree "${vipd_pid[r1]}"; process_tree "${vipd_pid[r2]}")
    [ ${#all[@]} = 8 ]
}
sleep 1
wait_for 30 "their processes" eight || fail "four processes on each node" "${all[*]}"
# A service manager may ask all processes at once.
mapfile -t own < <(process_tree "${vipd_pid[r1]}")
kill -TERM "${own[@]}"
vipd_stop r1
wait_for 30 "r2 takes over" only_on $vip r2 r1 || fail "r2 alone holds $vip" "$(holders $vip r1 r2)"
[ -n "$(sent 'vrrp.prio == 0')" ] || fail "r1 resigns" "no advert of priority 0"
want="INSTANCE VI_1 BACKUP 200
master
INSTANCE VI_1 MASTER 200
INSTANCE VI_1 BACKUP 200
master
INSTANCE VI_1 MASTER 200
INSTANCE VI_1 BACKUP 200
master
INSTANCE VI_1 MASTER 200
INSTANCE VI_1 STOP 200"
got=$(grep -v "^group" "$LAB_DIR/r1/notified")
[ "$got" = "$want" ] || fail "scripts in the order of events, each once" "$got"
good "scripts ran in the order of events, each once"
[ "$(grep -c "^group MASTER with the address" "$LAB_DIR/r1/notified")" = 3 ] || fail "the group's script ran once each time, when the address was there" "$(cat "$LAB_DIR/r1/notified")"
vipd_stop r2
lab_stop "$capture_pid"
for name in r1 r2; do
    ! lab_on $name nft list tables | grep -q hawser || fail "no table stays on $name" "$(lab_on $name nft list tables)"
done
! kill -0 "${all[@]}" 2>/dev/null || fail "no process stays" "$(ps -o pid,args -p "${all[*]}")"
good "nothing stays behind"

# Statistics that are asked for while vrrp is being replaced come from its successor.
configure r1 200 $vip/24
sed -i '1i child_wait_time 3' "$LAB_DIR/r1/keepalived.conf"
mkdir "$LAB_DIR/dumps"
TMPDIR=$LAB_DIR/dumps vipd_start r1
wait_for 30 "r1 is MASTER" has_address r1 $vip || fail "r1 is MASTER" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
stats=$LAB_DIR/dumps/keepalived.stats
kill -HUP "${vipd_pid[r1]}"
sleep 0.03
kill -USR2 "${vipd_pid[r1]}"
wait_for 30 "the statistics" test -s "$stats" || fail "statistics after a reload" "no $stats"
good "statistics asked for during a reload are written"

# Who does not end is killed after child_wait_time; the kernel process takes back what it held all the same.
wait_for 30 "r1 has its address" has_address r1 $vip || fail "r1 has its address" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
wait_for 30 "r1 speaks VRRP" child r1 vipd_vrrp || fail "r1 speaks VRRP" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
kill -STOP "$(child r1 vipd_vrrp)"
vipd_stop r1
says r1 "vipd_vrrp does not end: killed" || fail "a stuck process is killed" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
! has_address r1 $vip || fail "the address goes without vrrp" "$(lab_ip r1 -o addr show dev eth0)"
good "a stop with a stuck process takes the address back"
got=$(grep "^INSTANCE" "$LAB_DIR/r1/notified" | tail -n 1)
[ "$got" = "INSTANCE VI_1 STOP 200" ] || fail "the script hears of the stop all the same" "$got"
good "scripts hear of a stop that a stuck process did not tell of"

# The owner of an address: it is the interface's own and only one.
configure r1 255 10.9.0.1/24
vipd_start r1
wait_for 30 "r1 owns 10.9.0.1" says r1 "Entering MASTER STATE, was STOP: owner of the addresses" || fail "an owner is MASTER at once" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
vipd_stop r1
has_address r1 10.9.0.1 || fail "the node keeps its own address" "$(lab_ip r1 -o addr show dev eth0)"
good "an owner speaks from the address it owns, and keeps it"

# The first virtual server may come by a reload: IPVS is tried for it as at the start.
mkdir "$LAB_DIR/bin"
printf '#!/bin/sh\necho "$@" >>"%s"\n' "$LAB_DIR/modprobed" >"$LAB_DIR/bin/modprobe"
chmod 755 "$LAB_DIR/bin/modprobe"
configure r1 200 $vip/24
cp "$LAB_DIR/r1/keepalived.conf" "$LAB_DIR/all.conf"
sed -i '/^virtual_server/,$d' "$LAB_DIR/r1/keepalived.conf"
PATH=$LAB_DIR/bin:$PATH vipd_start r1
wait_for 30 "r1 runs" child r1 vipd_vrrp || fail "r1 runs" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
[ ! -e "$LAB_DIR/modprobed" ] || fail "no module without virtual servers" "$(cat "$LAB_DIR/modprobed")"
cp "$LAB_DIR/all.conf" "$LAB_DIR/r1/keepalived.conf"
kill -HUP "${vipd_pid[r1]}"
wait_for 30 "the virtual server" child r1 vipd_health || fail "r1 has a virtual server" "$(tail -n 3 "$LAB_DIR/r1/vipd.log")"
grep -q ip_vs "$LAB_DIR/modprobed" || fail "IPVS is tried at the reload" "modprobe was not called"
vipd_stop r1
good "a reload that brings the first virtual server loads IPVS"
