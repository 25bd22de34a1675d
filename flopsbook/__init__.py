"""flopsbook: the book's own code, beside the library: figures, labs, exercises, tables.

What a chapter shows is computed by :mod:`flopslib`; how it is drawn, set in tables, asked for
and checked is here, and so is what builds the pages (:mod:`flopsbook.build`).
"""

from flopsbook.notebook import use_colours, use_separators

__version__ = "0.2.0"

use_colours()
use_separators()
