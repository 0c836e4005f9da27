"""What is left when a program has to end: said in a log record, with the places where it stands."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

# The frame of a suspended coroutine, generator or asynchronous generator, and what it waits for.
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


def describe(
    tasks: Iterable[asyncio.Task[Any]],
    servers: Iterable[object],
    connections: Iterable[object],
    threads: Iterable[threading.Thread],
) -> str:
    """One paragraph for each: tasks and threads with their stacks, the innermost call last."""
    paragraphs = [f"task {task.get_name()!r} at\n{_stack(_awaiting(task))}" for task in tasks]
    paragraphs += [f"server {server!r}" for server in servers]
    paragraphs += [f"connection {connection!r}" for connection in connections]
    frames = sys._current_frames()
    for thread in threads:
        running = traceback.walk_stack(frames.get(thread.ident or 0)) if thread.ident in frames else ()
        paragraphs.append(f"thread {thread.name!r} at\n{_stack(reversed(list(running)))}")
    return "\n".join(paragraph.rstrip() for paragraph in paragraphs)


def _stack(frames: Iterable[tuple[FrameType, int]]) -> str:
    return "".join(traceback.StackSummary.extract(iter(list(frames))).format())


def _awaiting(task: asyncio.Task[Any]) -> Iterator[tuple[FrameType, int]]:
    """The frames of a task, the outermost first: ``task.get_stack`` has that one only."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = next((frame for name in _FRAMES if (frame := getattr(awaited, name, None)) is not None), None)
        if frame is not None:
            yield frame, frame.f_lineno
        awaited = next((inner for name in _AWAITED if (inner := getattr(awaited, name, None)) is not None), None)
