r"""The one notation table: which letter of the mathematics stands for which argument.

Every symbol is importable by its letter, and by the name of an argument it
stands for; all are positive integers to SymPy.

>>> from flopslib.notation import B, C_in, K_h, K_w, in_channels, kernel_size
>>> in_channels is C_in, kernel_size == (K_h, K_w)
(True, True)
>>> B.is_positive and B.is_integer
True

The order of the rows is the order of the factors in a printed formula.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

__all__ = ["TABLE", "Row", "symbols_for"]


class Row(NamedTuple):
    """A row of the table: a letter, its LaTeX, the arguments it stands for, and its meaning."""

    #: as it is written in plain text, which is the name of the symbol
    letter: str
    #: as it is written in a formula
    latex: str
    #: the arguments of the library that it stands for
    arguments: tuple[str, ...]
    #: what it says, in a few words
    meaning: str


TABLE = (
    Row("B", "B", ("batch",), "samples computed at once"),
    Row("L", "L", ("seq_len",), "tokens of a sequence"),
    Row("L_kv", r"L_{\text{kv}}", ("kv_seq_len",), "tokens to attend to, cached ones included"),
    Row("d", "d", ("d_model",), "numbers that stand for one token: d_model"),
    Row("d_ff", r"d_{\text{ff}}", ("d_ff",), "numbers inside a feed-forward network"),
    Row("h", "h", ("num_heads",), "heads of the queries"),
    Row("h_kv", r"h_{\text{kv}}", ("num_kv_heads",), "heads of the keys and values"),
    Row("d_k", "d_k", ("head_dim",), "numbers in one head"),
    Row("d_v", "d_v", ("value_dim",), "numbers in one head of the values"),
    Row("d_c", "d_c", ("kv_dim",), "numbers that stand for one position of another sequence"),
    Row("d_r", "d_r", ("rope_dim",), "numbers in one head that only tell the position"),
    Row("r_q", "r_q", ("q_rank",), "numbers that the queries of a position are made from"),
    Row("r_kv", r"r_{\text{kv}}", ("kv_rank",), "numbers that all keys and values are made from"),
    Row("w", "w", ("window",), "positions that one sees through a window, itself counted"),
    Row("s", "s", ("sinks",), "first positions that are seen from everywhere after them"),
    Row("d_sh", r"d_{\text{sh}}", ("shared_ff",), "numbers inside a shared expert"),
    Row("E", "E", ("num_experts",), "experts that a layer has"),
    Row("A", "A", ("top_k",), "experts that a position visits, the active ones"),
    Row("I", "I", ("in_features", "input_size"), "numbers that go into a linear layer or a cell"),
    Row("O", "O", ("out_features",), "numbers that come out of a linear layer"),
    Row("H", "H", ("hidden_size",), "numbers in the state of a recurrent layer"),
    Row("m", "m", ("rows",), "rows of the left matrix of a product"),
    Row("k", "k", ("inner",), "columns of the left matrix, which are the rows of the right one"),
    Row("n", "n", ("columns",), "columns of the right matrix; also the terms of one operation"),
    Row("C_in", r"C_{\text{in}}", ("in_channels", "channels"), "channels that go in"),
    Row("C_out", r"C_{\text{out}}", ("out_channels",), "channels that come out"),
    Row("K_d", "K_d", ("kernel_depth",), "depth of a kernel that moves along three axes"),
    Row("K_h", "K_h", ("kernel_size",), "height of the kernel"),
    Row("K_w", "K_w", ("kernel_size",), "width of the kernel"),
    Row("H_out", r"H_{\text{out}}", ("out_height",), "height of the output"),
    Row("W_out", r"W_{\text{out}}", ("out_width",), "width of the output"),
    Row("D_out", r"D_{\text{out}}", ("out_depth",), "depth of the output"),
    Row("L_out", r"L_{\text{out}}", ("out_length",), "length of the output"),
    Row("G", "G", ("groups",), "groups that the channels are split into"),
    Row("H_in", r"H_{\text{in}}", ("size", "in_height"), "height of the input, or any side of it"),
    Row("W_in", r"W_{\text{in}}", ("in_width",), "width of the input"),
    Row("K", "K", ("kernel",), "the kernel along one side"),
    Row("S", "S", ("stride",), "stride: how far the window moves each step"),
    Row("P", "P", ("padding",), "padding: zeros added on each of the two ends"),
    Row("D", "D", ("dilation",), "dilation: distance between neighbouring cells of the kernel"),
)


@cache
def _symbol(letter: str) -> Any:
    import sympy

    return sympy.Symbol(letter, positive=True, integer=True)


def symbols_for(argument: str) -> tuple[Any, ...]:
    """Return the symbols that stand for an argument: one, or (K_h, K_w) for ``kernel_size``.

    Raises:
        KeyError: the table has no row for the argument.

    >>> symbols_for("kernel_size")
    (K_h, K_w)
    """
    symbols = tuple(_symbol(row.letter) for row in TABLE if argument in row.arguments)
    if not symbols:
        known = sorted({name for row in TABLE for name in row.arguments})
        raise KeyError(f"no row of the notation table is for {argument!r}; it has {known}")
    return symbols


def latex_names() -> dict[Any, str]:
    """Return the LaTeX of every symbol, in the order of the table.

    >>> list(latex_names().values())[:3]
    ['B', 'L', 'L_{\\\\text{kv}}']
    """
    return {_symbol(row.letter): row.latex for row in TABLE}


def __getattr__(name: str) -> Any:
    """Make the symbols importable, without importing SymPy before one is asked for."""
    if any(name == row.letter for row in TABLE):
        return _symbol(name)
    try:
        symbols = symbols_for(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return symbols[0] if len(symbols) == 1 else symbols


def __dir__() -> list[str]:
    letters = [row.letter for row in TABLE]
    return sorted({*globals(), *letters, *(name for row in TABLE for name in row.arguments)})
