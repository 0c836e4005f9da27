"""``mainspring bench``: run the workloads on every loop there is, show the tables, write the results."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import datetime
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from mainspring.benchmarks.generator import EXECUTABLE
from mainspring.benchmarks.limit import EXECUTABLE as LIMIT_EXECUTABLE
from mainspring.benchmarks.loops import DEFAULT, LOOPS, LoopDidNotStartError, LoopKind
from mainspring.benchmarks.machine import this_machine
from mainspring.benchmarks.runner import Plan, Results, Step, run
from mainspring.benchmarks.summary import Row, summarise
from mainspring.benchmarks.workload import Windows, Workload
from mainspring.benchmarks.workloads import CATALOGUE

NEEDED = ("rich", "matplotlib", "aiohttp", "fastapi", "uvicorn", "httptools")
QUICK_ROUNDS, FULL_ROUNDS = 2, 5
# A quick run has to end within two minutes, so its second round leaves out what would begin after this.
QUICK_BUDGET = 100.0


class UsageError(Exception):
    """The options ask for something that is not there."""


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        if options.list:
            show_list(options)
            return 0
        check_installation()
        plan = make_plan(options)
        return measure(plan, options)
    except UsageError as error:
        print(f"mainspring bench: {error}", file=sys.stderr)
        return 2
    except LoopDidNotStartError as error:
        print(f"mainspring bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mainspring bench: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="mainspring bench", description="Compare event loops on this machine.")
    result.add_argument("--quick", action="store_true", help="fewer sizes, shorter windows: within two minutes")
    result.add_argument("--loops", metavar="A,B", help="only these loops; the default loop is always run")
    result.add_argument("--workloads", metavar="GLOB", help="only workloads whose name matches, as '*echo*1 KiB*'")
    result.add_argument("--rounds", type=int, metavar="N", help=f"default {FULL_ROUNDS}, or {QUICK_ROUNDS} when quick")
    result.add_argument("--output", type=Path, default=Path("results"), metavar="DIR", help="default: ./results")
    result.add_argument("--list", action="store_true", help="show the loops and the workloads, and measure nothing")
    return result


def show_list(options: argparse.Namespace) -> None:
    print("Loops:")
    for kind in LOOPS.values():
        print(f"  {kind.name:<12} {kind.version() if kind.installed() else 'not installed'}")
    print("Workloads (q: in the quick selection):")
    for workload in CATALOGUE.values():
        print(f"  {'q' if workload.quick else ' '} {workload.name:<36} {workload.unit.label}")


def check_installation() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"needs {', '.join(missing)}: pip install 'mainspring[bench]'")
    for program in (EXECUTABLE, LIMIT_EXECUTABLE):
        if not program.exists():
            raise UsageError(f"the program {program} is missing: install mainspring again")


def make_plan(options: argparse.Namespace) -> Plan:
    if options.rounds is not None and options.rounds < 1:
        raise UsageError("--rounds has to be at least 1")
    explicit = options.rounds is not None
    return Plan(
        loops=chosen_loops(options.loops),
        workloads=chosen_workloads(options.workloads, options.quick),
        rounds=options.rounds if explicit else QUICK_ROUNDS if options.quick else FULL_ROUNDS,
        windows=Windows.quick() if options.quick else Windows.full(),
        budget=QUICK_BUDGET if options.quick and not explicit else None,
    )


def chosen_loops(names: str | None) -> list[LoopKind]:
    if names is None:
        return [kind for kind in LOOPS.values() if kind.installed()]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in LOOPS:
            raise UsageError(f"no such loop: {name!r}; there are {', '.join(LOOPS)}")
        if not LOOPS[name].installed():
            raise UsageError(f"the loop {name!r} is not installed: pip install {name}")
    return [kind for kind in LOOPS.values() if kind.name in wanted or kind.name == DEFAULT]


def chosen_workloads(pattern: str | None, quick: bool) -> list[Workload]:
    chosen = [
        workload
        for workload in CATALOGUE.values()
        if (pattern is None or fnmatchcase(workload.name, pattern)) and (workload.quick or not quick)
    ]
    if not chosen:
        raise UsageError(f"no {'quick ' if quick else ''}workload matches {pattern!r}; see mainspring bench --list")
    return chosen


def measure(plan: Plan, options: argparse.Namespace) -> int:
    # These two are not needed to parse options, and check_installation has a clearer message than an ImportError.
    from mainspring.benchmarks.table import print_tables
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    absent = [kind.name for kind in LOOPS.values() if not kind.installed()]
    if absent and options.loops is None:
        console.print(f"Not installed, so not compared: {', '.join(absent)}.", style="dim")
    results = run_with_progress(plan, console)
    rows = summarise(list(plan.workloads), results)
    machine = this_machine()
    print_tables(console, rows, list(plan.loops), results.classes, machine)
    for path in write(plan, rows, results, options):
        console.print(f"Written: {path}", soft_wrap=True)
    console.print(f"Took {results.seconds:.0f} seconds.")
    failures = results.essential_failures()
    for failure in failures:
        print(f"mainspring bench: failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def run_with_progress(plan: Plan, console: object) -> Results:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    assert isinstance(console, Console)
    columns = (BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    # Twice a second is enough to watch, and drawing takes time from what is measured.
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        task = progress.add_task("starting every loop once", total=plan.steps() + 1)

        def on_step(step: Step) -> None:
            text = f"round {step.round + 1} of {plan.rounds}: {step.workload} on {step.loop}"
            progress.update(task, advance=1, description=text)
            if not console.is_terminal:
                print(text, file=sys.stderr, flush=True)

        results = run(plan, on_step)
        progress.update(task, advance=1, description="done")
    return results


def write(plan: Plan, rows: list[Row], results: Results, options: argparse.Namespace) -> list[Path]:
    from mainspring.benchmarks.picture import draw

    machine = this_machine()
    now = datetime.now().astimezone()
    version = ".".join(map(str, sys.version_info[:3]))
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"{now:%Y-%m-%d-%H%M%S}-py{version}"
    document = {
        "date": now.isoformat(timespec="seconds"),
        "machine": asdict(machine),
        "quick": options.quick,
        "rounds": plan.rounds,
        "windows": asdict(plan.windows),
        "seconds": results.seconds,
        "loops": {kind.name: {"class": results.classes[kind.name], "version": kind.version()} for kind in plan.loops},
        "rows": [row.as_json() for row in rows],
        "measurements": {
            workload: {loop: asdict(cell) for loop, cell in row.items()} for workload, row in results.cells.items()
        },
    }
    json_path = path.with_name(path.name + ".json")
    json_path.write_text(json.dumps(document, indent=1) + "\n")
    return [json_path, *draw(rows, list(plan.loops), results.classes, machine, path)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
