"""Every fault in every scenario: ``python tests/faults [--loop mainspring] [--stride 1] [--memory] [scenario...]``."""

from __future__ import annotations

import argparse
import collections
import functools
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import injection
import scenarios
from campaign import judge, known, run_scenario
from helpers import preload


def main() -> int:
    """Run, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=list(scenarios.SCENARIOS))
    parser.add_argument("--loop", default="mainspring", help="default, mainspring or uvloop")
    parser.add_argument("--stride", type=int, default=1, help="one in so many calls fails")
    parser.add_argument("--memory", action="store_true", help="allocations of the native module instead of calls")
    options = parser.parse_args()
    mode = ("memory",) if options.memory else ()
    wrong = faults = crashes = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = preload.build(injection.SOURCE, folder)
        scenarios.certificates(folder)
        for scenario in options.scenarios:
            found = run_scenario(library, options.loop, scenario, folder, options.stride, mode)
            reference = functools.partial(run_scenario, library, "default", scenario, folder, options.stride)
            bad = judge(found, None if options.memory or options.loop == "default" else reference)
            counts = collections.Counter(r.outcome for r in found.results)
            tolerated = sum(1 for r in found.results if known(r))
            print(f"{scenario:14} {len(found.results):5} faults {len(bad):4} wrong {tolerated:4} known", flush=True)
            for result in bad:
                print(f"  {str(result)[:600]}", flush=True)
            faults, wrong, crashes = faults + len(found.results), wrong + len(bad), crashes + counts["crash"]
    print(f"{options.loop}: {faults} faults, {wrong} wrong, {crashes} of them or of the known ones ended the process")
    return 1 if wrong or not faults else 0


if __name__ == "__main__":
    sys.exit(main())
