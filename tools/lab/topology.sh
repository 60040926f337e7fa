# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A small network of machines: each is a network namespace, all hang on switches in a namespace of their own, so that nothing
# of the host's own network is touched. Sourced after narration.sh.
#
#   lab_up PREFIX          names everything PREFIX-...; makes LAB_DIR for logs; cleans up when the script ends
#   lab_machine NAME       a machine; lab_plug NAME IF SWITCH ADDR... a cable from its IF to a switch
#   lab_on NAME COMMAND    runs there; lab_start NAME TAG COMMAND in the background, its words into LAB_DIR/NAME/TAG.log
#   LAB_SAVE               where logs go after a failure, if LAB_DIR does not outlive the script
#   lab_die NAME           as if the power failed; lab_boot NAME: an empty machine again, with its cables and addresses

lab_machines=()
declare -A lab_cables=() # "NAME IF" -> "SWITCH ADDR..."
lab_child=
lab_failed=
lab_keep=  # not empty: what is up stays up at the end
lab_leave= # a file in LAB_DIR to leave behind

lab_ns() { echo "$LAB-$1"; }
# Not `ip netns exec`: that mounts, which a chroot whose root is no mount point refuses.
lab_on() {
    local name=$1
    shift
    nsenter --net="/run/netns/$(lab_ns "$name")" "$@"
}
# lab_ip NAME ...: `ip` there.
lab_ip() { lab_on "$1" ip "${@:2}"; }
lab_sysctl() { lab_on "$1" sysctl -qw "${@:2}"; }

# lab_existing PREFIX: namespaces of that lab that are there already.
lab_existing() { ip netns list 2>/dev/null | awk '{ print $1 }' | grep -E "^$1-[a-z0-9]+$"; }

# lab_refuse_second PREFIX: exits if that lab is up already.
lab_refuse_second() {
    local existing
    existing=$(lab_existing "$1" | tr '\n' ' ')
    [ -n "$existing" ] || return 0
    echo "A lab called \"$1\" is up already: ${existing% }" >&2
    echo "Remove it with: ${LAB_CLEAN:-ip netns del NAME}" >&2
    exit 1
}

lab_up() {
    LAB=$1
    lab_refuse_second "$LAB"
    LAB_DIR=$(mktemp -d "/tmp/$LAB-lab.XXXXXX") || exit 1
    chmod 755 "$LAB_DIR"
    trap lab_end EXIT
    trap 'exit 130' INT TERM HUP
    lab_machine net
}

lab_switch() {
    lab_ip net link add "$1" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    lab_ip net link set "$1" up
}

lab_machine() {
    ip netns add "$(lab_ns "$1")" || fail "a network namespace $(lab_ns "$1") can be made" "ip netns add failed"
    [[ " ${lab_machines[*]} " == *" $1 "* ]] || lab_machines+=("$1")
    mkdir -p "$LAB_DIR/$1"
    [ ! -e /proc/sys/net/ipv6 ] ||
        lab_sysctl "$1" net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    lab_ip "$1" link set lo up
}

lab_port() { echo "$1-$2"; } # the switch's end of a cable

# A card keeps its MAC address when the cable moves or the machine boots again.
lab_mac() { md5sum <<<"$1 $2" | sed -E 's/^(..)(..)(..)(..).*/02:48:\1:\2:\3:\4/'; }

lab_plug() { # NAME IF SWITCH ADDR...
    local name=$1 if=$2 switch=$3 addr port
    port=$(lab_port "$name" "$if")
    lab_cables["$name $if"]="${*:3}"
    shift 3
    lab_ip net link add "$port" type veth peer name "$if" \
        address "$(lab_mac "$name" "$if")" netns "$(lab_ns "$name")"
    lab_ip net link set "$port" master "$switch" up
    lab_ip "$name" link set "$if" up
    for addr in "$@"; do echo "addr add $addr dev $if"; done | lab_ip "$name" -batch -
}

# lab_replug NAME IF SWITCH ADDR...: the cable goes into another switch, the machine gets other addresses.
lab_replug() {
    lab_ip net link del "$(lab_port "$1" "$2")"
    lab_plug "$@"
}

lab_cut() { lab_ip net link set "$(lab_port "$1" "$2")" down; }
lab_heal() { lab_ip net link set "$(lab_port "$1" "$2")" up; }

# lab_start NAME TAG COMMAND...: LAB_PID is its process.
lab_start() {
    local name=$1 tag=$2
    shift 2
    nsenter --net="/run/netns/$(lab_ns "$name")" "$@" </dev/null >>"$LAB_DIR/$name/$tag.log" 2>&1 &
    LAB_PID=$!
    disown "$LAB_PID"
}

# lab_stop PID [SIGNAL]: asks it to end, and makes sure that it did.
lab_stop() {
    kill -"${2:-TERM}" "$1" 2>/dev/null || return 0
    wait_for 10 "process $1 ends" lab_gone "$1" || kill -KILL "$1" 2>/dev/null
}
lab_gone() { ! kill -0 "$1" 2>/dev/null; }

lab_pids() { ip netns pids "$(lab_ns "$1")" 2>/dev/null; }

lab_kill_all() { # NAME
    local pids
    mapfile -t pids < <(lab_pids "$1")
    [ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
}

# A dead machine says nothing more: stop everything, then the cables, so that no process can say goodbye.
lab_die() {
    local key pids
    mapfile -t pids < <(lab_pids "$1")
    [ ${#pids[@]} -eq 0 ] || kill -STOP "${pids[@]}" 2>/dev/null
    for key in "${!lab_cables[@]}"; do
        [ "${key% *}" = "$1" ] && lab_cut "$1" "${key#* }"
    done
    lab_kill_all "$1"
}

lab_boot() {
    local name=$1 key cable
    lab_remove "$name"
    rm -f "$LAB_DIR/$name/"*.pid # what stood in /run
    lab_machine "$name"
    for key in "${!lab_cables[@]}"; do
        [ "${key% *}" = "$name" ] || continue
        read -ra cable <<<"${lab_cables[$key]}"
        lab_plug "$name" "${key#* }" "${cable[@]}"
    done
}

lab_remove() { # NAME: the cables go with the namespace that holds their end
    local key
    for key in "${!lab_cables[@]}"; do
        [ "${key% *}" = "$1" ] && lab_ip net link del "$(lab_port "$1" "${key#* }")" 2>/dev/null
    done
    lab_kill_all "$1"
    wait_for 5 "processes of $1 end" lab_empty "$1"
    ip netns del "$(lab_ns "$1")"
}
lab_empty() { [ -z "$(lab_pids "$1")" ]; }

# lab_clean PREFIX: removes a lab, also one that another script left behind.
lab_clean() {
    local name pids
    LAB=$1
    for name in $(lab_existing "$1"); do
        lab_kill_all "${name#"$1"-}"
        wait_for 5 "processes of $name end" lab_empty "${name#"$1"-}"
        ip netns del "$name"
    done
}

lab_end() {
    local status=$?
    trap '' INT TERM HUP
    [ -z "$lab_child" ] || kill "$lab_child" 2>/dev/null
    if [ -n "$lab_keep" ] && [ "$status" = 0 ]; then
        return
    fi
    lab_clean "$LAB" 2>/dev/null
    if [ -n "$lab_failed" ]; then
        if [ -n "${LAB_SAVE:-}" ]; then
            cp -r "$LAB_DIR" "$LAB_SAVE/" && LAB_DIR=$LAB_SAVE/$(basename "$LAB_DIR")
        fi
        echo "          logs and configurations: $LAB_DIR" >&2
    else
        [ "$status" = 0 ] || lab_leave=
        find "$LAB_DIR" -mindepth 1 ! -path "${lab_leave:-$LAB_DIR}" -delete 2>/dev/null
        rmdir "$LAB_DIR" 2>/dev/null
    fi
    exit "$status"
}
