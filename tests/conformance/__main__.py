"""CPython's own ``test.test_asyncio``, as installed with the interpreter, on mainspring and on the default loop.

``python tests/conformance`` runs every module of it twice, each time in a process of its own, and compares test by
test. It fails when a test that passes on the default loop does not pass on mainspring, unless ``exclusions.py`` names
it with a reason. Arguments: module names, to run only those.
"""

from __future__ import annotations

import json
import pathlib
import pkgutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from exclusions import MODULES, reason_of

HERE = pathlib.Path(__file__).parent
TIMEOUT = 200  # seconds for one module
PROCESSES = 4  # at a time; they wait more than they compute


def all_modules() -> list[str]:
    """The names of the installed test modules."""
    import test.test_asyncio as package

    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name.startswith("test_"))


def run_module(module: str, loop: str, report: pathlib.Path) -> dict[str, Any]:
    """What became of each test of ``module`` on ``loop``, by test name."""
    command = [sys.executable, str(HERE / "child.py"), module, loop, str(report)]
    with open(report.with_suffix(".log"), "wb") as log:
        try:
            status = subprocess.run(command, stdout=log, stderr=log, timeout=TIMEOUT, cwd=report.parent).returncode
        except subprocess.TimeoutExpired:
            status = None
    if report.exists():
        return json.loads(report.read_text())
    tail = report.with_suffix(".log").read_text(errors="replace")[-2000:]
    why = "did not end" if status is None else f"ended with status {status}"
    return {"loops": 0, "outcomes": {}, "crash": f"the process {why}:\n{tail}"}


def count(outcomes: dict[str, str], outcome: str) -> int:
    """How many tests had this outcome."""
    return sum(1 for value in outcomes.values() if value.split("\n")[0] == outcome)


def main() -> int:
    """Run, print the table, and return the exit status."""
    print(f"Python {sys.version.split()[0]}: test.test_asyncio on asyncio's default loop and on mainspring")
    print(f"{'module':28} {'default':>16} {'mainspring':>16} {'excluded':>9} {'loops':>6}")
    problems: list[str] = []
    passed = excluded_in_all = loops_in_all = 0
    modules = sys.argv[1:] or all_modules()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(PROCESSES) as pool:
        results = {
            (module, loop): pool.submit(run_module, module, loop, pathlib.Path(folder, f"{module}-{loop}.json"))
            for module in modules
            if module not in MODULES
            for loop in ("default", "mainspring")
        }
        for module in modules:
            if module in MODULES:
                print(f"{module:28} {'left out:':>16} {MODULES[module]}")
                continue
            default, ours = (results[module, loop].result() for loop in ("default", "mainspring"))
            for name, result in (("default", default), ("mainspring", ours)):
                if "crash" in result:
                    problems.append(f"{module} on {name}: {result['crash']}")
            excluded = 0
            for test, outcome in default["outcomes"].items():
                if outcome != "passed":
                    continue
                here = ours["outcomes"].get(test, "missing")
                if here == "passed":
                    passed += 1
                elif reason_of(test):
                    excluded += 1
                else:
                    problems.append(f"{test}: {here}")
            excluded_in_all += excluded
            loops_in_all += ours["loops"]
            cells = [f"{count(r['outcomes'], 'passed')} / {count(r['outcomes'], 'failed')}" for r in (default, ours)]
            print(f"{module:28} {cells[0]:>16} {cells[1]:>16} {excluded:>9} {ours['loops']:>6}", flush=True)
    print("(passed / failed; loops: event loops of class mainspring.Loop that the tests made)")
    for problem in problems:
        print(f"\nFAILED {problem}")
    if loops_in_all == 0 and not sys.argv[1:]:
        problems.append("mainspring served no test")
        print("\nFAILED mainspring served no test")
    print(f"\n{excluded_in_all} excluded, each with its reason in exclusions.py")
    print(f"conformance: {passed} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
