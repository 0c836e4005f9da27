"""One measurement in a process of its own: ``python -m mainspring.benchmarks.worker LOOP WORKLOAD WINDOWS``.

Prints one JSON object. Its exit status says what went wrong: 3 when the loop did not start, 4 when something that the
workload needs is not installed, 5 when the loop lacks what the workload needs, 1 for the rest.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import traceback
from dataclasses import asdict

from mainspring.benchmarks.limit import NAME as LIMIT_NAME
from mainspring.benchmarks.loops import LIMIT, LOOPS, LoopDidNotStartError, LoopKind
from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.sizes import SIZE_WORKLOADS
from mainspring.benchmarks.workload import Measurement, Windows, Workload, has_limit
from mainspring.benchmarks.workloads import CATALOGUE

LOOP_DID_NOT_START = 3
REQUIREMENT_MISSING = 4
UNSUPPORTED = 5
PROBE = "probe"


def probe(kind: LoopKind) -> Measurement:
    """Start the loop and do nothing else."""
    if kind.name == LIMIT:
        return Measurement(0.0, LIMIT_NAME)

    async def look() -> str:
        return kind.check(asyncio.get_running_loop())

    try:
        with asyncio.Runner(loop_factory=kind.factory()) as runner:
            return Measurement(0.0, runner.run(look()))
    except LoopDidNotStartError:
        raise
    except Exception as error:
        raise LoopDidNotStartError(f"the loop {kind.name!r} did not start: {error!r}") from error


def workload_named(name: str) -> Workload:
    known = CATALOGUE | SIZE_WORKLOADS
    if name in known:
        return known[name]
    # What they import is to be no part of the processes of other workloads.
    from mainspring.benchmarks.integrations import INTEGRATION_WORKLOADS

    return INTEGRATION_WORKLOADS[name]


def measure(loop_name: str, workload_name: str, windows: Windows) -> Measurement:
    kind = LOOPS[loop_name]
    if workload_name == PROBE:
        return probe(kind)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    workload = workload_named(workload_name)
    if kind.name == LIMIT:
        if not has_limit(workload):
            raise NotImplementedError(f"{workload_name!r} has no limit")
        return workload.measure_limit(windows)
    return workload.measure(kind.factory(), lambda: kind.check(asyncio.get_running_loop()), windows)


def main(loop_name: str, workload_name: str, windows: str) -> int:
    try:
        result = measure(loop_name, workload_name, Windows(**json.loads(windows)))
    except LoopDidNotStartError as error:
        print(json.dumps({"error": str(error)}))
        return LOOP_DID_NOT_START
    except MissingRequirementError as error:
        print(json.dumps({"error": str(error)}))
        return REQUIREMENT_MISSING
    except NotImplementedError as error:
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1].name
        print(json.dumps({"error": f"not implemented: {error}" if str(error) else f"{where} is not implemented"}))
        return UNSUPPORTED
    except BaseException as error:
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
