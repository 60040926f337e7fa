#!/bin/bash
# SPDX-License-Identifier: MIT
# namespace.sh KEEPALIVED VIPD, in the guest: net_namespace_ipvs. Virtual servers are in IPVS of that namespace and nowhere else, a
# reload changes them there, and at the end they are gone; the same for both programs.
set -u
command -v ipvsadm >/dev/null || {
    echo "skipped: needs ipvsadm"
    exit 77
}
modprobe ip_vs || {
    echo "skipped: this kernel has no ip_vs"
    exit 77
}
ip netns add far && ip -n far link set lo up || exit 1
work=$(mktemp -d /tmp/namespace.XXXXXX)
failed=0

conf() { # WEIGHT
    cat <<C
net_namespace_ipvs far
virtual_server 10.9.0.1 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.8.0.1 80 {
        weight $1
    }
}
C
}
far() { ip netns exec far ipvsadm -Sn; }
becomes() { # TEXT WANTED
    for _ in {1..300}; do
        [ "$(far)" = "$2" ] && { echo "ok: $1"; return; }
        sleep 0.1
    done
    echo "FAILED: $1: $(far)"
    tail -20 "$work/log"
    failed=1
}

for program in "$@"; do
    name=${program##*/}
    conf 3 >"$work/conf"
    "$program" -C -n -l -f "$work/conf" -p "$work/pid" -c "$work/c.pid" >"$work/log" 2>&1 &
    pid=$!
    becomes "$name: there" "-A -t 10.9.0.1:80 -s wrr
-a -t 10.9.0.1:80 -r 10.8.0.1:80 -g -w 3"
    [ -z "$(ipvsadm -Sn)" ] || {
        echo "FAILED: $name: something is here, too"
        failed=1
    }
    conf 5 >"$work/conf"
    kill -HUP "$pid"
    becomes "$name: after a reload" "-A -t 10.9.0.1:80 -s wrr
-a -t 10.9.0.1:80 -r 10.8.0.1:80 -g -w 5"
    kill "$pid"
    wait "$pid"
    becomes "$name: gone at the end" ""
done
exit $failed
