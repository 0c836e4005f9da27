"""Rules for a transport on the loop under test and on the default loop, compared after every step."""

import asyncio
import itertools
import os

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from helpers.loops import factory_of

EXAMPLES = "MAINSPRING_MACHINE_EXAMPLES"
LOOP = "MAINSPRING_MACHINE_LOOP"
SHRINK = "MAINSPRING_MACHINE_SHRINK"

# How often a machine that is slow gets more time before a difference counts.
PATIENCE = 8


def factory_under_test():
    """mainspring's, unless the environment names another package that has `new_event_loop`."""
    return factory_of(os.environ.get(LOOP, "mainspring"))


def machine_settings(examples, steps=20):
    """The same runs every time; with the environment variable, so many new ones."""
    asked = os.environ.get(EXAMPLES)
    return settings(
        max_examples=int(asked) if asked else examples,
        stateful_step_count=steps if not asked else 30,
        derandomize=not asked,
        deadline=None,
        database=None,
        # A run that fails is told with all its steps; a shorter one takes minutes to find.
        phases=(Phase.explicit, Phase.generate, *([Phase.shrink] if os.environ.get(SHRINK) else [])),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


class Alike(RuleBasedStateMachine):
    """Two worlds that are told the same and have to show the same."""

    def __init__(self):
        super().__init__()
        self.worlds = ()

    def make(self, world, *arguments):
        self.worlds = tuple(world(it, *arguments) for it in (asyncio.SelectorEventLoop, factory_under_test()))
        self.compare()

    def over(self):
        """The default loop failed inside itself: what happens from then on is nobody's promise."""
        return any(world.broken for world in self.worlds)

    def step(self, *what):
        if self.over():
            hypothesis.event("the default loop failed inside itself")
            return
        for world in self.worlds:
            world.step(*what)
        self.compare()

    def compare(self):
        default, ours = self.worlds
        for _ in range(PATIENCE):
            if self.over() or default.seen() == ours.seen():
                return
            for world in self.worlds:
                world.settle_again()
        for expected, found in itertools.zip_longest(default.seen(), ours.seen()):
            assert found == expected

    def teardown(self):
        for world in self.worlds:
            world.close()
