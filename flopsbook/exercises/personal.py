"""The numbers of a problem set's question, which depend on who asks.

Two neighbours get different sizes, so a copied answer is a wrong one. Nothing is
stored: an identifier and a question always give the same numbers.

>>> personal("layers-1", "ada")
{'in_features': 144, 'out_features': 44, 'batch': 10}
"""

from __future__ import annotations

# no more than these: every notebook that is graded imports this module afresh
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import prod
from unicodedata import category, normalize

__all__ = [
    "PLACEHOLDER",
    "TABLE",
    "Multiple",
    "choices",
    "folded",
    "is_whole",
    "notebook_of",
    "personal",
]

#: What stands in a notebook until a student has filled in an identifier.
PLACEHOLDER = "your identifier"


class Multiple:
    """A size that another one of the same question has to divide.

    Attributes:
        of: the other size.
        times: the candidates for their quotient.
    """

    def __init__(self, of: str, times: tuple[int, ...]):
        self.of = of
        self.times = times


Candidates = Mapping[str, tuple[int, ...] | Multiple]

#: The candidates for every size of every question. No candidate is 1, and no two sizes
#: of a question can be equal: two that were swapped would not be noticed.
TABLE: Mapping[str, Candidates] = {
    "layers-1": {
        "in_features": (72, 84, 96, 108, 120, 132, 144, 156, 168, 180),
        "out_features": (40, 44, 52, 56, 60, 64, 68, 76, 88, 92),
        "batch": (3, 5, 6, 7, 9, 10, 11, 12, 13, 14),
    },
    "layers-2": {
        "in_channels": (12, 16, 20, 24, 28, 32, 36, 40),
        "out_channels": (48, 56, 64, 72, 80, 88, 96, 104),
        "kernel_size": (5, 7, 9),
        "side": (50, 53, 57, 58, 61, 63, 65, 66, 67, 69),
        "stride": (2, 4),
        "padding": (3,),
    },
    "layers-3": {
        "in_channels": (48, 64, 80, 112, 128, 144, 176, 192),
        "out_channels": (72, 88, 96, 104, 120, 136, 152, 160),
        "kernel_size": (3, 5, 7),
        "out_height": (14, 15, 17, 18, 19, 21),
        "out_width": (20, 22, 24, 25, 26, 28),
    },
    "layers-6": {
        "in_features": (300, 320, 340, 360, 380, 400, 420, 440),
        "hidden_features": (96, 112, 128, 144, 160, 176, 192, 208),
        "out_features": (10, 12, 14, 16, 18, 20, 22, 24),
        "batch": (25, 30, 35, 40, 45, 50, 55, 60),
    },
    "layers-7": {
        "mega_flops": (210, 230, 250, 270, 310, 330, 370, 390, 410, 430),
        "side": (24, 26, 28, 30, 32, 34, 36, 38),
        "kernel_size": (3, 5),
        "groups": (4, 6, 8, 10, 12),
    },
    "transformers-1": {
        "seq_len": (110, 120, 130, 140, 145, 150, 155, 165, 170, 175),
        "num_heads": (4, 5, 6, 8, 10, 12),
        "d_model": Multiple("num_heads", (46, 48, 50, 52, 54, 56, 58, 60, 62, 64)),
    },
    "transformers-2": {
        "new_tokens": (17, 18, 19, 21, 22, 23, 25, 26),
        "cached_tokens": (81, 83, 85, 87, 89, 91, 93, 95),
        "num_kv_heads": (2, 3, 4, 5),
        "num_heads": Multiple("num_kv_heads", (2, 3)),
        "d_model": Multiple("num_heads", (32, 36, 40, 44, 48)),
    },
    "transformers-3": {
        "d_model": tuple(range(640, 1600, 32)),
        "multiple": (16, 24, 40, 48, 56, 64, 72, 80, 96, 128),
    },
    "transformers-6": {
        "seq_len": (31, 33, 35, 37, 39, 41, 43, 45),
        "num_heads": (3, 4, 5, 6, 7, 8),
        "d_model": Multiple("num_heads", (16, 18, 20, 22, 24, 26, 28, 30, 32)),
    },
    "transformers-7": {
        "d_model": tuple(range(768, 2048, 64)),
        "giga_flops": tuple(range(300, 600, 7)),
    },
    "networks-1": {
        "in_channels": (24, 32, 40, 48, 56, 64, 72, 80),
        "width": (88, 96, 104, 112, 120, 128, 136, 144),
        "side": (28, 30, 34, 36, 38, 42, 44, 46),
    },
    "networks-2": {
        "patch_size": (8, 12, 14, 16),
        "image_size": Multiple("patch_size", (7, 9, 10, 11, 13, 17, 19)),
        "num_layers": (5, 6, 7, 9, 10, 11),
        "num_heads": (3, 4),
        "hidden_dim": Multiple("num_heads", (64, 72, 80)),
        "num_classes": (20, 25, 50, 55),
    },
    "networks-5": {
        "num_layers": (6, 7, 8, 9, 10, 11),
        "d_model": (384, 448, 512, 576, 640, 704),
        "vocab_size": (8000, 10000, 12000, 15000, 16000, 20000),
        "seq_len": (256, 300, 400, 500, 600, 800),
        "texts": (30_000, 40_000, 50_000, 60_000, 70_000, 90_000),
    },
    "networks-6": {"exa_flops": tuple(range(120, 480))},
    "networks-7": {
        "giga_macs": tuple(range(60, 400, 7)),
        "pictures": (6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21),
    },
    "training-1": {
        "in_features": tuple(range(201, 300, 9)),
        "out_features": tuple(range(32, 99, 6)),
        "batch": (5, 6, 7, 9, 10, 11, 12, 13, 14, 15),
    },
    "training-2": {
        "groups": (3, 4, 6),
        "in_channels": Multiple("groups", (12, 14, 16, 18, 20)),
        "out_channels": Multiple("groups", (41, 43, 45, 47, 49)),
        "kernel_size": (5, 7, 9),
        "side": (21, 22, 23, 25, 26, 27),
        "batch": (8, 10, 12, 14, 15, 16),
    },
    "training-4": {
        "num_layers": (5, 6, 7, 8, 9, 10, 11, 12),
        "d_model": tuple(range(384, 1024, 64)),
        "vocab_size": tuple(range(8000, 30_000, 1100)),
        "seq_len": (200, 250, 280, 310, 330, 350, 370),
    },
    "training-5": {
        "num_layers": tuple(range(18, 40)),
        "d_model": tuple(range(1536, 4096, 128)),
        "rank": (4, 6, 8, 12, 16),
    },
    "training-6": {
        "num_layers": tuple(range(6, 30)),
        "d_model": tuple(range(512, 1500, 64)),
        "tokens": tuple(range(2000, 9000, 500)),
    },
    "training-7": {
        "giga_bytes": (24, 32, 40, 48, 64, 80, 96),
        "d_model": tuple(range(1024, 2300, 64)),
        "tokens": tuple(range(3000, 9000, 500)),
    },
    "serving-1": {
        "num_layers": (19, 21, 22, 23, 25, 26, 27, 28),
        "num_kv_heads": (3, 4, 5, 6),
        "num_heads": Multiple("num_kv_heads", (2, 3)),
        "d_model": Multiple("num_heads", (64, 72, 80, 88, 96)),
        "prompt": (301, 307, 311, 313, 317, 331, 337, 347),
    },
    "serving-2": {
        "num_kv_heads": (3, 4, 5, 6),
        "num_heads": Multiple("num_kv_heads", (2, 4)),
        "num_layers": (25, 27, 29, 31, 33, 35),
        "head_dim": (64, 96, 112, 128),
        "length": tuple(range(1000, 4000, 300)),
        "giga_parameters": (7, 9, 11, 13),
        "giga_bytes": (40, 48, 56, 72, 80),
    },
    "serving-4": {
        "num_layers": (18, 20, 22, 26, 28, 30),
        "num_heads": (6, 8, 10, 12),
        "d_model": Multiple("num_heads", (64, 80, 96, 112)),
        "window": (100, 120, 130, 150, 160, 180),
        "tokens": tuple(range(1400, 4000, 170)),
    },
    "serving-5": {
        "top_k": (2, 3, 4),
        "tokens": (5, 6, 7),
        "num_experts": (30, 32, 36, 40, 48, 64),
        "d_model": tuple(range(512, 1100, 64)),
        "d_ff": tuple(range(1200, 3000, 130)),
    },
    "serving-6": {
        "giga_parameters": (7, 8, 9, 11, 13, 14),
        "kilo_bytes": (80, 96, 112, 128, 160, 192),
        "length": tuple(range(1100, 1900, 70)),
        "texts": (17, 19, 20, 22, 24, 26, 28, 30),
        "giga_bandwidth": (900, 960, 990, 1000),
    },
    "serving-7": {
        "giga_parameters": (6, 7, 8, 9, 10, 11),
        "kilo_bytes": (96, 104, 112, 128, 144, 160),
        "length": (512, 600, 700, 800, 1000, 1100),
        "giga_bytes": (40, 48, 56, 64, 72),
        "giga_bandwidth": (1500, 1600, 1750, 1900, 2000),
        "milli_seconds": (21, 22, 23, 24, 25, 26),
    },
}


def personal(question: str, student: str) -> dict[str, int]:
    """Return a student's own numbers for a question.

    Args:
        question: a set and a number, such as "layers-1".
        student: the identifier that the teacher knows the student by. Small and capital
            letters are alike, and so are all ways to write an accent or a space.

    Raises:
        TypeError: an identifier that is not text.
        ValueError: a question without numbers; an identifier that is empty, or that
            nobody has filled in.

    >>> personal("layers-9", "ada")
    Traceback (most recent call last):
    ...
    ValueError: question must be one with numbers of its own, such as layers-7 or layers-6, \
got 'layers-9'
    """
    candidates = _candidates(question)
    digest = sha256(f"{question}\n{_identifier(student)}".encode()).digest()
    # what is left of a number of 256 bits after a few small divisions is as good as uniform
    return _chosen(candidates, int.from_bytes(digest))


def choices(question: str) -> Iterator[dict[str, int]]:
    """Return all the numbers that somebody could get for a question.

    Raises:
        ValueError: a question without numbers.

    >>> len(list(choices("layers-1")))
    1000
    """
    candidates = _candidates(question)
    for place in range(prod(len(_listed(given)) for given in candidates.values())):
        yield _chosen(candidates, place)


def _chosen(candidates: Candidates, place: int) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name, given in candidates.items():
        place, at = divmod(place, len(_listed(given)))
        factor = numbers[given.of] if isinstance(given, Multiple) else 1
        numbers[name] = factor * _listed(given)[at]
    return numbers


def _listed(given: tuple[int, ...] | Multiple) -> tuple[int, ...]:
    return given.times if isinstance(given, Multiple) else given


def _candidates(question: str) -> Candidates:
    if isinstance(question, str) and question in TABLE:
        return TABLE[question]
    import difflib

    near = difflib.get_close_matches(str(question), TABLE, n=2) or ["layers-1", "networks-1"]
    raise ValueError(
        f"question must be one with numbers of its own, such as {' or '.join(near)}, "
        f"got {question!r}"
    )


def _identifier(student: str) -> str:
    if not isinstance(student, str):
        raise TypeError(
            f'student must be text, such as "s1234567" with its quotation marks, got {student!r}'
        )
    if folded(student) in ("", folded(PLACEHOLDER)):
        raise ValueError(
            "student must be the identifier that your teacher knows you by, such as "
            f'"s1234567", got {student!r}'
        )
    return folded(student)


def folded(text: str) -> str:
    """Return an identifier without the differences that nobody sees or means.

    Whether two identifiers are the same is decided here, for notebooks, rosters, names of
    files and Gradescope alike: capital letters, ways to write an accent, spaces and marks
    that cannot be seen make no difference.

    >>> folded(" S1234567\u200b") == folded("s1234567")
    True
    >>> folded("Zoe\u0308  Müller") == folded("ZOË\u00a0mu\u0308ller")
    True
    """
    text = normalize("NFC", normalize("NFC", text).casefold())
    return " ".join("".join(one for one in text if category(one) != "Cf").split())


def is_whole(found: object) -> bool:
    """Return whether an answer is a whole number: Python's own, NumPy's or SymPy's.

    >>> is_whole(3), is_whole(3.0), is_whole(True)
    (True, False, False)
    """
    return type(as_python(found)) is int


def as_python(found: object) -> object:
    """Return an answer with the whole numbers of NumPy, SymPy and the library as Python's own.

    >>> import numpy as np
    >>> from flopslib.layers import Linear
    >>> as_python([np.int64(3), [4], "x", 1.5]), type(as_python(Linear(3, 2).parameters))
    ([3, [4], 'x', 1.5], <class 'int'>)
    """
    if type(found) is list:
        return [as_python(item) for item in found]
    return int(found) if _is_foreign_whole(type(found)) else found  # type: ignore[call-overload]


def _is_foreign_whole(kind: type) -> bool:
    if kind.__module__ == "flopslib.layers.habits":  # the parameters of a layer
        return issubclass(kind, int)
    numpy, sympy = sys.modules.get("numpy"), sys.modules.get("sympy")
    if numpy is not None and kind.__module__ == "numpy":
        return issubclass(kind, numpy.integer)
    if sympy is not None and kind.__module__ == "sympy.core.numbers":
        return issubclass(kind, sympy.Integer)
    return False


def notebook_of(name: str) -> str:
    """Return the notebook of a set that lies in this folder, whatever it was renamed to.

    otter reads the tests that a notebook has from the file, and has to be told which it is. Of
    several copies the one saved last is taken: all have the same tests. On Google Colab, where
    the open notebook is no file, otter wants the tests in a folder: those of a copy are put there.
    """
    import json
    from pathlib import Path

    found = []
    for path in Path().glob("*.ipynb"):
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]["otter"]
            if metadata["assignment_name"] == name:
                found.append((path.stat().st_mtime, path.name, dict(metadata["tests"])))
        except (OSError, ValueError, LookupError, TypeError):
            continue
    if "google.colab" in sys.modules:
        if not found:
            raise FileNotFoundError(
                f"the session's files must have {name}.ipynb as it was handed out, found none; "
                f"upload {name}.zip there and unpack it: !unzip -oqj {name}.zip"
            )
        Path("tests").mkdir(exist_ok=True)
        for test, source in max(found, key=lambda one: one[0])[2].items():
            Path("tests", f"{test}.py").write_text(source, encoding="utf-8")
    return max(found, key=lambda one: one[:2])[1] if found else f"{name}.ipynb"
