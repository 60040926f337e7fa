#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every command of proxyd's runtime API stands in docs/proxyd-stats.md.   commands_reference.py ROOT"""
import itertools
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
table = (root / "examples/proxyd/runtime/commands.c").read_text()
names = re.findall(r'^\s*\{"([^"]+)", CFG_STATS_', table, re.M)
assert len(names) > 90, f"only {len(names)} commands were found in the table"
page = (root / "docs/proxyd-stats.md").read_text().replace("\\|", "|")
told = set()
for text in re.findall(r"`([^`]+)`", page):
    words = [word.split("|") for word in text.split()[:4]]  # "set|show ssl cert|ca-file" are four
    for n in range(1, len(words) + 1):
        told.update(" ".join(choice) for choice in itertools.product(*words[:n]))
missing = [name for name in names if name not in told]
for name in missing:
    print(f'docs/proxyd-stats.md does not name the command "{name}"')
sys.exit(bool(missing))
