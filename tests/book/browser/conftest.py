"""One browser, one server and one page for all tests; the browser is Debian's."""

import shutil
from pathlib import Path

import pytest
from needs import QUIET
from reader import Reader, served

from flopsbook.build import site

HERE = Path(__file__).parent
PAGES = site.BUILD / "html"


def pytest_collection_modifyitems(items):
    """Mark the tests that open a page in the browser."""
    for item in items:
        if item.path.is_relative_to(HERE) and "browser" in item.fixturenames:
            item.add_marker(pytest.mark.needs("chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, "executable_path": shutil.which("chromium"), "args": QUIET}


@pytest.fixture(scope="session", autouse=True)
def fresh(fresh_pages):
    """No test looks at pages that are older than their sources."""


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
