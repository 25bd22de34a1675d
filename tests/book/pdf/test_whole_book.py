"""The PDF has all that the pages have. `make pdf` runs this at its end; it needs TeX."""

import re
import subprocess

import pytest
import yaml
from bs4 import BeautifulSoup

from flopsbook.build import pdf, site

PAGES = site.BUILD / "html"
SECTIONS = ("chapter", "section", "subsection")


@pytest.fixture(scope="module")
def tex():
    return (pdf.LATEX / f"{pdf.NAME}.tex").read_text()


@pytest.fixture(scope="module")
def log():
    # TeX breaks its lines at 79 characters
    return (pdf.LATEX / f"{pdf.NAME}.log").read_text(errors="replace").replace("\n", "")


@pytest.fixture(scope="module")
def words():
    command = ["pdftotext", "-layout", pdf.PDF, "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def articles():
    assert not site.stale(), f"the pages are older than {site.stale()}: run make book"
    contents = yaml.safe_load((site.ROOT / "_toc.yml").read_text())
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    pages = [(PAGES / f"{page}.html").read_text() for page in [contents["root"], *files]]
    return [BeautifulSoup(page, "html.parser").find("article") for page in pages]


def total(articles, selector):
    return sum(len(article.select(selector)) for article in articles)


def test_it_has_every_formula(tex, articles):
    displayed = len(re.findall(r"\\begin\{(?:equation|align|gather)\*?\}", tex))
    assert displayed == total(articles, "div.math") > 50
    assert tex.count(r"\(") == total(articles, "span.math") > 500


def test_it_has_every_figure(tex, log, articles):
    figures = total(articles, "figure.picture")
    assert tex.count(r"\begin{figure}") == figures > 30
    drawn = set(re.findall(r"File: (\w{20})\.pdf Graphic file", log))
    assert drawn == set(re.findall(r"\\sphinxincludegraphics\[[^]]*\]\{\{(\w{20})\}", tex))
    captions = [
        " ".join(caption.get_text().split())
        for article in articles
        for caption in article.select("figure.picture > figcaption")
    ]
    assert tex.count(r"\caption{") == len(captions)


def test_it_has_every_table(tex, articles):
    # without the tables that stand in for a figure or a control on a page only
    tables = re.findall(r"\\begin\{(?:tabular|tabulary|longtable)\}", tex)
    assert len(tables) == total(articles, "table")


def test_it_has_every_exercise_and_its_solution(tex, articles):
    solutions = total(articles, ".solution.admonition")
    assert (
        len(re.findall(r"\\begin\{sphinxadmonition\}\{note\}\{Solution to", tex)) == solutions > 50
    )
    exercises = total(articles, ".exercise.admonition")
    assert tex.count(r"\label{exercise:") == exercises == solutions


def test_solutions_stand_behind_the_exercises(tex):
    for chapter in re.split(r"\\chapter\{", tex)[1:]:
        places = [m.start() for m in re.finditer(r"\\label\{exercise:", chapter)]
        solutions = [m.start() for m in re.finditer(r"\{note\}\{Solution to", chapter)]
        assert not places or max(places) < min(solutions)


def test_no_reference_leads_nowhere(log, words):
    assert "There were undefined references" not in log
    assert "undefined on input line" not in log
    assert "??" not in words


def test_every_letter_has_a_shape(log):
    assert re.findall(r"Missing character: .{60}", log) == []


def test_nothing_runs_off_the_page(log):
    widths = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(widths, default=0) < 5


def test_nothing_is_left_of_the_language_of_the_book(words):
    assert not re.search(r"\{(doc|cite|glue|numref)[\w:]*\}|:::|textcolor|<span|</", words)


def test_the_chinese_quotations_are_in_it(words):
    assert "乘加" in words or "浮点" in words


def test_every_chapter_is_in_the_contents(words, articles):
    for article in articles[1:]:
        title = article.find("h1").find(string=True).strip()
        if title != "Bibliography":
            assert re.search(rf"Chapter \d+\s+{re.escape(title)}", words), title
