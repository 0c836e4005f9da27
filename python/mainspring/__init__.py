"""An asyncio event loop in C++ on libuv.

Switch to it with one line::

    mainspring.run(main())

or with ``asyncio.Runner(loop_factory=mainspring.new_event_loop)``, or with none: ``mainspring run script.py``.
"""

from mainspring._core import VirtualClock
from mainspring._core import __version__ as __version__
from mainspring._loop import Loop, new_event_loop
from mainspring._metrics import Histogram, Metrics, OpenTransports
from mainspring._policy import EventLoopPolicy, install
from mainspring._runner import run
from mainspring._watchdog import Block, Watchdog

__all__ = [
    "Block",
    "EventLoopPolicy",
    "Histogram",
    "Loop",
    "Metrics",
    "OpenTransports",
    "VirtualClock",
    "Watchdog",
    "install",
    "new_event_loop",
    "run",
]
