#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/from-big-ip.md: both files of it are taken without a remark, and each line that its tables name stands in one.

    from_big_ip.py VIPD PROXYD PAGE
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

vipd, proxyd, page = sys.argv[1:]
text = pathlib.Path(page).read_text()
blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S))
failed = []


def accepted(*command):
    run = subprocess.run(command, capture_output=True, text=True)
    said = run.stdout + run.stderr
    if run.returncode:
        failed.append(f"{' '.join(command)}: exit code {run.returncode}\n{said}")
    return said


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=shop.example", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True)
    (folder / "shop.pem").write_text((folder / "key.pem").read_text() + (folder / "ca.pem").read_text())
    (folder / "hosts.map").write_text("shop.example pool_shop\nimages.example pool_images\n")
    (folder / "partners.lst").write_text("198.51.100.0/24\n")
    (folder / "haproxy.cfg").write_text(blocks["haproxy"].replace("/etc/haproxy/", f"{folder}/"))
    (folder / "keepalived.conf").write_text(blocks["keepalived"].replace("/etc/keepalived/active.sh", "/bin/true"))  # which is there

    said = accepted(proxyd, "-c", "-L", "lb1", "-f", str(folder / "haproxy.cfg"))
    if said != "Configuration file is valid\n":
        failed.append(f"proxyd has remarks:\n{said}")
    if shutil.which("haproxy"):
        accepted("haproxy", "-c", "-L", "lb1", "-f", str(folder / "haproxy.cfg"))
    for node in ("lb1", "lb2"):
        said = accepted(vipd, "-t", "-i", node, "-f", str(folder / "keepalived.conf"))
        said = re.sub(r".*: notice: there is no interface .*\n.*\n.*\n", "", said)  # it depends on the machine
        if said.count("\n") != 1 or not said.endswith(": runs\n"):
            failed.append(f"vipd has remarks on {node}:\n{said}")

# The third column: each `line`, word for word; what stands before an arrow is there, what it leads to is not.
rows = re.findall(r"^\| (?!BIG-IP)[^|]+ \| [^|]+ \|(.*)\|$", text, re.M)
lines = [line for row in rows for line in re.findall(r"`([^`]+)`", row.split("→")[0])]
if len(lines) < 50:
    failed.append(f"only {len(lines)} lines found in the tables")
failed += [f"`{line}` stands in neither file" for line in lines if not any(line in block for block in blocks.values())]
print("\n".join(failed) if failed else f"both files are taken; {len(lines)} lines of the tables stand in them")
sys.exit(bool(failed))
