"""The loops that are compared: how each is made, and how to tell that it is really the one that runs."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from mainspring.benchmarks.limit import EXECUTABLE as LIMIT_EXECUTABLE

DEFAULT = "default"
OURS = "mainspring"
LIMIT = "limit"
"""Not a loop: the same server in C++ on bare epoll, for the workloads that have one. It cannot be beaten by much."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class LoopDidNotStartError(Exception):
    """The loop that was asked for is not the one that runs, or none could be made."""


@dataclass(frozen=True)
class LoopKind:
    """One event loop under comparison."""

    name: str
    packages: tuple[str, ...]
    """What has to be importable; the last one gives the version."""
    class_package: str
    """The top-level package of the loop's class."""
    class_name: str
    transports_only: bool = False
    """Whether it replaces the transports of another loop here, so that only network workloads concern it."""

    def installed(self) -> bool:
        return all(find_spec(package) is not None for package in self.packages)

    def version(self) -> str:
        try:
            return " on ".join(f"{name} {version(name)}" for name in reversed(self.packages)) or "of Python"
        except PackageNotFoundError:
            return "unknown"

    def factory(self) -> LoopFactory:
        """The function that makes the loop, as the package's own documentation says to."""
        if self.name == DEFAULT:
            return asyncio.new_event_loop
        if self.name == "aiofastnet":
            aiofastnet, uvloop = importlib.import_module("aiofastnet"), importlib.import_module("uvloop")
            return lambda: aiofastnet.patch_loop(uvloop.new_event_loop())
        factory: LoopFactory = importlib.import_module(self.packages[-1]).new_event_loop
        return factory

    def check(self, loop: asyncio.AbstractEventLoop) -> str:
        """The full name of the class of ``loop``; raises unless it is the expected one."""
        kind = type(loop)
        found = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__.partition(".")[0] != self.class_package or kind.__qualname__ != self.class_name:
            expected = f"{self.class_package}[...].{self.class_name}"
            raise LoopDidNotStartError(f"the loop {self.name!r} did not start: expected {expected}, got {found}")
        if self.name == "aiofastnet":
            module = getattr(getattr(loop.create_server, "func", None), "__module__", "")
            if module.partition(".")[0] != "aiofastnet":
                raise LoopDidNotStartError("the loop 'aiofastnet' did not start: create_server is not its own")
            found += " + aiofastnet"
        return found


@dataclass(frozen=True)
class LimitKind(LoopKind):
    """What takes the part of a loop in the table but is a program of its own."""

    def installed(self) -> bool:
        return LIMIT_EXECUTABLE.exists()

    def version(self) -> str:
        return "of this package"


LOOPS = {
    kind.name: kind
    for kind in (
        LoopKind(DEFAULT, (), "asyncio", "_UnixSelectorEventLoop"),
        LoopKind(OURS, (OURS,), OURS, "Loop"),
        LoopKind("uvloop", ("uvloop",), "uvloop", "Loop"),
        LoopKind("zuvloop", ("zuvloop",), "zuvloop", "EventLoop"),
        LoopKind("rloop", ("rloop",), "rloop", "RLoop"),
        LoopKind("rsloop", ("rsloop",), "rsloop", "PyLoop"),
        LoopKind("aiofastnet", ("uvloop", "aiofastnet"), "uvloop", "Loop", transports_only=True),
        LimitKind(LIMIT, (), "", "", transports_only=True),
    )
}
