"""Random races between connections, on descriptors whose numbers are used again at once.

``python tests/races --races 20000 --seed 7 --loop mainspring`` runs so many; each is cancelled, closed, reset or
aborted at a random step. It fails when a byte reaches another connection, when a descriptor is closed twice or by
somebody who does not own it, when a race hangs, or when anything is left open. What each race does follows from the
seed.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import interposer
from field import Field
from helpers import preload
from helpers.campaigns import CAMPAIGN_LOOPS, campaign_parser
from kinds import KINDS

# Few, so that numbers come back at once and a leak soon ends the campaign.
DESCRIPTORS = 400


def arguments():
    """What the command line asks for."""
    parser = campaign_parser(__doc__.splitlines()[0])
    parser.add_argument("--races", type=int, default=20_000, help="how many")
    parser.add_argument("--at-once", type=int, default=24, help="how many at a time")
    parser.add_argument("--seed", type=int, default=None, help="random without")
    parser.add_argument("--kinds", default=",".join(KINDS), help="the kinds of races, by name; all without")
    parser.add_argument("--without", default="", help="kinds of races to leave out")
    return parser.parse_args()


def main():
    """Run the campaign; the exit status."""
    if "interposer.so" not in os.environ.get("LD_PRELOAD", ""):
        if preload.compiler() is None:
            print("races: there is no C++ compiler for the interposer", file=sys.stderr)
            return 2
        with tempfile.TemporaryDirectory() as folder:
            environment = preload.environment(preload.build(interposer.SOURCE, Path(folder)))
            command = [sys.executable, __file__, *sys.argv[1:]]
            return os.waitstatus_to_exitcode(os.spawnve(os.P_WAIT, sys.executable, command, environment) << 8)

    options = arguments()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"races on {options.loop}: {options.races} with seed {seed}", flush=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))

    left_out = options.without.split(",")
    field = Field(seed, [KINDS[name] for name in options.kinds.split(",") if name not in left_out])
    started = time.monotonic()
    with asyncio.Runner(loop_factory=CAMPAIGN_LOOPS[options.loop]) as runner:
        runner.run(field.run(options.races, options.at_once))
    field.conclude()
    print(field.report(time.monotonic() - started), flush=True)
    if field.violations:
        print(f"races: seed {seed} on {options.loop}: {len(field.violations)} violations", file=sys.stderr)
        for text in field.violations[:20]:
            print(f"  {text}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
