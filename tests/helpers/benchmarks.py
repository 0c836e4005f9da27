"""Results of the benchmark as if they had been measured."""

from mainspring.benchmarks.machine import Machine
from mainspring.benchmarks.report import Ran, Report
from mainspring.benchmarks.runner import Cell
from mainspring.benchmarks.summary import summarise_row
from mainspring.benchmarks.workload import PROCESSOR_NS, Measurement, Windows

SHORTEST = Windows(callbacks=0.01, warmup=0.01, server=0.05)


def cells(values):
    """By the name of the loop, what each of its rounds gave."""
    return {
        loop: Cell({number: Measurement(value, f"{loop}.Loop", {"count": 3}) for number, value in enumerate(rounds)})
        for loop, rounds in values.items()
    }


def row(workload, unit=PROCESSOR_NS, **values):
    """A summarised row; each loop's rounds are a list."""
    return summarise_row(workload, unit, cells(values))


def report(workloads, *, missing=None, date="2026-01-02T03:04:05+00:00", version="1.0"):
    """A run; ``workloads`` are the values of ``cells`` by the name of the workload."""
    loops = sorted({loop for values in workloads.values() for loop in values})
    return Report(
        date=date,
        machine=Machine("a processor", 2, "Linux 6", "CPython 3.13.0"),
        quick=False,
        windows=Windows.full(),
        seconds=1.5,
        loops={loop: Ran(f"{loop}.Loop", version) for loop in loops},
        units=dict.fromkeys([*workloads, *(missing or {})], PROCESSOR_NS),
        cells={workload: cells(values) for workload, values in workloads.items()},
        missing=missing or {},
    )
