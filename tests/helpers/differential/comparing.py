"""Running a program on both loops until the machine leaves them alone, and comparing the traces."""

import itertools
import os
import sys

import hypothesis
from hypothesis import HealthCheck, Phase, settings

from helpers.loops import LOOPS

EXAMPLES = "MAINSPRING_DIFFERENTIAL_EXAMPLES"

# How often a program is run again: when the machine was too slow for its timers, or when the traces differ. A
# difference counts once it has been seen so many times without a single run in which the traces were equal.
ATTEMPTS = 12
TIMES_SEEN = 3


def campaign_settings(examples):
    """The same `examples` programs every time; with the environment variable, so many new ones."""
    asked = os.environ.get(EXAMPLES)
    return settings(
        max_examples=int(asked) if asked else examples,
        derandomize=not asked,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def first_difference(default, ours):
    """The first events that differ."""
    for number, pair in enumerate(itertools.zip_longest(default, ours)):
        if pair[0] != pair[1]:
            return f"event {number}: default {pair[0]!r}, mainspring {pair[1]!r}"
    return None


def run_alike(interpret, program, factories=LOOPS):
    """Assert that `interpret(factory, program)` gives equal traces for both loops."""
    seen, difference = 0, None
    for _ in range(ATTEMPTS):
        default, ours = (interpret(factories[name], program) for name in ("default", "mainspring"))
        if default.broken:
            hypothesis.event("the default loop failed inside itself")
            if os.environ.get("BROKEN"):
                print("broken", [e for e in default.all() if "NoneType" in repr(e)], program, file=sys.stderr)
            return
        if default.disturbed or ours.disturbed:
            hypothesis.event("the machine was too slow")
            continue
        if ours.all() == default.all():
            if seen:
                hypothesis.event("a difference that did not come again")
                if os.environ.get(EXAMPLES):
                    print(f"did not come again: {difference}\n  in {program!r}", file=sys.stderr)
            return
        seen += 1
        difference = first_difference(default.all(), ours.all())
        if seen == TIMES_SEEN:
            assert ours.all() == default.all()
    hypothesis.event("given up")
    if os.environ.get(EXAMPLES):
        print(f"given up: {program!r}", file=sys.stderr)
