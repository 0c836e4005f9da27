"""Instructions an operation, counted by valgrind: ``python -m mainspring.benchmarks.callgrind``.

Each operation runs twice in processes of their own, with different counts; the difference of the instructions
over the difference of the counts is what one operation costs, and start-up cancels out. The collector is off
and the hash seed fixed, so the counts repeat. Instructions inside the kernel are not seen. For mainspring it is
also told in whose code they are. Valgrind makes a program some fifty times slower while clocks run on, so what a
loop does by the clock, such as polling between callbacks, happens more often an operation than it really would.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mainspring.benchmarks.callgrind_profile import PARTS, by_object, by_part
from mainspring.benchmarks.loops import DEFAULT, LOOPS, OURS
from mainspring.benchmarks.machine import this_machine

PATIENCE = 600


@dataclass(frozen=True)
class Counted:
    """An operation that callgrind_target knows, and the two counts it is run with."""

    name: str
    label: str
    few: int
    many: int


OPERATIONS = (
    Counted("chain", "`call_soon` → run, chained", 10_000, 60_000),
    Counted("batch", "`call_soon` → run, batches of 1,000", 10_000, 60_000),
    Counted("sleep", "`sleep(0)`, 1 task", 5_000, 25_000),
    Counted("future", "future wake-up", 5_000, 25_000),
    Counted("task", "`create_task` and await", 5_000, 25_000),
    Counted("gather", "`gather` of 100, a task", 5_000, 25_000),
    Counted("timeout", "`asyncio.timeout()`", 5_000, 25_000),
    Counted("queue", "3 Queues of 100, an item", 2_000, 10_000),
    Counted("timer", "timer set → cancelled", 10_000, 60_000),
    Counted("timer-fired", "timers fired, 1,000 at once", 10_000, 60_000),
    Counted("echo", "TCP echo round trip, protocol, 1 KiB", 2_000, 12_000),
    Counted("read", "TCP echo round trip, streams, read and drain, 1 KiB", 2_000, 8_000),
    Counted("readline", "TCP echo round trip, streams, readline and drain, 1 KiB", 2_000, 8_000),
    Counted("readexactly", "TCP echo round trip, streams, readexactly and drain, 1 KiB", 2_000, 8_000),
    Counted("echo-sockets", "TCP echo round trip, sock_recv and sock_sendall, 1 KiB", 2_000, 12_000),
    Counted("tls", "TLS echo round trip, protocol, 1 KiB", 2_000, 8_000),
    Counted("tls-100k", "TLS echo round trip, protocol, 100 KiB", 200, 1_000),
    Counted("tls-streams", "TLS echo round trip, streams, read and drain, 1 KiB", 2_000, 8_000),
)


class CallgrindError(Exception):
    """Valgrind is missing, or the program did not end well under it."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="callgrind", description=__doc__)
    parser.add_argument("--loops", default=f"{DEFAULT},{OURS},uvloop,rloop", metavar="A,B")
    parser.add_argument("--operations", metavar="A,B", help="only these, of " + ", ".join(o.name for o in OPERATIONS))
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON here instead of printing it")
    options = parser.parse_args(arguments)
    names = options.loops.split(",")
    for name in names:
        if name not in LOOPS or not LOOPS[name].installed():
            print(f"callgrind: the loop {name!r} is not installed", file=sys.stderr)
            return 2
    figures: dict[str, dict[str, int]] = {}
    parts: dict[str, dict[str, int]] = {}
    try:
        for operation in OPERATIONS:
            if options.operations is not None and operation.name not in options.operations.split(","):
                continue
            for name in names:
                print(f"{operation.label} on {name}", file=sys.stderr, flush=True)
                found = instructions_each(operation, name)
                figures.setdefault(operation.label, {})[name] = sum(found.values())
                if name == OURS:
                    parts[operation.label] = found
    except CallgrindError as error:
        print(f"callgrind: {error}", file=sys.stderr)
        return 1
    print("\n".join(table(figures, names)))
    if parts:
        print("\n".join(["", *table(parts, list(PARTS), f"on {OURS}, in whose code")]))
    versions = {name: LOOPS[name].version() for name in names}
    report = {"machine": str(this_machine()), "versions": versions, "instructions": figures, "parts": parts}
    text = json.dumps(report, indent=1)
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text + "\n")
    return 0


def instructions_each(operation: Counted, loop: str) -> dict[str, int]:
    """By the part of the program they are in."""
    few, many = (instructions(operation.name, loop, count) for count in (operation.few, operation.many))
    return {part: round((many[part] - few[part]) / (operation.many - operation.few)) for part in PARTS}


def instructions(operation: str, loop: str, count: int) -> Counter[str]:
    """What one process spends in all, by the part of the program."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CallgrindError("valgrind is not installed; Debian's package is called valgrind")
    words = ["-m", "mainspring.benchmarks.callgrind_target", loop, operation, str(count)]
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder, "profile")
        finished = subprocess.run(
            [valgrind, "--tool=callgrind", f"--callgrind-out-file={profile}", sys.executable, *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=os.environ | {"PYTHONHASHSEED": "0"},
        )
        if finished.returncode != 0 or not profile.exists():
            raise CallgrindError(f"{operation} on {loop} ended with {finished.returncode}:\n{finished.stderr}")
        with profile.open(errors="replace") as lines:
            return by_part(by_object(lines), LOOPS[loop].class_package)


def table(figures: dict[str, dict[str, int]], names: list[str], title: str = "instructions") -> Iterator[str]:
    """Markdown, to be put into a document as it is."""
    yield f"| {title} | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for label, row in figures.items():
        yield f"| {label} | {' | '.join(f'{row[name]:,}' for name in names)} |"


if __name__ == "__main__":
    sys.exit(main())
