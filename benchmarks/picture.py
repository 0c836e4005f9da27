"""The picture: this loop against the best of the others, workload by workload, on a logarithmic scale."""

from __future__ import annotations

import textwrap
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from mainspring.benchmarks.loops import DEFAULT, LIMIT, OURS
from mainspring.benchmarks.ranking import Judged, by_kind
from mainspring.benchmarks.report import Report
from mainspring.benchmarks.targets import Kind
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image

INK, MUTED, BAND = "#24292f", "#6e7781", "#f3f4f6"
AHEAD, EVEN, BEHIND = "#1a7f5a", "#8c959f", "#c8102e"
COLOURS = {
    DEFAULT: "#6e7781",
    OURS: "#c8102e",
    "uvloop": "#2f6db5",
    "zuvloop": "#3aa6a0",
    "rloop": "#e08a1e",
    "rsloop": "#8257b8",
    "aiofastnet": "#7a5c3e",
    LIMIT: INK,
}
# Inches: the picture is as wide as a page, and grows with the rows.
WIDTH, ROW, HEAD, FOOT = 9.2, 0.205, 0.95, 0.95
# Ratios beyond are drawn as long as these, with their figure beside them.
LEAST, MOST = 0.3, 4.0


def draw(judged: list[Judged], report: Report, path: Path) -> Path:
    """Write ``path``; the rows of each kind are sorted, the furthest ahead first."""
    lines = by_kind(judged)
    height = HEAD + FOOT + ROW * len(lines)
    figure = pyplot.figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.30, FOOT / height, 0.46, ROW * len(lines) / height))
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xscale("log", base=2)
    axes.set_xlim(LEAST, MOST)
    for place, line in enumerate(lines):
        if isinstance(line, Kind):
            draw_kind(axes, place, line)
        else:
            draw_row(axes, place, line)
    draw_axis(axes)
    wins = sum(one.row.over_peer > 1 for one in judged if one.row.over_peer is not None)
    compared = sum(one.row.over_peer is not None for one in judged)
    top = 1 - 0.2 / height
    figure.text(
        0.02, top, "mainspring against the best other loop", fontsize=14, fontweight="bold", color=INK, va="top"
    )
    figure.text(
        0.02,
        1 - 0.48 / height,
        f"Speed, on a logarithmic scale; faster than all others on {wins} of {compared} workloads. "
        "The tick is the workload's target.",
        fontsize=9,
        color=MUTED,
        va="top",
    )
    figure.text(0.02, 0.1 / height, footer(report, 172), fontsize=6.8, color=MUTED, va="bottom")
    return save(figure, path)


def draw_kind(axes: Axes, place: int, kind: Kind) -> None:
    across = axes.get_yaxis_transform()
    axes.axhspan(place - 0.5, place + 0.5, xmin=-0.62, xmax=1.5, color=BAND, clip_on=False, zorder=0, linewidth=0)
    axes.text(-0.605, place, kind.value, transform=across, va="center", fontsize=9, fontweight="bold", color=INK)
    if place == 0:
        for x, text in ((1.16, "best other"), (1.32, "to default"), (1.485, "to limit")):
            axes.text(x, place - 0.75, text, transform=across, va="bottom", ha="right", fontsize=8, color=MUTED)


def draw_row(axes: Axes, place: int, one: Judged) -> None:
    row, across = one.row, axes.get_yaxis_transform()
    axes.text(-0.59, place, row.workload, transform=across, va="center", fontsize=8.6, color=INK)
    if row.over_peer is None:
        text = "failed" if OURS in row.failures else "nothing to compare with"
        axes.text(1.02, place, text, va="center", fontsize=8, color=MUTED)
    else:
        shown = min(max(row.over_peer, LEAST), MOST)
        colour = AHEAD if row.over_peer >= 1.02 else BEHIND if row.over_peer < 0.98 else EVEN
        axes.barh(place, shown - 1, 0.66, left=1, color=colour, zorder=2)
        if one.target.peer is not None:
            axes.plot([one.target.peer] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=1.3, zorder=4)
        draw_ratio(axes, place, row.over_peer, one.target.peer, colour)
        axes.text(1.16, place, row.best_peer or "", transform=across, va="center", ha="right", fontsize=8, color=MUTED)
    columns = ((1.32, row.speeds.get(OURS)), (1.485, row.of_limit))
    for x, ratio in columns:
        if ratio is not None:
            axes.text(x, place, f"{ratio:.2f}x", transform=across, va="center", ha="right", fontsize=8, color=INK)


def draw_ratio(axes: Axes, place: int, ratio: float, target: float | None, colour: str) -> None:
    """Write the ratio beside its bar, or into it where the bar takes all the room."""
    shown = min(max(ratio, LEAST), MOST)
    outward = 1 if ratio >= 1 else -1
    inside = shown > MOST * 0.82 or shown < LEAST * 1.22
    # Beyond the tick of the target, where that is further out than the bar.
    edge = max(shown, target) if outward > 0 and not inside and target is not None else shown
    axes.annotate(
        f"{ratio:.2f}",
        (edge, place),
        xytext=(4 * (-outward if inside else outward), 0),
        textcoords="offset points",
        ha="right" if (outward > 0) is inside else "left",
        va="center",
        fontsize=8,
        fontweight="bold",
        color="white" if inside else INK if colour == EVEN else colour,
        zorder=5,
    )


def draw_axis(axes: Axes) -> None:
    ticks = [0.25, 0.5, 1, 2, 4]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.tick_params(axis="x", labelsize=8, colors=MUTED, length=0)
    axes.set_yticks([])
    axes.grid(axis="x", color="#d0d7de", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.axvline(1, color=INK, linewidth=1.1, zorder=3)
    axes.spines[:].set_visible(False)


def footer(report: Report, width: int) -> str:
    """What the figures were made on, and the class and version of each loop as it ran."""
    ran = "; ".join(f"{name} = {ran.class_name} ({ran.version})" for name, ran in report.loops.items())
    return textwrap.fill(f"{report.machine}. {ran}.", width)


def save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=180)
    pyplot.close(figure)
    # So few colours need no more, and the files are a third of the size.
    Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)
    return path
