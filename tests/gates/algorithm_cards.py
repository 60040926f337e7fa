#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each algorithm libsched knows has a card, and each card's name is known: algorithm_cards.py SCHED_REPL DOCUMENT"""
import re
import subprocess
import sys

NO_NAMES = {"Your own"}


def main():
    known = set(subprocess.run([sys.argv[1], "--names"], check=True, capture_output=True, text=True).stdout.split())
    with open(sys.argv[2], encoding="utf-8") as file:
        text = file.read()
    headings = set(re.findall(r"^## (.*)$", text, re.M)) - NO_NAMES
    cards = {name for heading in headings if not heading.startswith("F5") for name in heading.split(", ")}
    rows = re.findall(r"^\| name \|.*?\n\n", text, re.M | re.S)
    cards |= {name for table in rows for row in table.splitlines()[2:] if row
              for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    for name in sorted(known - cards):
        print(f"{sys.argv[2]}: no card for {name}")
    for name in sorted(cards - known):
        print(f"{sys.argv[2]}: a card for {name}, which libsched does not know")
    return 1 if known != cards else 0


sys.exit(main())
