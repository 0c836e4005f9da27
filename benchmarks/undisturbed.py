"""The figure that a machine gives while nothing else disturbs it, out of many short measurements.

Neighbours of a virtual machine, and whatever else runs, slow a processor for some tenths of a second at a time, by as
much as three quarters. What is measured in one piece is then a matter of luck. So each measurement is cut into
stretches of some hundredths of a second, and the fastest tenth of them is what counts, on every loop alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STRETCH = 0.025
"""Seconds: shorter than disturbances, long enough for many thousand callbacks and some of the collector's rounds."""

SATURATED = 0.97
"""From this load on a server does not sleep. The kernel then brings its account of the server's processor time up to
date only with its ticks, which is too coarse for a stretch, but it is as much as has passed."""


def undisturbed(costs: Iterable[float]) -> float:
    """The cost that a tenth of the stretches stays below."""
    ordered = sorted(costs)
    return ordered[len(ordered) // 10]


def requests_per_processor_second(figures: dict[str, Any]) -> float:
    """Of what the load generator reports: the rate of the server while it is undisturbed."""
    load = figures["server_seconds"] / figures["seconds"]
    costs = [
        (seconds * load if load >= SATURATED else server_seconds) / requests
        for requests, seconds, server_seconds, *_ in figures["stretches"]
    ]
    return 1 / undisturbed(costs)
