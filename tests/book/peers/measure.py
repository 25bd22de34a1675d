"""Ask the tools of one ecosystem what our subjects cost, and store their answers.

    .venv-peers/jax/bin/python tests/book/peers/measure.py jax

`make peers` runs this for each environment. Each question is asked in a process of its own,
since several tools replace functions of their framework while they count, and do not put them
back when they fail. A tool that cannot count a subject is on record with the error it raised.
What was stored of other environments stays as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import json
import logging
import multiprocessing
import sys
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
STORED = ROOT / "flopsbook" / "data" / "peers.json"
sys.path[:0] = [str(HERE), str(ROOT)]


def whole(figure: Any) -> int:
    """Return a figure as an integer; the tools have floats and numbers of NumPy."""
    assert figure is not None, "no figure"
    assert figure == int(figure), figure
    return int(figure)


def measured(case: tuple[str, str, str, str]) -> list[dict[str, Any]]:
    """Return what a tool says of one subject, a record a figure."""
    from flopsbook.peers import SUBJECTS

    environment, tool, name, device = case
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    about = {"subject": name, "tool": tool, "device": device}
    try:
        ask = importlib.import_module(f"in_{environment}").TOOLS[tool]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            answer = ask(name, SUBJECTS[name].input_shape, device)
        return [about | {"called": c, "value": whole(v)} for c, v in answer.items()]
    except Exception as error:  # what a tool cannot count is a finding as well
        return [about | {"called": None, "value": None, "error": type(error).__name__}]


def written(data: dict[str, Any]) -> str:
    """Write the data with a line for each figure, so that a change is one line."""
    lines = [json.dumps(record, ensure_ascii=False) for record in data["figures"]]
    head = json.dumps({k: v for k, v in data.items() if k != "figures"}, indent=1)
    return head[:-2] + ',\n "figures": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def cases(environment: str) -> list[tuple[str, str, str, str]]:
    """Return every question that is put in an environment."""
    from flopsbook.peers import asked

    tools = importlib.import_module(f"in_{environment}").TOOLS
    return [(environment, *question) for question in asked() if question[0] in tools]


def main(environment: str, *, missing: bool = False) -> None:
    """Ask every tool of an environment, and put what they say in place of what was stored.

    With ``missing``, what is stored stays and only the rest is asked.
    """
    module = importlib.import_module(f"in_{environment}")
    # PyTorch is loaded once, before the processes divide; JAX and TensorFlow do not bear that
    kind = "fork" if environment in ("torch", "torch_newest", "ultralytics") else "spawn"
    if kind == "fork":
        importlib.import_module("subjects")
    questions, stored = cases(environment), json.loads(STORED.read_text(encoding="utf-8"))
    if missing:
        have = {(r["tool"], r["subject"], r["device"]) for r in stored["figures"]}
        questions = [question for question in questions if question[1:] not in have]
    figures = []
    few = 1 if kind == "fork" else None
    with multiprocessing.get_context(kind).Pool(1, maxtasksperchild=few) as pool:
        for records in pool.imap(measured, questions, chunksize=1):
            figures += records
    data = json.loads(STORED.read_text(encoding="utf-8"))  # as it is now
    data["environments"][environment] = {
        "python": sys.version.split()[0],
        "versions": {name: importlib.metadata.version(name) for name in module.PACKAGES},
    }
    if hasattr(module, "parameters"):
        data["parameters"] = module.parameters()
    new = {question[1:] for question in questions}
    kept = [r for r in data["figures"] if (r["tool"], r["subject"], r["device"]) not in new]
    data["figures"] = in_order(kept + figures)
    STORED.write_text(written(data), encoding="utf-8")
    failed = sum(record["error"] is not None for record in map(error_of, figures))
    print(f"{environment}: {len(figures) - failed} figures stored, {failed} refusals")


def error_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its error, None if there is none."""
    return {"error": None} | record


def in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort records as the questions are listed, so that a new measurement is a small change."""
    from flopsbook.peers import asked

    places = {question: at for at, question in enumerate(asked())}
    known = [r for r in records if (r["tool"], r["subject"], r["device"]) in places]
    return sorted(known, key=lambda r: places[r["tool"], r["subject"], r["device"]])


if __name__ == "__main__":
    main(sys.argv[1], missing="--missing" in sys.argv)
