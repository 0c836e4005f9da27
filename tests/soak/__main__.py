"""Mixed traffic for a long time, and whether anything grows.

``python tests/soak --seconds 1800 --loop mainspring`` prints a line of gauges each minute, taken while the traffic
pauses for a moment, and fails when one of them grows once the first third of the time is over.
"""

import asyncio
import collections
import random
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flatness import growing
from gauges import measure
from helpers import Authority
from helpers.campaigns import CAMPAIGN_LOOPS, campaign_parser
from traffic import KINDS, Site

PATIENCE = 60  # seconds for one round of one kind of traffic


class Soak:
    """The traffic, and what was measured between its parts."""

    def __init__(self, options):
        self._options = options
        self._rng = random.Random(options.seed)
        self._rounds = collections.Counter()
        self.samples = []
        self.problems = []

    async def run(self):
        """Run for the time that was asked for."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.problems.append(str(context)))
        with tempfile.TemporaryDirectory() as folder:
            site = Site()
            await site.start(Path(folder), Authority(Path(folder)))
            await _fill_caches(site)
            end = time.monotonic() + self._options.seconds
            while time.monotonic() < end:
                until = min(end, time.monotonic() + self._options.every)
                await asyncio.gather(*(self._lane(site, kind, until) for kind in KINDS))
                await self._sample()
            site.stop()

    async def _lane(self, site, kind, until):
        while time.monotonic() < until:
            await asyncio.wait_for(kind(site, self._rng), PATIENCE)
            self._rounds[kind.__name__] += 1
            await asyncio.sleep(0)

    async def _sample(self):
        # What the last connections left to do at the servers' ends.
        found = measure()
        for _ in range(100):
            await asyncio.sleep(0.02)
            before, found = found, measure()
            if (before["objects"], before["descriptors"]) == (found["objects"], found["descriptors"]):
                break
        self.samples.append(found)
        if len(self.samples) == 1:
            print(" ".join(f"{name:>11}" for name in ["rounds", *found]))
        print(" ".join(f"{value:>11}" for value in [self._rounds.total(), *found.values()]), flush=True)

    def report(self):
        """How much traffic there was."""
        return ", ".join(f"{count} {name}" for name, count in self._rounds.most_common())


async def _fill_caches(site):
    # What a loop keeps up to a bound, and reaches by chance otherwise: handles that are done with, senders' addresses.
    loop = asyncio.get_running_loop()
    for _ in range(2000):
        loop.call_soon(int)
        loop.call_later(0, int)
    for _ in range(2000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", site.datagram_address)
        await asyncio.sleep(0)


def main():
    """Run, judge; the exit status."""
    parser = campaign_parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1800, help="how long")
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.every = min(options.every, options.seconds / 12)
    print(f"soak on {options.loop}: {options.seconds:.0f} s, a line each {options.every:.0f} s", flush=True)
    soak = Soak(options)
    with asyncio.Runner(loop_factory=CAMPAIGN_LOOPS[options.loop]) as runner:
        runner.run(soak.run())
    print(soak.report())
    problems = soak.problems[:10] + growing(soak.samples[len(soak.samples) // 3 :])
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
