"""Asking the Python of an open page, and the answers that the catalogue has for it."""

import json
import time
from fractions import Fraction

from flopsbook.exercises import catalogue
from flopsbook.exercises.kinds import Function
from flopsbook.exercises.typed import check_typed

EXERCISES = {
    f"{name}-{number}": exercise
    for name in catalogue.chapters()
    for number, exercise in enumerate(catalogue.chapter(name), start=1)
}
ASK = """async ([request, given]) => {
  const { ask } = await import(new URL("../python/runner.js", location.href).href);
  return ask(request, given);
}"""
#: Loading Python takes seconds, on a busy machine a minute.
PATIENCE = 150


def until(page, script, argument=None, seconds=PATIENCE):
    """Wait until a script gives something true; return that.

    A page's own waiting compiles a script in the page.
    """
    end = time.monotonic() + seconds
    while not (found := page.evaluate(script, argument)):
        assert time.monotonic() < end, f"waited {seconds} s for {script}"
        page.wait_for_timeout(50)
    return found


def ask(page, request, **given):
    return page.evaluate(ASK, [request, given])


def typed(key, at, name=None):
    """Return what a reader types who has an answer: the right one, or that of a mistake."""
    question = EXERCISES[key].questions[at]
    mistakes = {mistake.name: mistake for mistake in question.mistakes}
    gives = mistakes[name].gives if name else question.expected
    if isinstance(question.kind, Function):  # it has no text of its own, but the page has it, too
        place = list(mistakes).index(name) if name else None
        which = "expected" if name is None else f"mistakes[{place}].gives"
        return (
            "from flopsbook.exercises import catalogue\n"
            f"catalogue.find({key!r})[1].questions[{at}].{which}"
        )
    answer = question.kind.sample(gives)
    return str(answer) if isinstance(answer, (str, Fraction)) else repr(answer)


def right(key):
    return [typed(key, at) for at in range(len(EXERCISES[key].questions))]


def answers(key):
    """Yield a name and the texts of it: all right, each mistake, and text that is no answer."""
    yield "right", right(key)
    for at, question in enumerate(EXERCISES[key].questions):
        others = right(key)
        for mistake in question.mistakes:
            yield mistake.name, [*others[:at], typed(key, at, mistake.name), *others[at + 1 :]]
        yield "text", [*others[:at], "forty million", *others[at + 1 :]]


def differing(page, key):
    """Return the answers to an exercise that the page judges in another way than CPython."""
    found = []
    for name, texts in answers(key):
        verdict = check_typed(key, texts)
        expected = {"right": verdict.right, "message": verdict.message, "printed": ""}
        judged = ask(page, "check", exercise=key, texts=texts)
        assert verdict.right == (name == "right"), f"{key}, {name}: {verdict.message}"
        if judged != expected:
            found.append(json.dumps([key, name, texts, expected, judged]))
    return found
