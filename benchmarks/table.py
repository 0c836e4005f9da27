"""The tables that the benchmark ends with."""

from __future__ import annotations

from mainspring.benchmarks.loops import DEFAULT, OURS
from mainspring.benchmarks.report import Report
from mainspring.benchmarks.summary import Row
from mainspring.benchmarks.workload import MICROSECONDS, PROCESSOR_NS, REQUESTS
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNIT_NAMES = {PROCESSOR_NS: "ns", REQUESTS: "req/s", MICROSECONDS: "us"}


def print_tables(console: Console, report: Report, rows: list[Row]) -> None:
    names = list(report.loops)
    if rows:
        console.print(figures(rows, names))
        console.print(
            "ns: processor time an operation, less is better. req/s: requests per second of the processor time of the "
            "process that is judged, more is better; wall-clock rates and latencies are in the table below and in the "
            "JSON. Ratios are speeds, so above 1 mainspring is faster. -: the loop has nothing of its own there. "
            "limit: the same server in C++ on bare epoll.",
            style="dim",
        )
    for note in notes(rows, report.missing):
        console.print(note)
    if any("p50_us" in details for row in rows for details in row.details.values()):
        console.print(wall_clock(rows, names))
    console.print(what_ran(report))


def figures(rows: list[Row], names: list[str]) -> Table:
    table = Table(title="Medians and ratios")
    table.add_column("workload")
    table.add_column("unit")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("/ default", justify="right")
    table.add_column("/ best peer", justify="right", no_wrap=True)
    table.add_column("/ limit", justify="right")
    for row in rows:
        cells = [value_text(row, name) for name in names]
        unit = UNIT_NAMES.get(row.unit, row.unit.label)
        peer = Text("-")
        if row.over_peer is not None:
            peer = Text.assemble(ratio(row.over_peer), f" {row.best_peer}")
        table.add_row(row.workload, unit, *cells, ratio(row.speeds.get(OURS)), peer, ratio(row.of_limit))
    return table


def value_text(row: Row, name: str) -> str:
    if name in row.medians:
        return row.unit.text(row.medians[name]) + ("*" if name in row.failures else "")
    return "failed" if name in row.failures else "-"


def ratio(value: float | None) -> Text:
    if value is None:
        return Text("-")
    style = "green" if value >= 1.05 else "red" if value < 0.95 else ""
    return Text(f"{value:.2f}x", style=style)


def notes(rows: list[Row], missing: dict[str, str]) -> list[str]:
    lines = [
        f"{'*' if loop in row.medians else 'failed'}: {row.workload} on {loop}: {reason}"
        for row in rows
        for loop, reason in row.failures.items()
    ]
    lines += [f"-: {row.workload} on {loop}: {reason}" for row in rows for loop, reason in row.unsupported.items()]
    for row in rows:
        late = [
            f"{loop} {found['late_us']:,.0f} ({found['earliest_us']:,.0f})"
            for loop, found in row.details.items()
            if "late_us" in found
        ]
        if late:
            lines.append(
                f"{row.workload}: median lateness in µs (earliest; negative: before its time): {', '.join(late)}."
            )
    lines += [f"Not measured: {workload}: {reason}." for workload, reason in missing.items()]
    counts = sorted({row.rounds for row in rows})
    if len(counts) > 1:
        lines.append(f"Rounds: {counts[-1]}; where time ran out, {counts[0]}.")
    elif counts:
        lines.append(f"Rounds: {counts[0]}.")
    return lines


def wall_clock(rows: list[Row], names: list[str]) -> Table:
    table = Table(
        title="By wall clock: requests per second; latency p50 / p99 / p99.9 in ms; load of the process that is judged"
    )
    table.add_column("workload")
    for name in names:
        table.add_column(name, justify="right")
    for row in rows:
        if not any("p50_us" in details for details in row.details.values()):
            continue
        cells = []
        for name in names:
            found = row.details.get(name)
            cells.append(
                f"{found['wall_requests_per_second']:,.0f}/s\n"
                f"{found['p50_us'] / 1e3:.2f} / {found['p99_us'] / 1e3:.2f} / {found['p999_us'] / 1e3:.2f}\n"
                f"{found['server_load']:.0%}"
                if found
                else value_text(row, name)
            )
        table.add_row(row.workload, *cells)
    return table


def what_ran(report: Report) -> Table:
    table = Table(title="What really ran", caption=f"{report.machine}; {report.date}")
    table.add_column("loop")
    table.add_column("class")
    table.add_column("version")
    for name, ran in report.loops.items():
        table.add_row(name, ran.class_name, report.machine.python if name == DEFAULT else ran.version)
    return table
