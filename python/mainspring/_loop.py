"""The event loop: the native half and ``asyncio.BaseEventLoop`` in one class."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from asyncio import base_events, events
from asyncio.log import logger
from typing import TYPE_CHECKING, Any, overload

from mainspring import _core, _describe, _watchdog
from mainspring._handshakes import HandshakeMethods, PendingHandshake
from mainspring._metrics import MetricsMethods
from mainspring._names import NameMethods
from mainspring._pipes import PipeMethods
from mainspring._processes import ProcessMethods
from mainspring._serving import ServingMethods
from mainspring._signals import SignalMethods
from mainspring._sockets import SocketMethods
from mainspring._tls import TlsMethods
from mainspring._unix import UnixMethods

if TYPE_CHECKING:
    from mainspring._virtual_time import VirtualTimeLoop

_format_handle: Any = vars(base_events)["_format_handle"]


class Loop(  # type: ignore[misc]  # the native half overrides hot methods of BaseEventLoop on purpose
    _core.Loop,
    HandshakeMethods,
    MetricsMethods,
    NameMethods,
    PipeMethods,
    ProcessMethods,
    ServingMethods,
    SignalMethods,
    SocketMethods,
    TlsMethods,
    UnixMethods,
    asyncio.BaseEventLoop,
):
    """An asyncio event loop on libuv.

    Everything that ``asyncio.SelectorEventLoop`` does, as it does it (asyncio documentation, "Event Loop Methods").
    Make one with :func:`mainspring.new_event_loop`; like every asyncio loop it belongs to one thread, and only
    ``call_soon_threadsafe`` may be called from others.

    Streams (``asyncio.start_server``, ``asyncio.open_connection``) run natively unless the environment variable
    ``MAINSPRING_NATIVE_STREAMS`` is ``0`` when the loop is made, or the loop is in debug mode when they connect.

    ``metrics()`` tells what the loop has done; with ``MAINSPRING_METRICS=1``, or after ``set_metrics(True)``, also how
    long that took.
    """

    # What BaseEventLoop and the parts of this class keep. A loop has a __dict__ for what programs add, but as long as
    # that is not used no method is looked up there first: one in fifty instructions of a task's step.
    __slots__ = (
        "_acceptors",
        "_asyncgens",
        "_asyncgens_shutdown_called",
        "_clock_resolution",
        "_coroutine_origin_tracking_enabled",
        "_coroutine_origin_tracking_saved_depth",
        "_exception_handler",
        "_handshakes",
        "_internal_fds",
        "_old_agen_hooks",
        "_ready",
        "_scheduled",
        "_signal_handlers",
        "_timer_cancelled_count",
        "_unix_server_sockets",
        "slow_callback_duration",
    )

    def __init__(self) -> None:
        _core.Loop.__init__(self)
        asyncio.BaseEventLoop.__init__(self)
        self._signal_handlers: dict[int, Any] = {}
        self._acceptors: dict[int, Any] = {}
        self._handshakes: set[PendingHandshake] = set()
        self._unix_server_sockets: dict[Any, int] = {}
        self._native_streams = os.environ.get("MAINSPRING_NATIVE_STREAMS") != "0"
        if os.environ.get("MAINSPRING_METRICS") == "1":
            self.set_metrics(True)

    def run_forever(self) -> None:
        """Run until ``stop()`` is called.

        Raises RuntimeError when the loop is closed, or when it or another loop runs in this thread.
        """
        self._run_forever_setup()
        try:
            with self._signals_wake() as handles_signals, _watchdog.while_running(self):
                self._run(handles_signals)
        finally:
            self._run_forever_cleanup()
            if self._handshakes:
                self._leave_handshakes_to_tasks()

    if not hasattr(asyncio.BaseEventLoop, "_run_forever_setup"):  # before Python 3.13

        def _run_forever_setup(self: Any) -> None:
            self._check_closed()
            self._check_running()
            self._set_coroutine_origin_tracking(self._debug)
            self._old_agen_hooks = sys.get_asyncgen_hooks()
            self._thread_id = threading.get_ident()
            sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook)
            events._set_running_loop(self)

        def _run_forever_cleanup(self: Any) -> None:
            self._stopping = False
            self._thread_id = None
            events._set_running_loop(None)
            self._set_coroutine_origin_tracking(False)
            sys.set_asyncgen_hooks(*self._old_agen_hooks)

    def close(self) -> None:
        """Release everything the loop holds. Scheduled callbacks are dropped. RuntimeError while it runs."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        asyncio.BaseEventLoop.close(self)
        self._remove_all_signal_handlers()
        self._acceptors.clear()
        self._handshakes.clear()
        self._close()

    def _report_callback_error(self, handle: Any, error: BaseException) -> None:
        source = _describe.callback_source(handle._callback, handle._args, self._debug)
        context = {"message": f"Exception in callback {source}", "exception": error, "handle": handle}
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def _report_slow(self, what: Any, seconds: float) -> None:
        text = _format_handle(what) if isinstance(what, events.Handle) else repr(what)
        # Looked up where BaseEventLoop looks it up, for those who replace it there.
        vars(base_events)["logger"].warning("Executing %s took %.3f seconds", text, seconds)

    def _log_debug(self, message: str, *args: Any) -> None:
        logger.debug(message, *args)

    def _log_info(self, message: str, *args: Any) -> None:
        logger.info(message, *args)

    def _log_error(self, transport: Any, message: str, error: BaseException) -> None:
        logger.debug("%r: %s", transport, message, exc_info=error)

    def _log_warning(self, message: str) -> None:
        logger.warning(message)


@overload
def new_event_loop() -> Loop: ...
@overload
def new_event_loop(*, clock: _core.VirtualClock) -> VirtualTimeLoop: ...
def new_event_loop(*, clock: _core.VirtualClock | None = None) -> Loop:
    """A new event loop, for ``asyncio.Runner(loop_factory=mainspring.new_event_loop)`` and the like.

    With a :class:`mainspring.VirtualClock` it is in virtual time: it jumps to the next timer instead of waiting for it.
    Raises TypeError for a clock of another kind.
    """
    if clock is None:
        return Loop()
    if not isinstance(clock, _core.VirtualClock):
        raise TypeError(f"clock must be a VirtualClock, not {type(clock).__name__}")
    from mainspring._virtual_time import VirtualTimeLoop

    return VirtualTimeLoop(clock)
