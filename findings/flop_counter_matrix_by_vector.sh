#!/usr/bin/env bash
# PyTorch's FlopCounterMode counts a matrix by a vector as 0 FLOPs, and a vector by a matrix rightly.
#
# Version:   torch 2.13.0 on Linux, x86-64, Python 3.11; 2.14.1 says the same
# Behaviour: `W @ x` is the operation aten.mv, `x @ W` becomes aten.mm. Only the second has a rule, and
#            what has none is 0 without a warning. `einsum` of the same is right.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
#            It took 426 s on two busy cores, the installation included.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6

cat >"$place/measure.py" <<'PYTHON'
import torch
from torch.utils.flop_counter import FlopCounterMode

w, x, y = torch.ones(3, 4), torch.ones(4), torch.ones(3)
programs = {
    "w @ x": lambda: w @ x,
    "y @ w": lambda: y @ w,
    "einsum(w, x)": lambda: torch.einsum("ij,j->i", w, x),
    "linear(x, w)": lambda: torch.nn.functional.linear(x, w),
}
for name, program in programs.items():
    with FlopCounterMode(display=False) as counter:
        program()
    print(f"{name}: 24 needed, {counter.get_total_flops()} counted")
PYTHON

cat >"$place/seen" <<'SEEN'
w @ x: 24 needed, 0 counted
y @ w: 24 needed, 24 counted
einsum(w, x): 24 needed, 24 counted
linear(x, w): 24 needed, 24 counted
SEEN

"$place/env/bin/python" "$place/measure.py" >"$place/now" 2>"$place/errors" || cat "$place/errors" >&2
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
