"""How the benchmark's commands end: what each failure prints, and the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from mainspring.benchmarks.loops import LoopDidNotStartError
from mainspring.benchmarks.report import ReportError
from mainspring.benchmarks.runner import Results


class UsageError(Exception):
    """The options ask for something that is not there."""


def exit_status(program: str, command: Callable[[], int]) -> int:
    """What the command returns; where it cannot go on, a line on standard error and the status for that."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except (UsageError, ReportError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except LoopDidNotStartError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever reads the output has gone, as `head` does. What is left in the buffer would fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130


def status_of(program: str, results: Results) -> int:
    """1, with a line for each on standard error, if this loop or the default loop failed anywhere."""
    failures = results.essential_failures()
    for failure in failures:
        print(f"{program}: failed: {failure}", file=sys.stderr)
    return 1 if failures else 0
