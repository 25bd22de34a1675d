"""The command ``flopslib``: count a model, explain a layer, list what there is.

flopslib count resnet50 --input 1,3,224,224
flopslib count my_network.py:vgg16 --input 1,3,224,224
flopslib explain conv2d 3 64 7 112 112 bias=False
flopslib list
"""

from __future__ import annotations

import argparse
import ast
import csv
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flopslib import __version__, formula, registered
from flopslib.derivation.rendering import text
from flopslib.derivation.steps import Derivation
from flopslib.layers.layer import Layer
from flopslib.models.model_list import build, catalogue, find, nearest
from flopslib.report.report import Report, count
from flopslib.report.views import COLUMNS

__all__ = ["main"]

#: Columns in the order in which a narrow terminal does without them.
DISPENSABLE = ("one output × outputs", "exact FLOPs", "type", "output", "FLOPs", "about", "input")

#: How wide a text that may be broken has to be at least.
BREAKABLE = 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    >>> main(["explain", "linear", "3", "2"])
    linear: each output element 3 multiplications, 3 additions; output elements 1 × 2 = 2
    total: 6 multiplications, 6 additions; 6 MACs, 12 FLOPs (12 exactly)
    0
    """
    given = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if not stream.isatty() and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")  # × and ─, whatever the machine's own code page
    try:
        given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, OSError) as error:
        print(f"flopslib: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flopslib", description="Count what a neural network costs, exactly."
    )
    parser.add_argument("--version", action="version", version=f"flopslib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    counting = commands.add_parser("count", help="count a model, layer by layer")
    counting.add_argument(
        "model", help="a name from `flopslib list`, or your own: file.py:function"
    )
    counting.add_argument("--input", help="the shape of the input, such as 1,3,224,224")
    counting.add_argument("--depth", type=int, help="how deep to go; 0 is the total alone")
    counting.add_argument("--all", action="store_true", help="a row for every layer")
    counting.add_argument(
        "--option", "-o", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the model, such as num_classes=10",
    )  # fmt: skip
    shown = counting.add_mutually_exclusive_group()
    for kind in ("tree", "markdown", "csv", "json"):
        shown.add_argument(f"--{kind}", dest="shown", action="store_const", const=kind)
    counting.set_defaults(run=_count)

    explaining = commands.add_parser("explain", help="show how a layer's cost is derived")
    explaining.add_argument("layer", help="a cost function, such as conv2d")
    explaining.add_argument(
        "sizes", nargs="*", help="its arguments, in order or by name; what is left out is a letter"
    )
    shown = explaining.add_mutually_exclusive_group()
    for kind in ("latex", "json"):
        shown.add_argument(f"--{kind}", dest="shown", action="store_const", const=kind)
    explaining.set_defaults(run=_explain)

    listing = commands.add_parser("list", help="list the models and the layers")
    shown = listing.add_mutually_exclusive_group()
    for kind in ("csv", "json"):
        shown.add_argument(f"--{kind}", dest="shown", action="store_const", const=kind)
    listing.set_defaults(run=_list)
    return parser


# --- count -----------------------------------------------------------------


def _count(given: argparse.Namespace) -> None:
    options = dict(_named(option) for option in given.option)
    report = _counted(given.model, given.input, options)
    if given.shown == "json":
        print(json.dumps(report.as_dict(), indent=1, ensure_ascii=False))
    elif given.shown == "csv":
        print(report.csv(), end="")
    elif given.shown == "markdown":
        print(report.markdown(_depth(given, report)))
    elif given.shown == "tree":
        print(report.tree(given.depth))
    else:
        _show(report, _depth(given, report))


def _depth(given: argparse.Namespace, report: Report) -> int | None:
    if given.depth is not None and given.depth < 0:
        raise ValueError(f"--depth must be 0 or more, got {given.depth}")
    if given.all or given.depth is not None:
        return None if given.all else int(given.depth)
    return report.fitting_depth()


def _counted(name: str, shape: str | None, options: Mapping[str, Any]) -> Report:
    if name.endswith(".py"):
        raise ValueError(f"name the function in the file, too, such as {name}:vgg16")
    file, colon, function = name.rpartition(":")
    if colon and file.endswith(".py"):
        if shape is None:
            raise ValueError(f"--input must be given for {name}, such as --input 1,3,224,224")
        return count(_from_file(file, function, options), _shape(shape))
    known = find(name).input_shape
    return count(build(name, **options), known if shape is None else _shape(shape))


def _from_file(file: str, name: str, options: Mapping[str, Any]) -> Layer:
    import runpy

    made = _theirs(file, lambda: runpy.run_path(file, run_name="flopslib_model"))
    if name not in made:
        own = {n: v for n, v in made.items() if not n.startswith("_")}
        models = [
            n
            for n, v in own.items()
            if isinstance(v, Layer) or getattr(v, "__module__", None) == "flopslib_model"
        ]
        raise ValueError(f"{file} has no {name!r}; it has {', '.join(models) or 'nothing'}")
    found = made[name]
    model = _theirs(file, lambda: found(**options)) if callable(found) else found
    if not isinstance(model, Layer):
        raise TypeError(f"{file}:{name} must give a layer of flopslib, got {type(model).__name__}")
    return model


def _theirs(file: str, call: Callable[[], Any]) -> Any:
    """Call somebody's own code, and say where it failed if it does."""
    import traceback

    try:
        return call()
    except Exception as error:
        inside = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        line = error.lineno if isinstance(error, SyntaxError) else next(reversed(inside), None)
        if isinstance(error, OSError) and line is None:
            raise
        where = f"{file}, line {line}" if line else file
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from None


def _shape(written: str) -> tuple[int, ...]:
    """Read a shape.

    >>> _shape("1,3,224,224"), _shape("1x2048")
    ((1, 3, 224, 224), (1, 2048))
    """
    sides = written.strip("()[] ").replace("x", ",").replace("×", ",").split(",")
    try:
        return tuple(int(side) for side in sides if side.strip())
    except ValueError:
        raise ValueError(f"--input must be integers such as 1,3,224,224, got {written!r}") from None


def _named(option: str) -> tuple[str, Any]:
    name, equals, value = option.partition("=")
    if not equals:
        raise ValueError(f"--option must be NAME=VALUE, got {option!r}")
    return name.strip(), _value(value)


def _value(written: str) -> Any:
    """Read an argument: a number, a tuple, True, False, None, or else text.

    >>> _value("7"), _value("3,5"), _value("true"), _value("1x1")
    (7, (3, 5), True, '1x1')
    """
    try:
        words = {"true": "True", "false": "False", "none": "None"}
        return ast.literal_eval(words.get(written.lower(), written))
    except (ValueError, SyntaxError):
        return written


def _show(report: Report, depth: int | None) -> None:
    table = report.table(depth)
    if not sys.stdout.isatty():
        print(table)
        return
    _terminal_table(table.header, table.rows, list(COLUMNS.values()), table.total)
    for note in table.notes:
        print(note)


def _terminal_table(
    header: list[str], rows: list[list[str]], figures: list[bool], total: list[str] | None = None
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    lines = [header, *rows, *([total] if total else [])]
    longest = (max(map(len, column)) for column in zip(*lines, strict=True))
    # a figure or a name cut in two is none; other text may be broken
    whole = {name: figures[at] or at == 0 for at, name in enumerate(header)}
    widths = {
        name: width if whole[name] else min(width, BREAKABLE)
        for name, width in zip(header, longest, strict=True)
    }
    kept = _fitting(widths, console.width)
    table = Table(box=box.SIMPLE_HEAD, show_footer=total is not None, padding=(0, 1))
    for at, name in enumerate(header):
        if name in kept:
            table.add_column(
                Text(name),
                Text(total[at] if total else ""),
                justify="right" if figures[at] else "left",
                no_wrap=whole[name],
                min_width=widths[name],
            )
    for row in rows:
        shown = (cell for cell, name in zip(row, header, strict=True) if name in kept)
        table.add_row(*map(Text, shown))
    console.print(table)


def _fitting(widths: Mapping[str, int], room: int) -> list[str]:
    """Return the columns that a terminal has room for.

    >>> _fitting({"layer": 10, "type": 10, "MACs": 10}, room=80)
    ['layer', 'type', 'MACs']
    >>> _fitting({"layer": 10, "type": 10, "MACs": 10}, room=30)
    ['layer', 'MACs']
    """
    kept = list(widths)
    for name in DISPENSABLE:
        if sum(widths[column] + 2 for column in kept) + 2 <= room:
            break
        kept = [column for column in kept if column != name]
    return kept


# --- explain ---------------------------------------------------------------


def _explain(given: argparse.Namespace) -> None:
    cost = nearest("layer", given.layer, registered())
    positional, named = [], {}
    for written in given.sizes:
        name, equals, value = written.partition("=")
        if equals:
            named[name] = _value(value)
        elif named:
            raise ValueError(f"{written!r} must come before the arguments that are named")
        else:
            positional.append(_value(written))
    derivation = _derived(cost.function, positional, named)
    if given.shown == "latex":
        print(derivation.latex())
    elif given.shown == "json":
        print(json.dumps(_figures(derivation), indent=1, ensure_ascii=False))
    else:
        print(derivation)


def _derived(
    function: Callable[..., Derivation], positional: list[Any], named: dict[str, Any]
) -> Derivation:
    parameters = inspect.signature(function).parameters
    required = [name for name, p in parameters.items() if p.default is p.empty]
    if len(positional) > len(required):
        raise TypeError(
            f"{function.__name__} takes {len(required)} arguments in order "
            f"({', '.join(required)}), got {len(positional)}; name the others"
        )
    named = dict(zip(required, positional, strict=False)) | named
    unknown = [name for name in named if name not in parameters]
    if unknown:
        raise TypeError(
            f"{function.__name__} has no argument {unknown[0]!r}; it has {', '.join(parameters)}"
        )
    if all(name in named for name in required):
        return function(**named)
    return formula(function, **named)


def _figures(derivation: Derivation) -> dict[str, Any]:
    total = {kind: _plain(n) for kind, n in derivation.total.kinds().items()}
    sums = {"flops": _plain(derivation.flops), "exact_flops": _plain(derivation.exact_flops)}
    steps = [
        {
            "name": step.name,
            "unit": step.unit,
            "per_output": {k: _plain(n) for k, n in step.per_output.kinds().items()},
            "outputs": _plain(step.outputs),
        }
        for step in derivation.steps
    ]
    return {"name": derivation.name, **total, **sums, "steps": steps}


def _plain(value: Any) -> int | str:
    return value if isinstance(value, int) else text(value)


# --- list ------------------------------------------------------------------


def _list(given: argparse.Namespace) -> None:
    rows = [_listed(name) for name in catalogue()]
    layers = [{"name": name, "arguments": list(c.sizes)} for name, c in registered().items()]
    if given.shown == "json":
        print(json.dumps({"models": rows, "layers": layers}, indent=1, ensure_ascii=False))
    elif given.shown == "csv":
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"input": "x".join(map(str, row["input"]))} for row in rows)
    else:
        _show_list(rows)


def _listed(name: str) -> dict[str, Any]:
    entry = find(name)
    report = count(entry.build(), entry.input_shape)
    return {
        "name": name,
        "input": entry.input_shape,
        "parameters": report.parameters,
        "macs": report.macs,
        "about": entry.about,
    }


def _show_list(rows: list[dict[str, Any]]) -> None:
    header = ["model", "input", "parameters", "MACs", "about"]
    lines = [
        [r["name"], ",".join(map(str, r["input"])), text(r["parameters"]), text(r["macs"])]
        for r in rows
    ]
    if sys.stdout.isatty():
        full = [[*line, row["about"]] for line, row in zip(lines, rows, strict=True)]
        _terminal_table(header, full, [False, False, True, True, False])
    else:
        widths = [max(map(len, column)) for column in zip(header[:4], *lines, strict=True)]
        titles = (name.ljust(width) for name, width in zip(header, widths, strict=False))
        print("  ".join((*titles, header[-1])))
        for line, row in zip(lines, rows, strict=True):
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join((*padded, row["about"])))
    print(f"layers to explain: {', '.join(registered())}")


if __name__ == "__main__":
    sys.exit(main())
