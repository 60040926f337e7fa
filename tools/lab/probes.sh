# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What a client sees. Sourced after topology.sh.

lab_probe=$lab_root/tools/lab/probe.py

# pages NAME URL ADDR...: asks once from each of the machine's addresses with curl, all at a time; prints "COUNT PAGE" lines.
# Who gets no answer in a second is counted as "no answer".
pages() {
    local name=$1 url=$2
    shift 2
    # shellcheck disable=SC2016
    lab_on "$name" bash -c '
        url=$1; shift
        for addr in "$@"; do
            { curl -s --max-time 1 --interface "$addr" "$url" || echo "no answer"; } &
        done
        wait' pages "$url" "$@" | sort | uniq -c | sed 's/^ *//'
}
# answered COUNTS PAGE: how often.
answered() { awk -v page="$2" 'substr($0, index($0, " ") + 1) == page { n = $1 } END { print n + 0 }' <<<"$1"; }
# in_words COUNTS: on one line.
in_words() { sed -E 's/^([0-9]+) (.*)$/\2: \1/' <<<"$1" | paste -sd, - | sed 's/,/, /g'; }

# probe_start NAME http|icmp ADDRESS INTERVAL_MS [SOURCE]; probe_stop ends it.
probe_start() {
    probe_file=$LAB_DIR/$1/probe.$SRANDOM
    lab_start "$1" probe /usr/bin/python3 "$lab_probe" "$2" "$3" "$4" "$probe_file" "${@:5}"
    probe_pid=$LAB_PID
    wait_for 20 "the first answered probe" probe_answered "$EPOCHREALTIME" ||
        fail "$3 answers before the test begins" "$(tail -n 3 "$probe_file" 2>/dev/null)"
}
probe_stop() { lab_stop "$probe_pid"; }
# probe_answered SINCE: a probe sent after SINCE was answered.
probe_answered() { awk -v since="$1" '$1 > since && $2 != "-" { found = 1 } END { exit !found }' "$probe_file" 2>/dev/null; }
# probe_gap SINCE: longest time without an answer around and after SINCE, in seconds.
probe_gap() { /usr/bin/python3 "$lab_probe" gap "$probe_file" "$1"; }

# adverts_start NAME IF FILE: captures VRRP on that interface.
adverts_start() {
    lab_start "$1" tcpdump tcpdump -Z root -U --immediate-mode -n -i "$2" -w "$3" 'proto 112 or ip6 proto 112'
    adverts_pid=$LAB_PID
    wait_for 5 "the capture begins" test -s "$3" || fail "tcpdump writes $3" "$(cat "$LAB_DIR/$1/tcpdump.log")"
}
adverts_stop() { lab_stop "$adverts_pid"; }
# adverts_seen FILE ADDRESS PRIORITY: how many that router sent with that priority.
adverts_seen() { tcpdump -n -v -r "$1" "src host $2" 2>/dev/null | grep -cE "VRRPv[23], Advertisement, .*prio $3,"; }
