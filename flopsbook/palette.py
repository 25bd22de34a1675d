"""The book's colours, in one place: (on a light page, on a dark page).

Figures and formulas are written with the light value. The style sheet holds the
same values as CSS variables and exchanges them on a dark page; a test compares
the two. Text in any of them but FAINT has a contrast of at least 4.5 on its page.
"""

MULTIPLICATION = ("#0b62a8", "#6cb8ff")
ADDITION = ("#a8430b", "#ffa266")
INK = ("#1f2430", "#e6e8ee")
QUIET = ("#5c6370", "#a3abb8")
FAINT = ("#d5d9e0", "#414956")
MULTIPLICATION_TINT = ("#dcebf8", "#12324f")
ADDITION_TINT = ("#fbe6d8", "#4d2a12")
PROJECTION = ("#7a5c00", "#e0bd4f")
SQUARE = ("#6a3fb5", "#b79cff")
FFN = ("#0c6e5f", "#4fd0b5")
PROJECTION_TINT = ("#f5ecd0", "#3d3312")
SQUARE_TINT = ("#e9e1f8", "#34244f")
FFN_TINT = ("#d5efe9", "#0f3b34")

#: CSS variable -> its two values.
VARIABLES = {
    "--multiplication": MULTIPLICATION,
    "--addition": ADDITION,
    "--ink": INK,
    "--quiet": QUIET,
    "--faint": FAINT,
    "--multiplication-tint": MULTIPLICATION_TINT,
    "--addition-tint": ADDITION_TINT,
    "--projection": PROJECTION,
    "--square": SQUARE,
    "--ffn": FFN,
    "--projection-tint": PROJECTION_TINT,
    "--square-tint": SQUARE_TINT,
    "--ffn-tint": FFN_TINT,
}

#: What the library's formulas call a colour -> the colour.
ROLES = {"multiplication": MULTIPLICATION, "addition": ADDITION}


def in_colour(latex: str) -> str:
    r"""Return LaTeX of the library in the book's colours, those of a light page.

    >>> in_colour(r"\textcolor{multiplication}{2}")
    '\\textcolor{#0b62a8}{2}'
    """
    for role, (light, _) in ROLES.items():
        latex = latex.replace(rf"\textcolor{{{role}}}", rf"\textcolor{{{light}}}")
    return latex
