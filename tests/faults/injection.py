"""The library of faults.cpp, which has to be preloaded: telling it what shall fail."""

from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Iterator
from pathlib import Path

SHORT = -1000
SOURCE = Path(__file__).with_name("faults.cpp")


def fault_name(number: int) -> str:
    """How a fault is called in reports."""
    if number == SHORT:
        return "short"
    if number < 0:
        return next(name for name in vars(socket) if name.startswith("EAI_") and getattr(socket, name) == number)
    return errno.errorcode[number]


class Faults:
    """The preloaded library of this process."""

    def __init__(self) -> None:
        self._library = library = ctypes.CDLL(None)
        library.faults_name.restype = library.faults_where.restype = ctypes.c_char_p
        library.faults_seen.restype = library.allocations_stop.restype = ctypes.c_long
        library.faults_stop.restype = ctypes.c_bool
        library.faults_start.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long]
        library.allocations_start.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_long]
        self.table = [
            (function, library.faults_name(function).decode(), list(self._errnos(function)))
            for function in range(library.faults_functions())
        ]

    def _errnos(self, function: int) -> Iterator[int]:
        index = 0
        while number := self._library.faults_errno(function, index):
            yield number
            index += 1

    def start(self, function: int = -1, fault: int = 0, nth: int = 0) -> None:
        """From here on calls are counted, and one of them fails."""
        self._library.faults_start(function, fault, nth)

    def stop(self) -> bool:
        """Whether the fault happened."""
        return bool(self._library.faults_stop())

    def seen(self, function: int, fault: int) -> int:
        """How many calls the fault applied to."""
        return int(self._library.faults_seen(function, fault))

    def where(self) -> str:
        """The library whose call failed."""
        return Path(self._library.faults_where().decode()).name.split(".")[0]

    def start_allocations(self, file: str | None, first: int, last: int) -> None:
        """Python's allocations from the first to the last fail: those that `file` causes, or all."""
        self._file = file.encode() if file else None  # kept alive
        self._library.allocations_start(self._file, first, last)

    def stop_allocations(self) -> int:
        """How many allocations there were."""
        return int(self._library.allocations_stop())
