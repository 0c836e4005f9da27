"""The table of ``--sizes``: what one costs, by how many there are."""

from __future__ import annotations

from mainspring.benchmarks.report import Report
from mainspring.benchmarks.sizes import SERIES, Series
from mainspring.benchmarks.summary import Row
from rich.console import Console
from rich.table import Table


def costs(series: Series, rows: dict[str, Row], loop: str) -> dict[int, float]:
    """Processor time for one, by size; callbacks and timers in ns, requests in µs."""
    found: dict[int, float] = {}
    for size, workload in series.points.items():
        row = rows.get(workload.name)
        if row is not None and loop in row.medians:
            value = row.medians[loop]
            found[size] = 1e6 / value if row.unit.higher_is_better else value
    return found


def print_size_table(console: Console, report: Report, rows: dict[str, Row]) -> None:
    names = list(report.loops)
    for series in SERIES:
        if not any(workload.name in rows for workload in series.points.values()):
            continue
        table = Table(title=f"{series.title}; {series.cost_label}")
        table.add_column(series.size_label.partition(",")[0])
        found = {name: costs(series, rows, name) for name in names}
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for size, workload in series.points.items():
            cells = [cost_text(found[name].get(size)) for name in names]
            table.add_row(workload.name.partition(": ")[2], *cells)
        console.print(table)


def cost_text(cost: float | None) -> str:
    if cost is None:
        return "-"
    return f"{cost:,.0f}" if cost >= 100 else f"{cost:.3g}"
