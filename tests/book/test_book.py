"""The built pages: fresh, complete, and asking nobody else for anything."""

import gzip
import html
import json
import re
from functools import cache
from pathlib import Path

import pytest
import sympy
import yaml
from bs4 import BeautifulSoup

from flopsbook.build import site
from flopsbook.exercises import catalogue
from flopsbook.palette import in_colour
from flopsbook.quotes import Quotation, claims
from flopslib import formula, registered
from flopslib.derivation.rendering import latex, terms_latex, text
from flopslib.notation import TABLE, d_ff

ROOT = site.ROOT
PAGES = site.BUILD / "html"
pytestmark = pytest.mark.usefixtures("fresh_pages")


def toc():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [contents["root"], *files]


# not "page", which is a browser's page for pytest-playwright
every_page = pytest.mark.parametrize("path", toc())


@cache
def soup(page):
    return BeautifulSoup((PAGES / f"{page}.html").read_text(), "html.parser")


def test_every_chapter_is_in_the_table_of_contents():
    chapters = {
        path.stem for path in (ROOT / "chapters").iterdir() if path.suffix in {".ipynb", ".md"}
    }
    assert {f"chapters/{stem}" for stem in chapters} | {"index"} == set(toc())
    assert len(toc()) == len(set(toc()))


def test_nothing_else_is_published():
    built = {str(path.relative_to(PAGES).with_suffix("")) for path in PAGES.rglob("*.html")}
    extra = {page for page in built - set(toc()) if not page.startswith(("_modules", "_static"))}
    assert extra <= {"404", "genindex", "py-modindex", "search"}
    assert {path.parent for path in PAGES.rglob("*.ipynb")} == {PAGES / "notebooks"}
    assert not (PAGES / "_sources").exists()


@every_page
def test_the_page_has_text_and_no_error(path):
    document = soup(path)
    assert len(document.find("article").get_text()) > 300
    assert document.find("h1")
    assert not document.select(".system-message, .problematic, .error")
    assert not any("Traceback" in cell.get_text() for cell in document.select(".cell_output"))


@every_page
def test_the_page_asks_nobody_else(path):
    for tag in soup(path).find_all(["script", "link", "img", "iframe", "source"]):
        for attribute in ("src", "href"):
            assert not re.match(r"(https?:)?//", tag.get(attribute) or ""), tag
    scripts = " ".join(tag.get_text() for tag in soup(path).find_all("script"))
    assert not re.search(r"https?://", scripts)


@every_page
def test_what_the_page_loads_is_there(path):
    folder = (PAGES / path).parent
    for tag in soup(path).find_all(["script", "link", "img"]):
        target = (tag.get("src") or tag.get("href") or "").partition("?")[0].partition("#")[0]
        if target and not target.startswith("data:"):
            assert (folder / target).exists(), tag


#: What a reader's first page may weigh, compressed.
MOST_BYTES = 500_000


@every_page
def test_the_first_page_is_light(path):
    document = soup(path)
    folder = (PAGES / path).parent
    named = {tag.get("src") or tag.get("href") for tag in document.select("script[src], img[src]")}
    named |= {tag["href"] for tag in document.select("link[rel~=stylesheet], link[rel~=icon]")}
    files = [PAGES / f"{path}.html", *(folder / name.partition("?")[0] for name in named)]
    if document.select(".katex"):  # each of the fonts that a formula may need
        files += (PAGES / "_static" / "katex" / "fonts").iterdir()
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < MOST_BYTES


@every_page
def test_every_formula_is_typeset(path):
    formulas = soup(path).select(".math")
    assert all(formula.select_one(".katex .katex-html") for formula in formulas)
    assert not soup(path).select(".katex-error, mjx-container")
    text = " ".join(part.get_text() for part in soup(path).select("article p, article td"))
    assert not re.search(r"\\\(|\\\[|\$\$", text)


@every_page
def test_the_page_describes_itself(path):
    described = soup(path).select_one('meta[name="description"]')["content"]
    assert 40 < len(described) <= 200
    assert len(soup(path).title.get_text()) > 10


def test_no_two_pages_have_one_title_or_description():
    titles = [soup(page).title.get_text() for page in toc()]
    described = [soup(page).select_one('meta[name="description"]')["content"] for page in toc()]
    assert len(set(titles)) == len(set(described)) == len(toc())


def test_the_card_has_the_size_that_its_tag_says():
    start = (PAGES / "_static" / "card.png").read_bytes()[:24]
    assert (int.from_bytes(start[16:20]), int.from_bytes(start[20:24])) == (1200, 630)


def test_every_icon_is_drawn():
    drawn = (PAGES / "_static" / "icons.css").read_text()
    used = {
        name
        for page in toc()
        for icon in soup(page).select("[class*=fa-]")
        for name in icon["class"]
        if name.startswith("fa-") and name not in {"fa-solid", "fa-lg"}
    }
    assert used
    assert all(f".{name} {{" in drawn for name in used)


def test_the_style_sheet_asks_nobody_else():
    assert "http" not in (PAGES / "_static" / "book.css").read_text()


def mathematics(page):
    return " ".join(tag.get_text() for tag in soup(page).select(".math annotation"))


def squeezed(written):
    return re.sub(r"\s+|\[\d+pt\]", "", written)  # a page has its own distances between rows


@pytest.mark.parametrize("cost", registered().values(), ids=lambda cost: cost.name)
def test_the_chapter_contains_the_final_formula(cost):
    shown = squeezed(mathematics(f"chapters/{cost.chapter}"))
    final = formula(cost.function)
    # the main layer of a chapter has a box, the others may be in a table
    assert any(squeezed(form) in shown for form in (final.box(), latex(final.flops)))


#: How a chapter may write its main layer: as it is, without groups, with any inner width.
WRITTEN = ({}, {"groups": 1}, {"d_ff": d_ff})


def boxes(cost, shown):
    """How often the formula of a layer is in a box, by itself or at the end of its derivation."""
    ways = [options for options in WRITTEN if set(options) <= set(cost.sizes)]
    finals = [formula(cost.function, **options) for options in ways]
    forms = {form for f in finals for form in (f.box(), rf"\boxed{{{latex(f.flops)}}}")}
    return sum(shown.count(squeezed(form)) for form in forms)


#: The chapters that derive a cost function; some functions have none yet.
DERIVING = sorted({cost.chapter for cost in registered().values() if cost.chapter})


@pytest.mark.parametrize("chapter", DERIVING)
def test_the_formula_of_the_main_layer_is_in_one_box(chapter):
    shown = squeezed(mathematics(f"chapters/{chapter}"))
    layers = [cost for cost in registered().values() if cost.chapter == chapter]
    boxed = {cost.name: boxes(cost, shown) for cost in layers}
    assert set(boxed.values()) - {0} == {1}, boxed


@pytest.mark.parametrize("cost", registered().values(), ids=lambda cost: cost.name)
def test_the_cost_table_has_every_layer(cost):
    page = soup("chapters/cost_table")
    derived = formula(cost.function)
    shown = squeezed(mathematics("chapters/cost_table"))
    for figure in (derived.flops, derived.macs, derived.multiplications, derived.additions):
        for term in terms_latex(figure):
            assert squeezed(term) in shown
    example = cost.function(**cost.example.arguments)
    assert text(example.flops) in page.get_text()
    links = {tag["href"] for tag in page.find("article").find_all("a", href=True)}
    assert f"{cost.chapter}.html" in links


def test_every_claim_of_the_notes_is_on_the_page_of_corrections():
    notebook = json.loads((ROOT / "chapters" / "corrections.ipynb").read_text())
    code = "".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"
    )
    page = " ".join(soup("chapters/corrections").get_text().split())
    for name in claims():
        assert f'"{name}"' in code
        words = Quotation(name).english.replace("'", "’")  # the page has typographic ones
        if words and "$" not in words:
            assert words in page


def test_every_boxed_formula_of_the_notes_is_derived_by_the_library():
    # the box of 12d² is the one the book corrects
    boxed = [name for name in claims() if "boxed" in Quotation(name).original]
    assert set(boxed) == {"linear", "conv2d", "separable", "attention", "ffn", "layer", "twelve"}
    ours = {sympy.expand(formula(c.function).flops) for c in registered().values()}
    ours.add(formula(registered()["conv2d"].function, groups=1).flops)
    for name in set(boxed) - {"twelve"}:
        assert sympy.expand(Quotation(name).formula) in ours


def test_the_convolution_page_derives_the_box_of_the_source_and_the_real_layer():
    shown = squeezed(mathematics("chapters/conv2d"))
    conv2d = registered()["conv2d"].function
    assert squeezed(in_colour(formula(conv2d, groups=1).latex())) in shown
    assert squeezed(in_colour(conv2d(3, 64, 7, 112, 112, bias=False).latex())) in shown


NOTEBOOKS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize("chapter", NOTEBOOKS)
def test_the_page_shows_what_the_notebook_stores(chapter):
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text())
    shown = " ".join(tag.get_text() for tag in soup(f"chapters/{chapter}").select("pre"))
    for cell in notebook["cells"]:
        hidden = "remove-cell" in cell["metadata"].get("tags", [])
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream" and not hidden:
                assert "".join(output["text"]).strip() in shown


def test_every_figure_is_in_its_page_with_a_description():
    at_least = {"conventions": 2, "linear": 2, "conv2d": 3, "depthwise_separable": 2}
    at_least |= {"attention": 3, "feed_forward": 2, "transformer": 4, "more_layers": 4}
    at_least |= {"convolutional_networks": 2, "vision_transformer": 3, "language_models": 2}
    at_least |= {"attention_today": 2, "experts": 2, "training": 2, "bytes": 2}
    at_least |= {"serving": 1, "memory": 1}
    assert set(at_least) >= set(DERIVING)
    for chapter, number in at_least.items():
        pictures = soup(f"chapters/{chapter}").select("figure.picture")
        assert len(pictures) >= number
        for picture in pictures:
            assert len(picture.svg["aria-label"]) > 20
            assert picture.figcaption.get_text().strip()


def test_the_list_of_references_calls_them_what_the_chapters_do():
    entries = soup("chapters/bibliography").select("div.citation")
    labels = [entry.select_one(".label").get_text().strip("[]") for entry in entries]
    assert len(set(labels)) == len(labels)
    assert {"Touvron et al., 2023a", "Touvron et al., 2023b"} <= set(labels)
    called = {label.rstrip("ab") for label in labels}
    cited = [
        link for page in toc() for link in soup(page).select('a[href*="bibliography.html#id"]')
    ]
    named = {link.get_text() for link in cited if "," in link.get_text()}
    assert len(named) > 30
    assert named <= called
    for entry in entries:
        numbers = re.findall(r"arXiv:([\d.]+\d)", entry.get_text())
        links = [link["href"] for link in entry.select("a[href*='arxiv.org']")]
        assert links == [f"https://arxiv.org/abs/{number}" for number in numbers]


@pytest.mark.parametrize("chapter", catalogue.chapters())
def test_an_exercise_has_the_number_that_checks_it(chapter):
    boxes = soup(f"chapters/{chapter}").select("div.admonition.exercise")
    for number, box in enumerate(boxes, start=1):
        assert box.select_one(".caption-number").get_text().strip() == f"Exercise {number}"
        assert f'check("{chapter}-{number}"' in box.get_text()
    assert len(boxes) == len(catalogue.chapter(chapter))


def test_the_notation_page_is_the_notation_table():
    page = soup("chapters/notation")
    for row in TABLE:
        assert row.meaning in page.get_text()


def test_the_library_page_has_every_public_name():
    import flopslib

    ids = {tag["id"] for tag in soup("chapters/api").select("dt[id]")}
    assert {f"flopslib.{name}" for name in flopslib.__all__} <= ids


def test_prose_and_glue_left_nothing_unresolved():
    for page in toc():
        text = html.unescape(soup(page).find("article").get_text())
        assert "{glue" not in text
        assert "{cite" not in text
        assert "{doc" not in text


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("flopslib/costs.py", True),
        ("flopsbook/figures/charts.py", True),
        ("pyproject.toml", True),
        ("flopsbook/build/templates/layout.html", False),
        ("chapters/linear.ipynb", False),
        ("index.md", False),
    ],
)
def test_only_a_change_of_what_counts_runs_every_notebook_again(file, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "BUILD", tmp_path)
    outputs = tmp_path / site.CACHE
    outputs.mkdir()
    site._make_room({file: "changed"})
    assert outputs.exists() != runs


def test_what_has_changed_since_the_pages_were_built_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "STAMP", tmp_path / "built-from.json")
    assert len(site.stale()) == 1  # there are no pages at all
    costs, index, notes = (
        tmp_path / name for name in ("flopslib/costs.py", "index.md", "chapters/notes.md")
    )
    for path in (costs, index, notes):
        path.parent.mkdir(exist_ok=True)
        path.write_text("as it was")
    site.STAMP.write_text(json.dumps(site.sources()))
    assert site.stale() == []
    assert site.is_fresh()
    (costs.parent / ".cache").mkdir()
    (costs.parent / ".cache" / "by-product").write_text("x")
    assert site.stale() == []
    costs.write_text("a - b")
    index.rename(tmp_path / "chapters" / "index.md")
    assert site.stale() == [
        "chapters/index.md (added)",
        "flopslib/costs.py (changed)",
        "index.md (removed)",
    ]
    assert not site.is_fresh()


def test_the_logo_is_an_svg_with_a_name():
    logo = Path(ROOT / "chapters" / "_static" / "logo.svg").read_text()
    assert 'aria-label="Counting FLOPs"' in logo
