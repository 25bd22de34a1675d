"""Break the library in thousands of small ways, and see whether a test notices: `make mutants`.

The changes, their bookkeeping and the session in which an interrupted run goes on
are cosmic-ray's; `operators.py` adds four more ways to be wrong. Only the running
is done here: a child that is forked from a process with pytest, NumPy and SymPy
already loaded is several times quicker than a new Python for each mutant, and
the tests that are likely to notice come first. The tree is copied, and the copy
is changed.

No function is excluded, and no pragma is looked at. What is counted apart:

* "not Python": the change does not compile, such as a `+` in place of a lone `*`;
* "annotations": they are never evaluated (`from __future__ import annotations`);
* "texts": the wording of messages, labels, LaTeX, docs and `__all__`: strings, and what
  is computed inside an f-string or a message. A string that the code compares,
  looks up, takes for a key, reads or sets an attribute by, or has for a default is
  no text.

A mutant on which the tests do not end is a time-out, and not counted as killed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import hashlib
import importlib
import importlib.metadata
import json
import os
import resource
import shutil
import signal
import sys
import time
import tomllib
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import cosmic_ray.plugins
import pytest
from _pytest.config import default_plugins as pytest_plugins
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult
from operators import Operators

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "_build" / "mutants"
SESSION = BUILD / "session"
CONFIG = tomllib.loads((HERE / "config.toml").read_text())
CLASSES = ("code", "texts", "annotations", "not Python")
OUTCOMES = ("killed", "survived", "timeout")
BY_NAME = ("getattr", "setattr", "__setattr__")  # a string says which attribute is meant

cosmic_ray.plugins.OPERATOR_PROVIDERS["own"] = Operators()
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # nothing of the notebooks is needed
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # for what the tests start


# what to change


def modules():
    """Every module to change, as a path below the root."""
    for place in CONFIG["places"]:
        path = ROOT / place
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            yield file.relative_to(ROOT)


def place_of(module):
    return next(place for place in CONFIG["places"] if str(module).startswith(place))


def name_of(function):
    return getattr(function, "attr", getattr(function, "id", ""))


class Source:
    """A module, and which of its stretches are annotations, messages or strings of the code."""

    def __init__(self, module):
        self.text = (ROOT / module).read_text()
        self.lines = self.text.splitlines()
        tree = ast.parse(self.text)
        self.annotations, self.texts, self.keys = [], [], []
        for node in ast.walk(tree):
            if isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation:
                self.annotations.append(self.span(node.annotation))
            elif isinstance(node, ast.FunctionDef):
                self.annotations += [self.span(node.returns)] if node.returns else []
                defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
                self.keys += [self.span(d) for d in defaults if isinstance(d, ast.Constant)]
            elif isinstance(node, ast.JoinedStr):
                self.texts.append(self.span(node))
            elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                self.texts += map(self.span, node.exc.args)
            elif isinstance(node, ast.Call) and name_of(node.func) == "_refuse":
                self.texts += map(self.span, node.args)
            elif isinstance(node, ast.Call) and name_of(node.func) in BY_NAME:
                self.keys += [self.span(a) for a in node.args if isinstance(a, ast.Constant)]
            elif isinstance(node, ast.Compare):
                self.keys += map(self.span, [node.left, *node.comparators])
            elif isinstance(node, ast.Dict):
                self.keys += map(self.span, filter(None, node.keys))
            elif isinstance(node, ast.Subscript):
                self.keys.append(self.span(node.slice))

    def span(self, node):
        return (
            (node.lineno, self.column(node.lineno, node.col_offset)),
            (node.end_lineno, self.column(node.end_lineno, node.end_col_offset)),
        )

    def column(self, line, offset):
        return len(self.lines[line - 1].encode()[:offset].decode())

    def kind(self, mutation):
        """Return the class that a mutation belongs to, if it is Python."""
        start, end = tuple(mutation.start_pos), tuple(mutation.end_pos)

        def within(spans):
            return any(first <= start and end <= last for first, last in spans)

        if within(self.annotations):
            return "annotations"
        if within(self.texts):
            return "texts"
        is_string = mutation.operator_name == "own/ChangeString"
        return "texts" if is_string and not within(self.keys) else "code"

    def changed(self, mutation):
        operator = cosmic_ray.plugins.get_operator(mutation.operator_name)
        return mutate_code(self.text, operator(**mutation.operator_args), mutation.occurrence)

    def difference(self, mutation):
        """Return the lines that are changed, before and after."""
        before, after = self.lines, self.changed(mutation).splitlines()
        while before and after and before[0] == after[0]:
            before, after = before[1:], after[1:]
        while before and after and before[-1] == after[-1]:
            before, after = before[:-1], after[:-1]
        return tuple(" ".join(map(str.strip, lines)).strip() for lines in (before, after))


def is_python(text):
    try:
        compile(text, "", "exec")
    except SyntaxError:
        return False
    return True


# running tests on it


def stages(module):
    """Return the tests for a module, in groups, those that notice quickest first.

    The first group is the module's own doctests and the first file, the second
    the next file, the last all others: a group costs a start of pytest.
    """
    for pattern, files in CONFIG["tests"].items():
        if str(module).startswith(pattern):
            named = (name.partition("::") for name in files)
            first, second, *others = [
                f"tests/library/{file}.py{sep}{test}" for file, sep, test in named
            ]
            return [[str(module), first], [second], *([others] if others else [])]
    raise LookupError(f"no tests are named for {module} in config.toml")


def preload():
    """Load once what every child needs, and nothing of the library itself."""
    for name in CONFIG["preload"]:
        __import__(name)
    assert not any(name.split(".")[0] == "flopslib" for name in sys.modules)
    import hypothesis

    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    for name in pytest_plugins:
        importlib.import_module(f"_pytest.{name}")
    gc.freeze()  # or pytest's own collections go through all of this, in each child


class Witness:
    """A pytest plugin that remembers which test failed first."""

    def __init__(self):
        self.first = ""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.first = self.first or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def test_in_child(tree, module, note):
    """Run the stages until one fails; never returns."""
    os.setsid()
    code = 2
    try:
        memory = CONFIG["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        os.chdir(tree)
        sys.path[:0] = [str(tree), str(tree / "tests")]
        sink = os.open(note.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        options = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--doctest-modules"]
        options += ["--noconftest", "--tb=no", "-p", "no:unraisableexception"]
        options += ["-W", "ignore::SyntaxWarning"]  # an `is "same"` has to be noticed by a test
        code = 0
        for stage in stages(module):
            witness = Witness()
            status = pytest.main([*options, *stage], plugins=[witness])
            if status not in (0, 5):  # 5: a module without doctests
                note.write_text(witness.first or f"{stage[0]}: exit {int(status)}")
                code = 1
                break
    except BaseException as error:
        note.write_text(f"{type(error).__name__}")
        code = 1
    finally:
        os._exit(code)


class Slot:
    """A copy of the tree, in which one mutant at a time is tested."""

    def __init__(self, number, origin=ROOT):
        self.tree = BUILD / f"tree{number}"
        self.note = BUILD / f"note{number}"
        shutil.rmtree(self.tree, ignore_errors=True)
        for name in CONFIG["copied"]:
            source = origin / name
            target = self.tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                compiled = shutil.ignore_patterns("__pycache__") if origin == ROOT else None
                shutil.copytree(source, target, ignore=compiled)
            else:
                shutil.copy2(source, target)
        self.child = None

    def start(self, module, text=None, job=None):
        self.job, self.module, self.text = job, module, text
        self.note.write_text("")
        if text is not None:
            (self.tree / module).write_text(text)
        # what is compiled on unchanged code is kept; a mutant leaves nothing behind
        sys.dont_write_bytecode = text is not None
        self.began = time.monotonic()
        self.child = os.fork()
        if not self.child:
            test_in_child(self.tree, module, self.note)

    def finished(self):
        """Return the outcome, who noticed and the seconds, once there is one."""
        pid, status = os.waitpid(self.child, os.WNOHANG)
        seconds = time.monotonic() - self.began
        if not pid and seconds < CONFIG["timeout"]:
            return None
        if not pid:
            outcome, by = "timeout", ""
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        else:
            outcome = "killed" if status else "survived"
            by = self.note.read_text() or (f"status {status}" if status else "")
        if self.text is not None:
            shutil.copy2(ROOT / self.module, self.tree / self.module)
        self.child = None
        return outcome, by, round(seconds, 2)


def passed(slot, module):
    """Run the tests of a module on unchanged code, and wait for them."""
    slot.start(module)
    while (outcome := slot.finished()) is None:
        time.sleep(0.01)
    return outcome


def baseline(slot, chosen):
    """Run all tests of what was chosen on the unchanged copy: they have to pass, and get compiled."""
    wanted = [module for module in modules() if str(module).startswith(chosen)]
    for module in {str(stages(m)[-1]): m for m in wanted}.values():
        outcome, by, seconds = passed(slot, module)
        if outcome != "survived":
            log = slot.note.with_suffix(".log").read_text()
            sys.exit(f"{log}\nThe tests of {module} fail on unchanged code: {by}")
        print(f"unchanged, with the tests of {module}: passed, {seconds} s", flush=True)


# the session


def fingerprint():
    """Say which code and operators a session belongs to."""
    files = [*(ROOT / module for module in modules()), HERE / "operators.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def fingerprint_of_tests():
    return hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted((ROOT / "tests" / "library").glob("*.py")))
    ).hexdigest()


def opened(fresh):
    """Return the session: the one that was interrupted, or a new one."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path, mark = SESSION.with_suffix(".sqlite"), SESSION.with_suffix(".of")
    known = mark.read_text() if mark.exists() else ""
    if fresh or known != fingerprint() or not path.exists():
        path.unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
        db = WorkDB(path, WorkDB.Mode.create)
        os.chdir(ROOT)
        init(list(modules()), db, {})
        mark.write_text(fingerprint())
        SESSION.with_suffix(".tests").write_text(fingerprint_of_tests())
        return db
    return WorkDB(path, WorkDB.Mode.open)


def result(kind, outcome="", by="", seconds=0.0):
    output = json.dumps({"class": kind, "outcome": outcome, "by": by, "seconds": seconds})
    if not outcome:
        return WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output=output)
    survived = outcome == "survived"
    return WorkResult(
        worker_outcome=WorkerOutcome.NORMAL if outcome != "timeout" else WorkerOutcome.ABNORMAL,
        test_outcome=TestOutcome.SURVIVED if survived else TestOutcome.KILLED,
        output=output,
    )


def work(db, jobs, chosen, again, texts):
    """Test what has no result yet, and with ``again`` what has survived or timed out."""
    sources = {module: Source(module) for module in modules()}
    lived = {
        job for job, r in db.results if json.loads(r.output)["outcome"] in ("survived", "timeout")
    }
    pending = list(db.pending_work_items)
    if again:
        pending += [item for item in db.work_items if item.job_id in lived]
    queue = []
    for item in pending:
        (mutation,) = item.mutations
        if not str(mutation.module_path).startswith(chosen):
            continue
        kind = sources[mutation.module_path].kind(mutation)
        if kind == "annotations":
            db.set_result(item.job_id, result(kind))
        elif kind != "texts" or texts:
            queue.append((item.job_id, mutation, kind))
    if not queue:
        return
    preload()
    slots = [Slot(0)]
    baseline(slots[0], chosen)
    slots += [Slot(number, slots[0].tree) for number in range(1, jobs)]
    queue.sort(key=lambda job: job[2] == "texts")  # they come last
    left, done, began = iter(queue), 0, time.monotonic()
    while True:
        busy = False
        for slot in slots:
            if slot.child is not None and (outcome := slot.finished()):
                db.set_result(slot.job[0], result(slot.job[2], *outcome))
                done += 1
                if done % 100 == 0:
                    passed = time.monotonic() - began
                    print(f"{done} of {len(queue)} mutants, {passed:.0f} s", flush=True)
            while slot.child is None and (job := next(left, None)):
                changed = sources[job[1].module_path].changed(job[1])
                if is_python(changed):
                    slot.start(job[1].module_path, changed, job)
                else:
                    db.set_result(job[0], result("not Python"))
            busy = busy or slot.child is not None
        if not busy:
            return
        time.sleep(0.005)


# what came out


def report(db):
    """Print the raw counts, list the survivors with the reasons known for them, store both."""
    sources = {module: Source(module) for module in modules()}
    items = {item.job_id: item.mutations[0] for item in db.work_items}
    counts = defaultdict(Counter)
    seconds, survivors, text_survivors = 0.0, [], []
    for job, res in db.results:
        found = json.loads(res.output)
        mutation = items[job]
        module = str(mutation.module_path)
        counts[module][found["class"], found["outcome"]] += 1
        seconds += found["seconds"]
        if found["outcome"] in ("survived", "timeout"):
            row = (
                module,
                mutation.start_pos[0],
                mutation.operator_name,
                *sources[mutation.module_path].difference(mutation),
                found["outcome"],
            )
            (survivors if found["class"] == "code" else text_survivors).append(row)
    return counts, seconds, sorted(survivors), sorted(text_survivors)


def row_of(name, counter):
    code = [counter["code", outcome] for outcome in OUTCOMES]
    generated = sum(code)
    rate = f"{100 * code[0] / generated:6.2f} %" if generated else "       –"
    texts = sum(n for (kind, _), n in counter.items() if kind == "texts")
    killed = counter["texts", "killed"]
    apart = (counter["annotations", ""], counter["not Python", ""])
    return f"{name:38}{generated:10}{code[0]:8}{code[1]:9}{code[2]:9}  {rate}" + (
        f"{texts:8}{killed:8}{apart[0]:12}{apart[1]:11}"
    )


def reasons():
    """Return why each reviewed survivor may live, by module and change."""
    listed = tomllib.loads((HERE / "survivors.toml").read_text()).get("survivor", [])
    return {(s["module"], s["before"], after): s["reason"] for s in listed for after in s["after"]}


def write(path, data):
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def show(db, jobs):
    counts, seconds, survivors, text_survivors = report(db)
    heads = f"{'':38}{'mutants':>10}{'killed':>8}{'survived':>9}{'timeout':>9}{'killed':>10}"
    print(heads + f"{'texts':>8}{'killed':>8}{'annotations':>12}{'not Python':>11}")
    stored = {}
    for place in CONFIG["places"]:
        inside = {m: c for m, c in counts.items() if place_of(m) == place}
        if len(inside) > 1:
            for module, counter in sorted(inside.items()):
                print(row_of("  " + module, counter))
        total = sum(inside.values(), Counter())
        print(row_of(place, total))
        stored[place] = {
            **{outcome: total["code", outcome] for outcome in OUTCOMES},
            "texts": sum(n for (kind, _), n in total.items() if kind == "texts"),
            "texts killed": total["texts", "killed"],
            "annotations": total["annotations", ""],
            "not Python": total["not Python", ""],
        }
    whole = sum(counts.values(), Counter())
    print(row_of("all", whole))
    version = importlib.metadata.version("cosmic-ray")
    pending = db.num_work_items - db.num_results
    print(f"cosmic-ray {version}; {seconds:.0f} s of testing; {pending} mutants left to test")
    tests = SESSION.with_suffix(".tests")
    if not tests.exists() or tests.read_text() != fingerprint_of_tests():
        print(
            "The tests have changed since: --again tests the survivors, --fresh all mutants anew."
        )
    known, unknown = reasons(), 0
    by_change = defaultdict(list)
    for module, line, operator, before, after, outcome in survivors:
        by_change[module, before, after].append((line, operator, outcome))
    print("\nSurvivors in arithmetic and validation:")
    for (module, before, after), places in by_change.items():
        reason = known.get((module, before, after))
        unknown += reason is None
        lines = ", ".join(f"{line} {outcome}" for line, _, outcome in places)
        print(f"{module}:{lines}\n  - {before}\n  + {after}\n  {reason or 'NOT REVIEWED'}")
    stale = known.keys() - by_change.keys()
    if not pending and stale and SESSION.name == "session":
        print("\nReasons for what has not survived:")
        for module, before, after in sorted(stale):
            print(f"{module}\n  - {before}\n  + {after}")
    print(f"\nTexts that may change unnoticed: {len(text_survivors)}, listed in texts.txt")
    # what a whole run found is kept
    store = BUILD if pending or SESSION.name != "session" else HERE
    (store / "texts.txt").write_text(
        "".join(f"{m}\n  - {b}\n  + {a}\n" for m, _, _, b, a, _ in text_survivors)
    )
    write(store / "survived.json", [[m, b, a, outcome] for m, _, _, b, a, outcome in survivors])
    run = {"cosmic-ray": version, "seconds": round(seconds), "jobs": jobs, "places": stored}
    write(store / "results.json", run)
    enough = all(
        100 * found["killed"] >= CONFIG["aim"] * sum(found[outcome] for outcome in OUTCOMES)
        for found in stored.values()
    )
    if not enough or unknown:
        sys.exit(
            f"{unknown} survivors have no reason; {CONFIG['aim']} % are to be killed in each place"
        )


def take_named(chosen):
    """Change what is named and no whole run comes to, alone and in a session of its own."""
    global SESSION
    named = [place for place in CONFIG["when_named"] if place.startswith(tuple(chosen) or "-")]
    named += [only for only in chosen if only.startswith(tuple(CONFIG["when_named"]))]
    if named:
        CONFIG["places"] = sorted(set(named))
        SESSION = BUILD / "named"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("chosen", nargs="*", help="only these, such as flopslib/costs/dense.py")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--again", action="store_true", help="test survivors and time-outs again")
    parser.add_argument("--report", action="store_true", help="only show what is known")
    parser.add_argument("--no-texts", action="store_true", help="leave texts untested")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    take_named(given.chosen)
    warnings.simplefilter("ignore", SyntaxWarning)
    db = opened(given.fresh)
    if not given.report:
        work(db, given.jobs, tuple(given.chosen) or "", given.again, not given.no_texts)
    show(db, given.jobs)


if __name__ == "__main__":
    main()
