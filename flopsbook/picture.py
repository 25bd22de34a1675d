"""A figure that knows its data, its caption and its description.

Matplotlib draws it; the SVG then refers to the palette by CSS variables, so the
same picture is legible on a light and on a dark page, and carries its caption
and description with it wherever it is shown.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from flopsbook import palette
from flopslib.sizes.optional import needed

RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "flopslib",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": palette.QUIET[0],
    "axes.labelcolor": palette.INK[0],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlecolor": palette.INK[0],
    "axes.titlelocation": "left",
    "grid.color": palette.FAINT[0],
    "grid.linewidth": 0.6,
    "lines.linewidth": 2,
    "hatch.linewidth": 0.5,
    "text.color": palette.INK[0],
    "xtick.color": palette.QUIET[0],
    "ytick.color": palette.QUIET[0],
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}

#: A drawing is this much smaller than it was designed, and its letters are not: so that a label of
#: ten points has eleven pixels on a phone.
TIGHT = 0.84

PAGE_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawn figure.

    Attributes:
        svg: the drawing.
        caption: what the reader should see in it, in a sentence or two.
        alt: what the figure says, for a reader who cannot see it.
        data: the numbers it is drawn from.
    """

    svg: str
    caption: str
    alt: str
    data: Mapping[str, Any]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Figure: {self.caption}\n{self.alt}"


@contextmanager
def canvas(width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """Yield a Matplotlib figure and axes in the book's style, of about so many inches.

    Raises:
        ModuleNotFoundError: Matplotlib is not installed; the message has the command.
    """
    matplotlib = needed("matplotlib", "figures", "flopsbook")
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(TIGHT * width, TIGHT * height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure, figure.add_subplot()


def finished(figure: Any, *, caption: str, alt: str, data: Mapping[str, Any]) -> Picture:
    """Turn a Matplotlib figure into a picture; call it inside :func:`canvas`."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(_themed(buffer.getvalue(), caption, alt), caption, alt, data)


def _themed(svg: str, caption: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for variable, (light, _) in palette.VARIABLES.items():
        svg = svg.replace(light, f"var({variable}, {light})")
    svg = svg.replace("'DejaVu Sans'", PAGE_FONTS)
    svg = _without_idle_ids(svg)
    head = f"<title>{escape(caption)}</title><desc>{escape(alt)}</desc>"
    return re.sub(
        r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>",
        rf'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        rf'viewBox="\1" role="img" style="background: var(--paper, white)">{head}',
        svg,
        count=1,
    )


def _without_idle_ids(svg: str) -> str:
    # Matplotlib numbers every group; several figures on a page would repeat those ids
    used = set(re.findall(r"#([\w.-]+)", svg))
    return re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
