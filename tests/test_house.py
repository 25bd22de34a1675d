"""The house stands: every room by its name, arrows one way, old names that still lead somewhere."""

import importlib
import importlib.util
import os
import pkgutil
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import flopsbook
import flopslib
from flopslib import moved

ROOT = Path(__file__).parents[1]
LINTER = importlib.util.find_spec("importlinter") or os.environ.get("CI") == "true"
linted = pytest.mark.skipif(not LINTER, reason="import-linter comes with `make check`")
MODULES = [
    module.name
    for package in (flopslib, flopsbook)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if module.name not in {"flopsbook.build.fork_client", "flopslib.__main__"}
]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_found_by_its_name(name):
    module = importlib.import_module(name)
    package, _, own = name.rpartition(".")
    assert getattr(sys.modules[package], own) is module, f"something else is called {name}"


def test_the_library_names_nobody_who_uses_it():
    for path in (ROOT / "flopslib").rglob("*.py"):
        assert "flopsbook" not in path.read_text(), path
        assert "import assignments" not in path.read_text(), path


def lint(folder):
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["--config", str(ROOT / ".importlinter"), "--no-cache"]
    return subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True
    )


@linted
@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("flopslib/sizes/exact.py", "import flopslib.models", "stand on those below them"),
        ("flopslib/costs/dense.py", "import flopsbook.tables", "and never back"),
        ("flopsbook/palette.py", "import flopsbook.roles", "Nothing imports in a circle"),
    ],
)
def test_a_planted_import_against_the_order_is_named(tmp_path, file, line, rule):
    for part in ("flopslib", "flopsbook", "assignments"):
        leave = shutil.ignore_patterns("__pycache__", "vendor", "*.ipynb", "data")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=leave)
    kept = lint(tmp_path)
    assert kept.returncode == 0, kept.stdout + kept.stderr
    with (tmp_path / file).open("a") as code:
        code.write(f"\n{line}\n")
    broken = lint(tmp_path)
    assert broken.returncode == 1
    assert any(rule in said and "BROKEN" in said for said in broken.stdout.splitlines())


@pytest.mark.parametrize("old", moved.MOVED)
def test_an_old_name_leads_on_with_a_warning(old):
    new = importlib.import_module(moved.MOVED[old])
    public = next(n for n in getattr(new, "__all__", None) or dir(new) if not n.startswith("_"))
    with pytest.warns(DeprecationWarning, match=f"{old} is {moved.MOVED[old]} since"):
        assert getattr(importlib.import_module(old), public) is getattr(new, public)


def test_an_old_name_hides_no_function():
    code = (
        "import flopslib.models.gpt, flopslib.models.catalogue, flopslib.costs.linear\n"
        "from flopslib.models import catalogue, gpt\n"
        "from flopslib.costs import linear\n"
        "assert callable(gpt) and catalogue() and linear(3, 2).macs == 6\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


@pytest.mark.parametrize(
    ("old", "name"),
    [
        ("tables", "cost_table"),
        ("labs", "lab"),
        ("labs.explorer", "Explorer"),
        ("exercises.personal", "personal"),
        ("peers.rules", "Rule"),
        ("peers.views", "ledger"),
    ],
)
def test_what_left_for_the_book_is_found_there(old, name):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        namespace = {}
        exec(f"from flopslib.{old} import {name}", namespace)
    assert [warning.category for warning in said] == [DeprecationWarning]
    assert namespace[name].__name__ == name


def test_a_name_that_never_was_is_not_found():
    with pytest.raises(ImportError):
        importlib.import_module("flopslib.nothing")
    with pytest.raises(ImportError):
        importlib.import_module("flopslib.figures.nothing")
