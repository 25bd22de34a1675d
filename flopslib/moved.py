"""The module names of version 0.1, which still lead to what they had, with a warning.

They go with version 0.3. What left for another package is found there if that package is
installed and says so, by entry points of the group ``flopslib.moved``.

>>> import warnings
>>> with warnings.catch_warnings(record=True) as said:
...     warnings.simplefilter("always")
...     from flopslib.opcount import OpCount
>>> print(said[0].message)
flopslib.opcount is flopslib.derivation.opcount since 0.2.0; the old name goes with 0.3.0
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

__all__ = ["MOVED", "install"]

GROUP = "flopslib.moved"
IMPORTING = "<frozen importlib._bootstrap>"

#: From the old name to the new one. A package whose door still has the names is not here.
MOVED = {
    "flopslib.approximation": "flopslib.derivation.approximation",
    "flopslib.compiling": "flopslib.costs.compiling",
    "flopslib.costs.feed_forward": "flopslib.costs.mlp",
    "flopslib.costs.linear": "flopslib.costs.dense",
    "flopslib.counting": "flopslib.loops",
    "flopslib.exact": "flopslib.sizes.exact",
    "flopslib.layers.linear": "flopslib.layers.dense",
    "flopslib.models.alexnet": "flopslib.models.alexnet_model",
    "flopslib.models.catalogue": "flopslib.models.model_list",
    "flopslib.models.gpt": "flopslib.models.gpt_models",
    "flopslib.models.llama": "flopslib.models.llama_models",
    "flopslib.opcount": "flopslib.derivation.opcount",
    "flopslib.operands": "flopslib.loops.operands",
    "flopslib.primitives": "flopslib.derivation.primitives",
    "flopslib.reference": "flopslib.loops",
    "flopslib.reference.attention": "flopslib.loops.attending",
    "flopslib.reference.convolution": "flopslib.loops.convolution",
    "flopslib.reference.feed_forward": "flopslib.loops.mlp",
    "flopslib.reference.layers": "flopslib.loops.layers",
    "flopslib.reference.linear": "flopslib.loops.dense",
    "flopslib.reference.loop": "flopslib.loops.loop",
    "flopslib.reference.primitives": "flopslib.loops.primitives",
    "flopslib.reference.transformer": "flopslib.loops.transformer",
    "flopslib.registry": "flopslib.costs.registry",
    "flopslib.rendering": "flopslib.derivation.rendering",
    "flopslib.report_views": "flopslib.report.views",
    "flopslib.shapes": "flopslib.sizes.shapes",
    "flopslib.symbolic": "flopslib.costs.symbolic",
    "flopslib.traced": "flopslib.sizes.traced",
}


class OldName(ModuleType):
    """A module of an old name: it has what the new one has, and says where that is."""

    def __init__(self, name: str, target: str) -> None:
        """Take the old name and the new one."""
        super().__init__(name, f"The old name of {target}.")
        self.__dict__["target"] = target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(self.target), name)
        if sys._getframe(1).f_code.co_filename != IMPORTING:  # it looks first, and asks later
            said = f"{self.__name__} is {self.target} since 0.2.0; the old name goes with 0.3.0"
            warnings.warn(said, DeprecationWarning, stacklevel=2)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # an import sets a module on its package, where it would hide a function of that name
        if not isinstance(value, OldName):
            super().__setattr__(name, value)


class Elsewhere(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the old names of modules that other packages have now; asked when nobody else knows."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for an old name, None for any other."""
        new = _new_name(fullname) if fullname.startswith("flopslib.") else None
        if new is None or importlib.util.find_spec(new) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the module of the old name."""
        return OldName(spec.name, str(_new_name(spec.name)))

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: what it has is looked up when it is asked for."""


@cache
def _elsewhere() -> dict[str, str]:
    from importlib.metadata import entry_points  # slow to import, and rarely needed

    return {f"flopslib.{entry.name}": entry.value for entry in entry_points(group=GROUP)}


def _new_name(old: str) -> str | None:
    """Return where a module went, or the package that it was in."""
    package, inside = old, ""
    while package != "flopslib":
        if package in _elsewhere():
            return _elsewhere()[package] + inside
        package, _, name = package.rpartition(".")
        inside = f".{name}{inside}"
    return None


def install() -> None:
    """Make the old names importable."""
    for old, new in MOVED.items():
        # before anybody imports it: the import would hide a function of that name in the package
        module = sys.modules.setdefault(old, OldName(old, new))
        package, _, name = old.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).setdefault(name, module)
    sys.meta_path.append(Elsewhere())
