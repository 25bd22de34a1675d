"""torchvision, loaded in a way that works beside every build of PyTorch."""

import torch

# torchvision's compiled part does not load beside a build of torch for CPUs alone; its models
# need none of it, only that the names of its operators exist
if torch.version.cuda is None:
    _OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
    for _name in ("nms", "qnms"):
        _OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision

__all__ = ["torchvision"]
