"""``mainspring bench``: run the workloads on every loop there is, show the tables, write the results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from mainspring.benchmarks.command import UsageError, exit_status, status_of
from mainspring.benchmarks.generator import EXECUTABLE
from mainspring.benchmarks.limit import EXECUTABLE as LIMIT_EXECUTABLE
from mainspring.benchmarks.loops import DEFAULT, LOOPS, LoopKind
from mainspring.benchmarks.report import Report, merged, read_report, report_of
from mainspring.benchmarks.runner import Plan, Results, Step, run
from mainspring.benchmarks.sizes import SIZE_WORKLOADS
from mainspring.benchmarks.sizes import WINDOWS as SIZE_WINDOWS
from mainspring.benchmarks.workload import Windows, Workload
from mainspring.benchmarks.workloads import CATALOGUE

PROGRAM = "mainspring bench"
SHOWING = ("rich", "matplotlib")
MEASURING = (*SHOWING, "aiohttp", "fastapi", "uvicorn", "httptools")
QUICK_ROUNDS, FULL_ROUNDS = 2, 5
# A quick run has to end within three minutes, so its second round leaves out what would begin after this.
QUICK_BUDGET = 100.0


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    return exit_status(PROGRAM, lambda: run_command(options))


def run_command(options: argparse.Namespace) -> int:
    if options.list:
        show_list(options)
        return 0
    if options.saved:
        check_packages(SHOWING)
        show(merged([read_report(path) for path in options.saved]), options)
        return 0
    check_installation()
    return measure(make_plan(options), options)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog=PROGRAM, description="Compare event loops on this machine.")
    what = result.add_mutually_exclusive_group()
    what.add_argument("--quick", action="store_true", help="fewer sizes, shorter windows: within three minutes")
    what.add_argument("--full", action="store_true", help="also judge each workload by its target, the worst on top")
    what.add_argument("--sizes", action="store_true", help="cost against size instead: from a few to very many")
    result.add_argument("--loops", metavar="A,B", help="only these loops; the default loop is always run")
    result.add_argument(
        "--workloads", nargs="+", metavar="GLOB", help="only workloads whose name matches one, as '*echo*1 KiB*'"
    )
    result.add_argument(
        "--rounds", type=int, metavar="N", help=f"default {FULL_ROUNDS}, or {QUICK_ROUNDS} with --quick or --sizes"
    )
    result.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="for results and pictures (./results)"
    )
    result.add_argument(
        "--from",
        dest="saved",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="measure nothing: show and draw saved results again; of several, a workload's row is the last file's",
    )
    result.add_argument("--list", action="store_true", help="show the loops and the workloads, and measure nothing")
    return result


def show_list(options: argparse.Namespace) -> None:
    print("Loops:")
    for kind in LOOPS.values():
        print(f"  {kind.name:<12} {kind.version() if kind.installed() else 'not installed'}")
    print("Workloads (q: in the quick selection):")
    for workload in CATALOGUE.values():
        print(f"  {'q' if workload.quick else ' '} {workload.name:<42} {workload.unit.label}")
    print("Workloads of --sizes:")
    for workload in SIZE_WORKLOADS.values():
        print(f"    {workload.name:<42} {workload.unit.label}")


def check_packages(names: tuple[str, ...]) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise UsageError(f"needs {', '.join(missing)}: pip install 'mainspring[bench]'")


def check_installation() -> None:
    if sys.platform != "linux":
        raise UsageError("measures on Linux only: its load generator and its limit are programs on epoll")
    check_packages(MEASURING)
    for program in (EXECUTABLE, LIMIT_EXECUTABLE):
        if not program.exists():
            raise UsageError(f"the program {program} is missing: install mainspring again")


def make_plan(options: argparse.Namespace) -> Plan:
    if options.rounds is not None and options.rounds < 1:
        raise UsageError("--rounds has to be at least 1")
    explicit = options.rounds is not None
    if options.sizes:
        rounds, windows = QUICK_ROUNDS, SIZE_WINDOWS
    elif options.quick:
        rounds, windows = QUICK_ROUNDS, Windows.quick()
    else:
        rounds, windows = FULL_ROUNDS, Windows.full()
    return Plan(
        loops=chosen_loops(options.loops),
        workloads=chosen_workloads(SIZE_WORKLOADS if options.sizes else CATALOGUE, options.workloads, options.quick),
        rounds=options.rounds if explicit else rounds,
        windows=windows,
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


def chosen_workloads(catalogue: dict[str, Workload], patterns: list[str] | None, quick: bool) -> list[Workload]:
    chosen = [workload for workload in catalogue.values() if workload.quick or not quick]
    for pattern in patterns or ():
        if not any(fnmatchcase(workload.name, pattern) for workload in chosen):
            raise UsageError(f"no {'quick ' if quick else ''}workload matches {pattern!r}; see mainspring bench --list")
    if patterns is None:
        return chosen
    return [workload for workload in chosen if any(fnmatchcase(workload.name, pattern) for pattern in patterns)]


def measure(plan: Plan, options: argparse.Namespace) -> int:
    # Not needed to parse options, and check_installation has a clearer message than an ImportError.
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    absent = [kind.name for kind in LOOPS.values() if not kind.installed()]
    if absent and options.loops is None:
        console.print(f"Not installed, so not compared: {', '.join(absent)}.", style="dim")
    began = datetime.now().astimezone()
    options.output.mkdir(parents=True, exist_ok=True)

    def save(results: Results) -> Path:
        report = report_of(plan, results, options.quick, began)
        path: Path = options.output / f"{report.stem()}.json"
        path.write_text(report.as_json())
        return path

    # After each round, so that a run that is interrupted leaves the rounds before.
    results = run_with_progress(plan, console, save)
    show(report_of(plan, results, options.quick, began), options)
    console.print(f"Written: {save(results)}", soft_wrap=True)
    console.print(f"Took {results.seconds:.0f} seconds.")
    return status_of(PROGRAM, results)


def show(report: Report, options: argparse.Namespace) -> None:
    """Print the tables and draw the pictures of results that were just measured, or saved."""
    from mainspring.benchmarks.picture import draw
    from mainspring.benchmarks.ranking import ranked
    from mainspring.benchmarks.size_picture import draw_sizes
    from mainspring.benchmarks.size_table import print_size_table
    from mainspring.benchmarks.table import print_tables
    from mainspring.benchmarks.target_table import print_target_table
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    rows = [row for row in report.rows() if row.workload not in SIZE_WORKLOADS]
    sizes = {row.workload: row for row in report.rows() if row.workload in SIZE_WORKLOADS}
    judged = ranked(rows)
    if options.full:
        print_target_table(console, judged, report.missing)
    print_size_table(console, report, sizes)
    print_tables(console, report, rows)
    drawn = draw_sizes(report, sizes, options.output, report.python_version())
    if rows:
        drawn.append(draw(judged, report, options.output / f"bench-{report.python_version()}.png"))
    for path in drawn:
        console.print(f"Drawn: {path}", soft_wrap=True)


def run_with_progress(plan: Plan, console: object, on_round: Callable[[Results], object]) -> Results:
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

        results = run(plan, on_step, on_round)
        progress.update(task, advance=1, description="done")
    return results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
