#!/usr/bin/env bash
# XLA's cost analysis counts the body of a loop once, however often it runs.
#
# Version:   jax and jaxlib 0.10.2 on Linux, x86-64, Python 3.11; no accelerator
# Behaviour: Ten products of two 4×4 matrices are 1280 FLOPs. As `lax.scan` they are 130, and a
#            thousand are 130, too: one product and the loop's counter. As a loop of Python they
#            are 1280. The program as written and as compiled agree, so comparing them does not warn.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
#            It took 269 s on two busy cores, the installation included.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  jax==0.10.2 jaxlib==0.10.2 ml-dtypes==0.6.0 numpy==2.4.6 opt-einsum==3.4.0 scipy==1.17.1

cat >"$place/measure.py" <<'PYTHON'
import jax
import jax.numpy as jnp
from jax import lax


def looped(x, matrices):
    return lax.scan(lambda c, w: (c @ w, None), x, matrices)[0]


def unrolled(x, matrices):
    for w in matrices:
        x = x @ w
    return x


for function, steps in ((looped, 10), (looped, 1000), (unrolled, 10)):
    lowered = jax.jit(function).lower(jnp.zeros((4, 4)), jnp.zeros((steps, 4, 4)))
    found = [int(stage.cost_analysis()["flops"]) for stage in (lowered, lowered.compile())]
    print(f"{function.__name__}, {steps} steps: {steps * 128} needed, {found[0]} lowered, {found[1]} compiled")
PYTHON

cat >"$place/seen" <<'SEEN'
looped, 10 steps: 1280 needed, 130 lowered, 130 compiled
looped, 1000 steps: 128000 needed, 130 lowered, 130 compiled
unrolled, 10 steps: 1280 needed, 1280 lowered, 1280 compiled
SEEN

JAX_PLATFORMS=cpu "$place/env/bin/python" "$place/measure.py" >"$place/now" 2>"$place/errors" || cat "$place/errors" >&2
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
