"""Run the command ``flopslib`` as ``python -m flopslib``."""

import sys

from flopslib.command_line import main

if __name__ == "__main__":
    sys.exit(main())
