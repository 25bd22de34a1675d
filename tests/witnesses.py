"""Counts what the tests really compared, where they compare it."""

from collections import Counter

SEEN: Counter[str] = Counter()
PASSED: Counter[str] = Counter()
NOTEBOOKS: set[str] = set()
RANDOM_SLACK = 0.9  # how many random cases make sense is a matter of chance


def saw(kind: str, times: int = 1) -> None:
    """Count comparisons of a kind that `flopsbook.checked.COMPARED` names."""
    SEEN[kind] += times


def shortfalls(claims, compared, passed):
    """Return a line for each kind of which the claims name more than was done."""
    lines = []
    for kind, claimed in claims["compared"].items():
        if compared[kind] < claimed * (RANDOM_SLACK if kind.startswith("random") else 1):
            lines.append(f"{kind}: {claimed} claimed, {compared[kind]} compared")
    for kind, claimed in claims["passed"].items():
        if passed[kind] < claimed:
            lines.append(f"{kind}: {claimed} claimed, {passed[kind]} passed")
    return lines
