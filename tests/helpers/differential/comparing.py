"""Running a program on both loops until the machine leaves them alone, and comparing the traces."""

import itertools
import os
import sys

import hypothesis
from hypothesis import HealthCheck, Phase, settings

from helpers.loops import LOOPS

EXAMPLES = "MAINSPRING_DIFFERENTIAL_EXAMPLES"

# How often a program is run again: when the machine was too slow for its timers, or when the traces differ. A
# difference counts once the same pair of traces has been seen so many times, and equal ones never.
ATTEMPTS = 10
TIMES_SEEN = 3


def campaign_settings(examples, shrink=True):
    """The same `examples` programs every time; with the environment variable, so many new ones."""
    asked = os.environ.get(EXAMPLES)
    return settings(
        max_examples=int(asked) if asked else examples,
        derandomize=not asked,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def first_difference(default, ours):
    """The first events that differ."""
    for number, pair in enumerate(itertools.zip_longest(default, ours)):
        if pair[0] != pair[1]:
            return f"event {number}: default {pair[0]!r}, mainspring {pair[1]!r}"
    return None


def run_alike(interpret, program, factories=LOOPS, times=TIMES_SEEN):
    """Assert that `interpret(factory, program, patience)` gives equal traces for both loops."""
    seen, traces = 0, None
    for attempt in range(ATTEMPTS):
        # More time for everything whenever it has not gone well.
        patience = 1 + attempt
        default, ours = (interpret(factories[name], program, patience) for name in ("default", "mainspring"))
        if default.broken:
            hypothesis.event("the default loop failed inside itself")
            return
        if default.disturbed or ours.disturbed:
            hypothesis.event("the machine was too slow")
            continue
        before, traces = traces, (default.all(), ours.all())
        if traces[0] == traces[1]:
            if seen:
                hypothesis.event("a difference that did not come again")
                if os.environ.get(EXAMPLES):
                    print(f"did not come again: {first_difference(*before)}\n  in {program!r}", file=sys.stderr)
            return
        seen = seen + 1 if traces == before else 1
        if seen == times:
            default, ours = traces
            assert ours == default
    hypothesis.event("given up")
    if os.environ.get(EXAMPLES):
        print(f"given up: {program!r}", file=sys.stderr)
