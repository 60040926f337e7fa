#!/bin/bash
# SPDX-License-Identifier: MIT
# look.sh VIPD, in the guest: what somebody else changes in IPVS comes back long before the audit of each minute and is said, also after a step
# that failed for a while; nothing is said, and nothing done, while nobody does. Strangers' services stay.
set -u
vipd=$1
command -v ipvsadm >/dev/null || {
    echo "skipped: needs ipvsadm"
    exit 77
}
modprobe -a ip_vs ipv6 || {
    echo "skipped: this kernel has no ip_vs"
    exit 77
}
work=$(mktemp -d /tmp/look.XXXXXX)
failed=0

# All that a service can have: what is compared each second must not differ by itself.
cat >"$work/conf" <<'C'
virtual_server_group many {
    10.9.1.1-2 80
    fwmark 7
}
virtual_server 10.9.0.1 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    persistence_timeout 300
    persistence_granularity 255.255.255.0
    real_server 10.8.0.1 80 {
        weight 3
        uthreshold 100
        lthreshold 50
    }
    real_server 10.8.0.2 80 {
        weight 0
    }
}
virtual_server 10.9.0.2 53 {
    lb_algo sh
    sh-port
    lb_kind NAT
    protocol UDP
    ops
    real_server 10.8.0.1 5353 {
        weight 1
    }
}
virtual_server 2001:db8::1 80 {
    lb_algo wlc
    lb_kind TUN
    protocol TCP
    real_server 2001:db8:1::1 80 {
        weight 2
    }
}
virtual_server fwmark 9 {
    ip_family inet6
    lb_algo mh
    lb_kind DR
    real_server 2001:db8:1::1 0 {
        weight 2
    }
}
virtual_server group many {
    lb_algo rr
    lb_kind TUN
    protocol TCP
    sorry_server 10.8.0.9 80
    real_server 10.8.0.1 80 {
        weight 1
    }
}
virtual_server 10.9.0.4 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.8.0.1 80 {
        weight 2
    }
}
C
table() { ipvsadm -Sn | sort; }
settled() { # twice the same
    local now
    now=$(table)
    sleep 1
    [ -n "$now" ] && [ "$now" = "$(table)" ]
}
is_back() { [ "$(table)" = "$wanted" ]; }
soon() { # COMMAND...: at the latest by an audit
    for _ in {1..700}; do
        "$@" && return
        sleep 0.1
    done
    return 1
}
check() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@"; then echo "ok: $text"; else
        echo "FAILED: $text"
        diff <(echo "$wanted") <(table)
        tail -20 "$work/log"
        failed=1
    fi
}
start() {
    modprobe -r ip_vs_sed 2>/dev/null
    "$vipd" -n -l -f "$work/conf" -p "$work/pid" -r "$work/vrrp" -c "$work/check" >"$work/log" 2>&1 &
    pid=$!
    began=$SECONDS
}
stop() {
    kill "$pid"
    wait "$pid"
}
said() { grep -q 'changed by somebody else' "$work/log"; }
before_the_audit() { [ $((SECONDS - began)) -lt 55 ]; }
# How soon the next look comes depends on how long the last one took, and one that this guest's host interrupts takes long: when the audit
# came first, it is tried anew.
with_looks() { # TEXT COMMAND...: what a vipd does whose first audit is still to come
    local text=$1 in_time
    shift
    for _ in 1 2 3; do
        start
        "$@"
        before_the_audit
        in_time=$?
        stop
        [ $in_time != 0 ] || break
    done
    check "$text: not by the audit" [ $in_time = 0 ]
}
comes_back() { # TEXT COMMAND...: what the command did
    local text=$1
    shift
    check "$text: in place" soon is_back
    "$@" || failed=1
    check "$text" soon is_back
    check "$text: said" soon said
}
undo() { with_looks "$1" comes_back "$@"; } # TEXT COMMAND...

wanted=
ipvsadm -A -t 10.7.0.1:80 -s rr # a stranger's
start
check "the table is there" soon settled
wanted=$(table)
check "with a stranger's service" grep -q 10.7.0.1 <<<"$wanted"
sleep 5
check "nothing is repaired while nobody does anything" [ -z "$(grep 'changed by somebody else' "$work/log")" ]
stop
undo "a weight" ipvsadm -e -t 10.9.0.4:80 -r 10.8.0.1:80 -g -w 5
undo "a real server that went" ipvsadm -d -t 10.9.1.2:80 -r 10.8.0.1:80
undo "one that came" ipvsadm -a -u 10.9.0.2:53 -r 10.8.0.7:53 -m
undo "a scheduler" ipvsadm -E -t 10.9.0.1:80 -s rr -p 300 -M 255.255.255.0
undo "a service that went" ipvsadm -D -f 7
all_but_the_strangers() { ipvsadm -C && ipvsadm -A -t 10.7.0.1:80 -s rr; }
undo "all services" all_but_the_strangers

# Of a table that is not what it should be nothing is looked for. Once it is, looks go on.
modprobe=$(cat /proc/sys/kernel/modprobe)
without_sed=$wanted
cat >>"$work/conf" <<'C'
virtual_server 10.9.0.5 80 {
    lb_algo sed
    lb_kind DR
    protocol TCP
    real_server 10.8.0.1 80 {
        weight 2
    }
}
C
has_sed() { table | grep -q '10.9.0.5:80 -s sed'; }
go_on() {
    wanted=$without_sed
    check "a scheduler that is missing" soon grep -q 'perhaps the kernel lacks the scheduler' "$work/log"
    check "stops no other service" soon is_back
    sleep 2
    echo "$modprobe" >/proc/sys/kernel/modprobe
    check "comes with its service" soon has_sed
    check "and nothing else changes" soon settled
    wanted=$(table)
    ipvsadm -e -t 10.9.0.4:80 -r 10.8.0.1:80 -g -w 5
    check "then a weight comes back" soon is_back
    check "which is said" soon said
    echo /bin/false >/proc/sys/kernel/modprobe
}
echo /bin/false >/proc/sys/kernel/modprobe
with_looks "what failed for a while" go_on
exit $failed
