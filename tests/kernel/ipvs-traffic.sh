#!/bin/bash
# Inside user-mode Linux (run-uml): real connections through a real IPVS that libha programmed: by NAT, DR and every kind of tunnel, with
# persistence, a firewall mark, thresholds, one-packet scheduling.
# usage: ipvs-traffic.sh IPVS_TABLE
#
#	client 10.1.0.9 ── switch ── balancer 10.1.0.1, 10.2.0.1, 192.0.2.1
#	                     ├────── s1 10.2.0.11
#	                     └────── s2 10.2.0.12
# and the same with 2001:db8:1:: and 2001:db8:2::
set -u
table=$1
vip=192.0.2.1
vip6=2001:db8::1
failed=0

for command in ipvsadm curl socat; do
    command -v $command >/dev/null || { echo "skipped: needs $command"; exit 77; }
done

# nsenter, not ip netns exec: that mounts, which is dear in this kernel, and nothing here reads /sys.
on() { nsenter --net="/run/netns/$1" "${@:2}"; }
in_client() { on client "$@"; }
in_lb() { on lb "$@"; }
on_servers() { on s1 "$@" && on s2 "$@"; }
plug() { # plug NAMESPACE ADDRESS...: a machine at the switch
    local address
    ip netns add "$1" && ip link add "$1" type veth peer name eth0 netns "$1" || exit 1
    ip link set "$1" master switch up
    ip -n "$1" link set lo up
    for address in "${@:2}"; do ip -n "$1" addr add "$address" dev eth0; done
    ip -n "$1" link set eth0 up
    on "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
        net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.all.send_redirects=0 \
        net.ipv4.conf.eth0.send_redirects=0 net.ipv6.conf.eth0.accept_redirects=0
}
is() { # is WHAT WANT HAVE
    [ "$2" = "$3" ] && return
    printf 'FAILED: %s\n  want: %s\n  have: %s\n' "$1" "$2" "$3"
    failed=1
    return 1
}
apply() { # the table on stdin; ipvsadm must see as many destinations
    local lines
    lines=$(cat)
    in_lb "$table" apply <<<"$lines" >/run/steps 2>&1 || { echo "FAILED: apply"; cat /run/steps; failed=1; }
    is "destinations that ipvsadm sees" "$(grep -c '^ ' <<<"$lines")" "$(in_lb ipvsadm -Sn | grep -c -- ' -r ')"
}
# Each connection from a port that no earlier one had: for two minutes IPVS sends such a one to the server of then, without the scheduler
# (ip_vs_in_hook: FIN_WAIT, where the balancer does not see the answers). The client's kernel may choose one anew after ten seconds.
take_ports() { # take_ports N: the first of N
    local port
    read -r port </run/port
    echo $((port + $1)) >/run/port
    echo "$port"
}
echo 20000 >/run/port
pages() { # pages [--interface ADDRESS] URL...: who answered, each once for a URL
    local url port options=(-gs --max-time 3) requests=()
    [ "$1" != --interface ] || { options+=("$1" "$2") && shift 2; }
    port=$(take_ports $#)
    for url; do requests+=(--next "${options[@]}" --local-port $((port++)) "$url"); done
    in_client curl "${requests[@]:1}" | sort | uniq -c | awk '{ printf "%s%s %s", sep, $2, $1; sep = ", " }'
}

modprobe ipv6
ip link add switch type bridge && ip link set switch up || { echo "skipped: no bridge here"; exit 77; }
plug client 10.1.0.9/24 10.1.0.10/24 10.1.0.11/24 10.1.0.200/24
plug lb 10.1.0.1/24 10.2.0.1/24 $vip/32
plug s1 10.2.0.11/24
plug s2 10.2.0.12/24
in_lb sysctl -qw net.ipv4.ip_forward=1
ip -n client route add $vip via 10.1.0.1
ip -n client route add 10.2.0.0/24 dev eth0
six() { ip -n "$1" addr add "$2" dev eth0 nodad; }
six client 2001:db8:1::9/64
for address in 2001:db8:1::1/64 2001:db8:2::1/64 $vip6/128; do six lb $address; done
six s1 2001:db8:2::11/64
six s2 2001:db8:2::12/64
in_lb sysctl -qw net.ipv6.conf.all.forwarding=1
ip -n client route add $vip6 via 2001:db8:1::1
ip -n client route add 2001:db8:2::/64 dev eth0
# The servers have the address of the service too, in silence: for what arrives unchanged.
on_servers sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
on_servers ip addr add $vip/32 dev lo
directly() {
    on_servers ip route replace 10.1.0.0/24 dev eth0
    on_servers ip route replace 2001:db8:1::/64 dev eth0
}
through_lb() {
    on_servers ip route replace 10.1.0.0/24 via 10.2.0.1
    on_servers ip route replace 2001:db8:1::/64 via 2001:db8:2::1
}

sctp='' servers=8
modprobe sctp 2>/dev/null && socat -h | grep -q sctp-listen && sctp=yes servers=10
for s in s1 s2; do
    printf 'HTTP/1.0 200 OK\r\n\r\n%s\n' $s >/run/$s.page
    for port in 80 81; do
        on $s socat TCP-LISTEN:$port,reuseaddr,fork "OPEN:/run/$s.page,rdonly!!OPEN:/dev/null,wronly" &
    done
    on $s socat TCP6-LISTEN:80,ipv6only=1,reuseaddr,fork "OPEN:/run/$s.page,rdonly!!OPEN:/dev/null,wronly" &
    on $s socat -u UDP-RECV:53 OPEN:/run/$s.udp,creat,append &
    [ -z "$sctp" ] || on $s socat SCTP-LISTEN:80,reuseaddr,fork "OPEN:/run/$s.page,rdonly!!OPEN:/dev/null,wronly" &
done
listening() { [ "$(on_servers ss -HtulnS | grep -cE ':(80|81|53) ')" = $servers ]; }
for _ in $(seq 300); do
    listening && break
    sleep 0.1
done
four=("http://$vip/" "http://$vip/" "http://$vip/" "http://$vip/")

# NAT: the servers see their own address, and answer through the balancer.
through_lb
apply <<T
tcp $vip 80 rr
 10.2.0.11 80 NAT 1
 10.2.0.12 81 NAT 1
udp $vip 53 rr one-packet
 10.2.0.11 53 NAT 1
 10.2.0.12 53 NAT 1
T
is "NAT" "s1 2, s2 2" "$(pages "${four[@]}")"
in_client bash -c "exec 3<>/dev/udp/$vip/53; for _ in 1 2 3 4; do printf x >&3; done" # a datagram each, of one socket
for _ in $(seq 300); do
    [ "$(cat /run/s?.udp | wc -c)" = 4 ] && break
    sleep 0.1
done
is "one-packet: datagrams of one client at both servers" "2 2" "$(wc -c </run/s1.udp) $(wc -c </run/s2.udp)"

# Thresholds: who has as many connections as he may gets no more.
apply <<T
tcp $vip 80 wrr
 10.2.0.11 81 NAT 100 limit 1 2
 10.2.0.12 80 NAT 1
T
is "above the threshold" "s1 2, s2 2" "$(pages "${four[@]}")"

# Persistence: a network is one customer; with port 0, all of its ports.
apply <<T
tcp $vip 0 rr for 60 29
 10.2.0.11 0 NAT 1
 10.2.0.12 0 NAT 1
T
first=$(pages "http://$vip/")
for source in 10.1.0.9 10.1.0.10 10.1.0.11; do
    is "persistent for its network, from $source" "${first% *} 2" \
        "$(pages --interface $source "http://$vip:80/" "http://$vip:81/")"
done
[ "$(pages --interface 10.1.0.200 "http://$vip/")" != "$first" ] || is "another network" "the other server" "$first"
in_lb "$table" show >/run/shown
is "templates are counted" "1 1" "$(sed 's/.*persistent //' /run/shown | paste -sd' ')"

# A firewall mark: two ports are one service.
in_lb tc qdisc add dev eth0 ingress
in_lb tc filter add dev eth0 parent ffff: protocol ip u32 match ip dst $vip action skbedit mark 7
apply <<T
fwmark 7 rr
 10.2.0.11 0 NAT 1
 10.2.0.12 0 NAT 1
T
is "a firewall mark" "s1 2, s2 2" "$(pages "http://$vip:80/" "http://$vip:81/" "http://$vip:80/" "http://$vip:81/")"
in_lb tc qdisc del dev eth0 ingress

# IPv6.
apply <<T
tcp $vip6 80 rr
 2001:db8:2::11 80 NAT 1
 2001:db8:2::12 80 NAT 1
T
is "NAT, IPv6" "s1 1, s2 1" "$(pages "http://[$vip6]/" "http://[$vip6]/")"

# SCTP, where socat and the kernel have it.
if [ -n "$sctp" ]; then
    apply <<T
sctp $vip 80 rr
 10.2.0.11 80 NAT 1
 10.2.0.12 80 NAT 1
T
    for _ in 1 2; do in_client timeout 3 socat -u "SCTP:$vip:80,sourceport=$(take_ports 1)" - | tail -n 1; done >/run/sctp
    is "SCTP" "s1 s2" "$(sort /run/sctp | paste -sd' ')"
fi

# DR: the packets arrive as the client sent them, and the servers answer it directly.
directly
apply <<T
tcp $vip 80 rr
 10.2.0.11 80 DR 1
 10.2.0.12 80 DR 1
T
is "DR" "s1 2, s2 2" "$(pages "${four[@]}")"

# Tunnels: the packets arrive on the tunnel's interface, and nowhere else.
on_servers ip addr del $vip/32 dev lo
modprobe -a ipip ip_gre fou sit
for device in tunl0 gre0 sit0; do
    on_servers ip link set $device up
    on_servers sysctl -qw net.ipv4.conf.$device.rp_filter=0
done
on_servers ip addr add $vip/32 dev tunl0
on_servers ip addr add $vip6/128 dev lo nodad
on_servers ip fou add port 6080 gue
received() { # received DEVICE: packets at s1 and at s2
    on_servers ip -s link show "$1" | awk '/RX:/ { getline; printf "%s%s", sep, $2; sep = " " }'
}
tunnel() { # tunnel WORDS DEVICE [ADDRESS]
    local before after address=${3:-$vip} url
    url=http://$address/
    [ "$address" = $vip ] || url="http://[$address]/"
    apply <<T
tcp $address 80 rr
 10.2.0.11 80 TUN 1$1
 10.2.0.12 80 TUN 1$1
T
    before=$(received "$2")
    is "tunnel${1:- ipip} for $address" "s1 1, s2 1" "$(pages "$url" "$url")" || in_lb ipvsadm -Lnc # who went where
    after=$(received "$2")
    [ "${before% *}" -lt "${after% *}" ] && [ "${before#* }" -lt "${after#* }" ] ||
        is "tunnel${1:- ipip}: packets out of it at both servers" "more than $before" "$after"
}
tunnel "" tunl0
tunnel " gue 6080" tunl0
tunnel " gue 6080 csum" tunl0
tunnel " gue 6080 remcsum" tunl0
tunnel " gre" gre0
for i in 1 2; do # one that wants checksums
    ip -n s$i link add gre1 type gre local 10.2.0.1$i icsum
    ip -n s$i link set gre1 up
    on s$i sysctl -qw net.ipv4.conf.gre1.rp_filter=0
done
tunnel " gre csum" gre1
tunnel "" sit0 $vip6 # IPv4 servers behind an IPv6 service

# A stranger's service in the place of ours is brought to what is wanted; one beside it, at the same address, stays.
in_lb ipvsadm -C
in_lb ipvsadm -A -t $vip:80 -s lc -p 300
in_lb ipvsadm -a -t $vip:80 -r 10.2.0.99 -g
in_lb ipvsadm -A -t $vip:25 -s rr
in_lb "$table" repair >/run/steps <<T
tcp $vip 80 rr
 10.2.0.11 80 NAT 1
T
is "a stranger's service in our place" "-A -t $vip:25 -s rr
-A -t $vip:80 -s rr
-a -t $vip:80 -r 10.2.0.11:80 -m -w 1" "$(in_lb ipvsadm -Sn | sed 's/ *$//' | sort)"
grep -q "^edit service tcp $vip:80 rr (was tcp $vip:80 lc persistent 300s/32)$" /run/steps ||
    { echo "FAILED: what it was is told"; cat /run/steps; failed=1; }
exit $failed
