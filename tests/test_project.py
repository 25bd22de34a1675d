"""The project's own files say the same things."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import flopslib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked():
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return [(Requirement(line.split(" --hash")[0].strip()), line) for line in entries]


def direct():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if re.match(r"[A-Za-z0-9]", line)]


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert flopslib.__version__ == PROJECT["version"] == citation["version"]
    assert importlib.metadata.version("flopslib") == flopslib.__version__


def test_the_lock_is_compiled_from_the_direct_dependencies():
    versions = {}
    for requirement, _ in locked():
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        versions.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    for requirement in direct():
        for version in versions[canonicalize_name(requirement.name)]:
            assert requirement.specifier.contains(version)
    assert "flopslib" not in versions


def test_every_locked_package_is_hashed():
    assert all("--hash=sha256:" in line for _, line in locked())


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
def test_the_lock_has_one_version_of_each_package_for_every_python(python):
    environment = {
        "python_full_version": python,
        "python_version": python[:4],
        "sys_platform": "linux",
    }
    names = [
        canonicalize_name(requirement.name)
        for requirement, _ in locked()
        if not requirement.marker or requirement.marker.evaluate(environment)
    ]
    assert len(names) == len(set(names))
    assert {"jupyter-book", "numpy", "sympy", "nbval"} <= set(names)


def test_what_is_installed_is_what_is_locked():
    for requirement, _ in locked():
        if not requirement.marker or requirement.marker.evaluate():
            installed = importlib.metadata.version(requirement.name)
            assert requirement.specifier.contains(installed, prereleases=True), requirement.name


def test_the_package_asks_for_what_it_imports():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    extras = {Requirement(t).name for ts in PROJECT["optional-dependencies"].values() for t in ts}
    assert names | extras <= {requirement.name for requirement in direct()}


def test_the_package_is_typed_and_carries_its_data():
    package = Path(flopslib.__file__).parent
    assert (package / "py.typed").exists()
    assert sorted(path.name for path in (package / "data").iterdir()) == [
        "checked.json",
        "peers.json",
        "published.json",
        "source_notes.json",
    ]


def test_every_public_name_has_a_docstring_with_an_example():
    for name in flopslib.__all__:
        thing = getattr(flopslib, name)
        documents = [
            thing.__doc__,
            *(getattr(thing, m).__doc__ or "" for m in dir(thing) if m[0] != "_"),
        ]
        assert thing.__doc__, name
        module = __import__(thing.__module__, fromlist=["_"]).__doc__
        assert any(">>>" in text for text in [*documents, module]), name


def test_the_readme_has_the_commands_that_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`?make ([a-z]+)", (ROOT / document).read_text()))
        assert named, document
        assert named <= targets, document


def test_the_files_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_no_placeholder_addresses():
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("_*.yml"),
        ROOT / "pyproject.toml",
        ROOT / "CITATION.cff",
    ]:
        assert not re.search(
            r"example\.(com|org)|your-?(name|org)|github\.com/(user|org)\b", path.read_text()
        )
