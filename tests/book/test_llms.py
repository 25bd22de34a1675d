"""The file for programs that read: every page and every name is in it, with what it is."""

import inspect
import re
from types import SimpleNamespace

import pytest

import flopslib
import flopslib.layers
from flopsbook.build import llms
from flopsbook.build.downloads import ROOT, pages, title

LINK = re.compile(r"^- \[(?P<text>.+?)\]\((?P<address>[^)]+)\)(?:: (?P<note>.+))?$")


@pytest.fixture(scope="module")
def text():
    return llms.llms()


def links(text):
    return [LINK.match(line) for line in text.splitlines() if line.startswith("- ")]


def notes(text):
    return {link["text"]: link["note"] for link in links(text)}


def test_it_has_the_form(text):
    heading, _, summary, *others = text.splitlines()
    assert heading == f"# {title(ROOT / 'index.md')}"
    assert summary.startswith("> What does it cost to run a neural network?")
    assert all(not line or line.startswith("## ") or LINK.match(line) for line in others)
    for section in text.split("\n## ")[1:]:
        assert "\n- [" in section


def test_every_page_is_in_it_once_with_its_title(text):
    contents = list(pages().items())[1:]
    found = [(link["address"], link["text"]) for link in links(text) if "#" not in link["address"]]
    assert found == [(f"{page}.html", title(path)) for page, path in contents]


def test_every_chapter_has_its_opening_question(text):
    said = notes(text)
    for path in (path for path in pages().values() if path.suffix == ".ipynb"):
        assert "#" not in said[title(path)]
        if "opening" in path.read_text():
            assert "?" in said[title(path)], path
    assert said["Convolution"].startswith("The first layer of ResNet-50 has only 9,408 weights")
    assert "{glue" not in text


@pytest.mark.parametrize("package", [flopslib, flopslib.layers])
def test_every_public_name_is_in_it_with_what_it_does(text, package):
    said = notes(text)
    for name in package.__all__:
        full = f"{package.__name__}.{name}"
        docstring = inspect.getdoc(getattr(package, name)).replace("``", "`").replace(":meth:", "")
        docstring = " ".join(docstring.split())
        assert docstring.startswith(said[full]), full
        assert said[full].endswith((".", "?", "!")), full


def test_every_directive_of_the_page_has_an_entry(text):
    source = (ROOT / "chapters" / "api.md").read_text()
    entries = {link["text"] for link in links(text)}
    named = re.findall(r"^\.\. auto(?:function|class):: (\S+)", source, flags=re.MULTILINE)
    assert set(named) <= entries
    for module in re.findall(r"^\.\. automodule:: (\S+)", source, flags=re.MULTILINE):
        assert any(entry.startswith(f"{module}.") for entry in entries), module


def test_links_are_relative_until_there_is_an_address(text):
    assert not any(link["address"].startswith("http") for link in links(text))
    published = llms.llms(base="https://books.test/flops")
    assert "(https://books.test/flops/chapters/linear.html)" in published
    assert all(link["address"].startswith("https://books.test/flops/") for link in links(published))


def test_it_is_written_beside_the_pages(tmp_path, text):
    builder = SimpleNamespace(format="html")
    config = SimpleNamespace(html_baseurl=None)
    app = SimpleNamespace(srcdir=ROOT, outdir=tmp_path, builder=builder, config=config)
    llms.write(app, RuntimeError("the build failed"))
    assert not (tmp_path / "llms.txt").exists()
    llms.write(app, None)
    assert (tmp_path / "llms.txt").read_text() == text


def test_a_book_without_a_library_has_none(tmp_path):
    builder = SimpleNamespace(format="html")
    llms.write(SimpleNamespace(srcdir=tmp_path, outdir=tmp_path, builder=builder), None)
    assert not list(tmp_path.iterdir())
