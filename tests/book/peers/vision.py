"""torchvision, loaded in a way that works beside every build of PyTorch."""

# ruff: noqa: E402  (some names have to be there before torchvision is imported)

import torch

# torchvision's compiled part does not load beside every build of torch; its models need
# none of it, only that the names of its operators exist
_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    _OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision

__all__ = ["torchvision"]
