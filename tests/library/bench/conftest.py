"""Timing two things by turns, and the tables at the end.

On a busy machine a time means little, and a ratio of times that were measured one after
the other means no more. So both sides take turns, and each round gives a ratio. What is
measured is time of the processor: of the time on the clock, other programs take more
from a long call than from a short one.
"""

import os
import resource
import statistics
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TABLES = pytest.StashKey[dict]()
MARGIN = " " * 4

# the kernel's own record of the highest mark since the program began, where it keeps one
PEAK = """
import os
lines = open("/proc/self/status") if os.path.exists("/proc/self/status") else ["VmHWM: 0 kB"]
print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""


def processor_time():
    """Return what this process, and the ones it has waited for, have used so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=processor_time))


@dataclass
class Turns:
    """What two sides took, round by round.

    Attributes:
        ours: our seconds or bytes.
        theirs: the same of the other side.
    """

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratio(self):
        """How many times as much the other side took: the median over the rounds."""
        pairs = zip(self.theirs, self.ours, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def medians(self):
        return statistics.median(self.ours), statistics.median(self.theirs)


def alone(ours):
    """Return what we took where there is nothing to compare with."""
    return Turns(list(ours), [])


@pytest.fixture
def by_turns(benchmark):
    """Time a function of theirs with pytest-benchmark, and one of ours before each round."""

    def run(fresh, ours, theirs, rounds, warmup=1):
        """Give both what ``fresh(number)`` returns for them, another number in each round.

        Returns the turns and what the sides returned, in pairs.
        """
        number, spent, answers = 0, [], []

        def setup():
            nonlocal number
            mine, other = fresh(number)
            number += 1
            start = processor_time()
            answer = ours(*mine)
            spent.append(processor_time() - start)
            answers.append([answer])
            return other, {}

        def timed(*args):
            answers[-1].append(theirs(*args))

        benchmark.pedantic(timed, setup=setup, rounds=rounds, warmup_rounds=warmup)
        if benchmark.disabled:
            return None, answers
        benchmark.extra_info["ours"] = spent[warmup:]
        return Turns(spent[warmup:], list(benchmark.stats.stats.data)), answers

    return run


def program(code):
    """Run Python on a text; return what it printed, and its peak memory in bytes."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    paths = map(str, (HERE, HERE.parents[1] / "book" / "peers", ROOT))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + PEAK],
        env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, printed, peak = done.stdout.splitlines()
    return printed, 1024 * int(peak)


@pytest.fixture
def table(request):
    """Add a line to one of the tables at the end."""
    tables = request.config.stash.setdefault(TABLES, defaultdict(lambda: defaultdict(dict)))

    def add(title, what, turns, other=None):
        tables[title][what][other] = turns

    return add


def seconds(value):
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"


def megabytes(value):
    return f"{value / 1e6:.0f} MB"


def lines(title, records):
    """Yield a table: us beside whoever needs least, and below it the ratios of all."""
    write = megabytes if "memory" in title else seconds
    yield f"{title:46}{'flopslib':>10}   {'the least beside it':36}{'ratio':>6}"
    for what, others in records.items():
        compared = {other: turns for other, turns in others.items() if other}
        if not compared:
            yield f"  {what:44}{write(statistics.median(others[None].ours)):>10}"
            continue
        least, turns = min(compared.items(), key=lambda item: item[1].ratio)
        ours, theirs = map(write, turns.medians())
        yield f"  {what:44}{ours:>10}   {f'{least}, {theirs}':36}{turns.ratio:>6.3g}"
        if len(compared) > 1:
            every = (f"{other} {turns.ratio:.0f}" for other, turns in compared.items())
            yield from textwrap.wrap(
                "; ".join(every), 96, initial_indent=MARGIN, subsequent_indent=MARGIN
            )


def pytest_terminal_summary(terminalreporter, config):
    tables = config.stash.get(TABLES, {})
    if tables:
        terminalreporter.section("medians of processor time; ratios of rounds by turns")
    for title, records in tables.items():
        for line in lines(title, records):
            terminalreporter.write_line(line)
        terminalreporter.write_line("")
