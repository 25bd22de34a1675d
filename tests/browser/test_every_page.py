"""Every page as readers see it: both themes, a screen and a phone, and nobody else to ask."""

import pytest

from conftest import PAGES

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


PLANTED = {
    "an image without a text": ("</article>", "<img src='_static/logo.svg'></article>"),
    "a figure without a text": ('<svg aria-label="', '<svg data-was="'),
    "a stranger's script": ("</article>", "<script src='https://a.test/x.js'></script></article>"),
    "a stranger's font": (
        "</head>",
        "<style>@font-face{font-family:x;src:url(https://a.test/x.woff2)}h1{font-family:x}"
        "</style></head>",
    ),
    "a file that is not there": ("</article>", "<script src='gone.js'></script></article>"),
    "a script that fails": ("</article>", "<script>nothing.at.all</script></article>"),
    "a pale text": ("</article>", "<p style='color:#999;background:#fff'>pale</p></article>"),
    "a wide picture": ("</article>", "<div style='width:600px'>wide</div></article>"),
    "a nameless button": ("</article>", "<button></button></article>"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(reader, fault):
    old, new = PLANTED[fault]
    path = "index.html" if "figure" in fault else "py-modindex.html"
    page = (PAGES / path).read_text()
    assert old in page
    reader.page.route(f"**/{path}", lambda route: route.fulfill(body=page.replace(old, new, 1)))
    try:
        assert reader.inspect(path)
    finally:
        reader.page.unroute(f"**/{path}")
