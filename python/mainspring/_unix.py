"""UNIX domain sockets: making them, and cleaning up after them (asyncio documentation, "Networking")."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import sys
from asyncio.log import logger
from collections.abc import Callable, Iterator
from typing import Any

# Servers remove their socket's path since Python 3.13.
_CLEANS_UP = sys.version_info >= (3, 13)

_Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class UnixMethods:
    """``create_unix_connection`` and ``create_unix_server``."""

    _unix_server_sockets: dict[socket.socket, int]

    async def create_unix_connection(
        self: Any,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        path: _Path | None = None,
        *,
        ssl: Any = None,
        sock: socket.socket | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connect to the UNIX socket at ``path``, which may be an abstract name, or use ``sock``.

        Raises ValueError for arguments that exclude each other and OSError when connecting fails.
        """
        assert server_hostname is None or isinstance(server_hostname, str)
        if ssl:
            if server_hostname is None:
                raise ValueError("you have to pass server_hostname when using ssl")
        elif server_hostname is not None:
            raise ValueError("server_hostname is only meaningful with ssl")
        _check_tls_timeouts(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if path is not None:
            if sock is not None:
                raise ValueError("path and sock can not be specified at the same time")
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                await self.sock_connect(sock, os.fspath(path))
            except BaseException:
                sock.close()
                raise
        else:
            if sock is None:
                raise ValueError("no path and sock were specified")
            _check_stream(sock)
            sock.setblocking(False)
        return await self._create_connection_transport(
            sock,
            protocol_factory,
            ssl,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )

    async def create_unix_server(
        self: Any,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        path: _Path | None = None,
        *,
        sock: socket.socket | None = None,
        backlog: int = 100,
        ssl: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
        cleanup_socket: bool = _CLEANS_UP,
    ) -> asyncio.AbstractServer:
        """Serve on a UNIX socket at ``path``, replacing a stale one, or on ``sock``.

        With ``cleanup_socket`` (the default since Python 3.13) closing the server removes the path, if it is still the
        server's own. Raises OSError when the address is in use and ValueError for arguments that exclude each other.
        """
        if cleanup_socket and not _CLEANS_UP:
            raise TypeError("create_unix_server() got an unexpected keyword argument 'cleanup_socket'")
        if isinstance(ssl, bool):
            raise TypeError("ssl argument must be an SSLContext or None")
        _check_tls_timeouts(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if path is not None:
            if sock is not None:
                raise ValueError("path and sock can not be specified at the same time")
            sock = _bound_socket(os.fspath(path))
        elif sock is None:
            raise ValueError("path was not specified, and no sock specified")
        else:
            _check_stream(sock)
        if cleanup_socket:
            name = sock.getsockname()
            if not _is_abstract(name):
                with contextlib.suppress(FileNotFoundError):
                    self._unix_server_sockets[sock] = os.stat(name).st_ino
        sock.setblocking(False)
        server: Any = asyncio.base_events.Server(
            self, [sock], protocol_factory, ssl, backlog, ssl_handshake_timeout, ssl_shutdown_timeout
        )
        if start_serving:
            server._start_serving()
            await asyncio.sleep(0)
        return server

    @contextlib.contextmanager
    def _unix_path_removed(self, sock: socket.socket) -> Iterator[None]:
        """Remove the path of a server's socket once the socket has been closed, if it is still that socket's."""
        inode = self._unix_server_sockets.pop(sock, None)
        path = sock.getsockname() if inode is not None else None
        yield
        if path is None:
            return
        try:
            if os.stat(path).st_ino == inode:
                os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.error("Unable to clean up listening UNIX socket %r: %r", path, error)


def _check_tls_timeouts(ssl: Any, handshake: float | None, shutdown: float | None) -> None:
    if ssl:
        return
    if handshake is not None:
        raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
    if shutdown is not None:
        raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")


def _check_stream(sock: socket.socket) -> None:
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")


def _is_abstract(name: str | bytes) -> bool:
    return name[0] in (0, "\x00")


def _bound_socket(path: str | bytes) -> socket.socket:
    """A socket bound to ``path``, in place of one that an earlier process left behind."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not _is_abstract(path):
            try:
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.remove(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                # The directory may allow creating sockets and nothing else.
                logger.error("Unable to check or remove stale UNIX socket %r: %r", path, error)
        sock.bind(path)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
        raise
    except BaseException:
        sock.close()
        raise
    return sock
