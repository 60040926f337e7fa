#!/bin/bash
# SPDX-License-Identifier: MIT
# The demo, as a test: everything it claims is checked by itself.
set -u
top=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
[ "$(id -u)" = 0 ] || {
    echo "skipped: needs root to make network namespaces"
    exit 77
}
for command in nginx curl tcpdump; do
    command -v $command >/dev/null || {
        echo "skipped: needs $command"
        exit 77
    }
done
LAB_PREFIX=hwdemo$$
export LAB_PREFIX
"$top/tools/demo" --verify
status=$?
rm -rf "/tmp/$LAB_PREFIX-lab."*
exit $status
