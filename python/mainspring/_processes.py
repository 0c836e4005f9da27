"""Subprocesses (asyncio documentation, "Subprocesses").

Processes are started by ``subprocess.Popen``, with every keyword it has, and watched through a descriptor of the
process (``pidfd_open(2)``), so that no thread and no signal handler is needed and any thread may start them. Where
there is no such descriptor a thread waits for each process, as on the default loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import warnings
from asyncio.base_subprocess import BaseSubprocessTransport
from asyncio.log import logger
from collections.abc import Callable
from typing import Any


class SubprocessTransport(BaseSubprocessTransport):
    """A running process and the transports of its pipes."""

    def _start(
        self: Any, args: Any, shell: bool, stdin: Any, stdout: Any, stderr: Any, bufsize: int, **kwargs: Any
    ) -> None:
        self._proc = subprocess.Popen(
            args,
            shell=shell,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            universal_newlines=False,
            bufsize=bufsize,
            **kwargs,
        )

    def _process_exited(self: Any, returncode: int) -> None:
        super()._process_exited(returncode)  # type: ignore[misc]
        if self._closed and self._pending_calls is not None and (waiters := self._exit_waiters):
            # Its pipes could not be connected, so their ends, for which _wait() may wait, are never reported.
            self._exit_waiters = type(waiters)()  # a list, and since 3.15 a set
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(returncode)


class ProcessMethods:
    """What ``subprocess_exec`` and ``subprocess_shell`` call."""

    async def _make_subprocess_transport(
        self: Any,
        protocol: asyncio.SubprocessProtocol,
        args: Any,
        shell: bool,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        bufsize: int,
        extra: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> SubprocessTransport:
        watch = _watcher_of_program() or self._watch_process
        waiter = self.create_future()
        transport: Any = SubprocessTransport(
            self, protocol, args, shell, stdin, stdout, stderr, bufsize, waiter=waiter, extra=extra, **kwargs
        )
        watch(transport.get_pid(), self._exit_reporter(transport))
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await transport._wait()
            raise
        return transport

    def _exit_reporter(self: Any, transport: Any) -> Callable[[int], None]:
        """What a watcher calls with the return code: tells the transport as many turns later as the default loop."""
        told = transport._process_exited
        if sys.version_info >= (3, 14):
            return told  # type: ignore[no-any-return]
        if sys.version_info >= (3, 12):
            return lambda returncode: self.call_soon_threadsafe(told, returncode)
        return lambda returncode: self.call_soon_threadsafe(self.call_soon, told, returncode)

    def _watch_process(self: Any, pid: int, exited: Callable[[int], object]) -> None:
        """Call ``exited(returncode)`` in the loop when the child process ``pid`` has ended."""
        pidfd = _descriptor_of(pid)
        if pidfd is None:
            threading.Thread(target=self._wait_in_thread, args=(pid, exited), daemon=True).start()
            return
        try:
            self._watch_exit(pidfd, _tell, pid, exited)
        except BaseException:
            os.close(pidfd)
            raise

    def _wait_in_thread(self: Any, pid: int, exited: Callable[[int], object]) -> None:
        if hasattr(os, "waitid"):
            # The loop reaps: until it knows of the end, the number must not become that of another process, which
            # send_signal() would hit.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

            def reap() -> int:
                return _reap(pid)

        else:
            # macOS before Python 3.13, where the default loop's threads reap, too.
            returncode = _reap(pid)

            def reap() -> int:
                return returncode

        try:
            self.call_soon_threadsafe(lambda: exited(reap()))
        except RuntimeError:
            reap()
            logger.warning("Loop %r that handles pid %r is closed", self, pid)


def _watcher_of_program() -> Callable[[int, Callable[[int], object]], None] | None:
    """Before Python 3.14 a program may choose a child watcher; None when it left asyncio's own in place.

    Raises RuntimeError when the watcher it chose is not active.
    """
    if sys.version_info >= (3, 14) or _is_own_watcher():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        watcher: Any = asyncio.get_child_watcher()
    with watcher as entered:
        # Python 3.11 asks what the watcher's __enter__ returned, 3.12 and 3.13 the watcher itself.
        if not (watcher if sys.version_info >= (3, 12) else entered).is_active():
            raise RuntimeError("asyncio.get_child_watcher() is not activated, subprocess support is not installed.")
    if type(watcher).__name__ in ("ThreadedChildWatcher", "PidfdChildWatcher"):
        return None

    def watch(pid: int, exited: Callable[[int], object]) -> None:
        with watcher:
            watcher.add_child_handler(pid, lambda _, returncode: exited(returncode))

    return watch


_get_child_watcher = getattr(asyncio, "get_child_watcher", None)


def _is_own_watcher() -> bool:
    """Whether the policy plainly has one of asyncio's watchers that are always active, or none yet.

    To ask for it warns, and to silence that costs a good part of what starting a process does.
    """
    policy: Any = asyncio.get_event_loop_policy()
    default: Any = asyncio.DefaultEventLoopPolicy
    if (
        asyncio.get_child_watcher is not _get_child_watcher
        or type(policy).get_child_watcher is not default.get_child_watcher
    ):
        return False
    watcher = policy._watcher
    return watcher is None or type(watcher) in (asyncio.ThreadedChildWatcher, asyncio.PidfdChildWatcher)


def _descriptor_of(pid: int) -> int | None:
    """A descriptor of the process; None where the system has none, or none left."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _tell(pid: int, exited: Callable[[int], object]) -> None:
    exited(_reap(pid))


def _reap(pid: int) -> int:
    """Wait for a child and return its exit code, negative for a signal; 255 when somebody else reaped it."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        logger.warning("child process pid %d exit status already read: will report returncode 255", pid)
        return 255
    return os.waitstatus_to_exitcode(status)
