"""A book of two pages, built in a moment: formulas, descriptions, an address, and a fault."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from flopsbook.build import pages

ADDRESS = "https://books.test/flops/"
CONF = """
extensions = ["myst_nb", "sphinx_book_theme", "flopsbook.build.katex", "flopsbook.build.extension"]
html_theme = "sphinx_book_theme"
html_theme_options = {"navbar_persistent": []}
html_math_renderer = "katex"
html_title = "A small book"
html_baseurl = ADDRESS
html_copy_source = False
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_update_mathjax = False
nb_execution_mode = "off"
"""
INDEX = """# A small book

:::{toctree}
page
:::
"""
PAGE = r"""# A page

::::{container} opening
What does one output cost, and *how many* outputs are there?
::::

Inline (“$a^2$”), and on a line of its own:

$$
\boxed{\textcolor{#0b62a8}{2 I O}}
$$ (cost)

$$
a &= b \\
c &= d
$$

```{math}
:label: second

E = 1
```

\begin{align*}
x &= 1
\end{align*}

Look at {eq}`cost` and {eq}`second`.
"""


def built(folder, *, page=PAGE, address=""):
    templates = Path(pages.__file__).parent / "templates"
    settings = f"ADDRESS = {address!r}\ntemplates_path = [{str(templates)!r}]\n"
    (folder / "conf.py").write_text(settings + CONF)
    (folder / "index.md").write_text(INDEX)
    (folder / "page.md").write_text(page)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, str(folder), str(folder / "html")], capture_output=True, text=True
    )
    return folder / "html", done.returncode, done.stderr


def soup(path):
    return BeautifulSoup(path.read_text(), "html.parser")


def tags(page, key="name"):
    return {tag[key]: tag["content"] for tag in page.select(f"meta[{key}]")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    html, code, said = built(tmp_path_factory.mktemp("plain"))
    assert (code, said) == (0, "")
    return html


@pytest.fixture(scope="module")
def addressed(tmp_path_factory):
    html, code, said = built(tmp_path_factory.mktemp("addressed"), address=ADDRESS)
    assert (code, said) == (0, "")
    return html


def test_formulas_are_typeset_and_numbered(plain):
    page = soup(plain / "page.html")
    latex = [note.get_text() for note in page.select(".math annotation")]
    assert latex[0] == "a^2"
    assert r"\boxed{\textcolor{#0b62a8}{2 I O}}" in latex[1]
    assert r"\begin{aligned}" in latex[2]
    assert len(latex) == 5
    assert [number.get_text().strip("#") for number in page.select(".eqno")] == ["(1)", "(2)"]
    for label in ("cost", "second"):
        assert page.select_one(f"#equation-{label}")
        assert page.select_one(f'a[href="#equation-{label}"].reference')
    assert page.select_one('.katex-html [style*="#0b62a8"]')


def test_no_line_ends_between_a_formula_and_a_sign(plain):
    page = BeautifulSoup((plain / "page.html").read_text(), "html.parser")
    (piece,) = page.select("span.together")
    annotation = piece.select_one("annotation")
    assert annotation.get_text() == "a^2"
    piece.select_one(".math").replace_with("formula")
    assert piece.get_text() == "(“formula”),"
    assert piece.parent.get_text().startswith("Inline (“formula”), and on")


def test_no_page_loads_what_typesets_or_draws(plain):
    for path in plain.glob("*.html"):
        assert not re.search('mathjax|fontawesome|katex[^"]*js', path.read_text(), re.IGNORECASE)
    assert not list(plain.glob("**/*fontawesome*"))
    fonts = {path.suffix for path in plain.glob("_static/katex/fonts/*")}
    assert fonts == {".woff2"}
    style = (plain / "_static" / "katex" / "katex.css").read_text()
    assert set(re.findall(r"url\([^)]*\.(\w+)\)", style)) == {"woff2"}
    assert style.count("font-display") == style.count("@font-face") > 0


def test_only_the_search_page_loads_the_index(plain):
    for path in plain.glob("*.html"):
        assert ("searchindex.js" in path.read_text()) == (path.name == "search.html")


@pytest.mark.parametrize("formula", [r"$\nosuch$", "$$\na ^ b ^ c\n$$", r"$\text{a × b}$"])
def test_a_formula_that_cannot_be_typeset_fails_the_build(tmp_path, formula):
    _, code, said = built(tmp_path, page=f"# A page\n\nWords.\n\n{formula}\n")
    assert code == 1
    assert re.search(r"page\.md:5: WARNING: a formula: ", said)


def test_a_page_describes_itself(plain):
    assert tags(soup(plain / "page.html"))["description"] == (
        "What does one output cost, and how many outputs are there?"
    )
    described = [tags(soup(path)).get("description") for path in plain.glob("*.html")]
    assert all(described)


def test_without_an_address_there_is_no_card_and_no_site_map(plain):
    page = soup(plain / "page.html")
    assert not page.select('link[rel="canonical"]')
    assert not tags(page, "property")
    assert not (plain / "sitemap.xml").exists()
    assert soup(plain / "404.html").base["href"] == "/"


def test_an_address_gives_canonical_links_and_cards(addressed):
    page = soup(addressed / "page.html")
    assert page.select_one('link[rel="canonical"]')["href"] == f"{ADDRESS}page.html"
    card = tags(page, "property")
    assert card["og:url"] == f"{ADDRESS}page.html"
    assert card["og:title"] == "A page"
    assert card["og:image"] == f"{ADDRESS}_static/card.png"
    assert tags(page)["twitter:card"] == "summary_large_image"
    assert soup(addressed / "404.html").base["href"] == "/flops/"


def test_an_address_gives_a_site_map(addressed):
    site_map = (addressed / "sitemap.xml").read_text()
    assert re.findall("<loc>(.*)</loc>", site_map) == [
        f"{ADDRESS}index.html",
        f"{ADDRESS}page.html",
    ]
