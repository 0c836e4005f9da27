"""Each native workload of the benchmark can be measured, on this loop and where there is one at the limit."""

import pytest
from helpers.benchmarks import SHORTEST
from mainspring.benchmarks.loops import LIMIT, LOOPS, OURS
from mainspring.benchmarks.runner import Plan, UnsupportedError, run_worker
from mainspring.benchmarks.workloads import CATALOGUE

NAMES = [
    "3 Queues of 100, an item",
    "Queue of 1, an item",
    "TCP connections accepted, protocol",
    "TCP connections accepted, streams",
    "TCP echo, buffered, 100 KiB x 10",
    "TCP echo, protocol, 1 KiB x 10",
    "TCP echo, readline, 1 KiB x 10",
    "TCP echo, sock_recv, 1 KiB x 10",
    "TCP echo, streams, 1 KiB x 10",
    "TLS connections accepted, protocol",
    "TLS echo, protocol, 1 KiB x 10",
    "TLS echo, streams, 100 KiB x 10",
    "UDP echo, 1 KiB x 10",
    "UNIX echo, protocol, 1 KiB x 10",
    "getaddrinfo, numeric",
    "latency, echo p99.9, 1 KiB x 64",
    "latency, timer error",
    "latency, wake-up from a thread",
    "memory per cancelled timer",
    "memory per idle connection",
    "memory per sleeping task",
    "pipe, a message of 1 KiB",
    "subprocess, started and awaited",
]


def loops_of(name):
    """The loops, of this one and the limit, that a run of the workload has a column for."""
    plan = Plan([LOOPS[OURS], LOOPS[LIMIT]], [CATALOGUE[name]], 1, SHORTEST)
    return [kind.name for kind in plan.loops_for(CATALOGUE[name])]


@pytest.mark.parametrize(("name", "loop"), [(name, loop) for name in NAMES for loop in loops_of(name)])
def test_it_can_be_measured(name, loop):
    measurement = run_worker(LOOPS[loop], name, SHORTEST)
    assert measurement.value > 0
    assert measurement.loop_class == ("epoll in C++" if loop == LIMIT else "mainspring._loop.Loop")


def test_every_echo_has_a_limit():
    echoes = [name for name in CATALOGUE if name.startswith(("TCP echo", "TLS echo", "UDP echo", "UNIX echo"))]
    assert {LIMIT in loops_of(name) for name in echoes} == {True}


def test_what_a_loop_lacks_is_not_a_failure():
    if not LOOPS["rloop"].installed():
        pytest.skip("rloop, which has no UNIX sockets, is not installed")
    with pytest.raises(UnsupportedError, match="create_unix_server is not implemented"):
        run_worker(LOOPS["rloop"], "UNIX echo, protocol, 1 KiB x 10", SHORTEST)
