"""``sock_connect``: the one socket operation that outgoing connections are made of."""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import Any

_check_ssl_socket: Any = vars(asyncio.base_events)["_check_ssl_socket"]


class SocketMethods:
    """Operations on sockets that the program owns (asyncio documentation, "Working with socket objects directly")."""

    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> None:
        """Connect ``sock`` to ``address``; resolves host names. The socket must be non-blocking."""
        _check_ssl_socket(sock)
        if self._debug and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            resolved = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            address = resolved[0][4]
        try:
            sock.connect(address)
        except (BlockingIOError, InterruptedError):
            await self._connected(sock, address)

    async def _connected(self: Any, sock: socket.socket, address: Any) -> None:
        """Wait until a connect in progress has ended; raises what it ended with."""
        fd = sock.fileno()
        self._ensure_fd_no_transport(fd)
        done = self.create_future()
        watcher = self._add_writer(fd, self._connect_ended, done, sock, address)
        done.add_done_callback(functools.partial(self._forget_connect, fd, watcher))
        try:
            await done
        finally:
            # The exception of the future refers to this frame.
            done = None

    def _connect_ended(self, done: asyncio.Future[None], sock: socket.socket, address: Any) -> None:
        if done.done():
            return
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == 0:
            done.set_result(None)
        else:
            done.set_exception(OSError(error, f"Connect call failed {address}"))

    def _forget_connect(self: Any, fd: int, watcher: Any, done: asyncio.Future[None]) -> None:
        # A cancelled watcher has been replaced by a later operation on the same number.
        if not watcher.cancelled():
            self._remove_writer(fd)
