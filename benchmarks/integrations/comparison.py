"""One integration as both tables show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mainspring.benchmarks.loops import DEFAULT, OURS
from mainspring.benchmarks.report import Report
from mainspring.benchmarks.summary import Row, paired_speed


@dataclass(frozen=True)
class Comparison:
    row: Row
    speeds: dict[str, float | None]
    """This loop's speed over that of each other."""


def comparisons(report: Report) -> Iterator[Comparison]:
    for row in report.rows():
        cells = report.cells[row.workload]
        speeds = {name: paired_speed(row.unit, cells, OURS, name) for name in compared_with(report)}
        yield Comparison(row, speeds)


def compared_with(report: Report) -> list[str]:
    """The other loops, the default one first."""
    return sorted((name for name in report.loops if name != OURS), key=lambda name: name != DEFAULT)
