"""Signal handlers of the loop (asyncio documentation, "Unix signals")."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import signal
import sys
import threading
import warnings
from asyncio.log import logger
from collections.abc import Callable, Iterator
from typing import Any


def _ignore(signum: int, frame: Any) -> None:
    """Python's own handler for a signal of the loop: all it is for is that Python writes to the wakeup descriptor."""


class SignalMethods:
    """``add_signal_handler`` and ``remove_signal_handler``.

    Python's C handler writes the signal's number into a pipe that the native loop reads; ``_handle_signal`` is called
    with what arrived.
    """

    _signal_handlers: dict[int, Any]
    _idle_wakeup_fd = -1  # what to leave behind without signal handlers

    @contextlib.contextmanager
    def _signals_wake(self: Any) -> Iterator[bool]:
        """For one run of the loop: whether it runs where Python runs signal handlers.

        From Python 3.13 on, the native loop makes its pipe the wakeup descriptor while it waits. Before, that is done
        here for the whole run.
        """
        if threading.current_thread() is not threading.main_thread():
            yield False
            return
        if sys.version_info >= (3, 13):
            yield True
            return
        pipe = self._open_signal_pipe()
        try:
            previous = signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)
        except ValueError:  # a sub-interpreter: signals go to the main one
            yield False
            return
        self._forward_signals_to(previous)
        self._idle_wakeup_fd = pipe
        try:
            yield True
        finally:
            self._idle_wakeup_fd = previous if previous != pipe else -1
            self._release_wakeup_fd()
            self._idle_wakeup_fd = -1

    def add_signal_handler(self: Any, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Run ``callback(*args)`` in the loop when the process receives ``sig``.

        Raises ValueError for an invalid signal number, RuntimeError when the signal cannot be caught or when this is
        not the main thread, and TypeError for coroutines.
        """
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_signal(sig)
        self._check_closed()
        try:
            # Fails outside of the main thread, before anything has been changed.
            signal.set_wakeup_fd(self._open_signal_pipe())
        except (ValueError, OSError) as error:
            raise RuntimeError(str(error)) from None
        self._signal_handlers[sig] = self._make_handle(callback, *args)
        try:
            signal.signal(sig, _ignore)
            # System calls go on after the signal (SA_RESTART).
            signal.siginterrupt(sig, False)
        except OSError as error:
            del self._signal_handlers[sig]
            self._release_wakeup_fd()
            if error.errno == errno.EINVAL:
                raise RuntimeError(f"sig {sig} cannot be caught") from None
            raise

    def remove_signal_handler(self: Any, sig: int) -> bool:
        """Restore the default behaviour of ``sig``; whether the loop had a handler for it."""
        self._check_signal(sig)
        if self._signal_handlers.pop(sig, None) is None:
            return False
        default = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
        try:
            signal.signal(sig, default)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise RuntimeError(f"sig {sig} cannot be caught") from None
            raise
        self._release_wakeup_fd()
        return True

    def _release_wakeup_fd(self) -> None:
        if self._signal_handlers:
            return
        try:
            signal.set_wakeup_fd(self._idle_wakeup_fd)
        except (ValueError, OSError) as error:
            logger.info("set_wakeup_fd(%d) failed: %s", self._idle_wakeup_fd, error)

    def _handle_signal(self: Any, sig: int) -> None:
        """The native loop has read ``sig`` from the pipe."""
        handle = self._signal_handlers.get(sig)
        if handle is None:
            return
        if handle.cancelled():
            self.remove_signal_handler(sig)
        else:
            self._add_callback(handle)

    def _remove_all_signal_handlers(self) -> None:
        if not sys.is_finalizing():
            for sig in list(self._signal_handlers):
                self.remove_signal_handler(sig)
        elif self._signal_handlers:
            warnings.warn(
                f"Closing the loop {self!r} on interpreter shutdown stage, skipping signal handlers removal",
                ResourceWarning,
                source=self,
                stacklevel=3,
            )
            self._signal_handlers.clear()

    def _check_signal(self, sig: int) -> None:
        if not isinstance(sig, int):
            raise TypeError(f"sig must be an int, not {sig!r}")
        if sig not in signal.valid_signals():
            raise ValueError(f"invalid signal number {sig}")
