"""The project's own files say the same things."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sources import lying_there, sources

import flopsbook
import flopslib
from flopsbook.build.wheels import build_wheels, for_an_index
from flopslib.moved import MOVED

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BOOK = tomllib.loads((ROOT / "flopsbook" / "pyproject.toml").read_text())["project"]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DOCUMENTS = sorted(ROOT.glob("*.md"))


def locked():
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return [(Requirement(line.split(" --hash")[0].strip()), line) for line in entries]


def direct():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if re.match(r"[A-Za-z0-9]", line)]


# --- versions -----------------------------------------------------------------


def test_one_version():
    version = PROJECT["version"]
    assert flopslib.__version__ == flopsbook.__version__ == BOOK["version"] == version
    assert CITATION["version"] == version
    assert BOOK["dependencies"] == [f"flopslib=={version}"]
    for package in ("flopslib", "flopsbook"):
        assert importlib.metadata.version(package) == version


def releases():
    heading = r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$"
    return re.findall(heading, CHANGELOG, flags=re.MULTILINE)


def test_the_changelog_has_the_form_and_begins_with_this_version():
    (version, date), *older = releases()
    assert version == PROJECT["version"]
    assert date == str(CITATION["date-released"])
    assert [(version, date), *older] == sorted(releases(), reverse=True)
    sections = re.findall(r"^#{2,} (.+)$", CHANGELOG, flags=re.MULTILINE)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert {name for name in sections if name[0] != "["} <= kinds


def test_the_changelog_has_every_name_that_moved():
    listed = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", CHANGELOG, flags=re.MULTILINE)
    elsewhere = BOOK["entry-points"]["flopslib.moved"]
    moved = MOVED | {f"flopslib.{old}": new for old, new in elsewhere.items()}
    assert listed == sorted(moved.items())


# --- licences -----------------------------------------------------------------


def matches(path, pattern):
    """Whether a pattern of REUSE.toml covers a path."""
    parts = re.split(r"(\*\*|\*)", pattern)
    regex = {"**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(regex.get(part) or re.escape(part) for part in parts), path)


def licence(path):
    """Return the licence of a file as REUSE.toml has it; None: it has none."""
    found = None
    for table in tomllib.loads((ROOT / "REUSE.toml").read_text())["annotations"]:
        patterns = table["path"] if isinstance(table["path"], list) else [table["path"]]
        if any(matches(path, pattern) for pattern in patterns):
            found = table["SPDX-License-Identifier"]
    return found


def test_the_licences_are_the_standard_texts():
    from identify.vendor.licenses import LICENSES

    standard = dict(LICENSES)
    assert (ROOT / "LICENSES" / "CC-BY-4.0.txt").read_text() == standard["CC-BY-4.0"]
    ours = (ROOT / "LICENSE").read_text()
    title, copyright, terms = re.split(r"\n\n", ours, maxsplit=2)
    assert title == "BSD 3-Clause License"
    assert copyright.startswith("Copyright (c) 2026, ")
    assert standard["BSD-3-Clause"].endswith(f"\n\n{terms}")
    assert (ROOT / "LICENSES" / "BSD-3-Clause.txt").read_text() == ours
    katex = ROOT / "flopsbook" / "build" / "vendor" / "katex" / "LICENSE"
    assert (ROOT / "LICENSES" / "MIT.txt").read_text() == katex.read_text()


def test_every_folder_is_in_the_table_of_licences():
    table = (ROOT / "README.md").read_text().partition("| licence |")[2]
    named = set(re.findall(r"`([\w./]+)`", table))
    assert {path.partition("/")[0] for path in sources() if "/" in path} <= named
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_file_has_a_licence():
    texts = {path.stem for path in (ROOT / "LICENSES").iterdir()}
    for path in sources():
        if path != "LICENSE" and not path.startswith("LICENSES/"):
            found = licence(path)
            assert found, path
            assert set(found.split(" AND ")) <= texts
    assert licence("flopslib/__init__.py") == licence("Makefile") == "BSD-3-Clause"
    assert licence("chapters/teaching.md") == licence("chapters/_static/logo.svg") == "CC-BY-4.0"
    assert licence("chapters/linear.ipynb") == "CC-BY-4.0 AND BSD-3-Clause"
    assert licence("flopsbook/build/vendor/katex/katex.min.js") == "MIT"
    assert licence("a_new_folder/file.py") is None


# --- the wheels ---------------------------------------------------------------


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    return build_wheels(tmp_path_factory.mktemp("wheels"))


def inside(wheel, name):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [p for p in archive.namelist() if p.endswith(f".dist-info/{name}")]
        return archive.read(path).decode()


def test_both_wheels_carry_the_licence_and_a_description(wheels):
    for wheel in wheels:
        assert inside(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()
        metadata = message_from_string(inside(wheel, "METADATA"))
        assert metadata["License-Expression"] == "BSD-3-Clause"
        assert metadata["License-File"] == "LICENSE"
        assert metadata["Version"] == PROJECT["version"]
        assert metadata["Description-Content-Type"] == "text/markdown"
        assert len(metadata.get_payload()) > 200


def test_the_description_on_an_index_has_no_dead_links(wheels):
    for wheel in wheels:
        text = message_from_string(inside(wheel, "METADATA")).get_payload()
        for target in re.findall(r"\]\(([^)]*)\)|src=\"([^\"]*)\"", text):
            assert "".join(target).startswith("https://")


def test_with_an_address_the_description_has_its_links_and_pictures():
    address = "https://git.test/flops"
    text = for_an_index((ROOT / "README.md").read_text(), address, "main")
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert f"{address}/blob/main/CONTRIBUTING.md" in targets
    assert f"{address}/raw/main/chapters/_static/page.png" in targets
    assert all(target.startswith(f"{address}/") for target in targets)


# --- addresses ----------------------------------------------------------------


def disagreements(repository, site, urls, citation):
    """Return what the packages and the citation say otherwise than _config.yml.

    >>> disagreements("https://a.test/b", "", {}, {})
    ['Repository', 'repository-code']
    >>> disagreements("", "", {"Changelog": "https://a.test/b"}, {})
    ['Changelog']
    """
    found = []
    for name, key, value in (
        ("Repository", "repository-code", repository),
        ("Documentation", "url", site),
    ):
        found += [name] if urls.get(name, "") != value else []
        found += [key] if citation.get(key, "") != value else []
    known = tuple(address for address in (repository, site) if address)
    others = urls.keys() - {"Repository", "Documentation"}
    return found + sorted(name for name in others if not urls[name].startswith(known))


@pytest.mark.parametrize("project", [PROJECT, BOOK], ids=["flopslib", "flopsbook"])
def test_the_addresses_are_those_of_the_one_place(project):
    repository, site = CONFIG["repository"]["url"], CONFIG["html"]["baseurl"]
    assert disagreements(repository, site, project.get("urls", {}), CITATION) == []


# --- dependencies -------------------------------------------------------------


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


def test_the_packages_are_typed_and_carry_their_data():
    assert (Path(flopslib.__file__).parent / "py.typed").exists()
    package = Path(flopsbook.__file__).parent
    assert (package / "py.typed").exists()
    assert sorted(path.name for path in package.glob("data/*.json")) == [
        "checked.json",
        "findings.json",
        "peers.json",
        "published.json",
        "saved_tensors.json",
        "source_notes.json",
    ]


def run(code, *hidden):
    """Run code in a process where some packages are not installed."""
    hiding = f"import sys; sys.modules.update(dict.fromkeys({hidden!r}))"
    command = [sys.executable, "-c", f"{hiding}\n{code}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


OPTIONAL = ("matplotlib", "numpy", "pandas")


def test_everything_imports_and_counts_without_the_optional_packages():
    code = """
        import flopslib.models, flopsbook.figures, flopsbook.labs, flopsbook.peers, flopsbook.tables
        from flopslib import command_line, run_and_count, linear
        assert run_and_count(linear, 3, 2).macs == 6
        from flopslib.layers import ReLU
        from flopslib.loops import run_layers
        assert run_layers(ReLU(), (2, 3))[""].other["comparisons"] == 6
        assert command_line.main(["count", "resnet50"]) == 0
    """
    done = run("\n".join(map(str.strip, code.splitlines())), *OPTIONAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "25,557,032" in done.stdout


@pytest.mark.parametrize(
    ("hidden", "code", "command"),
    [
        (
            "pandas",
            "from flopslib import count; from flopslib.layers import ReLU\n"
            "count(ReLU(), (2, 3)).to_frame()",
            "pip install 'flopslib[frames]'",
        ),
        (
            "matplotlib",
            "from flopsbook import figures\nfigures.linear_grid(in_features=3, out_features=2)",
            "pip install 'flopsbook[figures]'",
        ),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(hidden, code, command):
    done = run(code, hidden)
    assert done.returncode == 1
    said = f"ModuleNotFoundError: {hidden} is not installed: {command}"
    assert done.stderr.splitlines()[-1] == said
    package, extra = re.search(r"'(\w+)\[(\w+)\]'", command).groups()
    extras = {"flopslib": PROJECT, "flopsbook": BOOK}[package]["optional-dependencies"]
    assert hidden in {Requirement(text).name for text in extras[extra]}
    assert run(code).returncode == 0


# --- documents ----------------------------------------------------------------


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


def test_the_files_that_documents_link_to_exist():
    for document in [*DOCUMENTS, ROOT / "findings" / "README.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            there = target.startswith("http") or (document.parent / target).exists()
            assert there, f"{document.name}: {target}"


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


def test_the_documents_of_the_repository_are_no_pages_of_the_book():
    excluded = set(CONFIG["exclude_patterns"])
    assert {path.name for path in DOCUMENTS} - excluded == {"index.md"}
    assert "findings" in excluded


FINDINGS = sorted((ROOT / "findings").glob("*.sh"))


@pytest.mark.parametrize("script", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_has_the_form(script):
    first, title, *lines = script.read_text().splitlines()
    assert first == "#!/usr/bin/env bash"
    assert re.fullmatch(r"# [A-Z].+\.", title)
    assert title.removeprefix("# ") in (script.parent / "README.md").read_text()
    head = [line.removeprefix("# ").partition(":")[0] for line in lines if line.startswith("# ")]
    assert [part for part in head if part in ("Version", "Behaviour", "Seen")] == [
        "Version",
        "Behaviour",
        "Seen",
    ]
    code = "\n".join(line for line in lines if not line.startswith("#"))
    assert "mktemp -d" in code
    assert not re.search("flopslib|flopsbook", code)
    wanted = re.search(r"pip install ((?:.+\\\n)*.+)", code)[1].replace("\\\n", "").split()
    packages = [word for word in wanted if not word.startswith("-")]
    assert packages
    assert all("==" in package for package in packages)
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", script], check=True)


def test_every_finding_is_listed():
    listed = re.findall(r"^\| \[([\w.]+)\]", (ROOT / "findings" / "README.md").read_text(), re.M)
    assert listed == [script.name for script in FINDINGS]


def test_the_workflow_runs_every_python_that_the_package_names():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["run"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == named
    assert job["steps"][-1]["run"] == ".ci/run"
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w/-]+@v\d+", action) for action in actions)


def test_the_forms_ask_for_what_a_report_needs():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "wrong_number.yml").read_text())
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert [part["id"] for part in asked] == ["place", "number", "right", "why", "versions"]
    assert all(part["validations"]["required"] for part in asked)
    change = (ROOT / ".github" / "pull_request_template.md").read_text()
    headings = re.findall(r"^## (.+)$", change, flags=re.MULTILINE)
    assert headings == ["Why", "What was run", "What was seen red"]


# --- the files themselves -----------------------------------------------------


def test_without_git_the_files_are_those_that_git_would_list(tmp_path):
    (tmp_path / ".gitignore").write_text(".venv/\n*.egg-info/\n/build/\na/secret\n__pycache__/\n")
    for name in ("a/b.py", "a/build/c.py", "d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("a/secret", ".venv/x", "y.egg-info/z", "build/w", "a/__pycache__/v", ".git/u"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert lying_there(tmp_path) == {".gitignore", "a/b.py", "a/build/c.py", "d.md"}
    assert lying_there(tmp_path, "a") == {"a/b.py", "a/build/c.py"}


def test_a_walk_finds_what_git_lists_here():
    assert lying_there(ROOT, "flopslib") == sources("flopslib")
