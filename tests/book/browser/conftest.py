"""One browser, one server and one page for all tests; the browser is Debian's."""

import os
import shutil
from pathlib import Path

import pytest
from needs import QUIET
from reader import Reader, served

from flopsbook.build import site

HERE = Path(__file__).parent
PAGES = site.BUILD / "html"


#: Where SAMPLE is a number, one in so many of these is run, and all of the others: a change has to
#: be tried within a quarter of an hour.
SAMPLED = ("test_calculators.py", "test_every_lab.py", "test_links.py", "test_python.py")


def pytest_collection_modifyitems(config, items):
    """Mark the tests that open a page in the browser; leave out what a sample leaves out."""
    for item in items:
        if item.path.is_relative_to(HERE) and "browser" in item.fixturenames:
            item.add_marker(pytest.mark.needs("chromium"))
    one_in = int(os.environ.get("SAMPLE", "1"))
    sampled = [item for item in items if item.path.parent == HERE and item.path.name in SAMPLED]
    left_out = {id(item) for at, item in enumerate(sampled) if at % one_in}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


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
