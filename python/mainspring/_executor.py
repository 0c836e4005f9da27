"""The loop's own thread pool: a ``concurrent.futures.ThreadPoolExecutor`` whose threads wait on a native queue.

Everything but the queue is the standard library's, so the pool is accepted wherever one is asked for, and its threads
are named, started, told to end and waited for at exit as always.
"""

from __future__ import annotations

import concurrent.futures
import queue
import threading
from concurrent.futures import thread
from typing import Any

from mainspring import _core

POOL = thread.ThreadPoolExecutor
THREAD_MODULE = vars(thread)
SUBMIT: Any = POOL.submit
"""What a pool's ``submit`` has to be for calls to go past it; None when somebody replaced it before this import."""

if getattr(SUBMIT, "__globals__", None) is not THREAD_MODULE:
    SUBMIT = None


def make_pool() -> concurrent.futures.Executor:
    """A pool for a loop: what the default loop makes, and with the native queue if it is built as expected."""
    pool: Any = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="asyncio")
    parts = vars(pool) if type(pool) is POOL else {}
    if (
        SUBMIT is not None
        and type(parts.get("_work_queue")) is queue.SimpleQueue
        and type(parts.get("_idle_semaphore")) is threading.Semaphore
        and type(parts.get("_threads")) is set
        and {"_shutdown", "_shutdown_lock", "_max_workers"} <= parts.keys()
    ):
        pool._work_queue = pool._idle_semaphore = _core.WorkQueue()
    return pool


def add_call(pool: Any, call: _core.PendingCall) -> None:
    """``pool.submit``, with a thread more if that is due, for a call that has its future already."""
    with pool._shutdown_lock, THREAD_MODULE["_global_shutdown_lock"]:
        if not pool._shutdown and not THREAD_MODULE["_shutdown"]:
            pool._work_queue.put(call)
            pool._adjust_thread_count()
            return
    # It has been shut down while this thread waited for the locks; this raises what there is to raise.
    pool.submit(int)
