"""In whose code the instructions of a callgrind profile are.

The format is that of the Valgrind manual, "Callgrind Format Specification": an object (``ob=``) has a number once it
was named, a line of costs is a position and the count, and the line after ``calls=`` is the cost of what was called,
which stands in its own place as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

INTERPRETER, ASYNCIO, LOOP, LIBRARIES = "CPython", "asyncio's C", "the loop's", "libraries"
PARTS = (INTERPRETER, ASYNCIO, LOOP, LIBRARIES)

_OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.*))?")
_COST = re.compile(r"(?:[+-]?\d+|\*|0x[0-9a-f]+) (\d+)")


def by_object(lines: Iterable[str]) -> Counter[str]:
    """The instructions of each object, by its path, without those of what it called."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    current = ""
    of_called = False
    for line in lines:
        if found := _OBJECT.match(line):
            called, number, name = found.groups()
            if name is not None:
                names[number] = name
            if not called:
                current = names[number]
        elif line.startswith("calls="):
            of_called = True
        elif found := _COST.match(line):
            if not of_called:
                counts[current] += int(found[1])
            of_called = False
    return counts


def part_of(path: str, package: str) -> str:
    """Whose code an object is, where the loop is that of this package."""
    file = PurePath(path).name
    if file.startswith("_asyncio."):
        return ASYNCIO
    if file.startswith(("python", "libpython")):
        return INTERPRETER
    if path.rpartition("/site-packages/")[2].startswith(f"{package}/") or file.startswith("libuv."):
        return LOOP
    return LIBRARIES


def by_part(objects: Counter[str], package: str) -> Counter[str]:
    parts: Counter[str] = Counter()
    for path, count in objects.items():
        parts[part_of(path, package)] += count
    return parts
