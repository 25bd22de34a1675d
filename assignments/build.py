"""Build the problem sets: `make assignments`.

    python -m assignments.build [layers transformers networks training serving]

For each set this writes a folder for the students and one for the teacher, after otter
has graded the solved notebook, which has to get all points, and the untouched one, which
has to get none. A set that fails is not written at all.
"""

import argparse
import json
import os
import secrets
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import nbformat
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from assignments.otters import otter
from assignments.questions import SETS
from flopsbook.build.kernels import environment
from flopsbook.build.notebooks import normalised
from flopsbook.build.wheels import build_wheels

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SEED = HERE / "seed"
TEST_SEED = HERE / "test-seed"
MARK = "TEST-SEED-DO-NOT-ASSIGN"

#: What the hidden tests need, and all of the package that goes into the autograder's zip.
TESTS_NEED = ("__init__.py", "hidden.py", "question.py", "searching.py", "questions")
OTTER = "otter-grader>=7,<8"
LOCK = ROOT / "requirements.lock"
#: What Gradescope's image installs; the lock says in which versions, as far down as it goes.
IMAGE = ("otter-grader", "flopslib", "flopsbook", "ipykernel", "jupyter-client")
AUTOGRADER_PYTHON = "3.12"
#: A zip holds no date before 1980; with one date for all, equal contents are equal bytes.
NO_DATE = (1980, 1, 1, 0, 0, 0)

#: The wheels of the library and of the book's code.
Packages = tuple[Path, Path]

#: What otter writes below a question that is none: who are you?
FIND = "from flopsbook.exercises.personal import notebook_of"
NO_POINTS = "\n\n_Points:_ 0"

README = """\
# Problem set: {name}

1. You need Python 3.11 or newer and about 1 GB of room on the disk. In this folder, \
`pip install -r requirements.txt` installs all that the set needs.
2. Open {name}.ipynb in Jupyter. The cell `STUDENT = "your identifier"` stands below the \
introduction: put the identifier there that your teacher has asked for, and answer.
3. Restart the kernel, run all cells, save, and hand in {name}.ipynb, this one file. You may \
rename it.

Each step is told at length on the page *How to hand in* of the book. On Google Colab, open \
{name}.ipynb, upload {name}.zip among the session's files, and run these two lines in a cell of \
their own before the others:

```
!unzip -oqj {name}.zip
%pip install -q "otter-grader>=7,<8" *.whl
```

The cell below a question checks the form of your answer, and the examples if there are any. \
"All test cases passed!" there says nothing about the numbers: those are graded afterwards. On \
Gradescope you see one box, *Public Tests*, with the same meaning; the points of the questions \
come when your teacher publishes them.
"""


#: What a teacher reads in the end.
AFTERWARDS = """
For the class:  {dist}/{name}/student, and the same as {dist}/{name}/{name}.zip
For you alone:  {dist}/{name}/autograder, the tests for Gradescope and the solved notebook
Next:           hand out; after the deadline
                make grade SET={name} SUBMISSIONS=folder ROSTER=roster.csv
"""


class SetError(Exception):
    """A set that may not be handed out, and why."""


@dataclass(frozen=True)
class Secret:
    """The seed of the hidden tests, and whether everybody can read it in the repository."""

    text: str
    is_public: bool = False


def secret(ask: bool) -> Secret:
    """Return the teacher's seed; on a terminal, ask for it where there is none yet."""
    if not SEED.exists():
        if not ask:
            return Secret(TEST_SEED.read_text().strip(), is_public=True)
        print("The hidden tests draw their numbers from a seed that only you know. It is kept in")
        print(f"{SEED.relative_to(ROOT)}, which git ignores; keep it until the grades are final.")
        typed = input("A seed of 12 characters or more, or Enter to have one drawn: ").strip()
        while typed and len(typed) < 12:
            typed = input("That is guessed too easily. A longer one, or Enter: ").strip()
        SEED.touch(mode=0o600, exist_ok=False)
        SEED.write_text((typed or secrets.token_urlsafe(24)) + "\n")
    text = SEED.read_text().strip()
    if len(text) < 12:
        raise SetError(
            f"{SEED.relative_to(ROOT)} must hold a seed of 12 characters or more, "
            f"got {len(text)}; delete the file to be asked for another"
        )
    return Secret(text)


def build(
    name: str, *, dist: Path, seed: Secret, packages: Packages, master: Path | None = None
) -> str:
    """Build one set, prove it, and only then put it into `dist`.

    Args:
        name: The set.
        dist: Where the set's folder goes; one that is there is replaced.
        seed: What the hidden tests draw from.
        packages: the wheels of the library and of the book's code.
        master: Another master notebook than the set's own.

    Returns:
        What was built, in a sentence.

    Raises:
        SetError: The master does not get all points, or the untouched notebook gets some.
    """
    target = dist / name
    shutil.rmtree(target, ignore_errors=True)
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=dist) as temporary:
        stage, made = Path(temporary) / "stage", Path(temporary) / "made"
        stage.mkdir()
        _stage(stage, name, seed, packages, master or HERE / name / f"{name}.ipynb")
        _otter("assign", f"{name}.ipynb", "out", "--no-pdfs", "--no-run-tests", cwd=stage)
        _student(made / "student", name, stage / "out" / "student", packages)
        _autograder(made / "autograder", name, stage / "out" / "autograder")
        if seed.is_public:
            (made / MARK).write_text(
                "The hidden tests of this build draw from assignments/test-seed, which everybody "
                "can read. Run `make assignments` on a terminal for a seed of your own.\n"
            )
        _zip(made / "student", made / f"{name}.zip", name)
        points = _prove(made, name, stage)
        made.rename(target)
    return f"{name}: {points} points, all for the solved notebook and none for the untouched one"


def _stage(stage: Path, name: str, seed: Secret, packages: Packages, master: Path) -> None:
    (stage / "assignments").mkdir()
    for part in TESTS_NEED:
        source = HERE / part
        if source.is_dir():
            leave = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(source, stage / "assignments" / part, ignore=leave)
        else:
            shutil.copy(source, stage / "assignments")
    (stage / "assignments" / "seed").write_text(seed.text + "\n")
    for package in packages:
        shutil.copy(package, stage)
    # where Gradescope unpacks the zip; what they need themselves comes from the registry
    unpacked = [f"/autograder/source/files/{package.name}" for package in packages]
    needed = [*unpacked, *pinned(LOCK, IMAGE)]
    (stage / "requirements.txt").write_text("".join(f"{one}\n" for one in needed))
    notebook = nbformat.read(master, as_version=4)
    _configure(notebook, master, autograder_files=["assignments", *(p.name for p in packages)])
    nbformat.write(notebook, stage / f"{name}.ipynb")


def pinned(lock: Path, packages: Iterable[str]) -> list[str]:
    """Return what some packages need, and these need in turn, as the lock pins it.

    Args:
        lock: a file of lines such as `sympy==1.14.0 ; python_version < "4"`, hashes aside.
        packages: installed here.

    Returns:
        The lines of the lock, sorted; what it does not know is left out.
    """
    lines = [line.rstrip(" \\") for line in lock.read_text().splitlines()]
    known = {canonicalize_name(Requirement(line).name): line for line in lines if "==" in line}
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in packages]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        with suppress(PackageNotFoundError):  # for another system
            needs = map(Requirement, requires(name) or ())
            waiting += [
                canonicalize_name(one.name)
                for one in needs
                if one.marker is None or one.marker.evaluate({"extra": ""})
            ]
    return sorted(known[name] for name in found & known.keys())


def _configure(notebook: nbformat.NotebookNode, master: Path, **more: object) -> None:
    """Add what every set needs to the configuration that is a master's first cell."""
    first = notebook.cells[0]
    if first.cell_type != "raw" or not first.source.startswith("# ASSIGNMENT CONFIG"):
        raise SetError(f"{master} must begin with a raw cell # ASSIGNMENT CONFIG")
    config = yaml.safe_load(first.source)
    config |= {"requirements": "requirements.txt", "python_version": AUTOGRADER_PYTHON} | more
    first.source = "# ASSIGNMENT CONFIG\n" + yaml.safe_dump(config)


def _student(folder: Path, name: str, written: Path, packages: Packages) -> None:
    folder.mkdir(parents=True)
    notebook = nbformat.read(written / f"{name}.ipynb", as_version=4)
    # what is left of a cell that is in the solution alone
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    metadata = notebook.metadata.otter  # the public tests, which the normal form would drop
    tags = [dict(cell.metadata) for cell in notebook.cells]
    notebook = normalised(notebook)
    notebook.metadata["otter"] = metadata
    for cell, kept in zip(notebook.cells, tags, strict=True):
        cell.metadata = nbformat.from_dict(kept)
        cell.source = cell.source.removesuffix(NO_POINTS)
    notebook.cells[0].source = _first_cell(notebook.cells[0].source, name)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    for package in packages:
        shutil.copy(package, folder)
    wheels = "".join(f"./{package.name}\n" for package in packages)
    (folder / "requirements.txt").write_text(f"{OTTER}\n{wheels}jupyterlab\n")
    (folder / "README.md").write_text(README.format(name=name))


def _zip(folder: Path, archive: Path, name: str) -> None:
    """Pack a student's folder, under the set's name, for a course's page."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as new:
        for path in sorted(folder.iterdir()):
            new.writestr(zipfile.ZipInfo(f"{name}/{path.name}", NO_DATE), path.read_bytes())


def _first_cell(source: str, name: str) -> str:
    """Return otter's first cell so that it works in a notebook that was renamed, too."""
    fixed = f'otter.Notebook("{name}.ipynb")'
    if fixed not in source:
        raise SetError(f"otter's first cell must name {name}.ipynb, got {source!r}")
    found = source.replace(fixed, f'otter.Notebook(notebook_of("{name}"))')
    return found.replace("import otter\n", f"import otter\n{FIND}\n\n")


def _autograder(folder: Path, name: str, written: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(written / f"{name}.ipynb", folder / f"{name}-solved.ipynb")
    (archive,) = written.glob("*.zip")
    with (
        zipfile.ZipFile(archive) as old,
        zipfile.ZipFile(folder / f"{name}-autograder.zip", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for file in sorted(old.namelist()):
            if not file.endswith("/"):
                new.writestr(zipfile.ZipInfo(file, NO_DATE), old.read(file))


def _prove(made: Path, name: str, work: Path) -> int:
    """Grade the solved and the untouched notebook with the very zip, and return the points."""
    archive = made / "autograder" / f"{name}-autograder.zip"
    shutil.copy(made / "autograder" / f"{name}-solved.ipynb", work / "solved.ipynb")
    shutil.copy(made / "student" / f"{name}.ipynb", work / "untouched.ipynb")
    notebooks = [work / "solved.ipynb", work / "untouched.ipynb"]
    with ThreadPoolExecutor() as pool:
        solved, untouched = pool.map(lambda notebook: grade(notebook, archive, work), notebooks)
    lost = [f"{test} got {score:g} of {most:g}" for test, score, most in solved if score != most]
    if lost or not solved:
        raise SetError(f"{name}: the solved notebook must get all points; {'; '.join(lost)}")
    given = [f"{test} got {score:g} of {most:g}" for test, score, most in untouched if score]
    if given:
        raise SetError(f"{name}: the untouched notebook must get no points; {'; '.join(given)}")
    return sum(most for _, _, most in solved)


def grade(notebook: Path, archive: Path, work: Path) -> list[tuple[str, int, int]]:
    """Let otter grade a notebook; return each question with its points and the most there are."""
    results = work / f"{notebook.stem}-results"
    results.mkdir()
    _otter("run", str(notebook), "-a", str(archive), "-o", str(results), "--no-logo", cwd=work)
    tests = json.loads((results / "results.json").read_text())["tests"]
    graded = [test for test in tests if "max_score" in test]
    return [(test["name"], test["score"], test["max_score"]) for test in graded]


def _otter(*arguments: str, cwd: Path) -> None:
    """Run a command of otter without the user's own settings."""
    variables = environment(cwd / ".jupyter") | {
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    variables.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        if otter(arguments, cwd, variables, said):
            raise SetError(f"otter {' '.join(arguments)} failed:\n{said.read_text()}")


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def build_all(
    names: Iterable[str], *, dist: Path, seed: Secret, masters: Path | None = None
) -> dict[str, str | SetError]:
    """Build several sets at a time; return what was built, or what is wrong, for each."""

    def one(name: str) -> str | SetError:
        master = masters / name / f"{name}.ipynb" if masters else None
        try:
            return build(name, dist=dist, seed=seed, packages=packages, master=master)
        except SetError as wrong:
            return wrong

    with tempfile.TemporaryDirectory() as folder:
        packages = build_wheels(Path(folder))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            names = list(names)
            return dict(zip(names, pool.map(one, names), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build sets, say what was built, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m assignments.build")
    parser.add_argument("sets", nargs="*", default=SETS, help="which sets; all, if none is named")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where they go")
    parser.add_argument("--masters", type=Path, help="a folder with other master notebooks")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.sets if name not in SETS]
    if unknown:
        parser.error(f"sets must be among {', '.join(SETS)}, got {unknown[0]!r}")
    try:
        seed = secret(ask=sys.stdin.isatty())
        built = build_all(given.sets, dist=given.dist, seed=seed, masters=given.masters)
    except SetError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        print("\nStopped; what was not through is not in the folder.", file=sys.stderr)
        return 130
    for result in built.values():
        print(result, file=sys.stderr if isinstance(result, SetError) else sys.stdout)
    done = [name for name, result in built.items() if not isinstance(result, SetError)]
    if done:
        print(AFTERWARDS.format(dist=_shown(given.dist), name=done[0]))
    if seed.is_public:
        print(f"*** {MARK}: no assignments/seed, so the hidden tests draw from a seed that")
        print("*** everybody can read. Run make assignments on a terminal before you assign.")
    return int(any(isinstance(result, SetError) for result in built.values()))


if __name__ == "__main__":
    sys.exit(main())
