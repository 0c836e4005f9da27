"""Instruments of OpenTelemetry, which come with ``pip install 'mainspring[opentelemetry]'``.

One line in the program::

    mainspring.opentelemetry.Instruments(asyncio.get_running_loop())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

try:
    from opentelemetry import metrics as api
except ImportError as error:
    raise ImportError(
        "mainspring.opentelemetry needs opentelemetry-api: pip install 'mainspring[opentelemetry]'", name=error.name
    ) from error

from mainspring import __version__
from mainspring._instruments import (
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    TIMES,
    Instrument,
    Loops,
    has_durations,
    histogram_of,
    label_of,
)
from mainspring._metrics import Histogram, Metrics

__all__ = ["Instruments"]

_UNITS = {"": "1", "bytes": "By", "seconds": "s"}

Values = Iterable[tuple[float, dict[str, str]]]


class Instruments:
    """Observable instruments for the metrics of one or more loops, read when a reader of the provider collects.

    All are called ``mainspring.…`` and have the attribute ``loop``. The instruments do not keep a loop alive.

    OpenTelemetry has no histograms that are observed, so each is three counters: ``….count``, ``….sum`` in seconds, and
    ``….bucket`` with the attribute ``le``, as in Prometheus.
    """

    def __init__(
        self, loop: Any = None, *, name: str = "main", meter_provider: api.MeterProvider | None = None
    ) -> None:
        """Make the instruments, once for a provider (the global one by default).

        Raises TypeError when ``loop`` is another kind of loop; without one, loops are added later.
        """
        self._loops = Loops()
        if loop is not None:
            self.add(loop, name)
        meter = api.get_meter("mainspring", __version__, meter_provider)
        for instruments, make, measured in (
            (COUNTERS, meter.create_observable_counter, False),
            (GAUGES, meter.create_observable_gauge, False),
            (TIMES, meter.create_observable_counter, True),
        ):
            for instrument in instruments:
                observe = self._observer(partial(_values, instrument), measured)
                make(_name(instrument.name), [observe], _UNITS[instrument.unit], instrument.description)
        for title, description in HISTOGRAMS:
            for part, (read, unit) in _PARTS.items():
                observe = self._observer(partial(_parts, title, read), True)
                meter.create_observable_counter(f"{_name(title)}.{part}", [observe], unit, description)

    def add(self, loop: Any, name: str) -> None:
        """Tell of one more loop. Raises ValueError when another one has the name."""
        self._loops.add(loop, name)

    def _observer(self, read: Callable[[Metrics], Values], measured: bool) -> Callable[[Any], Iterable[Any]]:
        def observe(options: Any) -> Iterator[api.Observation]:
            for name, metrics in self._loops.read():
                if measured and not has_durations(metrics):
                    continue
                for value, attributes in read(metrics):
                    yield api.Observation(value, {"loop": name, **attributes})

        return observe


def _name(name: str) -> str:
    return f"mainspring.{name}"


def _values(instrument: Instrument, metrics: Metrics) -> Values:
    for label, value in instrument.read(metrics).items():
        yield value, {} if label is None or instrument.label is None else {instrument.label: label}


def _parts(title: str, read: Callable[[Histogram], Values], metrics: Metrics) -> Values:
    return read(histogram_of(metrics, title))


def _buckets(histogram: Histogram) -> Values:
    for limit, count in histogram.buckets:
        yield count, {"le": label_of(limit)}


_PARTS: dict[str, tuple[Callable[[Histogram], Values], str]] = {
    "count": (lambda histogram: [(histogram.count, {})], "1"),
    "sum": (lambda histogram: [(histogram.sum, {})], "s"),
    "bucket": (_buckets, "1"),
}
