"""Servers and connections: what runs once per listening socket or outgoing connection.

``create_server``, ``create_connection`` and their relatives are inherited from ``asyncio.BaseEventLoop``; these are the
hooks that they call. Accepting and the transports are native.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
from asyncio import base_events, constants, trsock
from asyncio.log import logger
from collections.abc import Callable
from typing import Any

from mainspring._tls import TlsProtocol

# Private, and so without types.
_set_nodelay: Any = vars(base_events)["_set_nodelay"]


class ServingMethods:
    """The hooks of ``asyncio.BaseEventLoop`` for stream sockets."""

    _acceptors: dict[int, Any]

    def _make_socket_transport(
        self: Any,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        self._refuse_used_socket(sock)
        _set_nodelay(sock)
        if sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            extra = {"sockname": sock.getsockname(), "peername": _peername(sock), **(extra or {})}
        return self._open_socket_transport(sock, protocol, waiter, extra, server, context)

    def _make_ssl_transport(
        self: Any,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: Any,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        self._refuse_used_socket(rawsock)
        tls = TlsProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        self._make_socket_transport(rawsock, tls, extra=extra, server=server, context=context)
        return tls._app_transport

    def _start_serving(
        self: Any,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: Any = None,
        server: Any = None,
        backlog: int = 100,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
        context: contextvars.Context | None = None,
    ) -> None:
        tls = None
        if sslcontext:
            tls = {
                "sslcontext": sslcontext,
                "ssl_handshake_timeout": ssl_handshake_timeout,
                "ssl_shutdown_timeout": ssl_shutdown_timeout,
            }
        self._acceptors[sock.fileno()] = self._accept_on(sock, protocol_factory, server, tls, backlog, context)

    def _stop_serving(self: Any, sock: socket.socket) -> None:
        acceptor = self._acceptors.pop(sock.fileno(), None)
        if acceptor is not None:
            acceptor.stop()
        with self._unix_path_removed(sock):
            sock.close()

    def _report_accept_error(self: Any, acceptor: Any, error: OSError, sock: socket.socket) -> None:
        """Descriptors or memory have run out; the acceptor has stopped watching and goes on in a while."""
        self.call_exception_handler(
            {
                "message": "socket.accept() out of system resource",
                "exception": error,
                "socket": trsock.TransportSocket(sock),
            }
        )
        self.call_later(constants.ACCEPT_RETRY_DELAY, acceptor.resume)

    def _accept_in_python(
        self: Any,
        fd: int,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        listener: socket.socket,
        server: Any,
        tls: dict[str, Any] | None,
        context: contextvars.Context,
    ) -> None:
        """Take over an accepted descriptor of an unusual family."""
        connection = socket.socket(listener.family, listener.type, listener.proto, fileno=fd)
        if self._debug:
            self._log_accepted(server, connection, _peername(connection))
        coro = self._serve_accepted(connection, protocol_factory, server, tls, context)
        self.create_task(coro, context=context)

    async def _serve_accepted(
        self: Any,
        connection: socket.socket,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        server: Any,
        tls: dict[str, Any] | None,
        context: contextvars.Context,
    ) -> None:
        details: dict[str, Any] = {}
        try:
            connection.setblocking(False)
            details["protocol"] = protocol = protocol_factory()
            waiter = self.create_future()
            if tls is not None:
                transport = self._make_ssl_transport(
                    connection,
                    protocol,
                    waiter=waiter,
                    server_side=True,
                    server=server,
                    context=context,
                    **tls,
                )
            else:
                transport = self._make_socket_transport(connection, protocol, waiter, server=server, context=context)
            details["transport"] = transport
            try:
                await waiter
            except BaseException:
                transport.close()
                # The exception would keep the protocol alive through the future.
                waiter = None
                raise
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if "transport" not in details:
                connection.close()
            self._report_failed_accept(error, details)

    def _refuse_used_socket(self: Any, sock: socket.socket) -> None:
        """Since Python 3.12 the default loop refuses a socket that has a transport already."""
        if sys.version_info >= (3, 12):
            self._ensure_fd_no_transport(sock)

    def _log_accepted_descriptor(self: Any, server: Any, address: Any, family: int, proto: int, fd: int) -> None:
        """Debug mode: tell of an accepted descriptor, which stays the caller's."""
        connection = self._make_socket(family, proto, fd)
        if family == socket.AF_UNIX:
            address = _peername(connection)
        try:
            self._log_accepted(server, connection, address)
        finally:
            connection.detach()

    def _log_accepted(self, server: Any, connection: socket.socket, address: Any) -> None:
        logger.debug("%r got a new connection from %r: %r", server, address, connection)

    def _make_closed_socket(self, family: int) -> trsock.TransportSocket:
        """What a transport without a descriptor has for a socket."""
        sock = socket.socket(family or socket.AF_UNIX)
        sock.close()
        return trsock.TransportSocket(sock)

    def _make_socket(self, family: int, proto: int, fd: int) -> socket.socket:
        """The Python socket of a native transport, made when the program asks for it."""
        return socket.socket(family or -1, socket.SOCK_STREAM, proto if family else -1, fileno=fd)

    def _wrap_socket(self, sock: socket.socket) -> trsock.TransportSocket:
        return trsock.TransportSocket(sock)


def _peername(sock: socket.socket) -> Any:
    try:
        return sock.getpeername()
    except OSError:
        return None
