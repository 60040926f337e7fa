#!/bin/bash
# Inside user-mode Linux (run-uml): timeouts, counters and the sync daemons of a real IPVS, with ipvsadm as the judge, and a
# connection copied from one network namespace to another.
# usage: ipvs-config.sh IPVS_CONFIG
set -u
config=$1
failed=0

command -v ipvsadm >/dev/null || { echo "skipped: needs ipvsadm: apt-get install ipvsadm"; exit 77; }

is() { # is WHAT WANT HAVE
    [ "$2" = "$3" ] && return
    printf 'FAILED: %s\n  want: %s\n  have: %s\n' "$1" "$2" "$3"
    failed=1
}
in_a() { ip netns exec a "$@"; }
in_b() { ip netns exec b "$@"; }

ip netns add a && ip netns add b && ip link add va type veth peer name vb || { echo "skipped: no network namespaces here"; exit 77; }
ip link set va netns a && ip link set vb netns b
in_a ip addr add 10.1.1.1/24 dev va && in_b ip addr add 10.1.1.2/24 dev vb
in_a ip link set va up && in_b ip link set vb up && in_a ip link set lo up && in_b ip link set lo up

# Timeouts: those that are not 0 are set, and ipvsadm reads the same.
is "the default timeouts" "900 120 300" "$(in_a "$config" timeouts 0 0 0)"
is "timeouts set" "600 120 17" "$(in_a "$config" timeouts 600 0 17)"
is "timeouts as ipvsadm reads them" "Timeout (tcp tcpfin udp): 600 120 17" "$(in_a ipvsadm -L --timeout)"
is "timeouts are a namespace's own" "900 120 300" "$(in_b "$config" timeouts 0 0 0)"
is "a timeout beyond counting" "Invalid argument" "$(in_a "$config" timeouts 4000000000 0 0)"

# Sync daemons: all parameters are read back, one of a role at a time, both roles together.
is "no daemon yet" "No such process" "$(in_a "$config" get master)"
is "a daemon without link" "No such device" "$(in_a "$config" start master none0 7 - 0 0 0)"
is "a group that is none" "Invalid argument" "$(in_a "$config" start master va 7 10.1.1.2 0 0 0)"
is "master started" "" "$(in_a "$config" start master va 7 224.0.0.99 9999 3 1200)"
is "master read" "master va 7 224.0.0.99 9999 3 1200" "$(in_a "$config" get master)"
is "a second master" "File exists" "$(in_a "$config" start master va 8 - 0 0 0)"
is "a backup beside it" "" "$(in_a "$config" start backup va 7 ff02::99 0 0 0)"
is "backup with a group of IPv6" "backup va 7 ff02::99" "$(in_a "$config" get backup | cut -d' ' -f1-4)"
in_a ipvsadm -L --daemon | grep -q "master sync daemon (mcast=va, syncid=7, maxlen=1200, group=224.0.0.99, port=9999, ttl=3)" ||
    { echo "FAILED: ipvsadm sees the master"; in_a ipvsadm -L --daemon; failed=1; }
is "master stopped" "" "$(in_a "$config" stop master)"
is "and gone" "No such process" "$(in_a "$config" stop master)"
is "backup stopped" "" "$(in_a "$config" stop backup)"

# A connection through the master is known to the backup.
in_a ipvsadm -A -t 192.0.2.1:80 -s rr
in_a ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m
for address in 192.0.2.1 10.0.0.1; do in_a ip addr add $address/32 dev lo; done
in_a sysctl -qw net.ipv4.vs.sync_threshold="1 2"
in_b "$config" start backup vb 7 - 0 0 0
in_a "$config" start master va 7 - 0 0 0
in_a python3 - <<'P' || { echo "FAILED: a connection through IPVS"; failed=1; }
import socket, subprocess, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("10.0.0.1", 8080))
server.listen(8)
client = socket.create_connection(("192.0.2.1", 80), 5)
peer, _ = server.accept()
for _ in range(100):  # bounded: the master sends at most every second
    client.sendall(b"x")
    peer.recv(1)
    peer.sendall(b"y")
    client.recv(1)
    known = subprocess.run(["ip", "netns", "exec", "b", "ipvsadm", "-Lcn"], capture_output=True, text=True).stdout
    if "192.0.2.1:80" in known and "10.0.0.1:8080" in known:
        break
    time.sleep(0.1)
else:
    raise SystemExit("the backup never heard of it:\n" + known)
P

# Counters go to zero, of one service and of all.
counted() { in_a ipvsadm -Ln --stats --exact | awk '$2 == "192.0.2.1:80" { print $3 }'; }
for _ in $(seq 20); do # the kernel adds its counters up every two seconds
    [ "$(counted)" = 1 ] && break
    sleep 0.5
done
is "a connection counted" 1 "$(counted)"
is "another service" "No such process" "$(in_a "$config" zero 192.0.2.9 80)"
is "zero of one" "" "$(in_a "$config" zero 192.0.2.1 80)"
is "counted after zero" 0 "$(counted)"
is "zero of all" "" "$(in_a "$config" zero)"

# A destination is drained: it takes no new connection, keeps the one it has, and goes when that is gone or the time is up.
drain_while_connected() { # drain_while_connected MS HOLD: a connection is closed after HOLD seconds
    in_a python3 - "$config" "$1" "$2" <<'P'
import socket, subprocess, sys, time
config, ms, hold = sys.argv[1], sys.argv[2], float(sys.argv[3])
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("10.0.0.1", 8080))
server.listen(8)
client = socket.create_connection(("192.0.2.1", 80), 5)
peer, _ = server.accept()
drain = subprocess.Popen([config, "drain", "192.0.2.1", "80", ms], stdout=subprocess.PIPE, text=True)
time.sleep(hold)
listed = "10.0.0.1:8080" in subprocess.run(["ipvsadm", "-Ln"], capture_output=True, text=True).stdout
client.close()
peer.close()
print("listed" if listed else "gone", drain.communicate()[0].strip())
P
}
is "drained by the last connection" "listed drained, 0 left" "$(drain_while_connected 60000 1)"
is "nothing but the destination went" "-A -t 192.0.2.1:80 -s rr" "$(in_a ipvsadm -Sn | sed 's/ *$//')"
in_a ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m
is "drained by the deadline" "gone drained, 1 left" "$(drain_while_connected 500 3)"
exit $failed
