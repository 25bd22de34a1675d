#!/usr/bin/env bash
# The operations that tinygrad counts for one convolution differ by a factor of 3 with a switch.
#
# Version:   tinygrad 0.14.0 on Linux, x86-64, Python 3.11; its device NULL, which runs nothing
# Behaviour: The counter adds up the instructions of the kernels. With NOOPT=1 no loop is unrolled, and
#            for each tap of a padded convolution it is tested whether the tap lies on the image.
#            Those tests are counted with the products: 25040 becomes 84480 for the same result.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
#            It took 117 s on two busy cores, the installation included.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  tinygrad==0.14.0

cat >"$place/measure.py" <<'PYTHON'
import os
import subprocess
import sys

PROGRAM = """
from tinygrad import GlobalCounters, Tensor
x, w = Tensor.empty(1, 4, 8, 8).realize(), Tensor.empty(5, 4, 3, 3).realize()
GlobalCounters.reset()
x.conv2d(w, padding={}).realize()
print(GlobalCounters.global_ops)
"""
for padding in (1, 0):
    for noopt in "01":
        said = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(padding)], capture_output=True, text=True,
            check=True, env=os.environ | {"DEV": "NULL", "NOOPT": noopt},
        )
        print(f"padding {padding}, NOOPT={noopt}: {int(said.stdout)}")
PYTHON

cat >"$place/seen" <<'SEEN'
padding 1, NOOPT=0: 25040
padding 1, NOOPT=1: 84480
padding 0, NOOPT=0: 12960
padding 0, NOOPT=1: 12960
SEEN

"$place/env/bin/python" "$place/measure.py" >"$place/now" 2>"$place/errors" || cat "$place/errors" >&2
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
