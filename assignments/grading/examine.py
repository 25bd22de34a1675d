"""One submission, from the bytes of a file to points and a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from flopsbook.exercises.personal import PLACEHOLDER, folded

from .answers import (
    ATTEMPTS,
    UNREADABLE,
    Answers,
    Cell,
    ForgedError,
    Read,
    checked_cells,
    checked_notes,
    checked_run,
)
from .autograder import Tester, nothing
from .sandbox import MEGABYTE, Limits, Outcome, Sandbox

GRADED = "graded"
NOT_SUBMITTED = "not submitted"
UNREADABLE_FILE = "unreadable"
TIMED_OUT = "timed out"
CRASHED = "crashed"
SUSPICIOUS = "suspicious"
STATUSES = (GRADED, NOT_SUBMITTED, UNREADABLE_FILE, TIMED_OUT, CRASHED, SUSPICIOUS)

MOST_RESTARTS = 4
STUDENT = "STUDENT"


@dataclass
class Record:
    """What is kept of one person's submission.

    Attributes:
        id: the person's identifier.
        status: one of STATUSES.
        reason: one sentence for the teacher and the student; it names no test and no number
            that a hidden test uses.
        file: the file that was graded, within the folder of submissions.
        named: the STUDENT of the notebook, where it has one.
        questions: what every question earned, as the tester says it.
        notes: what a student can use: cells that failed, answers of the wrong type.
        texts: (heading, text, pictures) of what is to be graded by hand.
        own: words and code that the given notebook does not have, numbers as 0.
        confined: False where the teacher did without a sandbox.
    """

    id: str
    status: str
    reason: str
    file: str = ""
    named: str = ""
    questions: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    texts: list[list[Any]] = field(default_factory=list)
    own: str = ""
    confined: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain data."""
        return asdict(self)


@dataclass
class Ran:
    """What the runs of one notebook gave.

    Attributes:
        read: the notebook's cells, once a run has read them.
        answers: everything that could be had.
        mishaps: (how it ended, at which step) for every run that did not come to its end.
        skip: code cells that are left out since Python died at them.
        wants: whether the notebook asked for the library where it could not be imported.
        forged: whether something else than the runner wrote a report.
        lost: whether a run gave nothing in the end.
    """

    read: Read | None = None
    answers: Answers = field(default_factory=Answers)
    mishaps: list[tuple[str, Any]] = field(default_factory=list)
    skip: list[int] = field(default_factory=list)
    wants: bool = False
    forged: bool = False
    lost: bool = False


class UnreadableError(Exception):
    """A file has no cells; the text goes on after "it could not be read: "."""


def cells_of(outcome: Outcome) -> Read:
    """Return what the runner has read of a notebook.

    Raises:
        UnreadableError: it is no notebook.
    """
    if outcome.cells is None:
        why = {
            "late": "reading it took too long",
            "memory": "reading it took too much memory",
            "flood": "its pictures are too large",
        }
        raise UnreadableError(why.get(outcome.ended, "Python gave up on it"))
    try:
        cells = checked_cells(outcome.cells)
    except ForgedError:
        raise UnreadableError("its cells make no sense") from None
    if isinstance(cells, str):
        raise UnreadableError(UNREADABLE[cells])
    return cells


def run(
    notebook: bytes,
    name: str,
    values: Sequence[str],
    calls: Mapping[str, Sequence[Any]],
    sandbox: Sandbox,
    limits: Limits,
) -> Ran:
    """Run a notebook where flopslib cannot be imported; and where it can, if that matters.

    Functions are graded by the first run. Values may be computed with the library: a notebook
    that asked for it is run once more where it is there, for its values. For one that did not
    ask, the second run could give nothing else. Where Python dies or does not stop, it starts
    again without the cell at which that happened, as long as there is time.

    Args:
        notebook: the file as it was handed in.
        name: the set that it has to be of.
        values: the variables to report.
        calls: function → arguments to call it with.
        sandbox: where it runs.
        limits: what it may use.

    Raises:
        UnreadableError: it is no notebook, or one of another set.
    """
    ran = Ran()
    answers = _attempts(ran, notebook, name, values, calls, sandbox, limits, False)
    if answers is not None:
        ran.answers.values, ran.answers.functions = answers.values, answers.functions
        ran.answers.failed = answers.failed
    if answers is None or ran.wants:
        again = _attempts(ran, notebook, name, values, {}, sandbox, limits, True)
        if again is not None:
            ran.answers.values, ran.answers.failed = again.values, again.failed
        ran.lost = answers is None or again is None
    return ran


def _attempts(
    ran: Ran,
    notebook: bytes,
    name: str,
    values: Sequence[str],
    calls: Mapping[str, Sequence[Any]],
    sandbox: Sandbox,
    limits: Limits,
    flopslib: bool,
) -> Answers | None:
    skip = ran.skip  # what killed the first run would kill the second
    skip_calls: list[Any] = []
    left = limits.seconds
    for _ in range(1 + MOST_RESTARTS):
        if left <= 0:
            break
        left_out = {"skip": skip, "skip_calls": skip_calls}
        job = {"set": name, "values": [*values], "calls": calls, **left_out}
        outcome = sandbox.run(notebook, job, replace(limits, seconds=left), flopslib=flopslib)
        if ran.read is None:
            ran.read = cells_of(outcome)
            if ran.read.set not in ("", name):
                raise UnreadableError(
                    f"it is the notebook of the set {ran.read.set}, and this is the set {name}"
                )
        left -= max(outcome.seconds, 0.1)
        ran.wants = ran.wants or outcome.wants
        for one in checked_notes(outcome.noted, values, calls):
            if one not in ran.answers.suspicions:
                ran.answers.suspicions.append(one)
        if outcome.report is not None and not outcome.ended:
            try:
                return checked_run(outcome.report, values, calls)
            except ForgedError:
                ran.forged = True
                return None
        _note(ran, outcome)
        match outcome.step:
            case ["cell", number] if number not in skip and 0 < number <= len(ran.read.code):
                skip.append(number)
            case ["call", name, place] if name in calls and outcome.step not in skip_calls:
                skip_calls.append(["call", name, place])
            case _:
                return None
    return None


def _note(ran: Ran, outcome: Outcome) -> None:
    mishap = (outcome.ended, tuple(outcome.step or ()))
    if mishap not in ran.mishaps:
        ran.mishaps.append(mishap)


def examine(
    content: bytes,
    student: str,
    *,
    sandbox: Sandbox,
    tester: Tester,
    limits: Limits,
) -> tuple[Record, Sequence[Cell]]:
    """Grade one notebook; return the record and the notebook's cells.

    Args:
        content: what the file holds.
        student: the identifier that the roster gives to the person.
        sandbox: where the code runs.
        tester: where the tests run.
        limits: what the code may use.

    Raises:
        TestsError: the tests cannot be run, whatever the answers are.
    """
    values, calls = tester.plan(student)
    try:
        ran = run(content, tester.name, [*values, STUDENT], calls, sandbox, limits)
    except UnreadableError as reason:
        return unread(student, tester, str(reason)), []
    assert ran.read
    named = ran.answers.values.pop(STUDENT, {}).get("value")
    named = named if isinstance(named, str) else ""
    record = Record(student, GRADED, "", named=named)
    if ran.answers.values or ran.answers.functions:
        record.questions = tester.grade(student, ran.answers)
    else:
        record.questions = [nothing(question) for question in tester.possible()]
    code = ran.read.code
    judge(record, ran, code, limits)
    record.notes = notes(ran, len(code), values, calls)
    return record, ran.read.cells


def unread(student: str, tester: Tester, reason: str) -> Record:
    """Return the record of a file that is no notebook of this set."""
    record = Record(student, UNREADABLE_FILE, f"The file was not graded: {reason}.")
    record.questions = [nothing(question) for question in tester.possible()]
    return record


def judge(record: Record, ran: Ran, code: Sequence[str], limits: Limits) -> None:
    """Set the status of a record and its reason, the gravest first."""
    suspicions = [f"{place(where)} {ATTEMPTS[what]}" for what, where in ran.answers.suspicions]
    if ran.forged:
        suspicions.append("something other than the grader wrote the grader's report")
    late, crashed = stopped(ran, limits)
    plain = []
    if not any(source.strip() for source in code):
        plain.append("the notebook has no code")
    elif has_nothing(ran):
        plain.append("there is no answer of this set in it")
    if ran.answers.failed:
        elsewhere = ("OutOfTime", "MemoryError")
        failed = [(n, e) for n, e in ran.answers.failed.items() if e not in elsewhere]
        if failed:
            plain.append(cells_failed(failed))
    for status, reasons in ((SUSPICIOUS, suspicions), (TIMED_OUT, late), (CRASHED, crashed)):
        if reasons:
            record.status = status
            break
    record.reason = sentence([*suspicions, *late, *crashed, *plain] or ["every cell ran"])


def has_nothing(ran: Ran) -> bool:
    """Whether a notebook defines none of the names that this set asks for."""
    values, functions = ran.answers.values.values(), ran.answers.functions.values()
    return (
        bool(values or functions)
        and all(one == {"missing": True} for one in values)
        and all(one["state"] == "missing" for one in functions)
    )


def stopped(ran: Ran, limits: Limits) -> tuple[list[str], list[str]]:
    """Return what took too long, and what ended Python or took too much memory."""
    late, crashed = [], []
    for number, error in ran.answers.failed.items():
        if error == "OutOfTime":
            late.append(f"{place(number)} did not end within {limits.cell_seconds:g} s")
        elif error == "MemoryError":
            crashed.append(
                f"{place(number)} needed more than {limits.memory // MEGABYTE:,} MB of memory"
            )
    for name, function in ran.answers.functions.items():
        errors = [one.get("error") for one in function.get("results", [])]
        if "OutOfTime" in errors:
            late.append(f"a call of {name} did not end within {limits.call_seconds:g} s")
        elif "MemoryError" in errors:
            crashed.append(f"a call of {name} needed too much memory")
    for ended, step in ran.mishaps:
        where = place(step[1]) if step else "the notebook"
        if ended == "late":
            what = f"{where} could not be stopped in time"
            if what not in late and not any(one.startswith(where + " ") for one in late):
                late.append(what)
        elif ended == "memory":
            crashed.append(f"{where} took more than {limits.memory // MEGABYTE:,} MB of memory")
        else:
            crashed.append(f"{where} ended Python itself")
    if ran.lost and (late or crashed):
        (late or crashed).append("not all answers could be had")
    return late, crashed


def notes(ran: Ran, count: int, values: Sequence[str], calls: Mapping[str, Any]) -> list[str]:
    """Return what helps a student to find a mistake, without anything that is hidden."""
    found = [
        f"Code cell {number} of {count} failed: {error}."
        for number, error in ran.answers.failed.items()
        if error != "OutOfTime"
    ]
    for name in values:
        match ran.answers.values.get(name):
            case {"missing": True}:
                found.append(f"There is no variable `{name}`.")
            case {"other": "ellipsis"}:
                found.append(f"`{name}` was not filled in.")
            case {"other": str(kind)} if " " in kind:
                found.append(f"`{name}` is {kind}.")
            case {"other": str(kind)}:
                found.append(f"`{name}` is of the type `{kind}`, which no question asks for.")
    for name in calls:
        match ran.answers.functions.get(name, {}).get("state"):
            case "missing":
                where = " where flopslib cannot be imported" if ran.wants else ""
                found.append(f"There is no function `{name}`{where}.")
            case "not a function":
                found.append(f"`{name}` is not a function.")
    return found


def cells_failed(failed: Sequence[tuple[int, str]]) -> str:
    """Return which cells failed and how, in a few words."""
    first, error = failed[0]
    said = f"{place(first)} failed ({error})"
    if len(failed) > 1:
        more = len(failed) - 1
        said += f" and so did {more} more" if more > 1 else " and so did another"
    return said


def place(where: object) -> str:
    """Return a place in words: the number of a code cell, or the name of an answer."""
    return f"code cell {where}" if isinstance(where, int) else str(where)


def sentence(clauses: Sequence[str], most: int = 4) -> str:
    """Return clauses as one sentence.

    >>> sentence(["code cell 3 failed", "the rest did not"])
    'Code cell 3 failed; the rest did not.'
    """
    more = len(clauses) - most
    kept = [*clauses[:most], *([f"and {more} more"] if more > 0 else [])]
    text = "; ".join(kept)
    return text[:1].upper() + text[1:] + "."


def identified(record: Record, roster: Mapping[str, str]) -> Record:
    """Return a record that takes into account whom the notebook names as its STUDENT.

    Args:
        record: what the notebook itself gave.
        roster: folded identifier → identifier, of the whole class.
    """
    named = folded(record.named)
    if record.status in (NOT_SUBMITTED, UNREADABLE_FILE) or named == folded(record.id):
        return record
    if named in roster:
        said = "the notebook names somebody else of the class as its STUDENT"
        return replace(record, status=SUSPICIOUS, reason=joined(said, record.reason))
    said = "its STUDENT is nobody on the roster, so its numbers may be others"
    if named in ("", folded(PLACEHOLDER)):
        said = "it does not say who its STUDENT is"
    return replace(record, reason=joined(record.reason, said))


def joined(first: str, second: str) -> str:
    """Return two sentences, or clauses, as one sentence.

    >>> joined("Every cell ran.", "it names nobody")
    'Every cell ran; it names nobody.'
    """
    return sentence([first.removesuffix("."), second[:1].lower() + second[1:].removesuffix(".")])
