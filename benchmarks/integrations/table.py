"""The tables on the terminal: the judged figures with the wall-clock rates below, and which loops ran."""

from __future__ import annotations

from mainspring.benchmarks.integrations.comparison import compared_with, comparisons
from mainspring.benchmarks.report import Report
from mainspring.benchmarks.summary import Row
from mainspring.benchmarks.table import notes, ratio, value_text, what_ran
from rich.console import Console
from rich.table import Table


def print_integrations(console: Console, report: Report) -> None:
    table = Table(title="Requests per second of processor time; by wall clock; load of the process that is judged")
    table.add_column("integration")
    others = compared_with(report)
    for name in report.loops:
        table.add_column(name, justify="right", no_wrap=True)
    for name in others:
        table.add_column(f"/ {name}", justify="right", no_wrap=True)
    for one in comparisons(report):
        figures = [figure(one.row, name) for name in report.loops]
        table.add_row(one.row.workload, *figures, *(ratio(one.speeds[name]) for name in others))
    console.print(table)
    for note in notes(report.rows(), report.missing):
        console.print(note)
    console.print(what_ran(report))


def figure(row: Row, name: str) -> str:
    found = row.details.get(name)
    if found is None:
        return value_text(row, name)
    return f"{value_text(row, name)}\n{found['wall_requests_per_second']:,.0f}/s\n{found['server_load']:.0%}"
