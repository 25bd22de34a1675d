"""The naive loops: what each layer does, one scalar at a time, and numbers that count it.

They are written to be read and to be obviously right, never to be fast, and
they work on nested lists of any numbers: floats, or numbers that count.
"""

from flopslib.loops import backward_tape  # noqa: F401  enrols its functions
from flopslib.loops.backward import run_backward
from flopslib.loops.counting import CountingNumber, Tally, constant, term
from flopslib.loops.layers import run_layers
from flopslib.loops.moving import Moves, run_and_move
from flopslib.loops.operands import operand_sizes, parameters
from flopslib.loops.running import loop_of, loops, outputs_of_run, run_and_count

__all__ = [
    "CountingNumber",
    "Moves",
    "Tally",
    "constant",
    "loop_of",
    "loops",
    "operand_sizes",
    "outputs_of_run",
    "parameters",
    "run_and_count",
    "run_and_move",
    "run_backward",
    "run_layers",
    "term",
]
