"""What a workload is and what measuring it gives: the interface between workloads, worker and runner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

from mainspring.benchmarks.loops import LoopFactory


@dataclass(frozen=True)
class Windows:
    """How long to measure, in seconds; the runner chooses these once for all loops."""

    callbacks: float
    warmup: float
    server: float

    @classmethod
    def quick(cls) -> Windows:
        return cls(callbacks=0.12, warmup=0.1, server=0.3)

    @classmethod
    def full(cls) -> Windows:
        return cls(callbacks=0.8, warmup=0.3, server=1.2)


@dataclass
class Measurement:
    """One figure of one process; beside the judged ``value`` stand wall-clock rates and latencies."""

    value: float
    loop_class: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unit:
    """What the judged value counts, how it is written, and which direction is better."""

    label: str
    higher_is_better: bool
    digits: int = 0

    def text(self, value: float) -> str:
        return f"{value:,.{self.digits}f}"

    def speed(self, value: float, other: float) -> float:
        """How many times as good ``value`` is as ``other``."""
        if value <= 0 or other <= 0:
            return float("nan")
        return value / other if self.higher_is_better else other / value


PROCESSOR_NS = Unit("ns of processor time each", higher_is_better=False)
SECONDS = Unit("seconds", higher_is_better=False, digits=3)
BYTES = Unit("bytes", higher_is_better=False)
MICROSECONDS = Unit("microseconds", higher_is_better=False, digits=1)
REQUESTS = Unit("requests per second of processor time", higher_is_better=True)

LoopCheck = Callable[[], str]
"""Called while the loop runs; gives the loop's class and raises if it is not the expected one."""


class Workload(Protocol):
    """One thing to measure. ``measure`` runs in a process of its own and starts the loop itself."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> Unit: ...
    @property
    def network(self) -> bool:
        """Whether transports matter to it."""
        ...

    @property
    def quick(self) -> bool:
        """Whether it belongs to the quick selection."""
        ...

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement: ...


class LimitedWorkload(Workload, Protocol):
    """A workload that can also be put to the limit, the same server on bare epoll."""

    def measure_limit(self, windows: Windows) -> Measurement: ...


def has_limit(workload: Workload) -> TypeGuard[LimitedWorkload]:
    return getattr(workload, "limit", None) is not None
