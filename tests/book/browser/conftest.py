"""One browser, one server and one page for all tests; the browser is Debian's."""

import shutil

import pytest
from reader import Reader, served

from flopsbook.build import build

PAGES = build.BUILD / "html"
# without these Chromium looks for its maker at every start
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    path = shutil.which("chromium")
    assert path, "a browser is needed: apt-get install chromium"
    return {**browser_type_launch_args, "executable_path": path, "args": QUIET}


@pytest.fixture(scope="session", autouse=True)
def fresh():
    assert build.is_fresh(), "the pages are not those of the present sources: run make book"


@pytest.fixture(scope="session")
def address():
    with served(PAGES) as address:
        yield address


@pytest.fixture(scope="session")
def reader(browser, address):
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield Reader(context.new_page(), address)
    context.close()
