"""The Markdown of the book's tables, in the book and anywhere else.

In the book a table links to a chapter and cites a paper by a role of MyST. Other
notebook programs would show the role as it is typed, so they get words instead.
"""

from __future__ import annotations

import os
import re

from flopsbook.palette import in_colour

#: Set in every process that runs a chapter for the book.
IN_THE_BOOK = "FLOPSLIB_BOOK"


def readable(markdown: str) -> str:
    """Return Markdown in the book's colours, and outside the book without its roles."""
    markdown = in_colour(markdown)
    return markdown if os.environ.get(IN_THE_BOOK) else without_roles(markdown)


def without_roles(markdown: str) -> str:
    """Put words in the place of links to chapters and of citations.

    >>> without_roles("{doc}`the last layer <linear>`, 4.09 G {cite}`torchvision`")
    'the last layer, 4.09 G [torchvision]'
    """
    linked = re.sub(r"\{doc\}`([^`<]*?)\s*<[^`>]*>`", r"\1", markdown)
    return re.sub(r"\{cite\}`([^`]*)`", r"[\1]", linked)
