#!/bin/sh
# Debian's haproxy as a twin: what it accepts of this folder proxyd accepts, and what it refuses proxyd
# refuses, but for N.in where N.unlike says why not. What --migrate prints (N.new) it accepts.
#   haproxy.sh PROXYD FOLDER
set -u
proxyd=$(realpath "$1") || exit 1
cd "$2" || exit 1
command -v haproxy >/dev/null || { echo "no haproxy here: apt-get install haproxy" && exit 77; }
PROXYD_TEST_PORT=8080
export PROXYD_TEST_PORT
failed=0

accepts() { # COMMAND FILE: 2 means that there is nothing to listen on
	"$1" -c -f "$2" >/dev/null 2>&1
	case $? in 0 | 2) echo accepted ;; *) echo refused ;; esac
}

for in in *.in; do
	ours=$(accepts "$proxyd" "$in")
	theirs=$(accepts haproxy "$in")
	name=${in%.in}
	if [ "$ours" != "$theirs" ] && [ ! -e "$name.unlike" ]; then
		echo "FAILED $in: $ours, by HAProxy $theirs" && failed=1
	elif [ "$ours" = "$theirs" ] && [ -e "$name.unlike" ]; then
		echo "FAILED $in: $name.unlike is not true: both $ours" && failed=1
	fi
	[ -e "$name.new" ] && [ "$(accepts haproxy "$name.new")" = refused ] &&
		echo "FAILED $name.new: refused by HAProxy" && failed=1
done
exit $failed
