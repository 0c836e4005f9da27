"""Pipes and datagram endpoints: the hooks of ``asyncio.BaseEventLoop`` that make their transports."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from typing import Any


class PipeMethods:
    """What ``connect_read_pipe``, ``connect_write_pipe`` and ``create_datagram_endpoint`` call."""

    def _make_read_pipe_transport(
        self: Any,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.ReadTransport:
        fd = pipe.fileno()
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            raise ValueError("Pipe transport is for pipes/sockets only.")
        os.set_blocking(fd, False)
        return self._open_pipe_reader(pipe, fd, protocol, waiter, extra)

    def _make_write_pipe_transport(
        self: Any,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.WriteTransport:
        fd = pipe.fileno()
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            raise ValueError("Pipe transport is only for pipes, sockets and character devices")
        os.set_blocking(fd, False)
        # A character device becomes readable for other reasons than a reader that has gone.
        return self._open_pipe_writer(pipe, fd, protocol, waiter, extra, not stat.S_ISCHR(mode))

    def _make_datagram_transport(
        self: Any,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.DatagramTransport:
        self._refuse_used_socket(sock)
        details = dict(extra or {})
        details["socket"] = self._wrap_socket(sock)
        for name, get in ("sockname", sock.getsockname), ("peername", sock.getpeername):
            if name not in details:
                try:
                    details[name] = get()
                except OSError:
                    details[name] = None
        return self._open_datagram_transport(sock, protocol, address, waiter, details)
