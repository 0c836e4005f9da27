"""``mainspring.run(main(), shutdown_timeout=10)``: a process that is told to end finishes what it has begun.

docs/shutdown.md has the phases and their order. The loop is driven from outside, by ``run_forever``, and never by a
task of its own: programs gather or cancel ``asyncio.all_tasks()`` when they end.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import math
import os
import signal
import threading
import time
from asyncio.log import logger
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from mainspring import _leftovers
from mainspring._exit import exit_without

_T = TypeVar("_T")

CLEANUP_TIME = 1.0
"""Seconds that tasks get for their clean-ups when they are cancelled after the time-out."""

_DEFAULTS: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
_LONGEST_PAUSE = 0.02


class ShutdownRunner(Generic[_T]):
    """Runs one main coroutine to its end, or to the process's."""

    def __init__(
        self, timeout: float, loop_factory: Callable[[], asyncio.AbstractEventLoop], debug: bool | None
    ) -> None:
        if not timeout >= 0:
            raise ValueError(f"shutdown_timeout must not be negative, got {timeout!r}")
        self._timeout = timeout
        self._factory = loop_factory
        self._debug = debug
        self._loop: Any = None
        self._main: Any = None
        self._signal: int | None = None
        self._process = os.getpid()
        self._ending = False
        self._cut = False
        self._began = self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def run(self, main: Awaitable[_T]) -> _T:
        """Run ``main``, then whatever the end takes; its result, or what the process is to end with."""
        if not inspect.isawaitable(main):
            raise TypeError(f"a coroutine was expected, got {main!r}")
        coroutine = main if asyncio.iscoroutine(main) else _as_coroutine(main)
        self._loop = loop = self._factory()
        try:
            if self._debug is not None:
                loop.set_debug(self._debug)
            self._main = loop.create_task(coroutine, context=contextvars.copy_context())
            with self._signal_handlers():
                try:
                    self._drive({self._main})
                    if not self._main.done() and self._signal is None:
                        raise RuntimeError("Event loop stopped before Future completed.")
                finally:
                    self._end()
        finally:
            loop.close()
            # What is not raised here either is of no interest, and nothing is logged about it.
            if self._main is not None and self._main.done() and not self._main.cancelled():
                self._main.exception()
        return self._outcome()

    # --- signals ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        """Handle what the program has left alone, and leave alone what it handles meanwhile."""
        handler = self._on_signal
        installed: list[signal.Signals] = []
        if threading.current_thread() is threading.main_thread():
            # A sub-interpreter has a main thread, but no signals.
            with contextlib.suppress(ValueError):
                for number, default in _DEFAULTS.items():
                    if signal.getsignal(number) == default:
                        signal.signal(number, handler)
                        installed.append(number)
        try:
            yield
        finally:
            for number in installed:
                if signal.getsignal(number) is handler:
                    signal.signal(number, _DEFAULTS[number])

    def _on_signal(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:
            # A forked child has the handlers of its parent, and multiprocessing ends it by SIGTERM.
            signal.signal(number, _DEFAULTS[signal.Signals(number)])
            signal.raise_signal(number)
            return
        if self._signal is not None or self._ending:
            self._signal = number
            self._cut = True
            if self._loop.is_running():
                self._loop.stop()
                raise self._exit()
            return
        self._signal = number
        self._began = self._loop.time()
        self._until = self._began + self._timeout
        # In this order the servers are closed before main knows.
        self._loop.call_soon_threadsafe(self._begin)
        # Here, as asyncio.Runner does it: a main task that handled the signal and sends it again as its last act, as
        # uvicorn's, is cancelled too.
        self._main.cancel()

    def _begin(self) -> None:
        logger.info("shutdown: %s received", signal.Signals(self._signal or 0).name)
        self._close_servers()
        if self._until < math.inf:
            self._timer = self._loop.call_at(self._until, self._loop.stop)

    def _exit(self) -> BaseException:
        number = self._signal or 0
        return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)

    # --- the phases ---------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Main is done, or the time-out is over, or the loop has been left by an exception."""
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        if self._signal is not None:
            self._drive_all(self._until)
        else:
            self._began = self._loop.time()
        end = self._began + self._timeout + CLEANUP_TIME
        self._cancel_all(end)
        if not self._cut:
            self._drive({self._loop.create_task(self._loop.shutdown_asyncgens())}, end)
        self._close_connections(end)
        threads = self._end_executor(end)
        self._report(self._loop.time() - self._began, threads)
        if threads and self._signal is not None:
            exit_without(threads, 128 + self._signal)

    def _drive_all(self, until: float) -> None:
        """Run the loop until no task is left, of those that are made meanwhile either."""
        while not self._cut and (tasks := asyncio.all_tasks(self._loop)) and self._loop.time() < until:
            self._drive(tasks, until)

    def _drive(self, tasks: Iterable[asyncio.Task[Any]], until: float = math.inf) -> None:
        """Run the loop until these tasks are done, or until that time."""
        left = {task for task in tasks if not task.done()}
        if self._cut or not left:
            return

        def forget(task: asyncio.Task[Any]) -> None:
            left.discard(task)
            if not left:
                self._loop.stop()

        for task in left:
            task.add_done_callback(forget)
        try:
            self._run(until)
        finally:
            for task in left:
                task.remove_done_callback(forget)

    def _run(self, until: float) -> None:
        """Run the loop until it is stopped, at the latest at that time. Not what cuts it, but other exceptions pass."""
        timer = self._loop.call_at(until, self._loop.stop) if until < math.inf else None
        try:
            self._loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            if not self._cut:
                raise
        finally:
            if timer is not None:
                timer.cancel()

    def _wait_for(self, condition: Callable[[], bool], until: float) -> None:
        """Run the loop until something is true that nobody reports."""
        pause = 0.0
        while not self._cut and not condition() and (now := self._loop.time()) < until:
            self._run(min(now + pause, until))
            pause = min(2 * pause + 0.001, _LONGEST_PAUSE)

    def _cancel_all(self, until: float) -> None:
        self._close_servers()
        if self._cut:
            return
        tasks = asyncio.all_tasks(self._loop)
        if self._signal is not None and tasks:
            names = ", ".join(sorted(repr(task.get_name()) for task in tasks))
            logger.warning("shutdown: not done in %g s and cancelled: %s", self._timeout, names)
        for task in tasks:
            task.cancel()
        self._drive_all(until)
        for task in tasks - {self._main}:
            if task.done() and not task.cancelled() and task.exception() is not None:
                context = {"message": "unhandled exception during mainspring.run() shutdown", "task": task}
                self._loop.call_exception_handler({**context, "exception": task.exception()})

    def _servers(self) -> list[Any]:
        """The servers that listen. A loop of another kind does not tell."""
        acceptors = getattr(self._loop, "_acceptors", {}).values()
        return list(dict.fromkeys(acceptor.server for acceptor in acceptors if acceptor.server is not None))

    def _close_servers(self) -> None:
        for server in self._servers():
            server.close()

    def _connections(self) -> list[Any]:
        """The open transports, for TLS the one that the program knows."""
        find: Callable[[], list[Any]] = getattr(self._loop, "_open_transports", list)
        return [_outer(transport) for transport in find()]

    def _close_connections(self, until: float) -> None:
        """Close what the tasks have left open; what was written is sent first."""
        for connection in self._connections():
            connection.close()
        self._wait_for(lambda: not self._connections(), until)

    def _end_executor(self, until: float) -> list[threading.Thread]:
        """End the loop's own threads; those that have not ended by then."""
        pool = getattr(self._loop, "_default_executor", None)
        if pool is None:
            return []
        pool.shutdown(wait=False)
        threads: list[threading.Thread] = list(pool._threads)
        self._wait_for(lambda: not any(thread.is_alive() for thread in threads), until)
        pool.shutdown(wait=False, cancel_futures=True)
        # After a cut, idle threads are on their way out.
        last = time.monotonic() + _LONGEST_PAUSE
        for thread in threads:
            thread.join(max(0.0, last - time.monotonic()))
        return [thread for thread in threads if thread.is_alive()]

    def _report(self, seconds: float, threads: list[threading.Thread]) -> None:
        left = asyncio.all_tasks(self._loop), self._servers(), self._connections(), threads
        if any(left):
            logger.error("shutdown: cut after %.1f s:\n%s", seconds, _leftovers.describe(*left))

    def _outcome(self) -> _T:
        main = self._main
        if self._cut or not main.done():
            raise self._exit()
        try:
            result: _T = main.result()
        except asyncio.CancelledError:
            if self._signal is None:
                raise
            raise self._exit() from None
        return result


async def _as_coroutine(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


def _outer(transport: Any) -> Any:
    protocol = transport.get_protocol() if hasattr(transport, "get_protocol") else None
    return getattr(protocol, "_app_transport", None) or transport
