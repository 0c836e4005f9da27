"""The loop under load: ``python tests/load --loop mainspring [--small] [NAME...]`` runs all scenarios or those named.

A line for each; the exit status is 1 if one does not hold.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import Authority
from helpers.campaigns import CAMPAIGN_LOOPS, campaign_parser
from scenarios import SCENARIOS, CannotRun


def main():
    """Run them; the exit status."""
    parser = campaign_parser(__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="smaller numbers")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        for name in options.names or SCENARIOS:
            # A loop of its own for each, so that none inherits what another has left.
            with asyncio.Runner(loop_factory=CAMPAIGN_LOOPS[options.loop]) as runner:
                try:
                    text = runner.run(SCENARIOS[name](options.small, authority))
                except CannotRun as reason:
                    text = f"not run: {reason}"
                except AssertionError as error:
                    text, failed = f"FAILED: {error}", True
            print(f"{options.loop:10} {name:16} {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
