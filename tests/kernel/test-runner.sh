#!/bin/bash
# SPDX-License-Identifier: MIT
# run-uml itself: arguments and the exit status pass through, OUTDIR leads back, nothing else does, IPVS is there.
set -u
here=$(dirname "$(realpath "$0")")
if [ "${1:-}" = inside ]; then
    touch /etc/hawser-uml-was-here
    cat <<<"$2" >"$OUTDIR/argument"
    modprobe ip_vs || exit 1
    [ -e /proc/net/ip_vs ] || exit 1
    exit 23
fi

out=$(mktemp -d /tmp/hawser-test.XXXXXX)
trap 'rm -rf "$out"' EXIT
"$here/run-uml" "$here/test-runner.sh" "$out" inside 'two words'
status=$?
[ "$status" = 77 ] && exit 77
[ "$status" = 23 ] || { echo "exit status $status instead of 23"; cat "$out/console.log"; exit 1; }
[ "$(cat "$out/argument")" = 'two words' ] || { echo "argument or OUTDIR lost"; exit 1; }
[ ! -e /etc/hawser-uml-was-here ] || { echo "the guest wrote to the host"; exit 1; }
[ -s "$out/console.log" ] || { echo "no console log after a failure"; exit 1; }
echo "ok"
