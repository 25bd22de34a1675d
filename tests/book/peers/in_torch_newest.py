"""What the counter of PyTorch says in a newer release."""

from in_torch import asking, flop_counter, flop_counter_no_grad

PACKAGES = ("torch", "torchvision")
TOOLS = {
    "flop_counter_newest": asking(flop_counter),
    "flop_counter_newest_no_grad": asking(flop_counter_no_grad),
}
