# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Daemons on the lab's machines. VIPD and PROXYD choose the programs: ours, or Debian's keepalived and haproxy beside them.
# Sourced after topology.sh.

VIPD=${VIPD:-$lab_root/build/examples/vipd/vipd}
PROXYD=${PROXYD:-$lab_root/build/examples/proxyd/proxyd}
declare -A vipd_pid=() proxyd_pid=() web_pid=()

# True if the kernel, or a module that can be loaded, has IPVS.
kernel_has_ipvs() { [ -e /proc/net/ip_vs ] || { modprobe -q ip_vs && [ -e /proc/net/ip_vs ]; } 2>/dev/null; }

# True if VIPD can forward connections here: keepalived knows IPVS only.
vipd_can_forward() { [ "$(basename "$VIPD")" != keepalived ] || kernel_has_ipvs; }

# vipd_start NAME [ARG...]: with LAB_DIR/NAME/keepalived.conf.
vipd_start() {
    local name=$1 dir=$LAB_DIR/$1
    shift
    local only=()
    vipd_can_forward || only=(-P)
    lab_start "$name" vipd "$VIPD" -n -l -D "${only[@]}" -f "$dir/keepalived.conf" \
        -p "$dir/vipd.pid" -r "$dir/vipd_vrrp.pid" -c "$dir/vipd_checkers.pid" "$@"
    vipd_pid[$name]=$LAB_PID
}
vipd_stop() {
    [ -z "${vipd_pid[$1]:-}" ] || lab_stop "${vipd_pid[$1]}"
    vipd_pid[$1]=
}
# vipd_crash NAME: all its processes at once, children first: a dying parent could tell them.
vipd_crash() {
    local pids
    mapfile -t pids < <(process_tree "${vipd_pid[$1]}" | tac)
    kill -KILL "${pids[@]}" 2>/dev/null
    wait_for 30 "the killed processes of $1 are gone" all_gone "${pids[@]}"
    vipd_pid[$1]=
}
all_gone() { ! kill -0 "$@"; }
process_tree() { # PID: it and its descendants, parents first
    local child children
    echo "$1"
    read -ra children < <(cat "/proc/$1/task/"*/children 2>/dev/null | tr '\n' ' ')
    for child in "${children[@]}"; do process_tree "$child"; done
}

# has_address NAME ADDRESS: that machine holds it. only_on ADDRESS NAME OTHER...: the first does, the others do not.
has_address() { lab_ip "$1" -o addr show up 2>/dev/null | grep -qF " $2/"; }
only_on() {
    local address=$1 name
    has_address "$2" "$address" || return 1
    for name in "${@:3}"; do
        has_address "$name" "$address" && return 1
    done
    return 0
}
# holders ADDRESS NAME...: the machines that hold it, in words.
holders() {
    local name found=
    for name in "${@:2}"; do
        has_address "$name" "$1" && found="$found $name"
    done
    echo "$1 on:${found:- nobody}"
}

web_start() { # NAME PAGE
    local name=$1 dir=$LAB_DIR/$1
    mkdir -p "$dir/pages" "$dir/tmp"
    echo "$2" >"$dir/pages/index.html"
    cat >"$dir/nginx.conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $dir/tmp;
    proxy_temp_path $dir/tmp;
    fastcgi_temp_path $dir/tmp;
    uwsgi_temp_path $dir/tmp;
    scgi_temp_path $dir/tmp;
    server {
        listen 80;
        root $dir/pages;
        location = /whoami { return 200 "\$http_x_forwarded_for\n"; }
    }
}
CONF
    lab_start "$name" nginx nginx -c "$dir/nginx.conf" -e "$dir/error.log"
    web_pid[$name]=$LAB_PID
}
web_stop() {
    lab_stop "${web_pid[$1]}"
    web_pid[$1]=
}

# proxyd_start NAME: with LAB_DIR/NAME/haproxy.cfg; its pid in LAB_DIR/NAME/proxyd.pid for a tracker.
proxyd_start() {
    local dir=$LAB_DIR/$1
    lab_start "$1" proxyd "$PROXYD" -db -f "$dir/haproxy.cfg"
    proxyd_pid[$1]=$LAB_PID
    echo "$LAB_PID" >"$dir/proxyd.pid"
}
proxyd_stop() {
    [ -z "${proxyd_pid[$1]:-}" ] || lab_stop "${proxyd_pid[$1]}"
    proxyd_pid[$1]=
}
