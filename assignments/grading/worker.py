"""Runs otter's tests on plain data: one request and one answer a line, as JSON.

    python -I worker.py ZIP SET

ZIP is the one for Gradescope, whose `tests` are run by otter's own classes and whose `files`
hold the questions and the seed; so points and tests are written once, and Gradescope would
give the same. It is read where it lies: nothing of it is unpacked, so that no seed is left
behind, however this ends. No code of a student is ever loaded here. Where a test calls
a student's function, a stand-in gives what the function gave in the sandbox, for the very
same arguments.
"""

import builtins
import contextlib
import copy
import importlib.util
import io
import json
import os
import re
import resource
import sys
import warnings
import zipfile
from pathlib import Path

LONGEST_MESSAGE = 300
MEMORY = 4 * 2**30


class NotPlain:
    """Stands for an answer that is neither an integer, nor text, nor a list of these."""

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"<{self.kind}>"


class NotRecordedError(Exception):
    """A test has called a function with arguments that the sandbox was not asked for."""


class Replay:
    """Stands for a student's function: knows its results and nothing else."""

    def __init__(self, name, arguments, results):
        self.__name__ = name
        self.names = list(arguments[0]) if arguments else []
        self.results = {
            key(given): result for given, result in zip(arguments, results, strict=True)
        }

    def __call__(self, *positional, **keywords):
        """Return, or raise, what the function did for these arguments."""
        given = dict(zip(self.names, positional, strict=False)) | keywords
        match self.results.get(key(given)):
            case {"value": value}:
                return copy.deepcopy(value)
            case {"other": kind}:
                return NotPlain(kind)
            case {"error": "OutOfTime"}:
                raise TimeoutError("it took too long")
            case {"error": kind}:
                found = getattr(builtins, kind)
                raise found if issubclass(found, Exception) else RuntimeError(kind)
        raise NotRecordedError(self.__name__)


def key(arguments):
    """Return what tells one set of arguments from another: True is not 1 here."""
    return json.dumps(arguments, sort_keys=True)


def main():
    """Answer requests until there are no more."""
    archive, name = Path(sys.argv[1]).resolve(), sys.argv[2]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a test prints is no answer
    sys.path.insert(0, str(archive / "files"))
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # an answer may be a large number
    with zipfile.ZipFile(archive) as opened:
        grader = Grader(opened, name)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(grader, request.pop("do"))(**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def otters_tests():
    """Return otter's class for a file of tests.

    Otter's own front door would load pandas, nbconvert and what makes PDFs as well, which
    takes five times as long; a package that knows its folder alone is all that is needed.
    """
    spec = importlib.util.find_spec("otter")
    if "otter" not in sys.modules:
        sys.modules["otter"] = importlib.util.module_from_spec(spec)
    return importlib.import_module("otter.test_files").ExceptionTestFile


class Grader:
    """Holds the tests and the questions of a set."""

    def __init__(self, archive, name):
        from assignments import hidden, question
        from assignments.questions import load
        from flopsbook.exercises.personal import personal

        test_file = otters_tests()
        # a zip of an earlier version knows no mistakes
        self.recognised = getattr(question, "recognised", lambda *_: [])
        self.personal = personal
        files = {Path(file) for file in archive.namelist()}
        tests = [file for file in files if file.parent == Path("tests") and file.suffix == ".py"]
        self.tests = {
            path.stem: test_file.from_string(archive.read(str(path)).decode(), str(path))
            for path in sorted(tests, key=natural)
        }
        self.questions = load(name)
        seeds = ("files/assignments/seed", "files/assignments/test-seed")
        self.seed = next(archive.read(s).decode().strip() for s in seeds if Path(s) in files)
        hidden.seed = lambda: self.seed  # it looks on the disk

    def plan(self, student):
        """Return what the sandbox has to be asked for."""
        return {
            "values": [one.answer for one in self.questions if not one.is_function],
            "calls": {
                one.answer: [
                    dict(given)
                    for given in (*one.examples, *one.hidden_arguments(self.seed, student))
                ]
                for one in self.questions
                if one.is_function
            },
        }

    def possible(self):
        """Return the points of every question, in the order of the set."""
        tests = self.tests.values()
        return [{"name": test.name, "possible": test.possible} for test in tests if test.possible]

    def grade(self, student, values, functions, only=None):
        """Return what every question earned, and what its public tests say."""
        arguments = self.plan(student)["calls"]
        graded = []
        for name, test in self.tests.items():
            if only is not None and name != only:
                continue
            names = environment(student, values, functions, arguments)
            with contextlib.redirect_stdout(io.StringIO()):
                test.run(names)
            if test.possible:
                graded.append(summary(test) | {"mistakes": self.mistakes(name, student, names)})
        return graded

    def mistakes(self, name, student, names):
        """Return the usual mistakes that the answer to a question shows, if it is wrong."""
        question = next((one for one in self.questions if one.name == name), None)
        if not getattr(question, "mistakes", ()):
            return []
        answer = names.get(question.answer)
        if question.is_function:
            if not isinstance(answer, Replay):
                return []
            given = self.plan(student)["calls"][question.answer]
            results = [answer.results[key(one)] for one in given]
            cases = [(one, found.get("value")) for one, found in zip(given, results, strict=True)]
        else:
            cases = [(self.personal(name, student), answer)]
        found = self.recognised(question, cases)
        return [{"name": one.name, "sentence": one.sentence} for one in found]


def environment(student, values, functions, arguments):
    """Return the names that the tests see."""
    names = {"STUDENT": student}
    for name, found in copy.deepcopy(values).items():
        match found:
            case {"value": value}:
                names[name] = value
            case {"other": kind}:
                names[name] = NotPlain(kind)
    for name, found in functions.items():
        if found["state"] == "function":
            names[name] = Replay(name, arguments[name], found["results"])
        elif found["state"] == "not a function":
            names[name] = NotPlain("not a function")
    return names


def summary(test):
    """Return a question's points; of the hidden tests nothing but their points."""
    public = [one for one in test.test_case_results if not one.test_case.hidden]
    hidden = [one for one in test.test_case_results if one.test_case.hidden]
    return {
        "name": test.name,
        "points": test.score,
        "possible": test.possible,
        "public": [
            {
                "passed": one.passed,
                "points": one.test_case.points if one.passed else 0,
                "possible": one.test_case.points,
                "message": message(one),
            }
            for one in public
        ],
        "hidden": {
            "points": sum(one.test_case.points for one in hidden if one.passed),
            "possible": sum(one.test_case.points for one in hidden),
        },
    }


def message(result):
    """Return what a public test says: its own words for it, or the end of the error."""
    case = result.test_case
    if result.passed:
        return case.success_message or ""
    said = case.failure_message
    if not said:
        lines = (result.message or "").strip().splitlines()
        said = lines[-1] if lines else ""
    return said[:LONGEST_MESSAGE]


def natural(path):
    """Return a key that sorts q2 before q10."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


if __name__ == "__main__":
    main()
