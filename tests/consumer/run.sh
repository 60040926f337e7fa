#!/bin/bash
# SPDX-License-Identifier: MIT
# The libraries as a stranger meets them: installed into a scratch prefix, found by pkg-config alone, built as C11
# and as C++17 without a warning, run; each public header by itself; the hello programs as they stand in the tree.
#
#     run.sh SOURCE_ROOT
set -euo pipefail
root=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
strict=(-Wall -Wextra -pedantic -Werror)
before=$(cd "$root" && git status --porcelain 2>/dev/null || true)

meson setup "$tmp/build" "$root" --prefix="$tmp/prefix" --libdir=lib -Dtests=disabled -Dexamples=disabled -Doptimization=0 \
    >"$tmp/log" 2>&1 || { cat "$tmp/log" && exit 1; }
meson install -C "$tmp/build" >"$tmp/log" 2>&1 || { cat "$tmp/log" && exit 1; }
export PKG_CONFIG_PATH=$tmp/prefix/lib/pkgconfig LD_LIBRARY_PATH=$tmp/prefix/lib
cd "$tmp"

# flags OPTION... PACKAGE: split into words on purpose.
flags() { pkg-config "$@"; }

for lib in libha libsched libhealth; do
    source=$root/tests/consumer/$lib.c
    read -ra cflags < <(flags --cflags $lib)
    read -ra libs < <(flags --libs $lib)
    cc -std=c11 "${strict[@]}" "${cflags[@]}" -o $lib-c "$source" "${libs[@]}"
    g++ -x c++ -std=c++17 "${strict[@]}" "${cflags[@]}" -o $lib-cxx "$source" "${libs[@]}"
    ./$lib-c && ./$lib-cxx
    readelf -d $lib-c | grep -q "NEEDED.*$lib\.so\.0\." || { echo "$lib: the SONAME is not 0.MINOR" && exit 1; }
    echo "$lib: C11 and C++17, shared"

    # libmnl comes without an archive in Debian 12, so a static libha keeps it shared.
    read -ra libs < <(flags --libs --static $lib)
    cc -std=c11 "${strict[@]}" "${cflags[@]}" -o $lib-static "$source" "${libs[@]/#-l${lib#lib}/-l:$lib.a}"
    ! readelf -d $lib-static | grep -q "NEEDED.*$lib\.so" || { echo "$lib: not linked statically" && exit 1; }
    ./$lib-static
    ! nm -g --defined-only "prefix/lib/$lib.a" | awk 'NF == 3 {print $3}' | grep -vE '^(ha|lb|health)_' ||
        { echo "$lib.a: these names may meet those of its user" && exit 1; }
    echo "$lib: C11, static"
done

# side LIB FOREIGN_PACKAGE: a side package, where its foreign library is there.
side() {
    [ -f "$tmp/prefix/lib/pkgconfig/$1.pc" ] || { echo "$1: not built here" && return; }
    read -ra cflags < <(flags --cflags "$1" "$2")
    read -ra libs < <(flags --libs "$1" "$2")
    cc -std=c11 "${strict[@]}" "${cflags[@]}" -o "$1-c" "$root/tests/consumer/$1.c" "${libs[@]}"
    g++ -x c++ -std=c++17 "${strict[@]}" "${cflags[@]}" -o "$1-cxx" "$root/tests/consumer/$1.c" "${libs[@]}"
    "./$1-c" && "./$1-cxx"
    readelf -d "$1-c" | grep -q "NEEDED.*$1\.so\.0\." || { echo "$1: the SONAME is not 0.MINOR" && exit 1; }
    echo "$1: C11 and C++17, shared"
}
side libha-nl3 libnl-3.0
side libhealth-tls libhealth
side libhealth-h2 libhealth

for header in "$tmp"/prefix/include/lib*/*.h; do
    name=${header#"$tmp"/prefix/include/}
    printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" >header.c
    read -ra cflags < <(flags --cflags "${name%%/*}")
    cc -std=c11 "${strict[@]}" "${cflags[@]}" -c -o header.o header.c
    g++ -x c++ -std=c++17 "${strict[@]}" "${cflags[@]}" -c -o header.o header.c
done
echo "each public header alone: C11 and C++17"

# As README says it: no -std, no macro. What a program does not ask for, it does not get.
for source in "$root"/examples/hello/*.c; do
    mapfile -t packages < <(grep -oE '^#include <lib(ha|sched|health)/' "$source" | grep -oE 'lib[a-z]+' | sort -u)
    read -ra cflags < <(flags --cflags "${packages[@]}")
    read -ra libs < <(flags --libs "${packages[@]}")
    cc "${strict[@]}" "${cflags[@]}" -o hello "$source" "${libs[@]}"
    others=$(readelf -d hello | grep NEEDED | grep -vE "\[(libc|${packages[0]})\.so\." || true)
    [ -z "$others" ] || { echo "${source##*/} needs more than ${packages[*]}: $others" && exit 1; }
    lines=$(wc -l <"$source")
    [ "$lines" -le 80 ] || { echo "${source##*/}: $lines lines, 80 is the limit of a hello program" && exit 1; }
    echo "examples/hello/${source##*/}: builds outside the tree, $lines lines"
done

after=$(cd "$root" && git status --porcelain 2>/dev/null || true)
[ "$before" = "$after" ] || { echo "the source tree is not clean after the build:" && echo "$after" && exit 1; }
