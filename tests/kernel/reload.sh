#!/bin/bash
# SPDX-License-Identifier: MIT
# reload.sh VIPD, in the guest: a reload tells IPVS what is new and asks it for nothing; where somebody else was at the table, what vipd
# wants is there after a reload all the same, as soon as a step does not fit.
set -u
vipd=$1
for command in ipvsadm strace; do
    command -v "$command" >/dev/null || {
        echo "skipped: needs $command"
        exit 77
    }
done
modprobe ip_vs || {
    echo "skipped: this kernel has no ip_vs"
    exit 77
}
work=$(mktemp -d /tmp/reload.XXXXXX)
failed=0
services=200 # more than go to IPVS at once

conf() { # WEIGHT of the first real server
    local i w=$1
    printf 'global_defs {\n router_id r\n}\n'
    for ((i = 1; i <= services; i++)); do
        printf 'virtual_server 10.9.0.%d 80 {\n lb_algo wrr\n lb_kind DR\n protocol TCP\n' "$i"
        printf ' real_server 10.8.0.%d 80 {\n weight %d\n }\n real_server 10.8.1.%d 80 {\n weight 1\n }\n}\n' "$i" "$w" "$i"
        w=1
    done
}
table() { ipvsadm -Sn | sort; }
wanted() { # WEIGHT
    local i w=$1
    for ((i = 1; i <= services; i++)); do
        echo "-A -t 10.9.0.$i:80 -s wrr"
        echo "-a -t 10.9.0.$i:80 -r 10.8.0.$i:80 -g -w $w"
        echo "-a -t 10.9.0.$i:80 -r 10.8.1.$i:80 -g -w 1"
        w=1
    done | sort
}
becomes() { # WEIGHT
    for _ in {1..300}; do
        [ "$(table)" = "$(wanted "$1")" ] && return
        sleep 0.1
    done
    diff <(wanted "$1") <(table) | head -20
    return 1
}
check() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@"; then echo "ok: $text"; else
        echo "FAILED: $text"
        failed=1
    fi
}
reload() { # WEIGHT
    conf "$1" >"$work/conf"
    kill -HUP "$(cat "$work/pid")"
    becomes "$1"
}
# How often the newest kernel process has spoken to IPVS or asked how the host is, from its birth on.
requests() {
    local pid
    pid=$(pgrep -n vipd_kernel)
    grep -c "^$pid .*sendto" "$work/calls"
}
few_requests() { # and not none at all: then nothing was counted. On a slow machine some services have been looked at since (look.sh).
    local n
    n=$(requests)
    echo "requests: $n"
    [ "$n" -gt 0 ] && [ "$n" -lt $((services / 2)) ]
}

conf 1 >"$work/conf"
strace -f -e trace=sendto,sendmsg -o "$work/calls" "$vipd" -n -l -f "$work/conf" -p "$work/pid" -r "$work/vrrp" -c "$work/check" >"$work/log" 2>&1 &
check "the table is there" becomes 1
check "a reload with another weight" reload 7
check "which needs few requests, not one for each service" few_requests
ipvsadm -d -t 10.9.0.1:80 -r 10.8.0.1:80
ipvsadm -D -t 10.9.0.9:80
check "a reload that meets a stranger's changes repairs all of them" reload 8
conf 8 | sed 's/10.9.0.20 /10.9.1.61 /' >"$work/conf"
kill -HUP "$(cat "$work/pid")"
gone() { ! table | grep -q 10.9.0.20: && table | grep -q -- '-A -t 10.9.1.61:80'; }
for _ in {1..300}; do gone && break || sleep 0.1; done
check "a virtual server that moved is at its new place only" gone
# Two reloads, of which the second comes before anybody has come to what the first one changed.
health=$(pgrep -n vipd_health)
kill -STOP "$health"
conf 7 >"$work/conf"
kill -HUP "$(cat "$work/pid")"
sleep 1 # it was read
conf 8 >"$work/conf"
kill -HUP "$(cat "$work/pid")"
kill -CONT "$health"
check "a reload on the heels of another one removes what that was to remove" becomes 8
kill -KILL "$(pgrep -n vipd_kernel)"
ipvsadm -d -t 10.9.0.2:80 -r 10.8.0.2:80
back() { table | grep -q -- '-a -t 10.9.0.2:80 -r 10.8.0.2:80'; }
for _ in {1..300}; do back && break || sleep 0.1; done
check "who follows a killed process reads the table" back
kill "$(cat "$work/pid")"
wait
check "at the end it is empty" [ -z "$(table)" ]
[ $failed = 0 ] || tail -20 "$work/log"
exit $failed
