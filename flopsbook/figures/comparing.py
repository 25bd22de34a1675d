"""The figure of the tools' disagreement: what each reports, over what we count."""

from __future__ import annotations

from collections.abc import Sequence

from flopsbook.figures.drawing import BLUE, BLUE_TINT, INK, QUIET
from flopsbook.peers import SUBJECTS, figures
from flopsbook.picture import Picture, canvas, finished
from flopslib.counters import DEVICES, TOOLS

__all__ = ["all_answers", "all_answers_data", "tool_spread", "tool_spread_data"]


#: The counters of PyTorch that run where there is no processor, too; no version twice.
_EVERYWHERE = tuple(n for n, tool in TOOLS.items() if tool.devices == DEVICES and tool.foretold)


def tool_spread_data(subjects: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return every figure over ours, for each subject and tool that runs without a processor, too.

    >>> data = tool_spread_data(["vit_b_16"])["ViT-B/16"]
    >>> round(data["THOP, cpu, MACs"], 3), data["FlopCounterMode, meta, FLOPs"]
    (0.643, 1.0)
    """
    spread: dict[str, dict[str, float]] = {}
    for name in subjects:
        ratios = spread.setdefault(SUBJECTS[name].title, {})
        for figure in figures(name):
            if figure.value is not None and figure.tool in _EVERYWHERE:
                key = f"{TOOLS[figure.tool].title}, {figure.device}, {figure.called}"
                ratios[key] = figure.value / figure.ours
    return spread


def _ends(ratios: dict[str, float]) -> tuple[str, str]:
    low, high = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    return low.partition(",")[0], high.partition(",")[0]


def tool_spread(subjects: Sequence[str]) -> Picture:
    """Draw a line of dots for each subject: what the tools report, over what we count."""
    data = tool_spread_data(subjects)
    far = 1.25  # further off than this, an end of a line is named
    with canvas(5.4, 0.9 + 0.5 * len(data)) as (figure, axes):
        for at, ratios in enumerate(data.values()):
            values = sorted(ratios.values())
            axes.plot([values[0], values[-1]], [at, at], "-", color=QUIET, linewidth=1, zorder=1)
            axes.plot(values, [at] * len(values), "o", markersize=7, markerfacecolor=BLUE_TINT,
                      markeredgecolor=BLUE, markeredgewidth=1.2)  # fmt: skip
            low, high = _ends(ratios)
            if values[0] < 1 / far:
                axes.text(values[0], at - 0.22, low, ha="left", va="bottom", fontsize=9)
            if values[-1] > far:
                axes.text(values[-1], at - 0.22, high, ha="right", va="bottom", fontsize=9)
        axes.axvline(1, color=INK, linewidth=1, linestyle=":", zorder=0)
        axes.set_xscale("log")
        ticks = (0.001, 0.01, 0.1, 1, 10)
        axes.set_xticks(ticks, [*(f"1/{round(1 / tick)}" for tick in ticks[:3]), "ours", "10×"])
        axes.minorticks_off()
        axes.set_yticks(range(len(data)), list(data))
        axes.set_ylim(len(data) - 0.5, -0.7)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(False, axis="y")
        lines = (
            f"{title}: from {min(r.values()):.2g} ({_ends(r)[0]}) "
            f"to {max(r.values()):.3g} ({_ends(r)[1]})"
            for title, r in data.items()
        )
        worst = {title: max(abs(v - 1) for v in r.values()) for title, r in data.items()}
        close = {title: off for title, off in worst.items() if off < far - 1}
        within = (
            f" For {', '.join(close)} every one is within {100 * max(close.values()):.0f} %."
            if close
            else ""
        )
        return finished(
            figure,
            caption="What the tools report over what we count, MACs over MACs and FLOPs over "
            f"FLOPs, on a logarithmic scale. Who is far off is named.{within}",
            alt="A row of dots for each network; ours is at 1. " + "; ".join(lines) + ".",
            data=data,
        )


def all_answers_data(subject: str) -> dict[int, list[str]]:
    """Return every different figure for a subject, and which tools report it.

    >>> all_answers_data("conv_net")[30]
    ["TensorFlow's profiler, batch left open"]
    """
    answers: dict[int, list[str]] = {}
    for figure in figures(subject):
        if figure.value:
            tool = TOOLS[figure.tool]
            usual = len(tool.devices) == 1 or tool.devices == DEVICES
            where = "" if usual else f", {figure.device}"
            who = answers.setdefault(figure.value, [])
            if f"{tool.title}{where}" not in who:
                who.append(f"{tool.title}{where}")
    return dict(sorted(answers.items()))


def all_answers(subject: str) -> Picture:
    """Draw every different figure for a subject as a bar with the names of those who report it."""
    data = all_answers_data(subject)
    report = SUBJECTS[subject].report
    with canvas(6.4, 0.8 + 0.27 * len(data)) as (figure, axes):
        axes.barh(range(len(data)), list(data), color=BLUE_TINT, edgecolor=BLUE, height=0.6)
        for ours, name, side in ((report.macs, "MACs ", "right"), (report.flops, " FLOPs", "left")):
            axes.axvline(ours, color=INK, linewidth=1, linestyle=":")
            axes.text(ours, -0.8, name, ha=side, va="bottom", fontsize=9)
        axes.set_xscale("log")
        axes.minorticks_off()
        first = [
            f"{who[0]}{f' and {len(who) - 1} more' if who[1:] else ''}" for who in data.values()
        ]
        axes.set_yticks(range(len(data)), first, fontsize=8)
        axes.set_ylim(len(data) - 0.5, -0.7)
        axes.grid(False, axis="y")
        said = "; ".join(f"{value:,} ({who[0]})" for value, who in data.items())
        return finished(
            figure,
            caption=f"The {len(data)} different answers for {SUBJECTS[subject].title}, on a "
            "logarithmic scale. The dotted lines are the MACs and the FLOPs that are performed.",
            alt=f"A bar for each answer: {said}.",
            data={f"{value:,}": who for value, who in data.items()},
        )
