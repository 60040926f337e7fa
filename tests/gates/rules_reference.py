#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every fetch, converter and action of proxyd's tables stands in docs/proxyd-rules.md.   rules_reference.py ROOT"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
page = (root / "docs/proxyd-rules.md").read_text()
folder = root / "examples/proxyd/rules"
names = set()
for file in folder.rglob("*.c"):
    names.update(re.findall(r'^\s*\{"([^"]+)", "[a-zA-Z*]*",\s*SAMPLE', file.read_text(), re.M))
names.update(re.findall(r'(?:CLIENT|SERVER)\("([^"]+)"', (folder / "fetch/tls.c").read_text()))
names.update(re.findall(r'ROW\("([^"]+)"', (folder / "fetch/table.c").read_text()))
names.update(re.findall(r'^\s*\{"([^"]+)", IN_', (folder / "action/action.c").read_text(), re.M))
assert len(names) > 100, f"only {len(names)} names were found in the tables"
# "sc0_conn_cnt" and its like stand there as prefix and rest
prefix = re.compile(r"^(sc[012]?|src|table)_")
missing = sorted(
    n for n in names
    if f"`{n}`" not in page and not (prefix.match(n) and f"`{prefix.sub('', n)}`" in page and f"`{prefix.match(n).group(0)}`" in page)
)
for name in missing:
    print(f"docs/proxyd-rules.md does not name {name}")
sys.exit(bool(missing))
