#!/bin/bash
# Inside user-mode Linux (run-uml): libsched's IPVS algorithms against the kernel's, pick by pick.
# usage: sched-ipvs.sh SCHED_REPL [SEED]
set -u

command -v ipvsadm >/dev/null || { echo "skipped: needs ipvsadm: apt-get install ipvsadm"; exit 77; }
ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip route add local 10.0.0.0/8 dev lo || exit 1 # every real server is this host
modprobe ipv6 && ip -6 addr add 2001:db8::1/128 dev lo
ip -6 route add local 2001:db8::/32 dev lo || exit 1
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind # clients bind to addresses of that route
echo 0 >/proc/sys/net/ipv6/icmp/ratelimit   # refusals are many
dmesg -n 1 # the kernel would say at each refusal that there is no destination
exec python3 "$(dirname "$0")/sched_ipvs.py" "$@"
