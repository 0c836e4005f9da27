"""Cost against size as lines: what one costs, and below it the speed over the default loop's."""

from __future__ import annotations

import textwrap
from pathlib import Path

from mainspring.benchmarks.loops import DEFAULT, OURS
from mainspring.benchmarks.picture import COLOURS, INK, MUTED, footer, pyplot, save
from mainspring.benchmarks.report import Report
from mainspring.benchmarks.size_table import costs
from mainspring.benchmarks.sizes import SERIES, Series, bytes_label
from mainspring.benchmarks.summary import Row
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator


def draw_sizes(report: Report, rows: dict[str, Row], folder: Path, version: str) -> list[Path]:
    """Write a picture for each series that was measured; the files written."""
    drawn = []
    for series in SERIES:
        found = {name: costs(series, rows, name) for name in report.loops}
        if any(found.values()):
            drawn.append(draw_series(series, found, report, folder / f"sizes-{series.name}-{version}.png"))
    return drawn


def draw_series(series: Series, found: dict[str, dict[int, float]], report: Report, path: Path) -> Path:
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(8.3, 6.2), sharex=True, gridspec_kw={"height_ratios": [3, 2], "hspace": 0.08}
    )
    default = found.get(DEFAULT, {})
    for name, line in found.items():
        if not line:
            continue
        style = {
            "color": COLOURS.get(name, INK),
            "linewidth": 2.6 if name == OURS else 1.6,
            "marker": "o",
            "markersize": 5 if name == OURS else 3.5,
            "zorder": 3 if name == OURS else 2,
            "linestyle": "--" if name == DEFAULT else "-",
        }
        above.plot(list(line), list(line.values()), label=name, **style)
        both = [size for size in line if size in default]
        below.plot(both, [default[size] / line[size] for size in both], **style)
    for axes in (above, below):
        axes.set_xscale("log")
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    above.set_yscale("log")
    below.set_yscale("log", base=2)
    costs_found = [cost for line in found.values() for cost in line.values()]
    if max(costs_found) < 100 * min(costs_found):
        above.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    plain = FuncFormatter(lambda value, _: f"{value:,.12g}")
    above.yaxis.set_major_formatter(plain)
    above.yaxis.set_minor_formatter(NullFormatter())
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    below.yaxis.set_minor_formatter(NullFormatter())
    sizes = sorted({size for line in found.values() for size in line})
    below.xaxis.set_major_locator(FixedLocator(sizes))
    below.xaxis.set_minor_locator(NullLocator())
    below.xaxis.set_major_formatter(FuncFormatter(lambda size, _: bytes_label(round(size))) if series.binary else plain)
    above.set_ylabel(textwrap.fill(series.cost_label, 24), color=INK)
    below.set_ylabel("speed over the\ndefault loop's", color=INK)
    below.set_xlabel(series.size_label, color=INK)
    figure.suptitle(series.title, x=0.02, y=0.985, ha="left", fontweight="bold", fontsize=13, color=INK)
    # As wide as the picture: there may be eight of them.
    figure.legend(
        *above.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0.01, 0.945),
        ncols=len(found),
        frameon=False,
        fontsize=9.5,
        handlelength=1.7,
        columnspacing=1.4,
    )
    figure.subplots_adjust(left=0.135, right=0.965, top=0.885, bottom=0.17)
    figure.text(0.02, 0.012, footer(report, 165), fontsize=6.6, color=MUTED, va="bottom")
    return save(figure, path)
