#!/bin/bash
# neither.sh VIPD, in the guest: a kernel without IPVS (its modules are hidden) and without nftables. One clear message, and the
# floating address works all the same.
set -u
vipd=$1
cat >"$OUTDIR/vipd.conf" <<'CONF'
vrrp_instance FloatIP01 {
    interface eth0
    virtual_router_id 1
    priority 255
    virtual_ipaddress { 10.10.0.100 }
}
virtual_server 10.10.0.100 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.10.0.21 80 { weight 1 }
}
CONF
ip netns add lb && ip netns add other || exit 1
ip -n lb link add eth0 type veth peer name eth0 netns other || exit 1
ip -n lb addr add 10.10.0.11/24 dev eth0
ip -n lb link set eth0 up
ip -n other link set eth0 up
rm /lib/modules && mkdir /lib/modules # what is loaded stays: veth, but not ip_vs
[ ! -e /proc/net/ip_vs ] || { echo "ip_vs is there already" && exit 1; }
ip netns exec lb "$vipd" -n -l -G -f "$OUTDIR/vipd.conf" -p /run/p -r /run/r -c /run/c >"$OUTDIR/vipd.log" 2>&1 &
pid=$!
for _ in $(seq 300); do
    ip -n lb addr show eth0 | grep -qF 10.10.0.100 && break
    sleep 0.1
done
sleep 1 # a message that repeats would show
failed=0
ip -n lb addr show eth0 | grep -qF 10.10.0.100 || { echo "the floating address is not held" && failed=1; }
said=$(grep -c "no IPVS" "$OUTDIR/vipd.log")
[ "$said" = 1 ] || { echo "said $said times that there is no IPVS and no nftables" && failed=1; }
grep "no IPVS" "$OUTDIR/vipd.log" | grep -q "VRRP goes on" || { echo "not said what goes on" && failed=1; }
kill $pid
wait $pid || { echo "vipd ended with $?" && failed=1; }
[ $failed = 0 ] || cat "$OUTDIR/vipd.log"
exit $failed
