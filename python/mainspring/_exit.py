"""The end of the interpreter: what comes before it waits for threads, and ending without those that do not end."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any


def before_threads_are_waited_for(function: Callable[[], object]) -> None:
    """Have a function called then, the last that was registered first; those of ``atexit`` are called after that.

    The hook of ``threading`` that ``concurrent.futures`` uses as well.
    """
    vars(threading)["_register_atexit"](function)


def exit_without(threads: list[threading.Thread], status: int) -> None:
    """When the main thread has come to its end, end the process with ``status`` if some of these threads still run.

    Python would wait for them, for ever if they hang. Everything else is as always: other threads are waited for,
    ``atexit`` functions called and the standard streams flushed.
    """

    def leave() -> None:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon and thread not in threads:
                thread.join()
        if not any(thread.is_alive() for thread in threads):
            return
        run_exit_functions: Any = vars(atexit)["_run_exitfuncs"]
        run_exit_functions()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)

    before_threads_are_waited_for(leave)
