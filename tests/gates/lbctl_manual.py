#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lbctl_manual.py LBCTL MANUAL [--write]: the manual's commands are those of lbctl's table, in its words; and each has its help."""
import json
import pathlib
import subprocess
import sys

lbctl, manual = sys.argv[1], pathlib.Path(sys.argv[2])
BEGIN, END = "<!-- commands -->\n", "<!-- end of commands -->\n"


def ask(*words):
    return subprocess.run([lbctl, *words], check=True, capture_output=True, text=True).stdout


def chapter(commands):
    out, section = "", None
    for c in commands:
        if c["section"] != section:
            section = c["section"]
            out += f"\n### {section}\n"
        usage = f"{c['command']} {c['arguments']}".strip()
        more = " ".join(c["more"].split())
        out += f"\n`{usage}`  \n{c['what'][0].upper()}{c['what'][1:]}. {more}  \n`{c['example']}`\n"
    return out + "\n"


commands = json.loads(ask("--json", "help"))
text = manual.read_text()
before, rest = text.split(BEGIN)
after = rest.split(END)[1]
new = before + BEGIN + chapter(commands) + END + after
if "--write" in sys.argv:
    manual.write_text(new)
elif new != text:
    sys.exit(f"{manual} is not what lbctl --help says: run tests/gates/lbctl_manual.py BUILD/examples/lbctl/lbctl {manual} --write")
assert len(commands) > 10
for c in commands:
    for words in ([c["command"], "--help"], ["help", c["command"]]):
        said = ask(*words)
        for part in (c["what"], f"{c['command']} {c['arguments']}".strip(), c["more"], c["example"], "Exit code: 0 done"):
            assert part in said, f"lbctl {' '.join(words)} lacks: {part}"
        assert max(map(len, said.splitlines())) <= 90, f"lbctl {' '.join(words)} has long lines"
    assert f"  {c['command']}" in ask("--help")
