"""How native objects describe themselves: only errors, logs and ``repr()`` come here."""

from __future__ import annotations

import inspect
from asyncio import format_helpers
from typing import Any

# Private, and so without types.
_format_callback_source: Any = format_helpers._format_callback_source

# Newer Pythons show arguments only in debug mode.
_TAKES_DEBUG = "debug" in inspect.signature(_format_callback_source).parameters


def callback_source(callback: Any, args: tuple[Any, ...] | None, debug: bool) -> str:
    """The callback with its arguments and the line where it is defined, as asyncio writes it."""
    if _TAKES_DEBUG:
        return _format_callback_source(callback, args, debug=debug)
    return _format_callback_source(callback, args)


def handle_repr(handle: Any) -> str:
    """``repr()`` of a Handle, as ``asyncio.Handle`` has it."""
    info = [handle.__class__.__name__]
    if handle._cancelled:
        info.append("cancelled")
    if hasattr(handle, "_when"):
        info.append(f"when={handle._when}")
    if handle._callback is not None:
        info.append(callback_source(handle._callback, handle._args, handle._loop.get_debug()))
    if handle._source_traceback:
        filename, line = handle._source_traceback[-1][:2]
        info.append(f"created at {filename}:{line}")
    return f"<{' '.join(info)}>"
