#!/bin/bash
# SPDX-License-Identifier: MIT
# The ABI of each library against the record of its SONAME in this folder. New functions are fine; anything else is
# a change that callers may feel.
#
#     run.sh ROOT BUILD             compare; 77 without libabigail
#     run.sh ROOT BUILD --record    write the record anew: after judging the difference, or for a new SONAME
set -euo pipefail
root=$1 build=$2 mode=${3:-compare}
command -v abidw >/dev/null || { echo "abidw is not installed (Debian package abigail-tools)" && exit 77; }
failed=0

# describe FOLDER/LIB FILE: the library as its installed headers show it, without places and paths.
describe() {
    abidw --no-show-locs --no-corpus-path --no-comp-dir-path --drop-private-types --exported-interfaces-only \
        --headers-dir "$root/include/${1%/*}" --out-file "$2" "$build/$1.so"
}

# The side packages are built where their dependency is.
for lib in libha/libha libha/libha-nl3 libsched/libsched libhealth/libhealth libhealth/libhealth-tls libhealth/libhealth-h2; do
    [ -e "$build/$lib.so" ] || { echo "$lib is not built: left out" && continue; }
    soname=$(readelf -d "$build/$lib.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
    record=$root/tests/abi/$soname.abi
    if [ "$mode" = --record ]; then
        describe "$lib" "$record"
        echo "recorded $soname"
        continue
    fi
    if [ ! -f "$record" ]; then
        echo "$soname has no record: run tests/abi/run.sh . $build --record and commit it" && failed=1
        continue
    fi
    now=$(mktemp)
    describe "$lib" "$now"
    if abidiff --no-added-syms "$record" "$now"; then
        echo "$soname: as recorded"
    else
        echo "$soname changed. Growth of a struct that begins with its size is compatible: record it anew. Anything" \
            "else needs a new minor version in ${lib%/*}/VERSION."
        failed=1
    fi
    rm -f "$now"
done
exit $failed
