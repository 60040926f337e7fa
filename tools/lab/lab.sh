# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The lab in one piece: `lab_root=TOP-OF-THE-TREE; . "$lab_root/tools/lab/lab.sh"`.

# shellcheck source=tools/lab/narration.sh
. "$lab_root/tools/lab/narration.sh"
# shellcheck source=tools/lab/topology.sh
. "$lab_root/tools/lab/topology.sh"
# shellcheck source=tools/lab/daemons.sh
. "$lab_root/tools/lab/daemons.sh"
# shellcheck source=tools/lab/probes.sh
. "$lab_root/tools/lab/probes.sh"
# shellcheck source=tools/lab/article.sh
. "$lab_root/tools/lab/article.sh"
