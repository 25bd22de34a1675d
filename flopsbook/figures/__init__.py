"""The figures of the chapters, each drawn from a function that returns its data."""

from flopsbook.figures.attention import *  # noqa: F403
from flopsbook.figures.comparing import *  # noqa: F403
from flopsbook.figures.convolution import *  # noqa: F403
from flopsbook.figures.dense import *  # noqa: F403
from flopsbook.figures.experts import *  # noqa: F403
from flopsbook.figures.language import *  # noqa: F403
from flopsbook.figures.moving import *  # noqa: F403
from flopsbook.figures.networks import *  # noqa: F403
from flopsbook.figures.reports import *  # noqa: F403
from flopsbook.figures.scattering import *  # noqa: F403
from flopsbook.figures.training import *  # noqa: F403
from flopsbook.figures.transformer import *  # noqa: F403
from flopsbook.figures.vision import *  # noqa: F403
from flopsbook.figures.windows import *  # noqa: F403
