"""Making mainspring the loop that asyncio creates by itself.

Event loop policies are deprecated since Python 3.14 and go with 3.16. Where there is a ``loop_factory``, use that;
:func:`install` is for programs that cannot be changed. Nothing here touches a name that warns.
"""

from __future__ import annotations

import asyncio
from asyncio import events

from mainspring._loop import Loop, new_event_loop

# Python 3.14 renamed both and warns for the old names.
_Base = getattr(events, "_BaseDefaultEventLoopPolicy", None) or events.BaseDefaultEventLoopPolicy
_set_policy = getattr(events, "_set_event_loop_policy", None) or events.set_event_loop_policy

if hasattr(asyncio, "unix_events") and hasattr(asyncio.unix_events, "_UnixDefaultEventLoopPolicy"):
    # It also knows how child processes are watched, which policies decide before Python 3.14.
    _Base = asyncio.unix_events._UnixDefaultEventLoopPolicy


class EventLoopPolicy(_Base):  # type: ignore[misc, valid-type]
    """An event loop policy whose loops are mainspring's: ``asyncio.set_event_loop_policy(EventLoopPolicy())``."""

    def _loop_factory(self) -> Loop:  # type: ignore[override]
        return new_event_loop()


def install() -> None:
    """From now on, every loop that asyncio itself creates in this process is a mainspring loop.

    Loops that exist already stay what they are. Prefer :func:`mainspring.run` or a ``loop_factory`` where you can.
    """
    _set_policy(EventLoopPolicy())
