# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the lab says, and how it waits and fails. Sourced by tools/demo and by the tests in network namespaces.
# LAB_PLAIN=1: no colours and no moving lines, for logs and tests. LAB_QUIET=1: nothing about waiting.

lab_start=$EPOCHREALTIME
lab_bold='' lab_dim='' lab_green='' lab_red='' lab_off='' lab_moving=''
if [ -t 1 ] && [ -z "${LAB_PLAIN:-}" ]; then
    lab_moving=yes
    if [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
        lab_bold=$'\e[1m' lab_dim=$'\e[2m' lab_green=$'\e[32m' lab_red=$'\e[31m' lab_off=$'\e[0m'
    fi
fi

# calc EXPRESSION: arithmetic with fractions, three digits.
calc() { awk "BEGIN { printf \"%.3f\", $* }"; }
# is EXPRESSION: true if the comparison holds, fractions allowed.
is() { awk "BEGIN { exit !($*) }"; }

title() { printf '\n%s%s%s\n' "$lab_bold" "$*" "$lab_off"; }
say() { printf '          %s%s%s\n' "$lab_dim" "$*" "$lab_off"; }

# event TEXT: a line of the timeline.
event() { printf '%7.1f s  %s\n' "$(calc "$EPOCHREALTIME - $lab_start")" "$*"; }
# good TEXT: a line of the timeline that was checked.
good() { event "${lab_green}ok${lab_off}  $*"; }

# fail EXPECTED SEEN: the one way a lab gives up. The logs stay.
fail() {
    lab_clear_line
    event "${lab_red}FAILED${lab_off}" >&2
    printf '          expected: %s\n          seen:     %s\n' "$1" "${2:-nothing}" >&2
    lab_failed=yes
    exit 1
}

lab_clear_line() { [ -z "$lab_moving" ] || printf '\r\e[K'; }

# A wait of more than two seconds shows that something is going on.
lab_waiting() { # WHAT SINCE
    [ -z "${LAB_QUIET:-}" ] || return 0
    if [ -n "$lab_moving" ]; then
        printf '\r          %s... %s (%.0f s)%s' "$lab_dim" "$1" "$(calc "$EPOCHREALTIME - $2")" "$lab_off"
    elif [ -z "$lab_said" ]; then
        say "... $1"
    fi
    lab_said=yes
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds; false when SECONDS have passed.
wait_for() {
    local what=$2 since=$EPOCHREALTIME now_us lab_said=
    local begin_us=${since/./}
    local end_us=$((begin_us + $1 * 1000000))
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        now_us=${EPOCHREALTIME/./}
        if [ "$now_us" -ge $end_us ]; then
            lab_clear_line
            return 1
        fi
        [ $((now_us - begin_us)) -lt 2000000 ] || lab_waiting "$what" "$since"
        sleep "${LAB_PAUSE:-0.05}"
    done
    [ -z "$lab_said" ] || lab_clear_line
}

# with_progress WHAT LOG COMMAND...: runs COMMAND, its words into LOG; shows the last line it wrote. Returns its status.
with_progress() {
    local what=$1 log=$2 since=$EPOCHREALTIME status=0 pid last=
    shift 2
    say "$what ..."
    "$@" >>"$log" 2>&1 &
    pid=$!
    lab_child=$pid
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ -n "$lab_moving" ]; then
            printf '\r\e[K          %s%3.0f s  %.80s%s' "$lab_dim" "$(calc "$EPOCHREALTIME - $since")" \
                "$(tail -n 1 "$log" | tr -d '\r')" "$lab_off"
        elif [ "$(calc "($EPOCHREALTIME - $since) / 10" | cut -d. -f1)" != "${last:-0}" ]; then
            last=$(calc "($EPOCHREALTIME - $since) / 10" | cut -d. -f1)
            say "... $(calc "$EPOCHREALTIME - $since" | cut -d. -f1) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-80)"
        fi
    done
    wait "$pid" || status=$?
    lab_child=
    lab_clear_line
    return $status
}
