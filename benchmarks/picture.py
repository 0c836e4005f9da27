"""The picture: each loop's speed over the default loop's, workload by workload, on a logarithmic scale."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from mainspring.benchmarks.loops import DEFAULT, LIMIT, OURS, LoopKind
from mainspring.benchmarks.machine import Machine
from mainspring.benchmarks.summary import Row
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, NullFormatter

COLOURS = {
    OURS: "#c8102e",
    "uvloop": "#4c78a8",
    "zuvloop": "#72b7b2",
    "rloop": "#f2a541",
    "rsloop": "#8a6bbe",
    "aiofastnet": "#9d9d9d",
    LIMIT: "#333333",
}


def draw(rows: list[Row], loops: list[LoopKind], classes: dict[str, str], machine: Machine, path: Path) -> list[Path]:
    """Write ``path`` with the endings .png and .svg; the files written."""
    names = [kind.name for kind in loops if kind.name != DEFAULT]
    bar = 0.8 / max(1, len(names))
    height = len(rows) * (0.14 + 0.11 * len(names)) + 2.2
    figure, axes = pyplot.subplots(figsize=(11, height))
    for index, name in enumerate(names):
        places, speeds = [], []
        for place, row in enumerate(rows):
            if name in row.speeds:
                places.append(place + (index - (len(names) - 1) / 2) * bar)
                speeds.append(row.speeds[name])
        # A bar starts at 1, the default loop's speed, so that it points left where the loop is slower.
        axes.barh(
            places,
            [speed - 1 for speed in speeds],
            bar * 0.92,
            left=1,
            color=COLOURS.get(name, "#333333"),
            label=name,
        )
        for y, speed in zip(places, speeds, strict=True):
            axes.annotate(
                f"{speed:.2f}",
                (speed, y),
                xytext=(3 if speed >= 1 else -3, 0),
                textcoords="offset points",
                ha="left" if speed >= 1 else "right",
                va="center",
                fontsize=6,
                fontweight="bold" if name == OURS else "normal",
            )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_yticks(range(len(rows)), [row.workload for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Speed relative to the default loop (more is better)", loc="left", fontweight="bold", pad=28)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names), frameon=False)
    axes.set_xlabel("callbacks by processor time, servers by requests per second of processor time", fontsize=8)
    ran = "; ".join(f"{kind.name} = {classes[kind.name]} ({kind.version()})" for kind in loops)
    figure.text(0.01, 0.005, textwrap.fill(f"{machine}. {ran}.", 170), fontsize=7, va="bottom")
    figure.tight_layout(rect=(0, 0.75 / height, 1, 1))
    written = [path.with_name(f"{path.name}.{ending}") for ending in ("png", "svg")]
    for target in written:
        figure.savefig(target, dpi=150)
    pyplot.close(figure)
    return written
