"""The figures as bars, in SVG: the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

from tests.performance.boot import HOWS
from tests.performance.fleet import JOBS
from tests.performance.spread import Spread, figure, spread
from tests.performance.tables import Row, cells, of
from tests.performance.tools import ANSIBLE, OURS

matplotlib.use("svg")
from matplotlib import pyplot  # after the choice of its backend

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "ollama-slots",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
COLOURS = {OURS: "#2a6fbb", ANSIBLE: "#c8553d", "pyinfra alone": "#8a8f98"}


def bars(axes: Any, groups: list[str], of_each: dict[str, list[Spread]]) -> None:
    """Bars side by side in groups, each with its figure, and with a line from the least to the most."""
    width = 0.8 / len(of_each)
    for index, (name, values) in enumerate(of_each.items()):
        places = [it + (index - (len(of_each) - 1) / 2) * width for it in range(len(groups))]
        heights = [it.median for it in values]
        errors = [[it.median - it.least for it in values], [it.most - it.median for it in values]]
        drawn = axes.bar(
            places, heights, width * 0.95, label=name, color=COLOURS.get(name), yerr=errors, ecolor="#00000080"
        )
        axes.bar_label(drawn, [figure(it) for it in heights], padding=2, fontsize=7)
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=0.12)


def write(plot: Any, file: Path) -> None:
    """To the file, without the date."""
    plot.tight_layout()
    plot.savefig(file, metadata={"Date": None})
    pyplot.close(plot)


def fleet(rows: list[Row], file: Path) -> None:
    """Wall and CPU of every job, in every cell."""
    plot, panels = pyplot.subplots(2, len(JOBS), figsize=(14, 7), squeeze=False)
    groups = [f"{hosts} hosts\n{delay} ms" for hosts, delay in cells(rows)]
    for line, (key, what) in enumerate((("wall", "seconds"), ("cpu", "CPU seconds, control machine"))):
        for panel, job in zip(panels[line], JOBS, strict=True):
            values = {
                tool: [
                    spread(of(rows, key, tool=tool, job=job, hosts=hosts, delay_ms=ms))
                    for hosts, ms in cells(rows)
                ]
                for tool in (OURS, ANSIBLE)
            }
            bars(panel, groups, values)
            panel.set_title(job)
            panel.set_ylabel(what)
    panels[0][0].legend(frameon=False)
    write(plot, file)


def user(rows: list[Row], file: Path) -> None:
    """The longest wait of each rotation."""
    repeats = sorted({row["repeat"] for row in rows})
    plot, axes = pyplot.subplots(figsize=(7, 4))
    values = {
        tool: [spread(of(rows, "longest", tool=tool, repeat=it)) for it in repeats] for tool in (OURS, ANSIBLE)
    }
    bars(axes, [f"repeat {it + 1}" for it in repeats], values)
    axes.set_ylabel("longest wait of a request, seconds")
    axes.legend(frameon=False)
    write(plot, file)


def boot(rows: list[Row], file: Path) -> None:
    """Each way to have all slots hot."""
    plot, axes = pyplot.subplots(figsize=(8, 4))
    values = {
        "in memory": [spread(of(rows, "in_memory", how=how)) for how in HOWS],
        "answered (the unit: proven)": [spread(of(rows, "answered", how=how)) for how in HOWS],
    }
    bars(axes, [f"unit,\n{it}" if it.startswith("re") else f"bare loads,\n{it}" for it in HOWS], values)
    axes.set_ylabel("seconds from the API's first answer")
    axes.legend(frameon=False)
    write(plot, file)


def scale(rows: list[Row], file: Path) -> None:
    """CPU for each host."""
    plot, axes = pyplot.subplots(figsize=(7, 4))
    values = {name: [spread([row["ms"][it]]) for row in rows] for it, name in enumerate((OURS, "pyinfra alone"))}
    bars(axes, [f"{row['hosts']} hosts" for row in rows], values)
    axes.set_ylabel("CPU ms for each host, control machine")
    axes.legend(frameon=False)
    write(plot, file)


PLOTS: dict[str, Callable[[list[Row], Path], None]] = {"fleet": fleet, "user": user, "boot": boot, "scale": scale}
