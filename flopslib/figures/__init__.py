"""The figures of the chapters, each drawn from a function that returns its data."""

from flopslib.figures.comparing import *  # noqa: F403
from flopslib.figures.convolution import *  # noqa: F403
from flopslib.figures.dense import *  # noqa: F403
from flopslib.figures.language import *  # noqa: F403
from flopslib.figures.networks import *  # noqa: F403
from flopslib.figures.reports import *  # noqa: F403
from flopslib.figures.scattering import *  # noqa: F403
from flopslib.figures.transformer import *  # noqa: F403
from flopslib.figures.vision import *  # noqa: F403
