"""Counting a whole network: a shape goes in at the front, a report comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flopslib.layers.layer import Layer, checked_shape, measured
from flopslib.report import views
from flopslib.report.rows import Measured, Row
from flopslib.sizes.checks import shown
from flopslib.sizes.optional import needed

if TYPE_CHECKING:
    import pandas

__all__ = ["Report", "Row", "count"]


def count(model: Layer, input_shape: Any) -> Report:
    """Count a network, layer by layer, for an input of a given shape.

    Args:
        model: a layer, such as ``flopslib.models.resnet50()``.
        input_shape: the shape of the input, the batch included, such as
            (1, 3, 224, 224) for an image or (1, 2048) for a text of tokens.

    Raises:
        TypeError: a model that is no layer, a shape that is no tuple of integers.
        ValueError: a shape that does not fit; the message names the layer's path,
            what it got and what it needs.

    >>> from flopslib.models import resnet18
    >>> report = count(resnet18(), (1, 3, 224, 224))
    >>> report.macs, report.parameters
    (1814073344, 11689512)
    """
    return Report(measured(_layer(model), checked_shape(input_shape)))


def _layer(model: Any) -> Layer:
    if isinstance(model, Layer):
        return model
    hint = ""
    if any(base.__module__.startswith("torch.") for base in type(model).__mro__):
        hint = "; that is a module of torch: build it from flopslib.layers by the same names"
    elif isinstance(model, type) or hasattr(model, "__name__"):
        hint = f"; call it: {model.__name__}()"
    raise TypeError(f"model must be a layer of flopslib, got {shown(model)}{hint}")


class Report(Measured):
    """What a network costs, layer by layer.

    The totals have the names they have on a derivation: ``multiplications``,
    ``additions``, ``macs``, ``flops``, ``exact_flops``, ``other``.
    """

    # --- showing it

    def table(self, depth: int | None = None) -> Any:
        """Return a table of the layers, or of the parts down to a depth."""
        return views.ReportTable(self, depth)

    def tree(self, depth: int | None = None) -> Any:
        """Return the network as a tree, with the MACs and parameters of every part."""
        return views.Tree(self._root, depth)

    def markdown(self, depth: int | None = None) -> str:
        """Return the table as Markdown."""
        return str(self.table(depth).markdown())

    def csv(self, depth: int | None = None) -> str:
        """Return the layers, or the parts down to a depth, as CSV: a header, and no total."""
        return views.csv(self, depth)

    def to_frame(self, depth: int | None = None) -> pandas.DataFrame:
        """Return a pandas DataFrame of the layers, or of the parts down to a depth.

        It needs pandas.

        Counts past 64 bits are Python integers in a column of objects.
        """
        pandas = needed("pandas", "frames")

        records = views.records(self, depth)
        return pandas.DataFrame(records, columns=list(views.FIELDS)).set_index("path")

    def as_dict(self, depth: int | None = None) -> dict[str, Any]:
        """Return totals and layers, or parts down to a depth, as plain values, for JSON.

        The file ``report.schema.json`` in ``flopslib.report`` describes them, and they say
        which version of it they follow in ``schema_version``.
        """
        return views.as_dict(self, depth)

    def __repr__(self) -> str:
        return repr(self.table(self.fitting_depth()))

    def _repr_html_(self) -> str:
        html: str = self.table(self.fitting_depth())._repr_html_()
        return html
