"""What a loop tells about itself: ``loop.metrics()``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many durations were how long: what Prometheus calls a histogram."""

    buckets: tuple[tuple[float, int], ...]
    """Pairs of a duration in seconds and how many were not longer: the limits double from 1 µs to 16.8 s, and the last
    one is infinity."""
    sum: float
    """All of the durations together, in seconds."""

    @property
    def count(self) -> int:
        """How many durations there were."""
        return self.buckets[-1][1]


@dataclass(frozen=True, slots=True)
class OpenTransports:
    """How many transports are open, by kind: from when they are made until ``connection_lost`` has been called.

    A TLS connection counts as the transport beneath it, and each pipe of a subprocess as a transport.
    """

    tcp: int
    """Connections over TCP, and over whatever else a socket passed by the program speaks."""
    unix: int
    """Connections over UNIX sockets."""
    datagram: int
    """Datagram endpoints."""
    pipe_reader: int
    """Reading ends of pipes."""
    pipe_writer: int
    """Writing ends of pipes."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a loop has done since it was made, and how it stands: a snapshot, which does not change any more.

    Counts grow for the life of the loop and are always kept. Durations are measured only while ``set_metrics`` has
    switched that on (``measured``); until then the histograms are empty and the times are 0.

    Of a closed loop the counts and durations remain, and everything that says how it stands is 0.
    """

    measured: bool
    """Whether durations are measured now."""

    turns: int
    """Turns of the loop, which the standard library calls iterations."""
    polls: int
    """How often the loop asked the kernel for events. A busy loop does not ask in every turn."""
    waits: int
    """How often it asked because nothing was ready, and so could wait."""
    io_events: int
    """Descriptors that the kernel reported as ready, the loop's own ones for signals and wake-ups included."""
    callbacks: int
    """Callbacks run: what ``call_soon``, ``call_later``, ``add_reader`` and their relatives were given, and what tasks
    and futures schedule. Protocol methods that the loop calls by itself are no callbacks."""
    timers_set: int
    """Calls of ``call_later`` and ``call_at``."""
    timers_fired: int
    """Timers whose time has come, without those that were cancelled before."""
    bytes_received: int
    """Bytes read from sockets and pipes by transports and by ``sock_*`` operations. With TLS, encrypted ones."""
    bytes_sent: int
    """Bytes written to sockets and pipes, likewise."""
    connections_accepted: int
    """Connections that servers have accepted."""
    executor_calls: int
    """Calls of functions that were given to the loop's own pool of threads."""

    ready: int
    """Callbacks, events and results that are ready and have not run: the depth of the ready queue."""
    timers: int
    """Timers that wait for their time."""
    transports: OpenTransports
    """Open transports by kind."""
    listeners: int
    """Sockets on which servers accept connections."""
    executor_queue: int
    """Calls that wait for a thread of the default executor."""
    executor_threads: int
    """Threads of the default executor, busy or not."""

    kernel_time: float
    """Seconds spent waiting in the kernel: the loop's idle time."""
    gil_time: float
    """Seconds spent waiting for the GIL after such a wait: what other threads took from the loop."""
    lag: Histogram
    """From when the loop had looked for events to when it looked again, in seconds: as long may something that arrived
    meanwhile have waited to be noticed. Time spent waiting for the GIL counts."""
    callback_time: Histogram
    """The time that each thing took that the loop ran, in seconds: a callback, an event with the protocol methods that
    it called, the result of a thread. Something long in here is what blocks the loop."""
    executor_wait: Histogram
    """From ``run_in_executor`` until a thread of the loop's own pool began with the call, in seconds."""


class MetricsMethods:
    """``metrics`` and its switch."""

    def metrics(self: Any) -> Metrics:
        """What the loop has done and how it stands. May be called from any thread, and on a closed loop.

        Costs some twenty microseconds, whatever the number of connections.
        """
        values = self._read_metrics()
        for name in ("lag", "callback_time", "executor_wait"):
            values[name] = Histogram(*values[name])
        queue, threads = _look_at(self._default_executor)
        return Metrics(
            transports=OpenTransports(**values.pop("transports")),
            executor_queue=queue,
            executor_threads=threads,
            **values,
        )

    def set_metrics(self: Any, enabled: bool) -> None:
        """Switch the measuring of durations on or off, from the next turn on; counts are always kept.

        Off for a new loop, unless the environment variable ``MAINSPRING_METRICS`` is ``1``. What has been measured
        stays. Raises RuntimeError when the loop is closed.
        """
        self._check_closed()
        self._set_metrics(bool(enabled))


def _look_at(executor: Any) -> tuple[int, int]:
    """How many calls wait and how many threads there are; zeros for an executor that is built in another way."""
    try:
        return executor._work_queue.qsize(), len(executor._threads)
    except (AttributeError, TypeError):
        return 0, 0
