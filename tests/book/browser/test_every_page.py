"""Every page as readers see it: both themes, a screen and a phone, and nobody else to ask."""

import pytest

from conftest import PAGES
from flopsbook.build import reading

PUBLISHED = sorted(
    path.relative_to(PAGES).as_posix()
    for path in PAGES.rglob("*.html")
    if "_static" not in path.parts
)
#: A page that does not exist, deep down: the server shows another in its place.
MISSING = "no/such/page.html"


def test_there_are_pages():
    assert {"index.html", "search.html", "404.html", "chapters/linear.html"} <= set(PUBLISHED)


@pytest.mark.parametrize("path", [*PUBLISHED, MISSING])
def test_the_page_has_no_fault(reader, path):
    complaints = reader.inspect(path)
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("chapter", [path.stem for path in reading.chapters()])
def test_the_first_figure_is_soon_in_sight(reader, chapter):
    top = reading.first_figure(reader.open(f"chapters/{chapter}.html", width=reading.SCREEN))
    assert top is not None
    assert top <= reading.LATEST_FIGURE


END = "</article>"
PLANTED = {
    "an image without a text": (END, f"<img src='_static/logo.svg'>{END}", "image-alt"),
    "a figure without a text": ('<svg aria-label="', '<svg data-was="', "svg-img-alt"),
    "a stranger's script": (END, f"<script src='https://a.test/x.js'></script>{END}", "asks https"),
    "a stranger's font": (
        "</head>",
        "<style>@font-face{font-family:x;src:url(https://a.test/x.woff2)}h1{font-family:x}"
        "</style></head>",
        "asks https",
    ),
    "a file that is not there": (END, f"<script src='gone.js'></script>{END}", "404"),
    "a script that fails": (END, f"<script>nothing.at.all</script>{END}", "a script failed"),
    "a pale text": (END, f"<p style='color:#999;background:#fff'>pale</p>{END}", "color-contrast"),
    "a hidden text": (
        END,
        f"<p style='color:#fff;background:#fff'>pale</p>{END}",
        "color-contrast",
    ),
    "a wide picture": (END, f"<div style='width:600px'>wide</div>{END}", "too wide"),
    "a nameless button": (END, f"<button></button>{END}", "button-name"),
    "a text that jumps": (
        "<article",
        "<p id='late'></p><script>requestAnimationFrame(() => setTimeout(() => "
        "{ late.style.height = '300px'; }, 30))</script><article",
        "moves by",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(reader, fault):
    old, new, found = PLANTED[fault]
    path = "index.html" if "figure" in fault else "py-modindex.html"
    page = (PAGES / path).read_text()
    assert old in page
    reader.page.route(f"**/{path}", lambda route: route.fulfill(body=page.replace(old, new, 1)))
    try:
        assert any(found in complaint for complaint in reader.inspect(path))
    finally:
        reader.page.unroute(f"**/{path}")
