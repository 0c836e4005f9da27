"""Runs every measurement in a process of its own, the loops in turn, round after round."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mainspring.benchmarks.loops import DEFAULT, LIMIT, OURS, LoopDidNotStartError, LoopKind
from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.worker import LOOP_DID_NOT_START, PROBE, REQUIREMENT_MISSING, UNSUPPORTED
from mainspring.benchmarks.workload import Measurement, Windows, Workload, has_limit

PATIENCE = 120


class MeasurementError(Exception):
    """A workload did not end well on a loop."""


class HungError(MeasurementError):
    """A workload did not end at all."""


class UnsupportedError(Exception):
    """The loop lacks what the workload needs, and says so."""


@dataclass(frozen=True)
class Plan:
    """What to run. Rounds after the first leave out what would begin after ``budget`` seconds."""

    loops: Sequence[LoopKind]
    workloads: Sequence[Workload]
    rounds: int
    windows: Windows
    budget: float | None = None

    def steps(self) -> int:
        return self.rounds * sum(len(self.loops_for(workload)) for workload in self.workloads)

    def loops_for(self, workload: Workload) -> list[LoopKind]:
        """The loops whose own code this workload runs, and the limit where there is one."""
        return [
            kind
            for kind in self.loops
            if (has_limit(workload) if kind.name == LIMIT else workload.network or not kind.transports_only)
        ]


@dataclass
class Cell:
    """One workload on one loop: what each round gave, by the number of the round."""

    measurements: dict[int, Measurement] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    unsupported: str | None = None
    """What the loop lacks, so that there is nothing to measure."""


@dataclass
class Results:
    """All cells, by the name of the workload and of the loop, and the class of each loop as it really ran."""

    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Why a workload was not measured at all: what it needs is not installed."""
    seconds: float = 0.0

    def essential_failures(self) -> list[str]:
        """What failed on the loops that have to run everything."""
        return [
            f"{workload} on {loop}: {reason}"
            for workload, row in self.cells.items()
            for loop, cell in row.items()
            if loop in {DEFAULT, OURS}
            for reason in sorted(set(cell.failures.values()))
        ]


@dataclass(frozen=True)
class Step:
    """What is about to be measured."""

    round: int
    workload: str
    loop: str


def run(plan: Plan, on_step: Callable[[Step], None]) -> Results:
    """Carry out ``plan``. Raises LoopDidNotStartError as soon as a loop is not the one it should be."""
    began = time.monotonic()
    results = Results()
    hung: set[tuple[str, str]] = set()
    for kind in plan.loops:
        results.classes[kind.name] = run_worker(kind, PROBE, plan.windows).loop_class
    for round_number in range(plan.rounds):
        for workload in plan.workloads:
            late = plan.budget is not None and time.monotonic() - began > plan.budget
            row = results.cells.setdefault(workload.name, {})
            for kind in rotated(plan.loops_for(workload), round_number):
                on_step(Step(round_number, workload.name, kind.name))
                if (late and round_number > 0) or workload.name in results.missing:
                    continue
                cell = row.setdefault(kind.name, Cell())
                # What did not end once would make every round as long.
                if cell.unsupported is not None or (workload.name, kind.name) in hung:
                    continue
                try:
                    cell.measurements[round_number] = run_worker(kind, workload.name, plan.windows)
                except MissingRequirementError as error:
                    results.missing[workload.name] = str(error)
                except UnsupportedError as error:
                    cell.unsupported = str(error)
                except MeasurementError as error:
                    cell.failures[round_number] = str(error)
                    if isinstance(error, HungError):
                        hung.add((workload.name, kind.name))
    results.seconds = time.monotonic() - began
    return results


def rotated(loops: list[LoopKind], by: int) -> list[LoopKind]:
    by %= len(loops) or 1
    return loops[by:] + loops[:by]


def run_worker(kind: LoopKind, workload: str, windows: Windows) -> Measurement:
    """One measurement; its process leads a session, so that nothing it started outlives it."""
    words = ["-m", "mainspring.benchmarks.worker", kind.name, workload, json.dumps(asdict(windows))]
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    try:
        output, complaints = process.communicate(timeout=PATIENCE)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise HungError(f"not done after {PATIENCE} seconds") from error
        raise
    answer = last_object(output)
    if process.returncode == LOOP_DID_NOT_START or (workload == PROBE and process.returncode != 0):
        raise LoopDidNotStartError(answer.get("error") or f"the loop {kind.name!r} did not start: {complaints.strip()}")
    if process.returncode == REQUIREMENT_MISSING:
        raise MissingRequirementError(str(answer["error"]))
    # The default loop and this one have to run everything.
    if process.returncode == UNSUPPORTED and kind.name not in {DEFAULT, OURS}:
        raise UnsupportedError(str(answer["error"]))
    if process.returncode != 0 or "value" not in answer:
        raise MeasurementError(reason(process.returncode, answer, complaints))
    if not answer["loop_class"]:
        raise LoopDidNotStartError(f"{workload!r} on {kind.name!r} does not say which loop ran")
    return Measurement(**answer)


def last_object(output: str) -> dict[str, Any]:
    lines = output.strip().splitlines()
    try:
        answer: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}
    return answer


def reason(status: int, answer: dict[str, Any], complaints: str) -> str:
    if "error" in answer:
        return str(answer["error"])
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return (complaints.strip().splitlines() or [f"ended with {status}"])[-1]
