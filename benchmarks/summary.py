"""Medians over the rounds, and medians of the ratios of runs that stood next to each other in time."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from mainspring.benchmarks.loops import DEFAULT, LIMIT, OURS
from mainspring.benchmarks.runner import Cell
from mainspring.benchmarks.workload import Unit


@dataclass(frozen=True)
class Row:
    """One workload: each loop's median, and how many times as fast this loop is as the others."""

    workload: str
    unit: Unit
    medians: dict[str, float]
    failures: dict[str, str]
    unsupported: dict[str, str]
    """What loops do not have, in their own words."""
    details: dict[str, dict[str, float]]
    rounds: int
    speeds: dict[str, float]
    """The speed of each loop over the default loop's."""
    best_peer: str | None
    """The best of the other loops."""
    over_peer: float | None
    """This loop's speed over the best peer's."""
    of_limit: float | None
    """This loop's speed over that of the server without a loop."""


def summarise_row(workload: str, unit: Unit, cells: dict[str, Cell]) -> Row:
    medians = {
        loop: statistics.median(measurement.value for measurement in cell.measurements.values())
        for loop, cell in cells.items()
        if cell.measurements
    }
    peers = [loop for loop in medians if loop not in {OURS, LIMIT}]
    best = (max if unit.higher_is_better else min)(peers, key=medians.__getitem__, default=None)
    speeds = {loop: paired_speed(unit, cells, loop, DEFAULT) for loop in medians}
    return Row(
        workload=workload,
        unit=unit,
        medians=medians,
        failures={
            loop: "; ".join(sorted(set(cell.failures.values()))) for loop, cell in cells.items() if cell.failures
        },
        unsupported={loop: cell.unsupported for loop, cell in cells.items() if cell.unsupported is not None},
        details={loop: median_details(cells[loop]) for loop in medians},
        # All loops have the same, but for one that was given up.
        rounds=max((len(cell.measurements) + len(cell.failures) for cell in cells.values()), default=0),
        speeds={loop: speed for loop, speed in speeds.items() if speed is not None},
        best_peer=best,
        over_peer=paired_speed(unit, cells, OURS, best) if best is not None else None,
        of_limit=paired_speed(unit, cells, OURS, LIMIT),
    )


def paired_speed(unit: Unit, cells: dict[str, Cell], loop: str, other: str) -> float | None:
    if loop not in cells or other not in cells:
        return None
    one, two = cells[loop].measurements, cells[other].measurements
    ratios = [unit.speed(one[number].value, two[number].value) for number in one if number in two]
    return statistics.median(ratios) if ratios else None


def median_details(cell: Cell) -> dict[str, float]:
    found = [measurement.details for measurement in cell.measurements.values()]
    return {name: statistics.median(details[name] for details in found) for name in found[0]}
