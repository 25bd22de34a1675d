#!/usr/bin/env bash
# The counter onnx-tool charges 31 MACs for each number of a batch norm, more than for the convolution before it.
#
# Version:   onnx-tool 1.0.1, onnx 1.23.2 on Linux, x86-64, Python 3.11
# Behaviour: At inference a batch norm is a multiplication and an addition for each number. onnx-tool
#            counts 31 MACs, 24 of them for a square root that is the same for a whole channel.
#            Behind a 3×3 convolution of 3 channels the norm costs more than the convolution.
# Seen:      on 2026-11-28; the lines under SEEN below; this script fails when the output is no longer the same.
#            It took 105 s on two busy cores, the installation included.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  onnx-tool==1.0.1 onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 tabulate==0.10.0 ml-dtypes==0.6.0

cat >"$place/measure.py" <<'PYTHON'
import numpy as np
import onnx_tool
from onnx import TensorProto, helper, numpy_helper, save


def macs(node, **weights):
    constants = [numpy_helper.from_array(np.ones(s, np.float32), n) for n, s in weights.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in SHAPES.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), "model.onnx")
    model = onnx_tool.Model("model.onnx")
    model.graph.shape_infer(None)
    model.graph.profile()
    found = model.graph.macs
    return int(found[0] if isinstance(found, (list, tuple)) else found)


SHAPES = {"x": (1, 3, 8, 8), "y": (1, 5, 8, 8)}
conv = macs(helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4), w=(5, 3, 3, 3))
SHAPES = {"x": (1, 5, 8, 8), "y": (1, 5, 8, 8)}
names = ["x", "scale", "shift", "mean", "variance"]
norm = macs(helper.make_node("BatchNormalization", names, ["y"]), **dict.fromkeys(names[1:], (5,)))
print(f"convolution: {conv}, {conv // 320} for each number of the result")
print(f"batch norm: {norm}, {norm // 320} for each number")
PYTHON

cat >"$place/seen" <<'SEEN'
convolution: 8640, 27 for each number of the result
batch norm: 9920, 31 for each number
SEEN

cd "$place" && "$place/env/bin/python" "$place/measure.py" >"$place/now" 2>"$place/errors" || cat "$place/errors" >&2
diff --label "as seen" --label "now" -u "$place/seen" "$place/now"
cat "$place/now"
