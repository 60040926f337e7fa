# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The configurations the labs run: a pair of load balancers as a BIG-IP admin builds it with keepalived and HAProxy, in that
# dialect (lvs_id, SLAVE, a comment behind a brace). One pattern, three uses: direct routing, NAT, full proxy.
# Addresses: 10.10.0.0/24 with floating IP .100, balancers .11 .12, servers .21 .22, clients from .50 on;
# NAT moves the servers to 10.20.0.0/24 (.21 .22) behind balancers .11 .12 and the floating gateway .1.

article_vip=10.10.0.100
article_gateway=10.20.0.1
# Takeover after a silent death: 3 x advert_int + skew, skew = (256 - priority)/256 s, with LB2's 1 s and 100 (RFC 3768 6.1).
# shellcheck disable=SC2034
article_bound=3.61

# article_second: what differs on LB2, as three lines (per instance) do.
article_second() { sed -e 's/LoadBalancer01/LoadBalancer02/' -e 's/state MASTER/state SLAVE/' -e 's/priority 101/priority 100/'; }

article_for() { # lb1|lb2: a filter
    if [ "$1" = lb2 ]; then article_second; else cat; fi
}

article_instance() { # NAME INTERFACE VRID ADDRESS [LINE...]: one floating address
    local extra
    cat <<CONF
vrrp_instance $1 {
        state MASTER
        interface $2
        virtual_router_id $3
        priority 101
        advert_int 1
        virtual_ipaddress {
                $4        #floating IP
        }
CONF
    for extra in "${@:5}"; do printf '%s\n' "$extra"; done
    echo "}"
}

article_group() { # INSTANCE...
    printf 'vrrp_sync_group VG1 {\n        group {\n'
    printf '                %s\n' "$@"
    printf '        }\n}\n'
}

article_service() { # DR|NAT NETWORK-OF-THE-SERVERS
    cat <<CONF
virtual_server $article_vip 80 { #the floating IP as a service
        delay_loop 10
        lb_algo rr
        lb_kind $1
        persistence_timeout 9600
        protocol TCP
CONF
    local server
    for server in 21 22; do
        cat <<CONF
        real_server $2.$server 80 {
                weight 10
                TCP_CHECK {
                        connect_timeout 3
                        connect_port 80
                }
        }
CONF
    done
    echo "}"
}

article_global() { printf 'global_defs {\n        lvs_id LoadBalancer01 #Unique name of this load balancer\n}\n'; }

article_dr() { # lb1|lb2
    {
        article_global
        article_group FloatIP01
        article_instance FloatIP01 eth0 1 $article_vip
        article_service DR 10.10.0
    } | article_for "$1"
}

article_nat() { # lb1|lb2
    {
        article_global
        article_group FloatIP01 FloatGW01
        article_instance FloatIP01 eth0 1 $article_vip
        article_instance FloatGW01 eth1 2 $article_gateway/24
        article_service NAT 10.20.0
    } | article_for "$1"
}

# article_float lb1|lb2 SCRIPT: only the floating address; it leaves a node where SCRIPT says that the proxy is gone.
article_float() {
    {
        printf 'vrrp_script chk_proxy {\n        script "%s"\n        interval 2\n        weight -10\n}\n' "$2"
        article_instance FloatIP01 eth0 1 $article_vip \
            '        track_script {' '                chk_proxy' '        }'
    } | article_for "$1"
}

# article_proxy SOCKET ADDRESS: the same haproxy.cfg on both balancers, but for the address of its statistics.
article_proxy() {
    cat <<CONF
global
    maxconn 2000
    stats socket $1 mode 660 level admin

defaults
    mode http
    timeout connect 3s
    timeout client 30s
    timeout server 30s
    option redispatch

frontend web
    bind $article_vip:80
    option forwardfor
    default_backend farm

backend farm
    balance roundrobin
    option httpchk GET /
    server web1 10.10.0.21:80 check inter 2s
    server web2 10.10.0.22:80 check inter 2s

listen stats
    bind $2:8404
    stats enable
    stats uri /
CONF
}
