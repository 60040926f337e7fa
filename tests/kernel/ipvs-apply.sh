#!/bin/bash
# Inside user-mode Linux (run-uml): ipvs_apply's tables against a real IPVS, read back with ipvsadm.
# usage: ipvs-apply.sh IPVS_APPLY [HELLO_SERVICE]
set -u
apply=$1
hello=${2:-}
failed=0

command -v ipvsadm >/dev/null || { echo "skipped: needs ipvsadm: apt-get install ipvsadm"; exit 77; }

step() { # step NAME COMMAND...: what it prints goes to $OUTDIR/NAME
    if ! "${@:2}" >"$OUTDIR/$1" 2>&1; then
        echo "FAILED: $1"
        cat "$OUTDIR/$1"
        failed=1
    fi
}
same() { # same NAME: ipvsadm -Sn is what stands on stdin
    local want have
    want=$(sort)
    have=$(ipvsadm -Sn | sed 's/ *$//' | sort)
    if [ "$want" != "$have" ]; then
        echo "FAILED: $1"
        diff <(echo "$want") <(echo "$have")
        failed=1
    fi
}

# A kernel without IPVS says so; asking for it loads the module where the kernel may.
helper=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
"$apply" >"$OUTDIR/absent" 2>&1
[ $? = 3 ] || { echo "FAILED: open without ip_vs:"; cat "$OUTDIR/absent"; failed=1; }
echo "$helper" >/proc/sys/kernel/modprobe

setpriv --bounding-set=-net_admin "$apply" mixed >"$OUTDIR/unprivileged" 2>&1
grep -q "^open: Operation not permitted" "$OUTDIR/unprivileged" || { echo "FAILED: open without privilege"; cat "$OUTDIR/unprivileged"; failed=1; }

step mixed "$apply" mixed
same "the mixed table" <<'T'
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 3
-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 0
-A -t 192.0.2.1:443 -s wlc -p 300 -M 255.255.255.0
-a -t 192.0.2.1:443 -r 10.0.0.1:443 -g -w 1
-a -t 192.0.2.1:443 -r 10.0.0.2:443 -i -w 1 --tun-type ipip
-A -u 192.0.2.2:53 -s sh -o -b sh-port
-a -u 192.0.2.2:53 -r 10.0.0.3:53 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -u 192.0.2.2:53 -r 10.0.0.4:53 -i -w 1 --tun-type gre --tun-nocsum
-A -f 7 -s rr
-a -f 7 -r 10.0.0.1:0 -g -w 1
-A -t 192.0.2.3:0 -s rr -p 60
-a -t 192.0.2.3:0 -r 10.0.0.1:0 -m -w 1
-A -t [2001:db8::1]:80 -s mh -p 60 -M 64
-a -t [2001:db8::1]:80 -r [2001:db8::11]:80 -m -w 2
T
ipvsadm -Ln --thresholds | grep -qE '10\.0\.0\.2:8080 +100 +80 ' || { echo "FAILED: thresholds"; failed=1; }
ipvsadm -A -t 203.0.113.1:25 -s rr # a stranger's
step edit "$apply" edit
edited() {
    cat <<'T'
-A -t 192.0.2.1:80 -s lc -p 10
-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 5
-a -t 192.0.2.1:80 -r 10.0.0.5:8080 -m -w 1
-A -t 192.0.2.1:443 -s wlc -p 300 -M 255.255.255.0
-a -t 192.0.2.1:443 -r 10.0.0.1:443 -g -w 1
-a -t 192.0.2.1:443 -r 10.0.0.2:443 -i -w 1 --tun-type ipip
-A -u 192.0.2.2:53 -s sh -o -b sh-port
-a -u 192.0.2.2:53 -r 10.0.0.3:53 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -u 192.0.2.2:53 -r 10.0.0.4:53 -i -w 1 --tun-type gre --tun-nocsum
-A -t 192.0.2.3:0 -s rr -p 60
-a -t 192.0.2.3:0 -r 10.0.0.1:0 -m -w 1
-A -t [2001:db8::1]:80 -s mh -p 60 -M 64
-a -t [2001:db8::1]:80 -r [2001:db8::11]:80 -m -w 2
T
}
{ edited; echo "-A -t 203.0.113.1:25 -s rr"; } | same "the edited table, the stranger's service kept"
# Somebody empties the table and adds his own: the next round repairs ours and leaves his.
ipvsadm -C
ipvsadm -A -t 203.0.113.1:25 -s rr
step reconcile "$apply" edit
{ edited; echo "-A -t 203.0.113.1:25 -s rr"; } | same "the table after ipvsadm -C"
step repair "$apply" repair
edited | same "the repaired table"
step strangers "$apply" strangers
edited | same "nothing claimed, nothing removed"
step empty "$apply" empty
same "the empty table" </dev/null

step unknown "$apply" unknown
grep -q "add service tcp 192.0.2.8:80 nosuch: No such file or directory" "$OUTDIR/unknown" &&
    grep -q "add service tcp 192.0.2.9:80 wlc masquerade: Operation not supported" "$OUTDIR/unknown" ||
    { echo "FAILED: steps name their errors"; cat "$OUTDIR/unknown"; failed=1; }
step clear "$apply" empty

# The hello program: plan, apply, read back; what is there already is no plan.
hello() { # hello PLAN-LINES
    step hello "$hello"
    [ "$(grep -c '^plan: add' "$OUTDIR/hello") $(grep -c '^kernel: ' "$OUTDIR/hello")" = "$1 3" ] ||
        { echo "FAILED: hello_service, $1 steps"; cat "$OUTDIR/hello"; failed=1; }
}
if [ -n "$hello" ]; then
    hello 3
    hello 0
    same "hello_service's table" <<'T'
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 2
T
    ipvsadm -C
fi

# What tests/support/recorded/ipvs was taken from: copy it there when the conversation changes.
step recorded env NL_RECORD="$OUTDIR/ipvs" "$apply" mixed edit repair empty unknown empty
same "the table after the recording" </dev/null

step many "$apply" many
[ "$(ipvsadm -Sn | grep -c '^-a')" = 4000 ] || { echo "FAILED: 1000 services with 4 destinations"; failed=1; }
step clear "$apply" empty

# Counters: three connections through NAT to a listener on this host.
ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 10.0.0.2/32 dev lo
ip addr add 10.0.0.1/32 dev lo
step stats-table "$apply" mixed
python3 - <<'P' || { echo "FAILED: connections through IPVS"; failed=1; }
import socket
server = socket.socket()
server.bind(("10.0.0.1", 8080))
server.listen(8)
for _ in range(3):
    client = socket.create_connection(("192.0.2.1", 80), 5)
    peer, _ = server.accept()
    client.close()
    peer.close()
P
for _ in $(seq 20); do # the kernel adds its counters up every two seconds
    step stats "$apply" stats
    grep -q ": 3 " "$OUTDIR/stats" && break
    sleep 0.5
done
theirs=$(ipvsadm -Ln --stats --exact | awk '$2 == "10.0.0.1:8080" { print $3, $4, $5, $6, $7 }')
ours=$("$apply" stats | sed -n 's/^10.0.0.1:8080 NAT weight 3: //p')
[ "${ours% active*}" = "$theirs" ] && [ "${theirs%% *}" = 3 ] || { echo "FAILED: counters: $ours, ipvsadm: $theirs"; failed=1; }
exit $failed
