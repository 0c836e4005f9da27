"""The benchmark's measurements of cost against size."""

import pytest
from helpers.benchmarks import SHORTEST
from mainspring.benchmarks import fixed_size
from mainspring.benchmarks.loops import LOOPS, OURS
from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.runner import run_worker
from mainspring.benchmarks.sizes import SERIES, SIZE_WORKLOADS, bytes_label, mixed


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)
def test_the_smallest_of_each_can_be_measured(series):
    measurement = run_worker(LOOPS[OURS], series.points[min(series.points)].name, SHORTEST)
    assert measurement.value > 0
    assert measurement.loop_class == "mainspring._loop.Loop"


def test_what_does_not_fit_into_memory_is_not_begun(monkeypatch):
    monkeypatch.setattr(fixed_size, "available_memory", lambda: 2**30)
    with pytest.raises(MissingRequirementError, match=r"needs 3\.7 GiB of free memory"):
        SIZE_WORKLOADS["callbacks at once: 10,000,000"].measure(None, None, SHORTEST)


def test_no_number_is_left_out():
    order = mixed(1000)
    assert sorted(order) == list(range(1000))
    assert order != sorted(order)


def test_sizes_reach_what_they_should():
    sizes = {series.name: list(series.points) for series in SERIES}
    assert sizes["callbacks"] == [10**3, 10**4, 10**5, 10**6, 10**7]
    assert sizes["timers-cancelled"] == sizes["timers-fired"] == [10**3, 10**4, 10**5, 10**6]
    assert sizes["connections"] == [10, 100, 1000, 10_000]
    assert (sizes["messages"][0], sizes["messages"][-1]) == (64, 8 * 2**20)


@pytest.mark.parametrize("size, label", [(64, "64 B"), (1024, "1 KiB"), (256 << 10, "256 KiB"), (8 << 20, "8 MiB")])
def test_labels_of_sizes(size, label):
    assert bytes_label(size) == label
