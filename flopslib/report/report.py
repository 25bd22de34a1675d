"""Counting a whole network: a shape goes in at the front, a report comes out."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flopslib.layers.habits import no_layer
from flopslib.layers.layer import Layer, Node, checked_shapes, measured
from flopslib.report import views
from flopslib.report.backward import backward_root
from flopslib.report.rows import Measured, Row
from flopslib.sizes.checks import flag, shown
from flopslib.sizes.optional import needed

if TYPE_CHECKING:
    import pandas

__all__ = ["Report", "Row", "count"]


def count(model: Layer, input_shape: Any, *more: Any, training: bool = False) -> Report:
    """Count a network, layer by layer, for an input of a given shape.

    Args:
        model: a layer, such as ``flopslib.models.resnet50()``.
        input_shape: the shape of the input, the batch included, such as
            (1, 3, 224, 224) for an image or (1, 2048) for a text of tokens; for several
            inputs a tuple of shapes, or a dict by the names that a graph gives them.
        more: nothing; further shapes are refused.
        training: whether to count the forward pass of training, where batch norms compute the
            statistics of the batch and dropout draws; False: inference.

    Raises:
        TypeError: a model that is no layer, a shape that is no tuple of integers.
        ValueError: a shape that does not fit; the message names the layer's path,
            what it got and what it needs.

    >>> from flopslib.models import resnet18
    >>> report = count(resnet18(), (1, 3, 224, 224))
    >>> report.macs, report.parameters
    (1814073344, 11689512)
    """
    training = flag("training", training)
    if more:
        every = ", ".join(map(shown, (input_shape, *more)))
        raise TypeError(f"count takes the shapes of several inputs as one tuple: ({every})")
    return Report(_measured(_layer(model), input_shape, training))


def _measured(model: Layer, input_shape: Any, training: bool) -> Node:
    shape = checked_shapes(model, input_shape)
    # what is made is all kept, so a search for garbage finds none, and takes longer each time
    was_on = gc.isenabled()
    gc.disable()
    try:
        return measured(model, shape, training=training)
    finally:
        if was_on:
            gc.enable()


def _layer(model: Any) -> Layer:
    if isinstance(model, Layer):
        return model
    raise TypeError(no_layer("model", model))


class Report(Measured):
    """What a network costs, layer by layer.

    The totals have the names they have on a derivation: ``multiplications``,
    ``additions``, ``macs``, ``flops``, ``exact_flops``, ``other``.
    """

    def backward(
        self,
        *,
        input_gradient: bool = False,
        frozen: str | Iterable[str] = (),
        trainable: str | Iterable[str] | None = None,
        checkpoint: str | Iterable[str] = (),
    ) -> Report:
        """Count what the gradients cost, given that of the output: the backward pass.

        Every layer gets the rows of its own gradients; a gradient that comes back from several
        places is added up where the result was made. A layer that nothing learnt lies before
        needs none for its input. The weights of a layer that is run again, or of a
        :class:`flopslib.layers.Shared` one, are added to those of the first.

        Args:
            input_gradient: whether the gradient of the network's input is computed, too.
            frozen: paths that are not learnt: of layers, with all that is inside, or of single
                weights ("fc.bias"); a * stands for anything.
            trainable: paths that alone are learnt; None: all but the frozen ones.
            checkpoint: paths whose results are not kept, and which are computed once more on the
                way back; of single steps, too ("attend.scores").

        Raises:
            TypeError: a path that is no text, a flag that is none.
            ValueError: a path that nothing has; both frozen and trainable; a layer of your own
                that does not say what its steps read and write.

        >>> from flopslib.models import resnet50
        >>> step = count(resnet50(), (1, 3, 224, 224), training=True)
        >>> step.flops + step.backward().flops
        24299077632
        """
        return Report(backward_root(self._root, input_gradient, frozen, trainable, checkpoint))

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
