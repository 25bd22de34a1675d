"""What counts as a result in a text: a percentage, a count with a unit, a long number.

A number in prose is a *result* if it is

- a **percentage**: 12.5 %, five percent, a third of a percent;
- a **count with a unit**: 72 FLOPs, 1.8 GFLOPs, twelve operations, 3 GiB. Whole counts of up
  to ten are free: they are checked on the fingers ("two FLOPs for each MAC");
- a number of **more than three digits**: 118,013,952 and 17.56, half a billion and 10^{12}.

Years are free, and so are names (ResNet-50), versions (2.13.0), and the keys of citations and
cross-references. Of a written product, "2·1024·16 FLOPs", each factor is judged by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ADDED: dict[str, float] = {
    **{word: value for value, word in enumerate(_SMALL.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), start=2)},
}
_MULTIPLIED: dict[str, float] = {
    **{"a": 1, "an": 1, "dozen": 12, "hundred": 100},
    **{"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "tenth": 1 / 10},
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PREFIXES = {
    **{"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12, "P": 10**15},
    **{"ki": 2**10, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50},
    **{"kilo": 10**3, "mega": 10**6, "giga": 10**9, "tera": 10**12, "peta": 10**15},
}


def _any(words: dict[str, float] | dict[str, int]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


# what may stand between a number and its unit: a space of any kind, emphasis, quotes, a hyphen
_GAP = r"""(?:[\s*_$~`"“”'\u00a0\u2009\u202f-]|\\[,;:! ])*"""
_COMMA = r"(?:,|\{,\}|\\,|[\u00a0\u2009\u202f])"
_DIGITS = rf"(?:\d{{1,3}}(?:{_COMMA}\d{{3}})+(?!\d)|\d+)(?:\.\d+)?"
_TIMES = r"(?:·|×|\*|\\cdot|\\times)"
_WORD = f"(?:{_any(_ADDED | _MULTIPLIED)})"
_COUNTED = (
    "parameters?|weights?|operations?|ops|multiplications?|additions?|subtractions?|comparisons?"
    "|divisions?|exponentials?|bytes?|(?:multiply|mult)[-–](?:add|accumulate)s?"
)
_NUMBER = re.compile(
    rf"""(?<![\w.\\])(?<![A-Za-z][-/–])(?<!\d,)       # no part of a name, a version, a shape
    (?:(?P<mantissa>{_DIGITS})(?:{_GAP}{_TIMES}{_GAP}10(?:\^\{{?|\*\*)|e\+?)(?P<scaled>\d+)\}}?
      |10(?:\^\{{?|\*\*)(?P<power>\d+)\}}?
      |(?P<digits>{_DIGITS})(?!\.?\d)
      |\b(?P<words>(?i:{_WORD}(?:[\s-]+{_WORD})*))\b)
    (?P<scale>(?:{_GAP}\b(?i:{_any(_SCALES)})\b)*)
    (?:(?P<suffix>[kKMGTB]\b)?{_GAP}
      (?:(?:more|fewer|exact|extra|further|other|trainable)\b{_GAP})?
      (?:(?P<percent>(?:of{_GAP}(?:an?|one){_GAP})?(?:\\?%|(?i:per[\s-]?cent)))
        |(?P<unit>(?P<prefix>[kKMGTP]|(?i:kilo|mega|giga|tera|peta))?
                  (?i:MACs?|FLOPs?|OPs|MAdds?)\b(?:/s\b)?
                 |(?i:{_COUNTED})\b|(?P<size>[kKMGTP]i?)B\b)))?""",
    re.VERBOSE,
)
# no prose: roles whose text is a key, the targets of links, tags, options and labels
_SILENT = re.compile(
    r"\{(?:glue(?::\w+)?|cite(?::\w+)?|doc|ref|numref|eq|prf:ref|mod|func|class)\}`[^`]*`"
    r"|(?<=\])\([^)\s]*\)|https?://\S+|</?[a-zA-Z][^>]*>"
    r"|^:[\w-]+:.*$|\{solution-(?:start|end)\}.*$",
    re.MULTILINE,
)
# an asterisk is a sign only if it is set like one; otherwise it is emphasis
_PRODUCT = re.compile(r"(?:(?:·|×|/|\\cdot|\\times)[\s~$]*|\w\*|\w \* )$")


class Result(NamedTuple):
    """A result in a text: its words, where they begin, and the value that code may give it.

    The value is None where it has three digits or is a percentage: every page has a 2 and a
    64 somewhere in its code, and they would excuse too much.
    """

    text: str
    start: int
    value: float | None


def results(text: str) -> Iterator[Result]:
    """Find the results in a text.

    >>> [found.text for found in results("It needs 1.8 GFLOPs, twelve percent of 15,000.")]
    ['1.8 GFLOPs', 'twelve percent', '15,000']
    >>> list(results("Two FLOPs for each MAC, in ResNet-50 {cite}`he2016deep` with 7×7 windows."))
    []
    """
    heard = _SILENT.sub(lambda match: "\ufffc" * len(match[0]), text)
    for match in _NUMBER.finditer(heard):
        value = _value(match)
        if _is_result(match, value, heard[: match.start()]):
            words = match[0]
            excusable = value >= 1000 or _digits(match) > 3
            yield Result(
                words, match.start(), value if excusable and not match["percent"] else None
            )


def _is_result(match: re.Match[str], value: float, before: str) -> bool:
    if match["percent"]:
        return True
    part = match["words"] and not match["scale"] and value < 1  # "a third operation"
    if match["unit"] and not part and not _PRODUCT.search(before) and (value > 10 or value % 1):
        return True
    return (value >= 1000 or _digits(match) > 3) and not _is_year(match)


def _digits(match: re.Match[str]) -> int:
    """Return how many digits are written out, without zeros in front."""
    return len(re.sub(r"\D", "", match["digits"] or match["mantissa"] or "").lstrip("0"))


def _is_year(match: re.Match[str]) -> bool:
    return re.fullmatch(r"19[5-9]\d|20[0-3]\d", match[0]) is not None


def _value(match: re.Match[str]) -> float:
    """Return what the number stands for, with its scale and the prefix of its unit."""
    if match["digits"]:
        value = _read(match["digits"])
    elif match["words"]:
        value = spoken(match["words"])
    else:
        power = int(match["scaled"] or match["power"])
        value = _read(match["mantissa"] or "1") * float(f"1e{min(power, 300)}")
    for scale in re.findall("|".join(_SCALES), match["scale"].lower()):
        value *= _SCALES[scale]
    for prefix in (match["suffix"], match["prefix"], match["size"]):
        if prefix:
            value *= _PREFIXES[prefix if len(prefix) < 3 else prefix.lower()]
    return float(f"{value:.12g}") if value < 10**12 else value


def _read(digits: str) -> float:
    return float(re.sub(r"[^\d.]", "", digits))


def spoken(words: str) -> float:
    """Return the number that words name.

    >>> spoken("twenty-five"), spoken("three hundred"), spoken("Half a"), spoken("a dozen")
    (25, 300, 0.5, 12)
    """
    total: float = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in _ADDED:
            total += _ADDED[word]
        else:
            total = (total or 1) * _MULTIPLIED[word]
    return total
