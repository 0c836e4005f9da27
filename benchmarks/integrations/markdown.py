"""The table for the documentation."""

from __future__ import annotations

from importlib.metadata import version

from mainspring.benchmarks.integrations import INTEGRATIONS
from mainspring.benchmarks.integrations.comparison import compared_with, comparisons
from mainspring.benchmarks.loops import DEFAULT
from mainspring.benchmarks.report import Report
from mainspring.benchmarks.table import notes, value_text


def as_markdown(report: Report) -> str:
    others = compared_with(report)
    lines = [
        line(["integration", *report.loops, *(f"to {name}" for name in others)]),
        line(["---"] * (1 + len(report.loops) + len(others))),
    ]
    for one in comparisons(report):
        speeds = ["–" if speed is None else f"{speed:.2f}×" for speed in one.speeds.values()]  # noqa: RUF001
        lines.append(line([one.row.workload, *(value_text(one.row, name) for name in report.loops), *speeds]))
    lines += ["", "Requests per second of processor time. " + " ".join(notes(report.rows(), report.missing))]
    loops = [f"{name} as `{ran.class_name}`" + version_of(name, ran.version) for name, ran in report.loops.items()]
    lines += [
        "",
        f"{report.machine}. The loops ran as: {', '.join(loops)}.",
        "",
        f"With {', '.join(packages(report))}.",
    ]
    return "\n".join(lines)


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def version_of(name: str, text: str) -> str:
    return "" if name == DEFAULT else f" ({text})"


def packages(report: Report) -> list[str]:
    """What was measured, and its version."""
    return [
        f"{name} {version(name)}"
        for name, workload in INTEGRATIONS.items()
        if workload.name in report.units and workload.name not in report.missing
    ]
