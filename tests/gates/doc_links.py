#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every relative link of the documents leads to a file and a heading, every path they name exists, and tables are whole.   doc_links.py ROOT"""
import os
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
TREES = ("base", "docs", "examples", "include", "libha", "libhealth", "libsched", "tests", "tools")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:%s)/[\w./-]+\.\w+)`" % "|".join(TREES))


def anchors(page):
    """As GitHub makes them: lower case, blanks become hyphens, the rest of punctuation goes."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


def wrong(page):
    text = page.read_text()
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            yield f"leads to {link}, which is not there"
        elif anchor and anchor not in anchors(target):
            yield f"leads to {link}: {os.path.relpath(target, root)} has no such heading"
    for path in PATH.findall(text):
        # The public headers are named as they are included.
        if not any((folder / path).exists() for folder in (root, root / "include", page.parent)) and not (
            root / "include" / (path + ".in")
        ).exists():
            yield f"names {path}, which is not there"


def torn(page):
    """A blank line in a table ends it: what follows is shown as text."""
    lines = re.sub(r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), page.read_text(), flags=re.M | re.S).split("\n")
    for before, line, after in zip([""] + lines, lines, lines[1:] + [""]):
        if line.startswith("|") and not before.startswith("|") and not re.fullmatch(r"\|[-:| ]+\|", after):
            yield f"has rows without a head: {line[:60]}"


pages = list(root.glob("*.md")) + [page for tree in TREES for page in (root / tree).rglob("*.md")]
assert len(pages) > 20, f"only {len(pages)} documents"
found = [f"{page.relative_to(root)} {what}" for page in sorted(pages) for what in (*wrong(page), *torn(page))]
print(*found, sep="\n")
sys.exit(bool(found))
