"""Every exercise in the Python of a page: right, each planted mistake, and text.

By name alone: ``make test-python``.
"""

import pytest
from python import EXERCISES, ask, differing


@pytest.fixture(scope="module")
def page(reader):
    page = reader.open("chapters/linear.html")
    ask(page, "load")
    return page


@pytest.mark.parametrize("key", EXERCISES)
def test_every_verdict_is_that_of_cpython(page, key):
    assert differing(page, key) == []
