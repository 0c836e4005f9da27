"""``mainspring.Watchdog``: says what blocks a loop while it blocks it, and afterwards for how long."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import linecache
import logging
import math
import os
import threading
import traceback
from asyncio import events
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from mainspring import _core
from mainspring._describe import callback_source
from mainspring._exit import before_threads_are_waited_for

logger = logging.getLogger("mainspring")

VARIABLE = "MAINSPRING_WATCHDOG"

# Where a program waits for whoever debugs it.
_DEBUGGERS = {"bdb", "pdb", "pydevd", "debugpy"}


@dataclass(frozen=True, slots=True)
class Block:
    """What a watchdog says of one blocking of a loop: once while it lasts, and once when it is over."""

    seconds: float
    """For how long the loop has been blocked: so far, or in all. At most an eighth of the threshold too little."""
    over: bool
    """Whether the loop has gone on, or the watchdog was stopped, which then knows no more."""
    task: str | None
    """The name of the task that blocks the loop; None when that is no task, or not known."""
    callback: str
    """What blocks the loop: the task, the callback with its arguments, the transport that got an event."""
    stack: tuple[traceback.FrameSummary, ...]
    """Where the callback is, the blocking line last. Empty when it was over before its stack could be taken."""

    def __str__(self) -> str:
        if not self.over:
            lines = "".join(traceback.format_list(list(self.stack))).rstrip("\n")
            return f"The loop has been blocked for {self.seconds:.3f} seconds by {self.callback}" + (
                f"\n{lines}" if lines else ""
            )
        if not self.stack:
            return (
                f"The loop was blocked for {self.seconds:.3f} seconds by {self.callback}, "
                "reported after the fact: its stack could not be taken before it was over"
            )
        return f"The loop was blocked for {self.seconds:.3f} seconds by {self.callback}"


Report = Callable[[Block], object]


def log(block: Block) -> None:
    """Log a block to the logger ``mainspring`` as a warning, its parts as ``block_...`` of the record."""
    parts = {
        "block_seconds": block.seconds,
        "block_over": block.over,
        "block_task": block.task,
        "block_callback": block.callback,
        "block_stack": [(frame.filename, frame.lineno, frame.name) for frame in block.stack],
    }
    logger.warning("%s", block, extra=parts)


class Watchdog:
    """A thread that notices when a callback blocks a loop, while it does, and says so.

    ::

        with mainspring.Watchdog(threshold=0.1):
            ...

    in a coroutine, or ``Watchdog(loop=loop)`` anywhere else, watches a loop until the end of the block; so do
    ``start()`` and ``stop()``. A callback, a step of a task or a call of a protocol that takes longer than
    ``threshold`` seconds is reported twice: while it blocks the loop, with the Python stack of the loop's thread, and
    when it is over, with the time that it took. What keeps the GIL all the time can be reported only afterwards,
    without a stack.

    ``report`` is called with each :class:`Block`, in the watchdog's thread; by default it is logged to the logger
    ``mainspring`` as a warning. What it raises is logged.

    ``loop`` is the running loop by default, as it is when the watchdog is started. Raises ValueError for a threshold
    that is not a positive number, and TypeError for a loop that is not mainspring's.

    The environment variable ``MAINSPRING_WATCHDOG``, a threshold in seconds, watches every mainspring loop while it
    runs. A forked child has no watchdog before it starts one.
    """

    def __init__(
        self, threshold: float = 0.1, *, loop: asyncio.AbstractEventLoop | None = None, report: Report | None = None
    ) -> None:
        if not 0 < threshold < math.inf:
            raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
        if loop is not None:
            _check_loop(loop)
        self._threshold = threshold
        self._loop = loop
        self._report = report or log
        self._watch: _core.Watch | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self) -> None:
        """Begin to watch. RuntimeError when it watches already, or when no loop was given and none is running."""
        if self._watch is not None and self._pid == os.getpid():
            raise RuntimeError("the watchdog has been started already")
        loop: Any = self._loop or events.get_running_loop()
        _check_loop(loop)
        _stop_all_at_exit()
        watch: _core.Watch = loop._watch(self._threshold)
        thread = threading.Thread(target=_serve, args=(watch, self._report), name="mainspring-watchdog")
        thread.start()
        self._watch, self._thread, self._pid = watch, thread, os.getpid()
        _watching.add(self)

    def stop(self) -> None:
        """Watch no more; returns when everything has been reported. Does nothing when it does not watch."""
        watch, thread = self._watch, self._thread
        self._watch = self._thread = None
        _watching.discard(self)
        if watch is None or thread is None or self._pid != os.getpid():
            return
        watch.stop()
        if thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> Watchdog:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _check_loop(loop: object) -> None:
    if not isinstance(loop, _core.Loop):
        raise TypeError(f"a loop of mainspring is required, not {type(loop).__name__}")


# --- every loop ------------------------------------------------------------------------------------------------------

_every_loop: tuple[float, Report] | None = None


def watch_every_loop(threshold: float | None, report: Report = log) -> None:
    """From now on watch every loop of this interpreter while it runs, whatever the environment says; None for no more.

    For the pytest plugin.
    """
    global _every_loop
    _every_loop = None if threshold is None else (threshold, report)


def _from_environment() -> tuple[float, Report] | None:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    try:
        threshold = float(text)
    except ValueError:
        threshold = math.nan
    if not 0 <= threshold < math.inf:
        raise ValueError(f"{VARIABLE} must be a number of seconds, not {text!r}")
    return (threshold, log) if threshold else None


@contextlib.contextmanager
def while_running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """For one run of a loop: watch it if every loop is watched. ValueError when the environment makes no sense."""
    wanted = _every_loop or _from_environment()
    if wanted is None:
        yield
        return
    threshold, report = wanted
    watchdog = Watchdog(threshold, loop=loop, report=report)
    try:
        watchdog.start()
    except RuntimeError as error:  # no more threads, as always when the interpreter ends
        logger.warning("The loop is not watched: %s", error)
    try:
        yield
    finally:
        watchdog.stop()


# --- the end of the interpreter --------------------------------------------------------------------------------------

_watching: set[Watchdog] = set()
_registered = False


def _stop_all_at_exit() -> None:
    # A daemon thread would be in the way of the interpreter's end, and sub-interpreters allow none.
    global _registered
    if not _registered:
        before_threads_are_waited_for(_stop_all)
        _registered = True


def _stop_all() -> None:
    for watchdog in list(_watching):
        watchdog.stop()


# --- the watchdog's thread -------------------------------------------------------------------------------------------


# A block, and whether it is to be reported.
_Found = tuple[Block, bool]


def _serve(watch: _core.Watch, report: Report) -> None:
    found: _Found | None = None
    while (found := _next_block(watch, found)) is not None:
        block, shown = found
        if not shown:
            continue
        try:
            report(block)
        except Exception:
            logger.exception("The report of a blocked loop failed")


def _next_block(watch: _core.Watch, last: _Found | None) -> _Found | None:
    """Wait for the next block, given the last one; None when the watchdog has been stopped.

    Nothing of what the loop uses is kept after this returns.
    """
    found = watch.wait()
    if found is None:
        return None
    seconds, over, loop, what, frame = found
    del found
    if over:
        if last is not None and not last[0].over:
            return dataclasses.replace(last[0], seconds=seconds, over=True), last[1]
        task = _task_of(what)
        return Block(seconds, True, _name_of(task), _describe(what, task), ()), True
    stack, debugged = _read_stack(frame)
    del frame
    task = asyncio.current_task(loop)
    if not watch.goes_on():
        # What has just been read may belong to something else.
        stack, task = (), None
    task = task or _task_of(getattr(what, "_callback", None))
    return Block(seconds, False, _name_of(task), _describe(what, task), stack), not debugged


def _read_stack(frame: FrameType | None) -> tuple[tuple[traceback.FrameSummary, ...], bool]:
    """The frames of the loop's thread inside of the loop, and whether a debugger's are among them.

    The thread runs on as soon as it gets the GIL, so this comes first, and reads no source.
    """
    frames: list[traceback.FrameSummary] = []
    debugged = False
    while frame is not None:
        code = frame.f_code
        module = frame.f_globals.get("__name__")
        if module == "mainspring._loop" and code.co_name == "run_forever":
            break
        debugged = debugged or (isinstance(module, str) and module.partition(".")[0] in _DEBUGGERS)
        linecache.lazycache(code.co_filename, frame.f_globals)
        frames.append(traceback.FrameSummary(code.co_filename, frame.f_lineno or 0, code.co_name, lookup_line=False))
        frame = frame.f_back
    return tuple(reversed(frames)), debugged


def _task_of(callback: object) -> Any:
    """The task whose step a callback is."""
    owner = getattr(callback, "__self__", None)
    return owner if asyncio.isfuture(owner) and hasattr(owner, "get_name") else None


def _name_of(task: Any) -> str | None:
    return None if task is None else task.get_name()


def _describe(what: object, task: object) -> str:
    try:
        if task is not None:
            return repr(task)
        if what is None:
            return "a callback"
        if isinstance(what, int):
            return f"a callback of descriptor {what}"
        if isinstance(what, events.Handle):
            parts: Any = what
            return callback_source(parts._callback, parts._args, False)
        return callback_source(what, (), False) if callable(what) else repr(what)
    except Exception as error:
        return f"{type(what).__name__}, which cannot be described ({type(error).__name__})"
