"""The command line: ``mainspring run``, ``mainspring bench`` and ``mainspring top``."""

from __future__ import annotations

import argparse
import sys

from mainspring import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command line with ``arguments`` (``sys.argv[1:]`` by default); the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    # What follows `bench` is parsed by the benchmark itself, and what follows a script belongs to the script.
    if words[:1] == ["bench"]:
        try:
            from mainspring.benchmarks.__main__ import main as bench
        except ModuleNotFoundError as error:
            print(
                f"mainspring bench needs the package {error.name!r}: pip install 'mainspring[bench]'",
                file=sys.stderr,
            )
            return 2
        return bench(words[1:])
    if words[:1] == ["top"]:
        try:
            from mainspring._top import main as top
        except ModuleNotFoundError as error:
            print(f"mainspring top needs the package {error.name!r}: pip install 'mainspring[top]'", file=sys.stderr)
            return 2
        return top(words[1:])
    parser = argparse.ArgumentParser(prog="mainspring", description="An asyncio event loop on libuv.")
    parser.add_argument("--version", action="version", version=f"mainspring {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        usage="mainspring run [-h] [--shutdown-timeout SECONDS] (script.py | -m module) [argument ...]",
        help="run an unmodified asyncio program on mainspring",
    )
    run.add_argument("-m", dest="module", action="store_true", help="the target is a module, as for python -m")
    run.add_argument(
        "--shutdown-timeout",
        type=float,
        metavar="SECONDS",
        help="what asyncio.run() runs may finish for so long after SIGTERM or SIGINT",
    )
    run.add_argument("target", help="a script, a directory or archive with __main__.py, or a module")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="the program's own arguments")
    commands.add_parser("bench", help="compare event loops on this machine", add_help=False)
    commands.add_parser("top", help="watch running loops through their metrics", add_help=False)
    options = parser.parse_args(words)
    from mainspring._program import run_program

    run_program(options.target, options.arguments, module=options.module, shutdown_timeout=options.shutdown_timeout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
