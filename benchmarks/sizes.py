"""Cost against size: the same work on a few and on very many, for ``mainspring bench --sizes``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mainspring.benchmarks.fixed_size import FixedSizeWorkload, Operation
from mainspring.benchmarks.workload import Windows, Workload
from mainspring.benchmarks.workloads import echo_protocol

# Seconds a timer, generously.
SETTING_TAKES = 5e-6

# Ten connections, 1 KiB.
ECHO = echo_protocol.WORKLOADS[0]

WINDOWS = Windows(callbacks=0.3, warmup=0.2, server=0.6)


@dataclass(frozen=True)
class Series:
    """One plot: a workload for each size."""

    name: str
    title: str
    size_label: str
    cost_label: str
    points: dict[int, Workload]
    binary: bool = False
    """Whether sizes are bytes."""


def nothing() -> None:
    pass


async def callbacks_at_once(loop: asyncio.AbstractEventLoop, numbers: Sequence[int]) -> None:
    done = loop.create_future()
    for _ in numbers[1:]:
        loop.call_soon(nothing)
    loop.call_soon(done.set_result, None)
    await done


def mixed(count: int) -> list[int]:
    """The numbers below ``count`` in no order."""
    # A prime, and no divisor of any of the counts.
    return [index * 7919 % count for index in range(count)]


async def timers_cancelled(loop: asyncio.AbstractEventLoop, order: Sequence[int]) -> None:
    count = len(order)
    handles = [loop.call_later(60 + place / count, nothing) for place in order]
    for place in order:
        handles[place].cancel()
    # Some loops put off a part of the work of cancelling until they run.
    await asyncio.sleep(0)


async def timers_fired(loop: asyncio.AbstractEventLoop, order: Sequence[int]) -> None:
    done = loop.create_future()
    left = count = len(order)

    def fired() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set_result(None)

    # Due after all have been set, and within a millisecond, so that hardly a loop gains by rounding deadlines.
    due = loop.time() + 0.001 + SETTING_TAKES * count
    for place in order:
        loop.call_at(due + 0.001 * place / count, fired)
    await done


def fixed(
    what: str, operation: Operation, sizes: Sequence[int], order: Callable[[int], Sequence[int]]
) -> dict[int, Workload]:
    return {size: FixedSizeWorkload(f"{what}: {size:,}", operation, size, order) for size in sizes}


def echo_to(connections: int) -> Workload:
    return replace(ECHO, name=f"echo, connections: {connections:,}", connections=connections)


def echo_of(size: int) -> Workload:
    return replace(ECHO, name=f"echo, message: {bytes_label(size)}", size=size)


def powers_of_ten(first: int, last: int) -> list[int]:
    return [10**exponent for exponent in range(first, last + 1)]


def bytes_label(size: int) -> str:
    for unit in ("B", "KiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} MiB"


MESSAGE_SIZES = [64, 512, 4 << 10, 32 << 10, 256 << 10, 1 << 20, 8 << 20]

SERIES = (
    Series(
        "callbacks",
        "Callbacks that are ready at once",
        "callbacks",
        "ns of processor time a callback",
        fixed("callbacks at once", callbacks_at_once, powers_of_ten(3, 7), range),
    ),
    Series(
        "timers-cancelled",
        "Timers that are set and cancelled, in no order",
        "timers",
        "ns of processor time a timer",
        fixed("timers set and cancelled", timers_cancelled, powers_of_ten(3, 6), mixed),
    ),
    Series(
        "timers-fired",
        "Timers that are set and fire, in no order",
        "timers",
        "ns of processor time a timer",
        fixed("timers set and fired", timers_fired, powers_of_ten(3, 6), mixed),
    ),
    Series(
        "connections",
        "TCP echo of 1 KiB by protocol: connections",
        "connections, each with one request outstanding",
        "µs of the server's processor time a request",
        {connections: echo_to(connections) for connections in powers_of_ten(1, 4)},
    ),
    Series(
        "messages",
        "TCP echo by protocol on ten connections: size of the message",
        "size of a message",
        "µs of the server's processor time a message",
        {size: echo_of(size) for size in MESSAGE_SIZES},
        binary=True,
    ),
)

SIZE_WORKLOADS: dict[str, Workload] = {
    workload.name: workload for series in SERIES for workload in series.points.values()
}
