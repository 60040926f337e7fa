#!/bin/bash
# SPDX-License-Identifier: MIT
# The libraries on a machine of the other byte order: built for s390x, and their unit tests run by qemu. What they need of
# Debian for that machine is fetched into a scratch folder; this one's packages and lists stay as they are.
#
#     run.sh SOURCE_ROOT
set -euo pipefail
root=$1 arch=s390x triple=s390x-linux-gnu
packages=(libc6 libc6-dev linux-libc-dev libgcc-s1 libcrypt1 libmnl0 libmnl-dev libssl3 libssl-dev libcmocka0 libcmocka-dev
    libnghttp2-14 libnghttp2-dev libpcre2-8-0 libpcre2-dev libpcre2-16-0 libpcre2-32-0 libpcre2-posix3)

skip() { echo "skipped: $*" && exit 77; }
for need in $triple-gcc qemu-$arch apt-get meson; do
    command -v "$need" >/dev/null || skip "$need is not installed"
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/debs" "$tmp/root"
: >"$tmp/status"

# apt of the other machine, with lists and a status of its own.
foreign() {
    apt-get -q -o APT::Architecture=$arch -o APT::Architectures::=$arch -o APT::Sandbox::User=root -o Dir::State="$tmp" \
        -o Dir::State::lists="$tmp/lists" -o Dir::State::status="$tmp/status" -o Dir::Cache="$tmp/cache" "$@"
}
foreign update >"$tmp/log" 2>&1 || true # a mirror may lack one list: what matters is that the packages come
(cd "$tmp/debs" && foreign download "${packages[@]}" >>"$tmp/log" 2>&1) ||
    skip "Debian's packages for $arch cannot be fetched: $(tail -n 1 "$tmp/log")"
for deb in "$tmp"/debs/*.deb; do
    dpkg -x "$deb" "$tmp/root"
done

cat >"$tmp/cross.ini" <<INI
[binaries]
c = ['$triple-gcc', '--sysroot=$tmp/root']
ar = '$triple-ar'
strip = '$triple-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-$arch', '-L', '$tmp/root']
[properties]
sys_root = '$tmp/root'
pkg_config_libdir = '$tmp/root/usr/lib/$triple/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$arch'
cpu = '$arch'
endian = 'big'
INI
unset CC_LD
meson setup "$tmp/build" "$root" --cross-file "$tmp/cross.ini" -Dtests=enabled -Dexamples=disabled -Dwerror=true -Ddebug=false \
    >"$tmp/log" 2>&1 || { tail -n 30 "$tmp/log" && exit 1; }
# Without health-exec: qemu's posix_spawn() returns no error of the child. And without four that compute for half of the time.
left_out='^(health-exec|health-sql|libsched-threads|libsched-bad_input|libsched-model)$'
mapfile -t tests < <(meson test -C "$tmp/build" --list --suite unit 2>/dev/null | sed 's|.* / ||' | grep -vE "$left_out")
[ ${#tests[@]} -gt 0 ] || { echo "no unit tests are listed" && exit 1; } # without names all suites would run
nice -n 12 meson test -C "$tmp/build" --timeout-multiplier 20 --num-processes "$(nproc)" "${tests[@]}" >"$tmp/log" 2>&1 ||
    { tail -n 60 "$tmp/log" && exit 1; }
grep -E '^(Ok|Fail|Skipped):' "$tmp/log"
