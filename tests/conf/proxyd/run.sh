#!/bin/sh
# Checks every N.in of this folder: its findings are those of N.err (none: the file is absent), and
# its exit status is 0 when N.ok exists, else 1. The pid is cut out; names are relative.
#   run.sh PROXYD FOLDER
set -u
proxyd=$(realpath "$1") || exit 1
cd "$2" || exit 1
failed=0
PROXYD_TEST_PORT=8080
export PROXYD_TEST_PORT
for in in *.in; do
	name=${in%.in}
	got=$("$proxyd" -V -c -f "$in" 2>&1 >/dev/null)
	status=$?
	got=$(printf '%s\n' "$got" | sed -E 's/^(\[[A-Z]+\]) +\([0-9]+\) : /\1 /')
	want=$(cat "$name.err" 2>/dev/null)
	expected=1
	[ -e "$name.ok" ] && expected=0
	if [ "$got" != "$want" ] || [ "$status" != "$expected" ]; then
		echo "FAILED $in: status $status, expected $expected"
		printf '%s\n' "$want" >"/tmp/proxyd-want.$$"
		printf '%s\n' "$got" | diff -u "/tmp/proxyd-want.$$" - | tail -n +3
		rm -f "/tmp/proxyd-want.$$"
		failed=1
	fi
done
exit $failed
