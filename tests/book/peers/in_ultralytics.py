"""What ultralytics-thop says; it is imported by the name of the older package."""

from in_torch import asking, thop

PACKAGES = ("torch", "torchvision", "ultralytics-thop")
TOOLS = {"ultralytics_thop": asking(thop, ("cpu",))}
