"""Ending a process whose executor threads do not end."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import Any


def exit_without(threads: list[threading.Thread], status: int) -> None:
    """When the main thread has come to its end, end the process with ``status`` if some of these threads still run.

    Python would wait for them, for ever if they hang. Everything else is as always: other threads are waited for,
    ``atexit`` functions called and the standard streams flushed. Where Python has no such hook, it waits.
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

    # Called before threads are waited for, the last that was registered first; atexit functions are called after that.
    register: Any = vars(threading).get("_register_atexit")
    if register is not None:
        register(leave)
