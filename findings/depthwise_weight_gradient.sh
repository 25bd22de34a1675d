#!/usr/bin/env bash
# On a CPU, JAX computes the weight gradient of a depthwise convolution with as many times the work as there are channels.
#
# Version:   jax and jaxlib 0.10.2 on Linux, x86-64, Python 3.11; no accelerator
# Behaviour: The program as it is written (`lower`) needs two FLOPs for each MAC of the forward pass,
#            and its cost analysis says so. XLA compiles it (`compile`) into a convolution of every
#            channel with every other one, a gradient for C × C kernels, of which it then keeps the
#            diagonal. The gradient is right, and a count of the model misses this factor. The
#            gradient for the input stays depthwise.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
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


def measure(channels, side=16, kernel=3):
    def layer(x, w):
        return lax.conv_general_dilated(x, w, (1, 1), "VALID", feature_group_count=channels)

    def gradient_of(argument):
        return jax.jit(lambda x, w, above: jax.vjp(layer, x, w)[1](above)[argument])

    key = jax.random.key(0)
    x = jax.random.normal(key, (1, channels, side, side))
    w = jax.random.normal(key, (channels, 1, kernel, kernel))
    out = side - kernel + 1
    above = jax.random.normal(key, (1, channels, out, out))
    needed = 2 * channels * kernel**2 * out**2

    def flops(stage):
        return int(stage.cost_analysis()["flops"])

    written = gradient_of(1).lower(x, w, above)
    compiled = written.compile()
    for_input = gradient_of(0).lower(x, w, above).compile()
    square = f"f32[{channels},{channels},{kernel},{kernel}]" in compiled.as_text()

    windows = lax.conv_general_dilated_patches(x, (kernel, kernel), (1, 1), "VALID")
    windows = windows.reshape(channels, kernel, kernel, out, out)
    by_hand = jnp.einsum("cklij,cij->ckl", windows, above[0], precision="highest")
    right = bool(jnp.allclose(compiled(x, w, above)[:, 0], by_hand, rtol=1e-3, atol=1e-3))

    print(f"{channels} channels: {needed} FLOPs needed, {flops(written)} as written, "
          f"{flops(compiled)} as compiled, {flops(compiled) / needed:.1f} times; "
          f"a kernel for every pair of channels: {square}; right: {right}; "
          f"for the input {flops(for_input) / needed:.1f} times")


for channels in (8, 32, 64):
    measure(channels)
PYTHON

cat >"$place/seen" <<'SEEN'
8 channels: 28224 FLOPs needed, 28224 as written, 227448 as compiled, 8.1 times; a kernel for every pair of channels: True; right: True; for the input 1.0 times
32 channels: 112896 FLOPs needed, 112896 as written, 3640032 as compiled, 32.2 times; a kernel for every pair of channels: True; right: True; for the input 1.0 times
64 channels: 225792 FLOPs needed, 225792 as written, 14560704 as compiled, 64.5 times; a kernel for every pair of channels: True; right: True; for the input 1.0 times
SEEN

JAX_PLATFORMS=cpu "$place/env/bin/python" "$place/measure.py" >"$place/now"
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
