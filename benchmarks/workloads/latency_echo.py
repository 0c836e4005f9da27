"""The p99.9 of the time that a request waits for its answer while the server is busy."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workload import MICROSECONDS, Unit
from mainspring.benchmarks.workloads import echo_protocol
from mainspring.benchmarks.workloads.echo_sizes import KIB


@dataclass(frozen=True)
class TailWorkload(ServerWorkload):
    """Judged by the latency that one request in a thousand exceeds, by the clock: the median of the stretches.

    Not what their fastest tenth has, as elsewhere: what the loop itself does seldom is to count.
    """

    unit: Unit = MICROSECONDS

    def value(self, figures: dict[str, Any]) -> float:
        return statistics.median(p999 for *_, p999 in figures["stretches"])


WORKLOADS = [TailWorkload("latency, echo p99.9, 1 KiB x 64", echo_protocol.serve, "echo", 64, KIB, limit=LimitServer())]
