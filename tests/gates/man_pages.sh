#!/bin/sh
# SPDX-License-Identifier: MIT
# man_pages.sh PAGE...: groff has no warning about them, and each says what it is about.
command -v groff >/dev/null || { echo "skipped: needs groff"; exit 77; }
failed=0
for page in "$@"; do
    said=$(groff -man -ww -K utf8 -T utf8 -z "$page" 2>&1)
    [ -z "$said" ] || { printf '%s\n' "$said" && failed=1; }
    name=$(basename "${page%.*}")
    groff -man -K utf8 -T utf8 -P -cbou "$page" 2>/dev/null | grep -q "^ *$name - " ||
        { echo "$page: no line \"$name - what it is\" under NAME" && failed=1; }
done
exit $failed
