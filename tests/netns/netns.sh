# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For tests in network namespaces: the lab with plain output, names of its own, and the reasons to skip.
# lab_root is set by the test; meson passes VIPD and PROXYD.

LAB_PLAIN=1
# shellcheck source=tools/lab/lab.sh
. "$lab_root/tools/lab/lab.sh"

skip() {
    echo "skipped: $*"
    exit 77
}

# test_begin NAME COMMAND...: needs root and these commands; then a lab under a name of its own.
test_begin() {
    local name=$1 command
    shift
    [ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
    for command in ip nsenter tcpdump "$@"; do
        command -v "$command" >/dev/null || skip "needs $command"
    done
    lab_up "hw$name$$"
}

# test_program WORD: vipd stands for the one that was built; anything else is a command that must be there.
test_program() {
    if [ "$1" = vipd ]; then
        echo "$VIPD"
    else
        command -v "$1" || skip "needs $1" >&2
    fi
}
