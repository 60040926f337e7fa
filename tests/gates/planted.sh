#!/bin/sh
# SPDX-License-Identifier: MIT
# Each gate of tools/check-* fails on a planted violation, and names it. A gate that cannot fail is no gate.
#
#     planted.sh ROOT BUILD
set -eu
root=$1 build=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# expect WHAT PATTERN COMMAND...: the command must fail and print a line that matches.
expect() {
    what=$1 pattern=$2
    shift 2
    if "$@" >"$tmp/out" 2>&1; then
        echo "not caught: $what" && failed=1
    elif ! grep -q "$pattern" "$tmp/out"; then
        echo "caught, but not named: $what" && cat "$tmp/out" && failed=1
    else
        echo "caught: $what"
    fi
}

# A copy of what the gates read, to plant into.
fresh() {
    rm -rf "$tmp/tree"
    mkdir -p "$tmp/tree"
    (cd "$root" && cp -r base include libha libsched libhealth examples tools "$tmp/tree")
}

# archive SOURCE: one with that in it.
archive() {
    printf '%s\n' "$1" >"$tmp/planted.c"
    cc -c -o "$tmp/planted.o" "$tmp/planted.c"
    rm -f "$tmp/planted.a"
    ar rc "$tmp/planted.a" "$tmp/planted.o"
}

layers() { "$root/tools/check-layers" --root "$tmp/tree" "$@"; }
symbols() { "$root/tools/check-symbols" --root "$tmp/tree" "libsched=$build/libsched/libsched.so"; }
links() { "$root/tests/gates/doc_links.py" "$tmp/tree"; }
pc() { "$root/tools/check-pc" --root "$root" --pc-dir "$tmp" "libha=$build/libha/libha.so"; }

fresh
archive 'int clock_gettime(int, void *); int f(void *t) { return clock_gettime(1, t); }'
expect "a clock in pure code" "needs clock_gettime" layers planted="$tmp/planted.a"
archive 'int socket(int, int, int); int f(void) { return socket(2, 1, 0); }'
expect "a socket in pure code" "needs socket" layers planted="$tmp/planted.a"
archive 'int counter; int f(void) { return ++counter; }'
expect "a mutable global in pure code" "mutable global: counter" layers planted="$tmp/planted.a"
archive 'int f(int a) { return a + 1; }'
layers planted="$tmp/planted.a" >"$tmp/out" || { echo "a clean tree is refused:" && cat "$tmp/out" && failed=1; }

echo '#include <libha/version.h>' >>"$tmp/tree/libsched/version.c"
expect "a library that includes another" "never include one another" layers
fresh && echo '#include <libmnl/libmnl.h>' >>"$tmp/tree/include/libha/version.h.in"
expect "a public header with a foreign library" "no foreign library" layers
fresh && echo '#include "base/list.h"' >>"$tmp/tree/examples/common/diag.c"
expect "an example that sees base/" "installed headers only" layers

fresh && sed -i 's/^local:/\tlb_zzz_planted;\n&/' "$tmp/tree/libsched/libsched.map"
expect "a map entry without a declaration" "no header declares" symbols
fresh && echo 'LIBSCHED_API int lb_planted(void);' >>"$tmp/tree/include/libsched/version.h.in"
expect "a declaration that the map lacks" "lb_planted is declared" symbols
fresh && sed -i '/lb_version;/d' "$tmp/tree/libsched/libsched.map"
expect "an export that the map lacks" "lb_version is exported but not listed" symbols

grep -v '^Requires' "$build/pkgconfig/libha.pc" >"$tmp/libha.pc"
expect "a linked library that the .pc leaves out" "Requires.private does not name" pc
sed 's/^Requires.private:.*/& cmocka/' "$build/pkgconfig/libha.pc" >"$tmp/libha.pc"
expect "a package that nothing links" "is not linked with" pc
sed 's/^Version:.*/Version: 9.9.9/' "$build/pkgconfig/libha.pc" >"$tmp/libha.pc"
expect "a wrong version" "Version is not" pc

(cd "$root" && cp -r docs tests README.md "$tmp/tree")
echo '[map](docs/no-map.md)' >>"$tmp/tree/README.md"
expect "a link to no file" "leads to docs/no-map.md" links
echo '[map](docs/architecture.md#no-such-heading)' >"$tmp/tree/README.md"
expect "a link to no heading" "has no such heading" links
# shellcheck disable=SC2016 # a name in a document, no command
echo 'See `base/no-such-file.h`.' >"$tmp/tree/README.md"
expect "a path that is not there" "names base/no-such-file.h" links

exit $failed
