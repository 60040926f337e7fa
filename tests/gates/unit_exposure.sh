#!/bin/sh
# SPDX-License-Identifier: MIT
# unit_exposure.sh UNIT...: systemd's own measure of what a service could do to its host: at most 3.0 of 10.
command -v systemd-analyze >/dev/null || { echo "skipped: needs systemd-analyze"; exit 77; }
failed=0
for unit in "$@"; do
    out=$(systemd-analyze security --offline=yes --threshold=30 --no-pager "$unit" 2>&1) || {
        printf '%s\n' "$out" | grep '✗'
        failed=1
    }
    printf '%s: %s\n' "$unit" "$(printf '%s\n' "$out" | tail -n 1)"
done
exit $failed
