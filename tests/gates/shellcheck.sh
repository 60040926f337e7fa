#!/bin/bash
# SPDX-License-Identifier: MIT
# Every shell script of the tree under shellcheck; files that are only sourced are read through those that source them.
set -u
cd "$1" || exit 1
command -v shellcheck >/dev/null || { echo "shellcheck is not installed" && exit 77; }
mapfile -t scripts < <(grep -rlE --exclude-dir='build*' --exclude-dir=corpus '^#!/bin/(ba)?sh' .ci tools tests)
[ ${#scripts[@]} -gt 10 ] || { echo "only ${#scripts[@]} scripts found: is the search wrong?" && exit 1; }
shellcheck -x -S warning "${scripts[@]}" && echo "${#scripts[@]} scripts: nothing to say"
