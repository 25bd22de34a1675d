"""Feedback on the exercises of the book, from a checker that knows the usual mistakes.

>>> from flopsbook.exercises import check, hint
>>> check("conv2d-1", 1_000)
Not yet. It is more than a thousand times too small. No usual mistake
gives this.

The right answer is computed by the library, and so is what each usual mistake would give;
an answer that fits one is told which. Nothing is typed, so nothing can be typed wrongly.

To enrol a chapter, write ``flopsbook/exercises/catalogue/<chapter>.py`` with one tuple
``EXERCISES``, in the order of the page; it is found by itself::

    from flopslib import linear
    from flopsbook.exercises import mistakes
    from flopsbook.exercises.exercise import Exercise, Question
    from flopsbook.exercises.kinds import Whole

    EXERCISES = (
        Exercise(
            label="linear-first",                        # the label in the notebook
            questions=(
                Question(
                    asks="the FLOPs for the batch",
                    kind=Whole(),
                    expected=lambda: linear(3, 5, batch=7).flops,
                    mistakes=(
                        mistakes.counted_macs(lambda: linear(3, 5, batch=7).macs),
                        mistakes.forgot_samples(lambda: linear(3, 5).flops),
                    ),
                ),
            ),
            worth_knowing="Each weight is used once for each sample.",
            hints=("What does one output cost?", "How many outputs has the whole batch?"),
        ),
    )

1. *Kinds* (:mod:`flopsbook.exercises.kinds`): ``Whole()``; ``OneDigit()`` for a prediction;
   ``Ratio()``; ``Amount()`` of tokens or days; ``Word(("yes", "no"))``;
   ``Expression(("B", "I"))``, in whose letters a reader may type names of arguments, too, if
   the notation table has them; ``Function(("m", "n"))``, whose ``expected`` and mistakes are
   functions of the same arguments. An exercise may ask several questions, and they are
   answered in order: ``check("conv2d-2", 0.5, "no")``.
2. *Mistakes*: those that return in many chapters are in :mod:`flopsbook.exercises.mistakes`,
   one that fits a single exercise is a ``Mistake`` beside it. A sentence says what went
   wrong and never the answer. Choose sizes at which right answer and mistakes all differ:
   no 1, no size twice. Where two mistakes have to give the same, name them in ``coincide``.
   What a budget pays for is found by :func:`flopsbook.exercises.budgets.largest_within`.
3. *In the notebook*: a cell ``from flopsbook.exercises import check, hint`` at the head of
   the exercises; in each statement, the call that checks it; at the end of each solution,
   that call with the solution's computed answer.

``tests/book/test_exercises.py`` then tests every exercise and every mistake by itself.
"""

from flopsbook.exercises.checking import check, exercises, hint
from flopsbook.exercises.verdict import Hint, Verdict

__all__ = ["Hint", "Verdict", "check", "exercises", "hint"]
