"""The metrics by name, unit and meaning, for all that export them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from mainspring._metrics import Histogram, Metrics


@dataclass(frozen=True)
class Instrument:
    """One metric: ``read`` gives its values, each with the value of its own label, or with None if it has no such."""

    name: str
    unit: str
    description: str
    read: Callable[[Metrics], dict[str | None, float]]
    label: str | None = None


def _plain(name: str, unit: str, description: str) -> Instrument:
    return Instrument(name, unit, description, lambda metrics: {None: getattr(metrics, name)})


def _read_transports(metrics: Metrics) -> dict[str | None, float]:
    return {kind: count for kind, count in asdict(metrics.transports).items()}


COUNTERS = (
    _plain("turns", "", "Turns of the loop."),
    _plain("polls", "", "How often the loop asked the kernel for events."),
    _plain("waits", "", "How often the loop had nothing to do but to wait for events."),
    _plain("io_events", "", "Descriptors that the kernel reported as ready."),
    _plain("callbacks", "", "Callbacks run."),
    _plain("timers_set", "", "Calls of call_later() and call_at()."),
    _plain("timers_fired", "", "Timers whose time has come."),
    _plain("bytes_received", "bytes", "Bytes read from sockets and pipes."),
    _plain("bytes_sent", "bytes", "Bytes written to sockets and pipes."),
    _plain("connections_accepted", "", "Connections that servers have accepted."),
    _plain("executor_calls", "", "Calls given to the loop's own pool of threads."),
)
"""What only grows."""

TIMES = (
    _plain("kernel_time", "seconds", "Time spent waiting in the kernel."),
    _plain("gil_time", "seconds", "Time spent waiting for the GIL after waiting in the kernel."),
)
"""What only grows, and is there while durations are measured."""

GAUGES = (
    _plain("ready", "", "Callbacks, events and results in the ready queue."),
    _plain("timers", "", "Timers that wait for their time."),
    Instrument("transports", "", "Open transports by kind.", _read_transports, "kind"),
    _plain("listeners", "", "Sockets on which servers accept connections."),
    _plain("executor_queue", "", "Calls that wait for a thread of the default executor."),
    _plain("executor_threads", "", "Threads of the default executor."),
)
"""How the loop stands."""

HISTOGRAMS = (
    ("lag", "How long the loop was busy before it looked for events again."),
    ("callback_time", "The time that each thing took that the loop ran."),
    ("executor_wait", "From run_in_executor() until a thread began with the call."),
)
"""Durations, in seconds: there while they are measured."""


def has_durations(metrics: Metrics) -> bool:
    """Whether durations are or have been measured."""
    return metrics.measured or metrics.lag.count > 0


def histogram_of(metrics: Metrics, name: str) -> Histogram:
    """One of HISTOGRAMS."""
    found: Histogram = getattr(metrics, name)
    return found


def label_of(limit: float) -> str:
    """What the limit of a bucket is called: the label ``le`` of Prometheus."""
    return "+Inf" if limit == float("inf") else repr(limit)


class Loops:
    """The loops of an exporter, by the names it calls them; a loop that nobody else keeps is forgotten."""

    def __init__(self) -> None:
        self._loops: dict[str, weakref.ref[Any]] = {}

    def add(self, loop: Any, name: str) -> None:
        """Add a loop. Raises TypeError for a loop without metrics and ValueError for a name in use."""
        if not callable(getattr(loop, "metrics", None)):
            raise TypeError(f"a loop of mainspring is required, not {loop!r}")
        known = self._loops.get(name)
        if known is not None and known() not in (None, loop):
            raise ValueError(f"another loop is called {name!r}")
        self._loops[name] = weakref.ref(loop)

    def read(self) -> Iterator[tuple[str, Metrics]]:
        """The names of those that are left, with what they tell now."""
        for name, reference in list(self._loops.items()):
            loop = reference()
            if loop is None:
                self._loops.pop(name, None)
            else:
                yield name, loop.metrics()
