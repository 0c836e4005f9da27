"""The table of ``--full``: each workload against its target, the worst first."""

from __future__ import annotations

from mainspring.benchmarks.loops import OURS
from mainspring.benchmarks.ranking import Judged
from mainspring.benchmarks.summary import Row
from mainspring.benchmarks.table import UNIT_NAMES, value_text
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_target_table(console: Console, judged: list[Judged], missing: dict[str, str]) -> None:
    console.print(target_table(judged, missing))
    compared = [one for one in judged if one.reached is not None]
    console.print(
        f"{sum(one.met for one in compared)} of {len(compared)} workloads reach their target; the worst is on top. "
        "Reached: the ratio divided by its target, where there are several the worst of them. Ratios are speeds, "
        "medians over the rounds of what the same round gave; the best peer is the best of all other loops. Limit: the "
        "same server in C++ on bare epoll.",
        style="dim",
    )


def target_table(judged: list[Judged], missing: dict[str, str]) -> Table:
    table = Table(title="Against the targets")
    table.add_column("workload")
    table.add_column("unit")
    for name in (OURS, "best peer", "/ best peer", "target", "of limit", "target", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in judged:
        row, target = one.row, one.target
        table.add_row(
            row.workload,
            UNIT_NAMES.get(row.unit, row.unit.label),
            value_text(row, OURS),
            best_peer(row),
            ratio(row.over_peer),
            other_target(one) if target.peer is None else wanted(target.peer),
            ratio(row.of_limit),
            wanted(target.limit),
            reached(one),
        )
    for workload, reason in missing.items():
        table.add_row(workload, "", Text(f"not measured: {reason}", overflow="fold"))
    return table


def best_peer(row: Row) -> str:
    return "-" if row.best_peer is None else f"{row.best_peer} {value_text(row, row.best_peer)}"


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def wanted(target: float | None) -> str:
    return "" if target is None else f"{target:.2f}x"


def other_target(one: Judged) -> str:
    """What is asked where it is not a speed over the best peer's."""
    if one.target.most is not None:
        return f"at most {one.row.unit.text(one.target.most)}"
    if one.target.default is not None:
        return f"{one.target.default:.2f}x default"
    return ""


def reached(one: Judged) -> Text:
    if one.reached is None:
        return Text("-")
    return Text(f"{one.reached:.0%}", style="green" if one.met else "bold red")
