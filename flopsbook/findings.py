"""What surprised us in other programs: the heads of the scripts in ``findings/``, as a table.

A notebook that somebody downloaded has no such folder beside it, so the heads are kept in
``data/findings.json``; ``python -m flopsbook.findings`` writes it anew.

>>> from flopsbook.findings import stored
>>> {type(finding["title"]) for finding in stored()}
{<class 'str'>}
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

from flopsbook.quotes import data
from flopsbook.tables import Table

__all__ = ["findings", "head", "stored"]

HERE = Path(__file__).parent
SCRIPTS = HERE.parent / "findings"
STORED = HERE / "data" / "findings.json"

#: What a head has to say: what it is called -> the line that says it.
LINES = {
    "title": r"#!/usr/bin/env bash\n# (.+)\n",
    "version": r"^# Version: +(.+?)\.?$",
    "date": r"^# Seen: +on (\d{4}-\d\d-\d\d)[;:,]",
}


def head(script: Path) -> dict[str, str]:
    """Return what the comment at the top of a script says.

    Returns:
        its "script", by name, the "title" in one sentence, the "version" of what it was seen
        with, and the "date" when it was seen.

    Raises:
        ValueError: a script that leaves one of them out, or a day that no calendar has.
    """
    found = {"script": script.name}
    comment = script.read_text(encoding="utf-8").partition("\nset ")[0]
    for name, line in LINES.items():
        said = re.search(line, comment, re.MULTILINE)
        if said is None:
            raise ValueError(f"{script.name} does not say its {name}; wanted is a line {line!r}")
        found[name] = said[1]
    try:
        datetime.date.fromisoformat(found["date"])
    except ValueError:
        raise ValueError(f"{script.name} was seen on no day: {found['date']}") from None
    return found


def stored() -> list[dict[str, str]]:
    """Return the heads of all scripts, as they were written down, by name."""
    heads: list[dict[str, str]] = data("findings.json")
    return heads


def findings() -> Table:
    """Return a table of what was found, in which version, on which day, and what proves it."""
    rows = [
        [f"{found['title']} `{found['script']}`", found["version"], found["date"]]
        for found in stored()
    ]
    return Table(["finding, and its script", "seen with", "on"], rows)


def main() -> None:
    """Write the heads of the scripts down."""
    heads = [head(script) for script in sorted(SCRIPTS.glob("*.sh"))]
    text = json.dumps(heads, indent=1, ensure_ascii=False) + "\n"
    STORED.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
