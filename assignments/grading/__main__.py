"""Grade a class: `make grade SET=layers SUBMISSIONS=dir ROSTER=file`.

python -m assignments.grading layers --submissions dir --roster roster.csv
"""

import argparse
import errno
import os
import secrets
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from assignments.questions.rubrics import RUBRICS
from flopsbook.build.katex import VENDOR
from flopsbook.exercises.personal import folded

from . import alike, by_hand, overview, sandbox
from .autograder import ROOT, Set, Tester, TestsError, find_set
from .examine import (
    CRASHED,
    NOT_SUBMITTED,
    STATUSES,
    SUSPICIOUS,
    TIMED_OUT,
    Record,
    examine,
    identified,
    joined,
    unread,
)
from .exchange import Given, ScaleError, file_name, filled
from .kept import Results, Shelf, fingerprint, slug, version, write
from .roster import Person, RosterError, Table, read_roster, read_table
from .sandbox import MEGABYTE, Limits, Sandbox, UnconfinedError
from .submissions import (
    MOST_READ,
    Found,
    NotReadError,
    SubmissionsError,
    changed,
    content,
    find,
)
from .tables import feedback, grades, harmless
from .totals import ByHand, Part, Policy, Total, TotalsError, moment, read_sheet, sheet

JOBS_OF_A_TESTER = 4  # its part is a few hundredths of a second for each notebook
WRONG, BROKEN = 2, 1


@dataclass(frozen=True)
class Again:
    """What is graded afresh, though there are results.

    Attributes:
        people: folded identifiers; nobody means everybody, if there are questions.
        questions: names; none means all.
    """

    people: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()

    def names(self, person: Person) -> bool:
        """Whether a person is graded afresh."""
        return person.key in self.people or bool(self.questions and not self.people)

    def merged(self, record: Record, before: Record | None) -> Record:
        """Return a record with the points of before, but in the questions that are named."""
        if before is None or not self.questions:
            return record
        old = {one["name"]: one for one in before.questions}
        kept = [
            one if one["name"] in self.questions else old.get(one["name"], one)
            for one in record.questions
        ]
        return replace(record, questions=kept)


@dataclass(frozen=True, kw_only=True)
class Grading:
    """Everything that is the same for the whole class."""

    task: Set
    book: Table
    people: list[Person]
    found: Found
    folder: Path
    limits: Limits
    confined: bool
    out: Path
    template: by_hand.Template
    grader: str
    policy: Policy | None = None
    again: "Again" = field(default_factory=lambda: Again())

    @property
    def roster(self) -> dict[str, str]:
        """Folded identifiers of the class, and what they are on the roster."""
        return {person.key: person.id for person in self.people}

    def digest(self, person: Person, file: str, data: bytes, reason: str) -> str:
        """Return a fingerprint of everything that a result depends on."""
        settings = f"{self.limits} {self.confined}"
        return fingerprint(person.id, file, data, reason, self.task.digest, self.grader, settings)

    def name(self, path: Path) -> str:
        """Return a file's name within the folder of submissions, on one line."""
        name = str(path.relative_to(self.folder)).encode("utf-8", "replace").decode()
        return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)


class Workers:
    """A sandbox for each submission that is being graded at a time, and a tester for several."""

    def __init__(self, grading: Grading, jobs: int):
        testers = -(-jobs // JOBS_OF_A_TESTER)
        self.testers = [Tester(grading.task.tests, grading.task.name) for _ in range(testers)]
        self.free: SimpleQueue[tuple[Sandbox, Tester]] = SimpleQueue()
        places = (grading.folder, grading.out, grading.task.tests.parent)
        hidden = tuple({ROOT, *(place.resolve() for place in places)})
        for place in range(jobs):
            walls = Sandbox(place=place, confined=grading.confined, hidden=hidden)
            self.free.put((walls, self.testers[place % testers]))

    def stop(self) -> None:
        """End everything that is running, whatever it is at."""
        sandbox.STOP.set()
        self.close()

    def close(self) -> None:
        """End the testers."""
        for tester in self.testers:
            tester.close()


def grade_one(grading: Grading, workers: Workers, person: Person) -> tuple[Record, bool]:
    """Return the record of one person, and whether it was there already."""
    files = grading.found.of.get(person.id, [])
    if not files:
        return Record(person.id, NOT_SUBMITTED, "There is no file of this person."), True
    path, also = files[0], files[1:]
    name = grading.name(path)
    try:
        data, problem = content(path, MOST_READ), ""
    except NotReadError as reason:
        data, problem = b"", str(reason)
    results = Results(grading.out)
    digest = grading.digest(person, name, data, problem)
    again = grading.again.names(person)
    record = None if again else results.load(person.id, digest)
    ready = record is not None
    if record is None:
        record = _examined(grading, workers, person, data, problem)
        record.file = name
        record.confined = grading.confined
        submission = fingerprint(data, problem)
        if again:
            record = grading.again.merged(record, results.last(person.id, submission))
        results.store(digest, submission, record)
    return _told(grading, record, also), ready


def _examined(
    grading: Grading, workers: Workers, person: Person, data: bytes, problem: str
) -> Record:
    walls, tester = workers.free.get()
    try:
        if problem:
            return unread(person.id, tester, problem)
        record, cells = examine(
            data,
            person.id,
            sandbox=walls,
            tester=tester,
            limits=grading.limits,
        )
        record.texts = by_hand.answers(cells, grading.template)
        record.own = alike.own(cells, grading.template)
        return record
    finally:
        workers.free.put((walls, tester))


def _told(grading: Grading, record: Record, also: Sequence[Path]) -> Record:
    """Return a record whose reason says whom it names, what else there was, how it was run."""
    record = identified(record, grading.roster)
    path = grading.found.of[record.id][0]
    claim = grading.found.claims[path]
    if claim.by == "STUDENT":
        said = "the file's name says nobody's, and its STUDENT is this person"
        record = replace(record, reason=joined(record.reason, said))
    rivals = grading.found.rivals(record.id)
    if rivals:
        names = " and ".join(grading.name(one) for one in (path, rivals[0]))
        said = f"two accounts have handed in a notebook with this STUDENT, {names}"
        record = replace(record, status=SUSPICIOUS, reason=joined(said, record.reason))
    elif also:
        record = replace(record, reason=joined(record.reason, _beside(grading, path, also)))
    if not record.confined:
        record = replace(record, reason=joined(record.reason, "it was run without confinement"))
    return record


def _beside(grading: Grading, path: Path, also: Sequence[Path]) -> str:
    """Return why this file was graded and not others of the same person."""
    others = ", ".join(grading.name(one) for one in also[:3])
    others += f" and {len(also) - 3} more" if len(also) > 3 else ""
    claims = grading.found.claims
    why = "the file changed last"
    if claims[path].fits > claims[also[0]].fits:
        why = "the file whose STUDENT is this person"
    elif changed(path) == changed(also[0]):
        why = "the last by name of those with the same time"
    return f"graded was {why}, {grading.name(path)}, and not {others}"


def grade_all(
    grading: Grading, jobs: int, tell: Callable[[Person, Record, bool], None]
) -> dict[str, Record]:
    """Grade everybody, several at a time; return identifier → record."""
    records: dict[str, Record] = {}
    workers = Workers(grading, jobs)
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting: dict[Future[tuple[Record, bool]], Person] = {
            pool.submit(grade_one, grading, workers, person): person for person in grading.people
        }
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                person = waiting.pop(future)
                try:
                    record, ready = future.result()
                except (TestsError, UnconfinedError):
                    raise
                except Exception as error:  # the others are graded all the same
                    if is_full(error):
                        raise
                    record, ready = failed(person, error), False
                records[person.id] = record
                tell(person, record, ready)
    except BaseException:
        workers.stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        workers.close()
    return records


def is_full(error: Exception) -> bool:
    """Whether something could not be written for want of room."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def failed(person: Person, error: Exception) -> Record:
    """Return a record of a failure of the grader itself; it is not kept, and tried again."""
    print(f"{person.id}: the grader failed: {error!r}", file=sys.stderr)
    said = f"The grader itself failed ({type(error).__name__}); grade again, or by hand."
    return Record(person.id, CRASHED, said)


class Teller:
    """Shows how far it is: a bar on a terminal, a line for each person elsewhere."""

    def __init__(self, console: Console, total: int):
        self.console = console
        self.total = total
        self.count = 0
        self.bar = Progress(
            TextColumn("grading"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("grading", total=total, last="")

    def __call__(self, person: Person, record: Record, ready: bool) -> None:
        """Tell that one person is done."""
        self.count += 1
        again = " (as before)" if ready and record.status != NOT_SUBMITTED else ""
        line = f"{person.id}: {record.status}{again}"
        if self.console.is_terminal:
            self.bar.update(self.task, advance=1, last=line)
        else:
            print(f"{self.count}/{self.total} {line}", flush=True)


def parser() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    cores = os.cpu_count() or 1
    found = argparse.ArgumentParser(
        prog="python -m assignments.grading",
        description="Grade a class's notebooks, each in a confined process of its own.",
        epilog="make grade takes the same by the names in brackets: make grade SET=layers "
        "SUBMISSIONS=folder ROSTER=roster.csv TIMEOUT=120. Seconds are the processor's, so a "
        "busy machine costs nobody anything; who only waits may wait four times as long.",
    )
    add = found.add_argument
    add(
        "set",
        nargs="?",
        help="which problem set: layers, transformers, networks, training, serving (SET)",
    )
    add("--submissions", type=Path, help="the folder with what was handed in (SUBMISSIONS)")
    add(
        "--roster", type=Path,
        help="a CSV file with a column id, or what Canvas, Moodle or Gradescope exports (ROSTER)",
    )  # fmt: skip
    add("--out", type=Path, help="where results go; default: grades/SET (OUT)")
    add("--dist", type=Path, default=ROOT / "dist", help="what was built; default: dist")
    add(
        "--jobs", type=positive, default=None,
        help=f"how many at a time; default: one a core, here {cores} (JOBS)",
    )  # fmt: skip
    add(
        "--seconds", type=positive, default=60,
        help="for one run of a notebook; default: 60 (TIMEOUT)",
    )  # fmt: skip
    add(
        "--cell-seconds", type=positive,
        help="for one cell; default: half of the above, 30 (CELL_TIMEOUT)",
    )  # fmt: skip
    add(
        "--call-seconds", type=positive,
        help="for one call of a function; default: a twelfth, 5 (CALL_TIMEOUT)",
    )  # fmt: skip
    add(
        "--memory", type=positive, default=1024,
        help="MB for one notebook; default: 1024 (MEMORY)",
    )  # fmt: skip
    add(
        "--anonymous", action="store_true",
        help="leave names out of the answers to be read (ANONYMOUS=1)",
    )  # fmt: skip
    add(
        "--regrade", default="",
        help="identifiers, or names of questions such as layers-4, to be graded afresh, with "
        "blanks between them; the other questions keep their points (REGRADE)",
    )  # fmt: skip
    add("--due", help='when it was due, like "2026-11-06 23:59"; later costs points (DUE)')
    add("--grace", type=float, default=0, help="minutes that cost nothing; default: 0 (GRACE)")
    add(
        "--penalty", type=float, default=10,
        help="percent of the points for each day begun; default: 10 (PENALTY)",
    )  # fmt: skip
    add(
        "--unsafe", action="store_true",
        help="run notebooks with your own rights, unconfined (UNSAFE=1)",
    )  # fmt: skip
    return found


def positive(text: str) -> int:
    """Return a whole number above 0.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade a class; return the exit code."""
    given = parser().parse_args(arguments)
    missing = [
        name
        for name, value in (
            ("SET", given.set),
            ("SUBMISSIONS", given.submissions),
            ("ROSTER", given.roster),
        )
        if not value
    ]
    if missing:
        print(
            f"{', '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing; say "
            "make grade SET=layers SUBMISSIONS=folder ROSTER=roster.csv",
            file=sys.stderr,
        )
        return WRONG
    try:
        return _grade(given)
    except (RosterError, SubmissionsError, TestsError, TotalsError) as error:
        print(error, file=sys.stderr)
        return WRONG
    except UnconfinedError as error:
        print(f"Nothing was graded, as there is no sandbox: {error}.", file=sys.stderr)
        return WRONG
    except OSError as error:
        if not is_full(error):
            raise
        place = given.out or ROOT / "grades" / given.set
        print(
            f"The disk is full: {error.filename or place} could not be written. What was graded "
            "is kept; make room, and the same command goes on.",
            file=sys.stderr,
        )
        return BROKEN
    except KeyboardInterrupt:
        print("\nStopped; what was graded is kept, and the same command goes on.", file=sys.stderr)
        return 130


def _grade(given: argparse.Namespace) -> int:
    started = time.monotonic()
    sandbox.STOP.clear()  # of an earlier run in this process
    console = Console()
    book = read_table(given.roster)
    people = read_roster(given.roster)
    policy = None
    if given.due:
        policy = Policy(moment(given.due), given.grace, given.penalty)
        for person in people:
            policy.days(person, 0)  # an extension that is no date is said now
    found = find(given.submissions, people)
    task = find_set(given.set, given.dist)
    again = _again(given.regrade, people, task)
    if given.unsafe:
        print("UNSAFE: notebooks are run with your own rights, and nothing confines them.")
    else:
        sandbox.check()
    out = given.out or ROOT / "grades" / given.set
    out.mkdir(parents=True, exist_ok=True)
    limits = Limits.of(
        given.seconds, given.memory * MEGABYTE, given.cell_seconds, given.call_seconds
    )
    grading = Grading(
        task=task,
        book=book,
        people=people,
        found=found,
        folder=given.submissions,
        limits=limits,
        confined=not given.unsafe,
        out=out,
        template=by_hand.template(task.template),
        grader=version(),
        policy=policy,
        again=again,
    )
    Results(out).sweep()
    if task.is_public_seed:
        print("*** The hidden tests draw from the repository's own seed, which everybody can read:")
        print("*** fine for a trial, not for a class. Run make assignments on a terminal.")
    jobs = given.jobs or workable(limits.memory)
    teller = Teller(console, len(people))
    with teller.bar:
        records = grade_all(grading, jobs, teller)
    report(grading, records, given.anonymous)
    print(f"{len(people)} people in {time.monotonic() - started:.0f} s, {jobs} at a time.")
    return 0


def _again(regrade: str, people: Sequence[Person], task: Set) -> Again:
    """Return what REGRADE names: people of the class, and questions of the set.

    An identifier with blanks in it is named whole, by itself.
    """
    known = {person.key for person in people}
    words = [folded(regrade)] if folded(regrade) in known else [*map(folded, regrade.split())]
    for word in words:
        if word not in known and word not in task.questions:
            raise RosterError(
                f"REGRADE names {word!r}, who is not on the roster and no question of "
                f"{task.name}, such as {task.questions[0]}"
            )
    asked = frozenset(word for word in words if word in task.questions and word not in known)
    return Again(frozenset(words) - asked, asked)


def workable(memory: int) -> int:
    """Return how many notebooks can run at a time: one a core, if the memory suffices."""
    room = int(psutil.virtual_memory().available) // memory
    return max(1, min(os.cpu_count() or 1, room))


def report(grading: Grading, records: dict[str, Record], anonymous: bool) -> None:
    """Write the table, the pages for students and the answers to be read; say where they are."""
    shelf = Shelf(grading.out)
    name, people = grading.task.name, grading.people
    questions = next((one.questions for one in records.values() if one.questions), None)
    if questions is None:  # nobody has handed in anything
        tester = Tester(grading.task.tests, name)
        questions = tester.possible()
        tester.close()
    headings = grading.template.headings
    rubric = _rubric(grading)
    secret = _secret(grading.out) if anonymous else None
    totals = _totals(grading, records, rubric, secret)
    late = grading.policy is not None
    most = sum(part.points for part in rubric) if headings else 0
    rows = grades(people, records, questions, headings, totals, most, late)
    table = shelf.put("grades.csv", rows)
    for person in people:
        page = feedback(name, person, records[person.id], headings, totals[person.id], rubric)
        shelf.put(f"feedback/{slug(person.id)}.md", page)
    seen = shelf.put("class.html", overview.page(name, people, records, totals))
    back = _back(grading, records, totals, questions, shelf)
    texts = [(person.id, person.name, records[person.id].texts) for person in people]
    style = _formulas(grading.out)
    hand = shelf.put(
        "to-be-read.html", by_hand.page(name, grading.template, texts, style, secret, rubric)
    )
    if secret is not None:
        shelf.put("whose-is-which.csv", by_hand.key(secret, [person.id for person in people]))
    if grading.found.nobodys:
        lines = "".join(grading.name(path) + "\n" for path in grading.found.nobodys)
        shelf.put("nobodys.txt", lines)
    shelf.close()
    _say(grading, records, table, hand)
    print(f"the class at a glance, for you: {seen}")
    if back is not None:
        print(f"to be imported into {grading.book.shape.name}: {back}")


def _rubric(grading: Grading) -> list[Part]:
    """Return the parts of what a person reads: the set's rubric, or a part for each question."""
    if grading.task.name in RUBRICS:
        return [Part(title, points) for title, points in RUBRICS[grading.task.name]]
    given = grading.template
    return [Part(title, float(given.points.get(title, 0))) for title in given.headings]


def _totals(
    grading: Grading, records: dict[str, Record], rubric: list[Part], secret: str | None
) -> dict[str, Total]:
    """Return what everybody gets, with the points of by-hand.csv, which is written if need be."""
    path = grading.out / "by-hand.csv"
    lines = {
        person.id: person.id if secret is None else by_hand.code_of(secret, person.id)
        for person in grading.people
    }
    known: dict[str, ByHand] = {}
    if path.exists():
        known = read_sheet(path, lines.values(), rubric)
    if rubric and any(folded(line) not in known for line in lines.values()):
        names = [
            (lines[person.id], harmless(person.name) if secret is None else "")
            for person in grading.people
        ]
        if secret is not None:
            names.sort()
        write(path, sheet(names, rubric, known))
    totals = {}
    for person in grading.people:
        record = records[person.id]
        files = grading.found.of.get(person.id, [])
        days = 0
        if grading.policy is not None and files:
            days = grading.policy.days(person, changed(files[0]))
        totals[person.id] = Total(
            program=sum(one["points"] for one in record.questions),
            by_hand=known.get(folded(lines[person.id]), ByHand()),
            days=days,
            percent=grading.policy.percent if grading.policy is not None else 0,
        )
    return totals


def _back(
    grading: Grading,
    records: dict[str, Record],
    totals: dict[str, Total],
    questions: Sequence[dict[str, Any]],
    shelf: Shelf,
) -> Path | None:
    """Write the grades into a copy of the course system's own table, if the roster is one."""
    name = file_name(grading.book)
    if name is None:
        return None
    most = sum(one["possible"] for one in questions)
    if any(one.by_hand.is_complete for one in totals.values()):
        most += sum(part.points for part in _rubric(grading))
    given = {}
    for person in grading.people:
        record, total = records[person.id], totals[person.id]
        handed_in = record.status != NOT_SUBMITTED
        said = " ".join(filter(None, (record.reason, total.by_hand.comment)))
        given[person.key] = Given(total.total, said) if handed_in else Given(None)
    try:
        return shelf.put(name, filled(grading.book, grading.task.name, most, given))
    except ScaleError as reason:
        print(f"*** {name} was not written: {reason}.")
        return None


def _say(grading: Grading, records: dict[str, Record], table: Path, hand: Path) -> None:
    counts = Counter(record.status for record in records.values())
    print(", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]))
    if counts[TIMED_OUT]:
        twice = f"{2 * grading.limits.seconds:g}"
        print(f"(who timed out may need more time: TIMEOUT={twice} gives twice as much for all)")
    nobodys = grading.found.nobodys
    if nobodys:
        shown = ", ".join(map(grading.name, nobodys[:5])) + (", …" if len(nobodys) > 5 else "")
        print(f"{len(nobodys)} files belong to nobody on the roster (nobodys.txt): {shown}")
    print(f"grades: {table}")
    if table.name != "grades.csv":
        print("(grades.csv beside it was changed by hand, and is left alone)")
    print(f"feedback: {grading.out / 'feedback'}")
    print(f"answers to be read by you: {hand}, with points and comments in by-hand.csv")


def _secret(out: Path) -> str:
    """Return what the order without names is drawn from: the same in every run."""
    path = out / "results" / ".order"
    if not path.exists():
        write(path, secrets.token_hex(16))
    return path.read_text()


def _formulas(out: Path) -> str:
    """Copy the style sheet and the fonts of formulas beside the page; return the sheet's name."""
    folder = out / "results" / "katex"
    if not (folder / "katex.min.css").exists():
        shutil.copytree(VENDOR, folder, dirs_exist_ok=True)
    return "results/katex/katex.min.css"


if __name__ == "__main__":
    threading.current_thread().name = "grading"
    sys.exit(main())
