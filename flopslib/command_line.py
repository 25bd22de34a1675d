"""The command ``flopslib``: count a model, hold it against limits or against another one.

::

    flopslib count resnet50 --input 1,3,224,224
    flopslib count my_network.py:vgg16 --input 1,3,224,224
    flopslib count resnet50 --json > before.json
    flopslib check resnet50 --max-macs 4.1G --max-parameters 25.6M
    flopslib diff before.json resnet101
    flopslib reconcile 24.6G --model resnet50 --input 1,3,224,224
    flopslib explain conv2d 3 64 7 112 112 bias=False
    flopslib list

What it returns to the shell, for scripts and continuous integration:

- 0: done; every limit holds, A and B are equal, or somebody's rules give the figure.
- 1: a limit does not hold, A and B differ, or nobody's rules give the figure.
- 2: the call is wrong, such as an unknown model or a bad input; one line says what is.

With ``--json``, every command says in ``schema_version`` which version of its fields it writes.
``report.schema.json`` in ``flopslib.report`` describes what ``flopslib count`` writes.
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
from flopslib.counters import TOOLS, WRITTEN, quoted, reconcile
from flopslib.counters.reconciling import OURS
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.rendering import text
from flopslib.layers.layer import Layer
from flopslib.models.model_list import build, catalogue, find, nearest
from flopslib.report.comparing import FIGURES, Comparison, Limit, Table, limit, saved
from flopslib.report.report import Report, count
from flopslib.report.views import COLUMNS, SCHEMA_VERSION

__all__ = ["main"]

#: Columns in the order in which a narrow terminal does without them.
DISPENSABLE = (
    *("one output × outputs", "exact FLOPs", "type", "output", "FLOPs", "about", "input"),
    *("other operations", "in A", "in B", "percent"),
)

#: How wide a text that may be broken has to be at least.
BREAKABLE = 24

EXIT_CODES = """\
exit codes:
  0  done; every limit holds, A and B are equal, or somebody's rules give the figure
  1  a limit does not hold, A and B differ, or nobody's rules give the figure
  2  the call is wrong, such as an unknown model or a bad input; one line says what is
"""

FORMATS = {
    "tree": "draw the model as a tree",
    "markdown": "write a table for Markdown",
    "csv": "write a table for a spreadsheet",
    "json": "write everything for another program",
    "latex": "write it for LaTeX",
}

MODEL = "a name from `flopslib list`, or your own: file.py:function"
SAVED = "or a report saved with `flopslib count MODEL --json`: file.json"


def _offers() -> tuple[Callable[[Any], None], ...]:
    return (
        _offer_count, _offer_check, _offer_diff, _offer_reconcile, _offer_explain, _offer_list
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    >>> main(["explain", "linear", "3", "2"])
    linear: each output element 3 multiplications, 3 additions; output elements 1 × 2 = 2
    total: 6 multiplications, 6 additions; 6 MACs, 12 FLOPs (12 exactly)
    0
    >>> main(["check", "resnet50", "--max-macs", "4G"])
    MACs: 4,089,184,256, at most 4,000,000,000 allowed: exceeded by 89,184,256
    1
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
    return int(given.status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flopslib",
        description="Count what a neural network costs, exactly.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"flopslib {__version__}")
    # a command sets another status before it prints, so that it stands if nobody reads on
    parser.set_defaults(run=lambda given: parser.print_help(), status=0)
    commands = parser.add_subparsers(metavar="command")
    for enrol in _offers():
        enrol(commands)
    return parser


def _offer_reconcile(commands: Any) -> None:
    asking = _command(
        commands, "reconcile", _reconcile, "say whose rules give a figure that somebody quotes",
        "A figure of k digits is matched to half a unit of its last one.",
    )  # fmt: skip
    asking.add_argument("figure", help="the figure as it is quoted, such as 4.1G or 8,178,368,512")
    asking.add_argument("--model", required=True, help=MODEL)
    _take_input(asking)
    asking.add_argument(
        "--tool", metavar="NAME", help=f"try one alone: {', '.join((OURS, *TOOLS))}"
    )
    _take_formats(asking, "json")


def _offer_count(commands: Any) -> None:
    counting = _command(commands, "count", _count, "count a model, layer by layer")
    counting.add_argument("model", help=MODEL)
    _take_input(counting)
    counting.add_argument(
        "--depth", type=_depth, metavar="N", help="how deep to go; 0 is the total alone"
    )
    counting.add_argument("--all", action="store_true", help="a row for every layer")
    _take_formats(counting, "tree", "markdown", "csv", "json")


def _offer_check(commands: Any) -> None:
    checking = _command(commands, "check", _check, "check that a model stays within limits")
    checking.add_argument("model", help=f"{MODEL}; {SAVED}")
    _take_input(checking)
    for figure, name in FIGURES.items():
        checking.add_argument(
            _limit_option(figure), metavar="N", help=f"how many {name} are allowed, such as 4.1G"
        )
    _take_formats(checking, "json")


def _offer_diff(commands: Any) -> None:
    comparing = _command(
        commands, "diff", _diff, "show where two models A and B differ",
        "To compare a model with options, save its report first.",
    )  # fmt: skip
    for name in ("a", "b"):
        comparing.add_argument(name, metavar=name.upper(), help=f"{MODEL}; {SAVED}")
    comparing.add_argument(
        "--input", action="append", default=[], metavar="SHAPE",
        help="the shape of the input of both; given twice, that of A and that of B",
    )  # fmt: skip
    _take_formats(comparing, "json")


def _offer_explain(commands: Any) -> None:
    explaining = _command(commands, "explain", _explain, "show how a layer's cost is derived")
    explaining.add_argument("layer", help="a cost function, such as conv2d")
    explaining.add_argument(
        "sizes", nargs="*", help="its arguments, in order or by name; what is left out is a letter"
    )
    _take_formats(explaining, "latex", "json")


def _offer_list(commands: Any) -> None:
    _take_formats(
        _command(commands, "list", _list, "list the models and the layers"), "csv", "json"
    )


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], about: str, more: str = ""
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}. {more}".strip(),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _take_input(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--input", metavar="SHAPE", help="the shape of the input, such as 1,3,224,224"
    )
    command.add_argument(
        "--option", "-o", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the model, such as num_classes=10",
    )  # fmt: skip


def _take_formats(command: argparse.ArgumentParser, *kinds: str) -> None:
    shown = command.add_mutually_exclusive_group()
    for kind in kinds:
        shown.add_argument(
            f"--{kind}", dest="shown", action="store_const", const=kind, help=FORMATS[kind]
        )


def _depth(written: str) -> int:
    try:
        return int(written)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a whole number of 0 or more, got {written!r}"
        ) from None


def _print_json(plain: Mapping[str, Any]) -> None:
    print(json.dumps(plain, indent=1, ensure_ascii=False))


# --- count -----------------------------------------------------------------


def _count(given: argparse.Namespace) -> None:
    _check_depth(given)
    report = _counted(given.model, given.input, _options(given))
    if given.shown == "json":
        _print_json(report.as_dict(given.depth))
    elif given.shown == "csv":
        print(report.csv(given.depth), end="")
    elif given.shown == "markdown":
        print(report.markdown(_table_depth(given, report)))
    elif given.shown == "tree":
        print(report.tree(given.depth))
    else:
        _show(report, _table_depth(given, report))


def _check_depth(given: argparse.Namespace) -> None:
    if given.depth is not None and given.depth < 0:
        raise ValueError(f"--depth must be 0 or more, got {given.depth}")
    if given.depth is not None and given.all:
        raise ValueError(
            f"--depth {given.depth} and --all contradict each other: give one of them, "
            f"as --all goes down to every layer"
        )


def _table_depth(given: argparse.Namespace, report: Report) -> int | None:
    if given.all or given.depth is not None:
        return None if given.all else int(given.depth)
    return report.fitting_depth()


def _options(given: argparse.Namespace) -> dict[str, Any]:
    return dict(_named(option) for option in given.option)


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
    is_built = isinstance(found, Layer) or not callable(found)
    model = found if is_built else _theirs(file, lambda: found(**options))
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
    sides = written.strip("()[] ").removesuffix(",").replace("x", ",").replace("×", ",").split(",")
    try:
        return tuple(map(int, sides))
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


# --- check -----------------------------------------------------------------


def _check(given: argparse.Namespace) -> None:
    most = _limits(given)
    report = _checked_report(given)
    limits = [Limit(figure, report[figure], most[figure]) for figure in most]
    given.status = 0 if all(one.holds for one in limits) else 1
    if given.shown == "json":
        about = {key: report[key] for key in ("model", "input_shape")}
        found = {"holds": not given.status, "limits": [one.as_dict() for one in limits]}
        _print_json({"schema_version": SCHEMA_VERSION, "name": given.model} | about | found)
    else:
        print(*limits, sep="\n")


def _limit_option(figure: str) -> str:
    return f"--max-{figure.replace('_', '-')}"


def _limits(given: argparse.Namespace) -> dict[str, int]:
    written = {figure: getattr(given, f"max_{figure}") for figure in FIGURES}
    most = {
        figure: limit(_limit_option(figure), of) for figure, of in written.items() if of is not None
    }
    if not most:
        *options, last = map(_limit_option, FIGURES)
        raise ValueError(
            f"no limit is given for {given.model}: give {', '.join(options)} or {last}, "
            f"such as --max-macs 4.1G"
        )
    return most


def _checked_report(given: argparse.Namespace) -> Mapping[str, Any]:
    if not _is_saved(given.model):
        return _counted(given.model, given.input, _options(given)).as_dict()
    _refuse_for_saved(given.model, "--input", given.input)
    _refuse_for_saved(given.model, "--option", *given.option)
    return saved(given.model)


def _is_saved(name: str) -> bool:
    return name.endswith(".json")


def _refuse_for_saved(name: str, argument: str, *given: str | None) -> None:
    """Refuse an argument that a saved report cannot follow."""
    for value in given:
        if value is not None:
            raise ValueError(
                f"{argument} must be left out for {name}, which is counted already, got {value!r}"
            )


# --- diff ------------------------------------------------------------------


def _diff(given: argparse.Namespace) -> None:
    found = _compared([given.a, given.b], given.input)
    given.status = 0 if found.equal else 1
    if given.shown == "json":
        _print_json(found.as_dict())
    elif sys.stdout.isatty():
        _show_comparison(found)
    else:
        print(found)


def _compared(names: list[str], inputs: list[str]) -> Comparison:
    shapes = _shapes(names, inputs)
    kept = [saved(name) if _is_saved(name) else None for name in names]
    # a model is taken apart as far as the report that it is compared with
    depth = next((report["depth"] for report in kept if report), None)
    a, b = (
        report or _counted(name, shape, {}).as_dict(depth)
        for name, shape, report in zip(names, shapes, kept, strict=True)
    )
    return Comparison(names[0], a, names[1], b)


def _shapes(names: list[str], inputs: list[str]) -> list[str | None]:
    """Return the input of each; that of a saved report is not asked for.

    >>> _shapes(["resnet18", "resnet34"], ["1,3,64,64"])
    ['1,3,64,64', '1,3,64,64']
    >>> _shapes(["resnet18", "resnet34"], [])
    [None, None]
    """
    if len(inputs) > 2:
        raise ValueError(
            f"--input must be given once for both or twice, for A and for B, "
            f"got it {len(inputs)} times: {', '.join(inputs)}"
        )
    if len(inputs) == 1 and not all(map(_is_saved, names)):
        return [*inputs, *inputs]
    for name, shape in zip(names, inputs, strict=False):
        if _is_saved(name):
            _refuse_for_saved(name, "--input", shape)
    return [*inputs] if inputs else [None, None]


def _show_comparison(found: Comparison) -> None:
    print(*found.inputs, sep="\n")
    _show_table(found.totals_table)
    print(found.summary)
    if found.layers:
        _show_table(found.layers_table)


def _show_table(table: Table) -> None:
    _terminal_table(table.header, table.rows, table.figures)


# --- reconcile -------------------------------------------------------------


def _reconcile(given: argparse.Namespace) -> None:
    tool = given.tool and nearest("tool", given.tool, {name: name for name in (OURS, *TOOLS)})
    figure, options = quoted(given.figure), _options(given)
    found = reconcile(
        figure.written,
        _counted(given.model, given.input, options),
        tool,
        written=WRITTEN.get(given.model),
        others=_other_versions(given, options),
    )
    given.status = 0 if found.matches else 1
    if given.shown == "json":
        about = {"schema_version": SCHEMA_VERSION, "model": given.model}
        _print_json(about | found.as_dict())
    else:
        print(found)


def _other_versions(given: argparse.Namespace, options: Mapping[str, Any]) -> dict[str, Report]:
    """Return what else goes by the name of a model: a ResNet with the strides of its paper."""
    if given.model not in catalogue() or "stride_on" in options:
        return {}
    if "stride_on" not in inspect.signature(find(given.model).build).parameters:
        return {}
    paper = _counted(given.model, given.input, {**options, "stride_on": "1x1"})
    return {"the stride on the first 1×1, as in the paper": paper}


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
        _print_json(_figures(derivation))
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
    about = {"schema_version": SCHEMA_VERSION, "name": derivation.name}
    return {**about, **total, **sums, "steps": steps}


def _plain(value: Any) -> int | str:
    return value if isinstance(value, int) else text(value)


# --- list ------------------------------------------------------------------


def _list(given: argparse.Namespace) -> None:
    rows = [_listed(name) for name in catalogue()]
    layers = [{"name": name, "arguments": list(c.sizes)} for name, c in registered().items()]
    if given.shown == "json":
        _print_json({"schema_version": SCHEMA_VERSION, "models": rows, "layers": layers})
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
