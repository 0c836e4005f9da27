"""What each workload of the benchmark should reach, and how rows are judged by it."""

import pytest
from helpers.benchmarks import cells, row
from mainspring.benchmarks.ranking import by_kind, judge, ranked
from mainspring.benchmarks.runner import Cell
from mainspring.benchmarks.summary import summarise_row
from mainspring.benchmarks.targets import TARGETS, Kind, target_of
from mainspring.benchmarks.workload import BYTES, PROCESSOR_NS, REQUESTS
from mainspring.benchmarks.workloads import CATALOGUE


@pytest.mark.parametrize("workload", CATALOGUE)
def test_every_workload_has_a_kind_and_something_to_reach(workload):
    target = target_of(workload)
    assert target.kind is not Kind.OTHER
    assert [target.peer, target.limit, target.default, target.most] != [None] * 4


def test_every_target_is_that_of_a_workload():
    assert {target_of(workload) for workload in CATALOGUE} == set(TARGETS)


@pytest.mark.parametrize(
    "workload, kind, peer, limit",
    [
        ("call_soon, chained", Kind.CALLBACKS, 1.15, None),
        ("call_soon_threadsafe", Kind.THREADS, 1.3, None),
        ("timer set and cancelled", Kind.CALLBACKS, 1.5, None),
        ("TCP echo, protocol, 1 KiB x 1,000", Kind.NETWORK, 1.0, 0.97),
        ("TCP echo, protocol, 100 KiB x 10", Kind.NETWORK, 1.0, 0.95),
        ("TCP echo, streams, 1 KiB x 10", Kind.NETWORK, 1.3, None),
        ("TCP echo, streams, 100 KiB x 10", Kind.NETWORK, 1.5, None),
        ("TLS echo, protocol, 1 KiB x 10", Kind.TLS, 1.0, 0.95),
        ("TLS echo, streams, 1 KiB x 10", Kind.TLS, 1.2, None),
        ("FastAPI on uvicorn, 50 connections", Kind.SERVICES, 1.1, None),
        ("asyncpg SELECT 1, 10 connections", Kind.SERVICES, 1.1, None),
        ("redis-py, pipelines of 100", Kind.SERVICES, 1.1, None),
    ],
)
def test_targets(workload, kind, peer, limit):
    target = target_of(workload)
    assert (target.kind, target.peer, target.limit) == (kind, peer, limit)


def test_time_is_compared_with_the_fastest_other_loop():
    # Less is better: 2.0, 3.0 and 4.0 times as fast, in the rounds.
    chained = row("call_soon, chained", default=[100, 100, 100], mainspring=[10, 10, 10], uvloop=[20, 30, 40])
    judged = judge(chained)
    assert judged.row.best_peer == "uvloop"
    assert judged.row.over_peer == 3.0
    assert judged.reached == pytest.approx(3.0 / 1.15)
    assert judged.met


def test_the_default_loop_is_a_peer_too():
    streams = row("TCP echo, streams, 100 KiB x 10", REQUESTS, default=[170], mainspring=[170], uvloop=[100])
    judged = judge(streams)
    assert judged.row.best_peer == "default"
    assert judged.reached == pytest.approx(1 / 1.5)
    assert not judged.met


def test_the_worst_of_two_targets_counts_and_the_limit_is_no_peer():
    echo = row("TCP echo, protocol, 1 KiB x 10", REQUESTS, mainspring=[90], uvloop=[60], limit=[100])
    judged = judge(echo)
    assert judged.row.best_peer == "uvloop"
    assert judged.row.over_peer == 1.5
    assert judged.row.of_limit == 0.9
    assert judged.reached == pytest.approx(0.9 / 0.97)
    assert not judged.met


@pytest.mark.parametrize("size, met", [(1000, True), (1228, True), (1300, False)])
def test_memory_of_a_connection_has_a_bound_of_its_own(size, met):
    assert judge(row("memory per idle connection", BYTES, mainspring=[size])).met is met


@pytest.mark.parametrize("size, met", [(900, True), (1000, True), (1100, False)])
def test_memory_of_a_task_is_compared_with_the_default_loop(size, met):
    assert judge(row("memory per sleeping task", BYTES, mainspring=[size], default=[1000], uvloop=[1])).met is met


def test_the_worst_is_on_top():
    failed = cells({"default": [10], "mainspring": []}) | {"mainspring": Cell(failures={0: "broken"})}
    rows = [
        row("call_soon, chained", mainspring=[10], uvloop=[20]),
        row("sleep(0), 1 task", mainspring=[10]),
        row("timer set and cancelled", mainspring=[10], uvloop=[14]),
        row("call_soon, batches of 1,000", mainspring=[10], uvloop=[14]),
        summarise_row("future wake-up", PROCESSOR_NS, failed),
    ]
    assert [one.row.workload for one in ranked(rows)] == [
        "future wake-up",  # failed
        "timer set and cancelled",  # 1.4 of 1.5
        "call_soon, batches of 1,000",  # 1.4 of 1.15
        "call_soon, chained",  # 2 of 1.15
        "sleep(0), 1 task",  # nothing to compare with
    ]


def test_the_picture_is_in_order_of_kinds_and_then_of_ratios():
    rows = [
        row("redis-py, pipelines of 100", REQUESTS, mainspring=[12], uvloop=[10]),
        row("call_soon, chained", mainspring=[10], uvloop=[12]),
        row("sleep(0), 1 task", mainspring=[10], uvloop=[30]),
    ]
    lines = by_kind(ranked(rows))
    assert [line if isinstance(line, Kind) else line.row.workload for line in lines] == [
        Kind.CALLBACKS,
        "sleep(0), 1 task",
        "call_soon, chained",
        Kind.SERVICES,
        "redis-py, pipelines of 100",
    ]
