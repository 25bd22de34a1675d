#!/usr/bin/env bash
# The function paddle.flops says 0 for a layer by itself, and does not warn.
#
# Version:   paddlepaddle 3.3.1 with numpy 2.2.6 on Linux, x86-64, Python 3.11
# Behaviour: The outermost layer is not visited. `paddle.flops(nn.Linear(4, 5), [3, 4])` is 0, and 60
#            inside a `nn.Sequential`; a function, a product of tensors among them, is always 0.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
#            It took 227 s on two busy cores, the installation included.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  paddlepaddle==3.3.1 numpy==2.2.6

cat >"$place/measure.py" <<'PYTHON'
import contextlib
import io

import paddle
from paddle import nn


def flops(layer, shape):
    with contextlib.redirect_stdout(io.StringIO()):
        return int(paddle.flops(layer, shape))


for name, layer, shape in (
    ("Linear", nn.Linear(4, 5), [3, 4]),
    ("Conv2D", nn.Conv2D(3, 5, 3, bias_attr=False), [1, 3, 8, 8]),
):
    print(f"{name}: {flops(layer, shape)} by itself, {flops(nn.Sequential(layer), shape)} in a Sequential")
PYTHON

cat >"$place/seen" <<'SEEN'
Linear: 0 by itself, 60 in a Sequential
Conv2D: 0 by itself, 4860 in a Sequential
SEEN

"$place/env/bin/python" "$place/measure.py" >"$place/now" 2>"$place/errors" || cat "$place/errors" >&2
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
