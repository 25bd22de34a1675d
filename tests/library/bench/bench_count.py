"""How long it takes to count a network, and what a whole program takes that does.

Where the other counters are installed they count the same networks, and each of their
figures has to be what their habits make of ours.
"""

import ast
import importlib.util

import measure
import pytest
from networks import NETWORKS

from conftest import Turns, alone, program
from flopsbook.peers import MODELS, figures
from flopslib import count
from flopslib.counters import TOOLS, predict

ROUNDS = 7
#: Networks of ours in a turn; a single one takes so little that what is measured would be
#: how the other side left the processor's caches.
A_TURN = 5
PROGRAMS = 3
COUNT = "count a network"
PROGRAM = "a whole program: start, import, build, count"
MEMORY = "its peak memory"
#: Asked in a second way, a tool loads the same.
ONE_OF_EACH_PACKAGE = list({tool.package: name for name, tool in reversed(TOOLS.items())}.values())

beside_others = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the other counters are not installed"
)
each_network = pytest.mark.parametrize("name", NETWORKS)

OURS = """
import networks
from flopslib import count
case = networks.NETWORKS[{name!r}](0)
print(count(case.ours(), case.shape).macs)
"""

THEIRS = """
import contextlib, io, measure, networks
case = networks.NETWORKS[{name!r}](0)
with contextlib.redirect_stdout(io.StringIO()):
    answer = measure.TOOLS[{tool!r}](*measure.prepared(case.theirs, case.shape, {device!r}))
print({{called: measure.whole(figure) for called, figure in answer.items()}})
"""


def counted(model, shape):
    report = count(model, shape)
    assert report.macs
    assert report.parameters
    return report


def device(name, tool):
    """Return where a tool is quicker: on "meta", unless it fails there."""
    return "cpu" if figures(name, tool, "meta")[0].error else "meta"


def agrees(name, tool, report, answer):
    """Whether a tool says what our report and the tool's habits make."""
    written = MODELS[name].written
    return answer == predict(report, tool, device(name, tool), written=written)


@each_network
def test_count(benchmark, table, name):
    numbers = iter(range(100))

    def fresh():
        case = NETWORKS[name](next(numbers))
        return (case.ours(), case.shape), {}

    benchmark.pedantic(counted, setup=fresh, rounds=ROUNDS, warmup_rounds=1)
    if not benchmark.disabled:
        table(COUNT, MODELS[name].title, alone(benchmark.stats.stats.data))


@beside_others
@pytest.mark.parametrize("tool", TOOLS)
@each_network
def test_count_beside(by_turns, table, name, tool):
    def fresh(number):
        cases = [NETWORKS[name](number + (ROUNDS + 1) * more) for more in range(A_TURN)]
        theirs = measure.prepared(cases[0].theirs, cases[0].shape, device(name, tool))
        return [(case.ours(), case.shape) for case in cases], theirs

    def ours(*networks):
        return [counted(model, shape) for model, shape in networks]

    turns, answers = by_turns(fresh, ours, measure.TOOLS[tool], ROUNDS)
    for reports, answer in answers:
        assert agrees(name, tool, reports[0], answer)
    if turns:
        each = Turns([spent / A_TURN for spent in turns.ours], turns.theirs)
        table(COUNT, MODELS[name].title, each, TOOLS[tool].title)


@each_network
def test_program(benchmark, table, name):
    answers = []
    benchmark.pedantic(
        lambda: answers.append(program(OURS.format(name=name))), rounds=PROGRAMS, warmup_rounds=1
    )
    assert {int(printed) for printed, _ in answers} == {MODELS[name].report.macs}
    if not benchmark.disabled:
        table(PROGRAM, MODELS[name].title, alone(benchmark.stats.stats.data))
        table(MEMORY, MODELS[name].title, alone([peak for _, peak in answers]))


@beside_others
@pytest.mark.parametrize("tool", ONE_OF_EACH_PACKAGE)
@each_network
def test_program_beside(by_turns, table, name, tool):
    ours = OURS.format(name=name)
    theirs = THEIRS.format(name=name, tool=tool, device=device(name, tool))
    turns, answers = by_turns(lambda _: ((ours,), (theirs,)), program, program, PROGRAMS, warmup=0)
    for _, (printed, _) in answers:
        assert agrees(name, tool, MODELS[name].report, ast.literal_eval(printed))
    if turns:
        table(PROGRAM, MODELS[name].title, turns, TOOLS[tool].title)
        peaks = [[peak for _, peak in side] for side in zip(*answers, strict=True)]
        table(MEMORY, MODELS[name].title, Turns(*peaks), TOOLS[tool].title)
