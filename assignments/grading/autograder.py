"""The tests of a set, as `make assignments` packed them, and a process that runs them."""

import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from .answers import Answers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = 30.0  # for all the tests of one submission
START_SECONDS = 120.0  # for what does not depend on a submission


class TestsError(Exception):
    """The tests cannot be used; the text says what would help."""


@dataclass(frozen=True, kw_only=True)
class Set:
    """A problem set, ready to be graded.

    Attributes:
        name: "layers".
        tests: the zip for Gradescope.
        template: the notebook that the students were given.
        questions: the names of what the tests grade.
        is_public_seed: whether the hidden tests were drawn from the seed in the repository.
        digest: a fingerprint of all the tests, the seed among them.
    """

    name: str
    tests: Path
    template: Path | None
    questions: tuple[str, ...]
    is_public_seed: bool
    digest: str


def find_set(name: str, dist: Path) -> Set:
    """Return the set that `make assignments` has written.

    Raises:
        TestsError: there is no such set, or it has not been built.
    """
    folder = dist / name
    archives = sorted((folder / "autograder").glob("*.zip"))
    if not archives:
        known = sorted(path.parent.parent.name for path in dist.glob("*/autograder/*.zip"))
        built = f"built are {', '.join(known)}" if known else "nothing is built"
        raise TestsError(
            f"SET={name} has no tests in {folder / 'autograder'} ({built}); run make assignments"
        )
    if len(archives) > 1:
        raise TestsError(f"{folder / 'autograder'} holds more than one zip; run make assignments")
    questions = check(archives[0])
    notebooks = sorted((folder / "student").glob("*.ipynb"))
    return Set(
        name=name,
        tests=archives[0],
        template=notebooks[0] if len(notebooks) == 1 else None,
        questions=questions,
        is_public_seed=any(folder.glob("TEST-SEED*")),
        digest=fingerprint(archives[0]),
    )


def check(archive: Path) -> tuple[str, ...]:
    """See that a zip holds what a process needs that runs its tests; return its questions.

    Raises:
        TestsError: it is not a zip, or holds no tests, or no questions.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, OSError):
        raise TestsError(f"{archive} is not a zip that can be read; run make assignments") from None
    tests = [found[1] for name in names if (found := re.fullmatch(r"tests/([^/]*)\.py", name))]
    if not tests:
        raise TestsError(f"{archive} holds no tests; run make assignments")
    if not any(name.startswith("files/assignments/questions/") for name in names):
        raise TestsError(f"{archive} holds no questions; run make assignments")
    return tuple(sorted(tests))


def fingerprint(archive: Path) -> str:
    """Return a digest of what a zip holds, whenever it was packed."""
    total = sha256()
    with zipfile.ZipFile(archive) as opened:
        for name in sorted(opened.namelist()):
            content = sha256(opened.read(name)).digest()
            total.update(len(name.encode()).to_bytes(4, "big") + name.encode() + content)
    return total.hexdigest()


@dataclass
class Tester:
    """A process that runs a set's tests; starts on first use, and again when it had to go.

    Several threads may ask it: each waits until the one before has its answer.
    """

    archive: Path
    name: str
    process: subprocess.Popen[str] | None = None
    lines: queue.Queue[str] = field(default_factory=queue.Queue)
    complaints: IO[str] | None = None
    points: list[dict[str, Any]] = field(default_factory=list)
    asked: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Start the process without waiting for it."""
        with self.asked:
            if self.process is None:
                self._start()

    def plan(self, student: str) -> tuple[list[str], dict[str, list[Any]]]:
        """Return the variables and the calls that one student's notebook is asked for."""
        plan = self._ask(do="plan", student=student)
        return plan["values"], plan["calls"]

    def possible(self) -> list[dict[str, Any]]:
        """Return the name and the points of every question."""
        with self.asked:
            self.points = self.points or self._ask(do="possible")
            return self.points

    def grade(self, student: str, answers: Answers) -> list[dict[str, Any]]:
        """Return what every question earned.

        A question whose tests do not come to an end with this answer earns nothing, and
        the others are graded all the same.
        """
        request = {
            "do": "grade",
            "student": student,
            "values": answers.values,
            "functions": answers.functions,
        }
        with self.asked:
            try:
                graded: list[dict[str, Any]] = self._ask(**request)
            except TestsError:
                graded = []
                for question in self.possible():
                    try:
                        graded += self._ask(**request, only=question["name"])
                    except TestsError:
                        graded.append(nothing(question))
        return graded

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            self.process = None
        if self.complaints is not None:
            self.complaints.close()
            self.complaints = None

    def _ask(self, **request: Any) -> Any:
        with self.asked:
            return self._answer(request)

    def _answer(self, request: Mapping[str, Any]) -> Any:
        if self.process is None:
            self._start()
            if request["do"] == "grade":  # its time begins when everything is loaded
                self._answer({"do": "possible"})
        assert self.process
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            seconds = SECONDS if request["do"] == "grade" else START_SECONDS
            answer = self.lines.get(timeout=seconds)
        except (OSError, queue.Empty):
            answer = ""
        if not answer:
            said = self._said()
            self.close()
            raise TestsError(f"the tests of {self.name} did not come to an end{said}")
        return json.loads(answer)

    def _start(self) -> None:
        self.complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the process)
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(HERE / "worker.py"), str(self.archive), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
            encoding="utf-8",
            cwd="/",
            env=environment(),
        )
        threading.Thread(target=_read, args=(self.process.stdout, self.lines), daemon=True).start()

    def _said(self) -> str:
        """Return the last line of what the process complained about."""
        if self.complaints is None:
            return ""
        self.complaints.seek(0)
        lines = self.complaints.read()[-2000:].strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _read(stream: IO[str], lines: "queue.Queue[str]") -> None:
    with suppress(ValueError, OSError):  # closed from the other side
        for line in stream:
            lines.put(line)
    lines.put("")


def environment() -> dict[str, str]:
    """Return what a process that runs tests sees of the environment; it has no home."""
    keep = ("PATH", "LANG", "LC_ALL", "TMPDIR")
    kept = {name: os.environ[name] for name in keep if name in os.environ}
    return kept | {"HOME": "/nonexistent"}


def nothing(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return a question that earned no points."""
    return {
        "name": question["name"],
        "points": 0,
        "possible": question["possible"],
        "public": [],
        "hidden": {"points": 0, "possible": question["possible"]},
    }
