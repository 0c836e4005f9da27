"""``python -m mainspring.benchmarks.integrations``: what libraries gain by the loop, on this machine."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from mainspring.benchmarks.__main__ import check_installation, chosen_loops, run_with_progress
from mainspring.benchmarks.command import UsageError, exit_status, status_of
from mainspring.benchmarks.integrations import INTEGRATIONS
from mainspring.benchmarks.integrations.markdown import as_markdown
from mainspring.benchmarks.integrations.table import print_integrations
from mainspring.benchmarks.loops import DEFAULT, LOOPS, OURS
from mainspring.benchmarks.report import report_of
from mainspring.benchmarks.runner import Plan, Results
from mainspring.benchmarks.workload import Windows
from rich.console import Console

COMPARED = (DEFAULT, OURS, "uvloop")


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)

    def command() -> int:
        check_installation()
        return measure(make_plan(options), options)

    return exit_status("integrations", command)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m mainspring.benchmarks.integrations", description="Compare event loops below libraries."
    )
    result.add_argument("names", nargs="*", metavar="NAME", help=f"only these, of {', '.join(INTEGRATIONS)}")
    result.add_argument("--loops", metavar="A,B", help=f"default: those installed of {', '.join(COMPARED)}")
    result.add_argument("--rounds", type=int, default=2, metavar="N", help="default 2, about ten minutes")
    result.add_argument("--seconds", type=float, default=3.0, metavar="S", help="of each measurement; default 3")
    result.add_argument("--json", type=Path, metavar="FILE", help="write the measurements, after each round")
    result.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return result


def make_plan(options: argparse.Namespace) -> Plan:
    for name in options.names:
        if name not in INTEGRATIONS:
            raise UsageError(f"no such integration: {name!r}; there are {', '.join(INTEGRATIONS)}")
    if options.rounds < 1 or options.seconds <= 0:
        raise UsageError("--rounds has to be at least 1, and --seconds positive")
    installed = [name for name in COMPARED if LOOPS[name].installed()]
    return Plan(
        loops=chosen_loops(options.loops or ",".join(installed)),
        workloads=[workload for name, workload in INTEGRATIONS.items() if not options.names or name in options.names],
        rounds=options.rounds,
        windows=Windows(callbacks=options.seconds, warmup=min(0.5, options.seconds / 4), server=options.seconds),
    )


def measure(plan: Plan, options: argparse.Namespace) -> int:
    began = datetime.now().astimezone()

    def save(results: Results) -> None:
        if options.json is not None:
            options.json.write_text(report_of(plan, results, False, began).as_json())

    results = run_with_progress(plan, Console(stderr=True), save)
    report = report_of(plan, results, False, began)
    if options.markdown:
        print(as_markdown(report))
    else:
        print_integrations(Console(width=None if sys.stdout.isatty() else 160), report)
    return status_of("integrations", results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
