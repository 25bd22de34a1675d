"""Every link within the book leads somewhere, and every picture says what it shows."""

from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from test_every_page import PUBLISHED

from conftest import PAGES


class Anchors(HTMLParser):
    """What a page links to, what can be linked to in it, and its pictures."""

    def __init__(self, text):
        super().__init__()
        self.base = ""
        self.unseen = 0
        self.links, self.names, self.pictures = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, pairs):
        given = dict(pairs)
        # of a formula, what is for the eye alone
        if tag == "span" and (self.unseen or given.get("aria-hidden") == "true"):
            self.unseen += 1
        self.names |= {given[key] for key in ("id", "name") if given.get(key)}
        self.links |= {given[key] for key in ("href", "xlink:href") if given.get(key)}
        if tag == "base":
            self.base = given["href"]
        if tag == "img":
            self.pictures.append(given.get("alt"))
        if tag == "svg" and not self.unseen and given.get("aria-hidden") != "true":
            self.pictures.append(given.get("aria-label"))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self.unseen -= tag == "span" and self.unseen > 0


@pytest.fixture(scope="module")
def book():
    return {path: Anchors((PAGES / path).read_text()) for path in PUBLISHED}


def dead(book, path):
    """Return the links of a page that lead nowhere."""
    found = []
    for link in sorted(book[path].links):
        if link.startswith(("http:", "https:", "mailto:", "data:")):
            continue
        target, anchor = urldefrag(urljoin(urljoin(f"/{path}", book[path].base), link))
        target = unquote(target.partition("?")[0].lstrip("/")) or "index.html"
        if not (PAGES / target).is_file() or (
            anchor and target in book and unquote(anchor) not in book[target].names
        ):
            found.append(link)
    return found


@pytest.mark.parametrize("path", PUBLISHED)
def test_every_link_leads_somewhere(book, path):
    assert dead(book, path) == []


@pytest.mark.parametrize("path", PUBLISHED)
def test_every_picture_says_what_it_shows(book, path):
    pictures = book[path].pictures
    assert pictures, "not even the logo"
    assert all(text and text.strip() for text in pictures)


@pytest.mark.parametrize("link", ["#nowhere", "linear.html#nowhere", "nowhere.html", "../no.html"])
def test_a_dead_link_is_found(book, link):
    planted = {**book, "chapters/x.html": Anchors(f'<a href="{link}">')}
    assert dead(planted, "chapters/x.html") == [link]
    assert (
        dead({**book, "chapters/x.html": Anchors('<a href="linear.html">')}, "chapters/x.html")
        == []
    )
