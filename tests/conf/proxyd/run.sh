#!/bin/sh
# Checks every N.in of this folder: its findings are those of N.err (none: the file is absent), its exit
# status is 0 when N.ok exists, else 1, and --migrate prints N.new if there is one, which has nothing left to
# migrate. The pid is cut out; names are relative.
#   run.sh PROXYD FOLDER
set -u
proxyd=$(realpath "$1") || exit 1
cd "$2" || exit 1
failed=0
PROXYD_TEST_PORT=8080
export PROXYD_TEST_PORT
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

differs() { # NAME WHAT FILE-WANTED FILE-GOT
	diff -u "$3" "$4" >"$scratch/diff" && return
	echo "FAILED $1: $2"
	tail -n +3 "$scratch/diff"
	failed=1
}

for in in *.in; do
	name=${in%.in}
	"$proxyd" -V -c -f "$in" >/dev/null 2>"$scratch/raw"
	status=$?
	sed -E 's/^(\[[A-Z]+\]) +\([0-9]+\) : /\1 /' "$scratch/raw" >"$scratch/got"
	want=/dev/null
	[ -e "$name.err" ] && want=$name.err
	differs "$in" "other findings" "$want" "$scratch/got"
	expected=1
	[ -e "$name.ok" ] && expected=0
	[ "$status" = "$expected" ] || { echo "FAILED $in: status $status, expected $expected" && failed=1; }
	[ -e "$name.new" ] || continue
	"$proxyd" --migrate -q -f "$in" >"$scratch/new" 2>/dev/null
	differs "$in" "--migrate prints something else" "$name.new" "$scratch/new"
	"$proxyd" -V -c -f "$scratch/new" 2>&1 | grep -q "was removed from HAProxy" &&
		echo "FAILED $in: --migrate left an old word" && failed=1
done
exit $failed
