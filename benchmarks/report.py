"""The results of a run with all that is needed to show them again, as they are written to a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mainspring.benchmarks.machine import Machine, this_machine
from mainspring.benchmarks.runner import Cell, Plan, Results
from mainspring.benchmarks.summary import Row, summarise_row
from mainspring.benchmarks.workload import Measurement, Unit, Windows


class ReportError(Exception):
    """A file is not such a report, or does not fit the others."""


@dataclass(frozen=True)
class Ran:
    """A loop as it really ran."""

    class_name: str
    version: str


@dataclass(frozen=True)
class Report:
    """One run: every measurement, and what it was made on and with."""

    date: str
    machine: Machine
    quick: bool
    windows: Windows
    seconds: float
    loops: dict[str, Ran]
    units: dict[str, Unit]
    """The unit of each workload; the order is the table's."""
    cells: dict[str, dict[str, Cell]]
    missing: dict[str, str]
    """Why a workload was not measured."""

    def rows(self) -> list[Row]:
        """What was measured."""
        return [
            summarise_row(workload, unit, self.cells.get(workload, {}))
            for workload, unit in self.units.items()
            if workload not in self.missing
        ]

    def as_json(self) -> str:
        document = asdict(self)
        # For other readers: the medians and ratios, which this program computes from the measurements again.
        document["rows"] = [asdict(row) for row in self.rows()]
        return json.dumps(document, indent=1) + "\n"

    def stem(self) -> str:
        """A name for the file of this run."""
        return f"{datetime.fromisoformat(self.date):%Y-%m-%d-%H%M%S}-py{self.machine.python.split()[-1]}"

    def python_version(self) -> str:
        """As in ``3.13``."""
        return ".".join(self.machine.python.split()[-1].split(".")[:2])


def report_of(plan: Plan, results: Results, quick: bool) -> Report:
    """What was just measured, on this machine."""
    return Report(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=this_machine(),
        quick=quick,
        windows=plan.windows,
        seconds=results.seconds,
        loops={kind.name: Ran(results.classes[kind.name], kind.version()) for kind in plan.loops},
        units={workload.name: workload.unit for workload in plan.workloads},
        cells=results.cells,
        missing=results.missing,
    )


def read_report(path: Path) -> Report:
    try:
        return from_json(path.read_text())
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{path} is not a file that mainspring bench wrote: {error!r}") from error


def from_json(text: str) -> Report:
    document: dict[str, Any] = json.loads(text)
    return Report(
        date=document["date"],
        machine=Machine(**document["machine"]),
        quick=document["quick"],
        windows=Windows(**document["windows"]),
        seconds=document["seconds"],
        loops={name: Ran(**ran) for name, ran in document["loops"].items()},
        units={name: Unit(**unit) for name, unit in document["units"].items()},
        cells={
            workload: {loop: cell_from_json(cell) for loop, cell in row.items()}
            for workload, row in document["cells"].items()
        },
        missing=document["missing"],
    )


def cell_from_json(cell: dict[str, Any]) -> Cell:
    """JSON knows only text as keys, so the numbers of the rounds have become text."""
    return Cell(
        measurements={int(number): Measurement(**found) for number, found in cell["measurements"].items()},
        failures={int(number): reason for number, reason in cell["failures"].items()},
        unsupported=cell["unsupported"],
    )


def merged(reports: Sequence[Report]) -> Report:
    """Several runs as one: a workload's row comes, whole, from the last run that has it."""
    result = reports[0]
    for other in reports[1:]:
        if other.machine != result.machine:
            raise ReportError(f"not the same machine: {result.machine}; {other.machine}")
        for name, ran in other.loops.items():
            if result.loops.get(name, ran) != ran:
                raise ReportError(f"not the same {name}: {result.loops[name]}; {ran}")
        result = replace(
            other,
            quick=result.quick or other.quick,
            seconds=result.seconds + other.seconds,
            loops=result.loops | other.loops,
            units=result.units | other.units,
            cells=result.cells | other.cells,
            missing={name: why for name, why in result.missing.items() if name not in other.units} | other.missing,
        )
    return result
