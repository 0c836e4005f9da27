"""Deadlines for programs whose whole trace has to be the same on two loops."""

import math

# Timers are set for whole ticks only, one timer a tick, so that their order is beyond doubt. What a timer starts has to
# be over before the next tick; the default loop may wake a millisecond late.
TICK = 0.004
LAST_TICK = 8
LATEST = 0.85


class Ticks:
    """Gives out ticks, tells which one it is, and notices when the machine does not keep up."""

    def __init__(self, loop, trace, patience):
        self.loop = loop
        self.trace = trace
        self.start = loop.time()
        self.length = TICK * patience
        self.present = 0
        self.taken = {0}
        # From then on nobody counts.
        self.over = False

    def take(self, distance):
        """A free tick, at least `distance` from now; None beyond the last one."""
        tick = self.now() + distance
        while tick in self.taken:
            tick += 1
        if tick > LAST_TICK or self.over:
            return None
        self.taken.add(tick)
        return tick

    def deadline(self, tick):
        return self.start + tick * self.length

    def delay(self, tick):
        return self.deadline(tick) - self.loop.time()

    def now(self):
        """The present tick. A run in which it comes too late, or at a time that no timer is set for, is disturbed."""
        if self.over:
            return LAST_TICK
        # The default loop runs what is due within the resolution of its clock.
        elapsed = (self.loop.time() - self.start) / self.length + 1e-4
        tick = math.floor(elapsed)
        if elapsed - tick > LATEST or (tick != self.present and tick not in self.taken):
            self.trace.disturbed = True
        self.present = tick
        return tick

    def expect(self, tick):
        """What was set for this tick happens now."""
        if self.now() != tick and not self.over:
            self.trace.disturbed = True
