"""Counts what the tests really compared, where they compare it."""

from collections import Counter

SEEN: Counter[str] = Counter()
PASSED: Counter[str] = Counter()
NOTEBOOKS: set[str] = set()
NOTHING: Counter[str] = Counter()
RANDOM_SLACK = 0.9  # how many random cases make sense is a matter of chance


def saw(kind: str, times: int = 1) -> None:
    """Count comparisons of a kind that `flopsbook.checked.COMPARED` names."""
    SEEN[kind] += times


def shortfalls(claims, compared, passed, skipped=NOTHING):
    """Return a line for each kind of which the claims name more than was done.

    A test that was skipped for want of a program is not missed here: see `unchecked`.
    """
    lines = []
    for kind, claimed in claims["compared"].items():
        if compared[kind] < claimed * (RANDOM_SLACK if kind.startswith("random") else 1):
            lines.append(f"{kind}: {claimed} claimed, {compared[kind]} compared")
    for kind, claimed in claims["passed"].items():
        if passed[kind] + skipped[kind] < claimed:
            lines.append(f"{kind}: {claimed} claimed, {did(kind, passed, skipped)}")
    return lines


def unchecked(claims, passed, skipped):
    """Return what the claims name and a run has skipped for want of a program, kind by kind."""
    return [
        f"{kind} ({claims['passed'][kind]} claimed, {did(kind, passed, skipped)})"
        for kind in skipped
    ]


def did(kind, passed, skipped):
    also = f", {skipped[kind]} skipped" if skipped[kind] else ""
    return f"{passed[kind]} passed{also}"
