"""A collector for ``prometheus-client``, which comes with ``pip install 'mainspring[prometheus]'``.

One line in the program::

    REGISTRY.register(mainspring.prometheus.Collector(asyncio.get_running_loop()))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

try:
    from prometheus_client import core, registry
except ImportError as error:
    raise ImportError(
        "mainspring.prometheus needs prometheus-client: pip install 'mainspring[prometheus]'", name=error.name
    ) from error

from mainspring._instruments import COUNTERS, GAUGES, HISTOGRAMS, TIMES, Loops, has_durations, histogram_of, label_of

__all__ = ["Collector"]


class Collector(registry.Collector):
    """The metrics of one or more loops, read when they are scraped, from whatever thread.

    All are called ``mainspring_…`` and have the label ``loop``. The collector does not keep a loop alive.
    """

    def __init__(self, loop: Any = None, *, name: str = "main") -> None:
        """Raises TypeError when ``loop`` is another kind of loop; without one, loops are added later."""
        self._loops = Loops()
        if loop is not None:
            self.add(loop, name)

    def add(self, loop: Any, name: str) -> None:
        """Tell of one more loop. Raises ValueError when another one has the name."""
        self._loops.add(loop, name)

    def collect(self) -> Iterator[core.Metric]:
        """All metrics of all loops; durations only of loops that measure them."""
        loops = list(self._loops.read())
        measured = [(name, metrics) for name, metrics in loops if has_durations(metrics)]
        for instruments, make, those in (
            (COUNTERS, core.CounterMetricFamily, loops),
            (GAUGES, core.GaugeMetricFamily, loops),
            (TIMES, core.CounterMetricFamily, measured),
        ):
            for instrument in instruments:
                labels = ["loop", instrument.label] if instrument.label else ["loop"]
                family = make(_name(instrument.name, instrument.unit), instrument.description, labels=labels)
                for name, metrics in those:
                    for label, value in instrument.read(metrics).items():
                        family.add_metric([name] if label is None else [name, label], value)
                yield family
        for title, description in HISTOGRAMS:
            histogram = core.HistogramMetricFamily(_name(title, "seconds"), description, labels=["loop"])
            for name, metrics in measured:
                values = histogram_of(metrics, title)
                buckets = [(label_of(limit), count) for limit, count in values.buckets]
                histogram.add_metric([name], buckets, values.sum)
            yield histogram


def _name(name: str, unit: str) -> str:
    # Prometheus wants the unit last, once: bytes_sent is sent_bytes.
    words = [word for word in name.split("_") if word != unit]
    return "_".join(["mainspring", *words, *([unit] if unit else [])])
