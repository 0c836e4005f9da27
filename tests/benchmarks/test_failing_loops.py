"""A loop that fails, or never ends, costs its own column and nothing else."""

import pytest
from mainspring.benchmarks import runner
from mainspring.benchmarks.loops import LOOPS
from mainspring.benchmarks.runner import HungError, MeasurementError, Plan, UnsupportedError, run
from mainspring.benchmarks.workload import Measurement, Windows
from mainspring.benchmarks.workloads import CATALOGUE

WORKLOADS = ("call_soon, chained", "UNIX echo, protocol, 1 KiB x 10")
ROUNDS = 3


@pytest.fixture
def failing(monkeypatch):
    """Runs a plan in which uvloop ends as it is told to; the cells of all loops, and how often uvloop was tried."""

    def run_plan(error):
        tried = []

        def run_worker(kind, workload, windows):
            if kind.name == "uvloop" and workload in WORKLOADS:
                tried.append(workload)
                raise error
            return Measurement(1.0, "a class")

        monkeypatch.setattr(runner, "run_worker", run_worker)
        loops = [LOOPS[name] for name in ("default", "uvloop", "mainspring")]
        plan = Plan(loops, [CATALOGUE[name] for name in WORKLOADS], ROUNDS, Windows.quick())
        return run(plan, lambda step: None), len(tried)

    return run_plan


@pytest.mark.parametrize("error", [MeasurementError("broken"), HungError("hung"), UnsupportedError("lacking")])
def test_the_other_loops_are_measured_all_the_same(failing, error):
    results, _ = failing(error)
    for workload in WORKLOADS:
        for loop in ("default", "mainspring"):
            assert len(results.cells[workload][loop].measurements) == ROUNDS
        assert not results.cells[workload]["uvloop"].measurements
    assert results.essential_failures() == []


def test_what_fails_is_tried_again_in_each_round(failing):
    results, tried = failing(MeasurementError("broken"))
    assert tried == ROUNDS * len(WORKLOADS)
    assert set(results.cells[WORKLOADS[0]]["uvloop"].failures.values()) == {"broken"}


def test_what_hangs_is_not_tried_again(failing):
    results, tried = failing(HungError("hung"))
    assert tried == len(WORKLOADS)
    assert results.cells[WORKLOADS[0]]["uvloop"].failures == {0: "hung"}


def test_what_a_loop_lacks_is_not_tried_again(failing):
    results, tried = failing(UnsupportedError("lacking"))
    assert tried == len(WORKLOADS)
    assert results.cells[WORKLOADS[0]]["uvloop"].unsupported == "lacking"
