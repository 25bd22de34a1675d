#!/usr/bin/env bash
# TensorFlow's profiler counts 0 for a product whose batch is left open, as Keras leaves it.
#
# Version:   tensorflow-cpu 2.21.0, keras 3.15.1 on Linux, x86-64, Python 3.11
# Behaviour: Where a shape is not known, an operation costs nothing. `keras.Input((80,))` has no batch, and
#            a Dense(10) behind it is 0 FLOPs; with batch_size=1 it is 1610, products and biases.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
#            It took 207 s on two busy cores, the installation included.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6

cat >"$place/measure.py" <<'PYTHON'
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import tensorflow as tf

for batch in (None, 1):
    first = keras.Input((80,), batch_size=batch)
    model = keras.Model(first, keras.layers.Dense(10)(first))
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((batch, 80))).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    print(f"batch {batch}: {found.total_float_ops}")
PYTHON

cat >"$place/seen" <<'SEEN'
batch None: 0
batch 1: 1610
SEEN

"$place/env/bin/python" "$place/measure.py" >"$place/now" 2>"$place/errors" || cat "$place/errors" >&2
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
