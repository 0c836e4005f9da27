"""Operations on sockets that the program owns (asyncio documentation, "Working with socket objects directly").

Most of them are native (src/sockets/) for what programs usually pass: a non-blocking socket that is exactly
``socket.socket``, and arguments of the usual types. The methods here do the rest: subclasses and other objects that
behave like sockets, blocking sockets, arguments by name and wrong ones, host names, debug mode.

Each tries the system call first; only when it would block, a future waits for the descriptor. Cancelling the future
removes the registration, unless a later operation has replaced it.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
from collections.abc import Callable
from typing import IO, Any, TypeVar

_T = TypeVar("_T")
_Buffer = bytearray | memoryview
_Data = bytes | bytearray | memoryview

# Private, and so without types.
_check_ssl_socket: Any = vars(asyncio.base_events)["_check_ssl_socket"]

# The most bytes of one sendfile(2) call on any system.
_MOST_SENT = 2**30


class SocketMethods:
    """The ``sock_*`` methods.

    All of them raise ValueError for a blocking socket in debug mode, and OSError as the socket itself does.
    """

    def _check_socket(self: Any, sock: socket.socket) -> None:
        _check_ssl_socket(sock)
        if self._debug and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")

    async def sock_recv(self: Any, sock: socket.socket, n: int) -> bytes:
        """Receive up to ``n`` bytes; empty when the peer has closed its side."""
        self._check_socket(sock)
        data: bytes = await self._perform(sock, self._add_reader, self._remove_reader, lambda: sock.recv(n))
        self._count_bytes(len(data), 0)
        return data

    async def sock_recv_into(self: Any, sock: socket.socket, buf: _Buffer) -> int:
        """Receive into ``buf``; the number of bytes written to it."""
        self._check_socket(sock)
        size: int = await self._perform(sock, self._add_reader, self._remove_reader, lambda: sock.recv_into(buf))
        self._count_bytes(size, 0)
        return size

    async def sock_recvfrom(self: Any, sock: socket.socket, bufsize: int) -> tuple[bytes, Any]:
        """Receive a datagram of up to ``bufsize`` bytes, with its sender's address."""
        self._check_socket(sock)
        received: tuple[bytes, Any] = await self._perform(
            sock, self._add_reader, self._remove_reader, lambda: sock.recvfrom(bufsize)
        )
        self._count_bytes(len(received[0]), 0)
        return received

    async def sock_recvfrom_into(self: Any, sock: socket.socket, buf: _Buffer, nbytes: int = 0) -> tuple[int, Any]:
        """Receive a datagram into ``buf``, at most ``nbytes`` of it (the size of ``buf`` by default)."""
        self._check_socket(sock)
        size = nbytes or len(buf)
        received: tuple[int, Any] = await self._perform(
            sock, self._add_reader, self._remove_reader, lambda: sock.recvfrom_into(buf, size)
        )
        self._count_bytes(received[0], 0)
        return received

    async def sock_sendall(self: Any, sock: socket.socket, data: _Data) -> None:
        """Send all of ``data``. After an error nothing says how much the peer has received."""
        self._check_socket(sock)
        try:
            sent = sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        self._count_bytes(0, sent)
        if sent == len(data):
            return
        rest = memoryview(data).cast("B")

        def attempt() -> None:
            nonlocal sent
            more = sock.send(rest[sent:])
            self._count_bytes(0, more)
            sent += more
            if sent < len(rest):
                raise BlockingIOError

        await self._perform(sock, self._add_writer, self._remove_writer, attempt, try_now=False)

    async def sock_sendto(self: Any, sock: socket.socket, data: _Data, address: Any) -> int:
        """Send a datagram to ``address``; the number of bytes sent."""
        self._check_socket(sock)
        sent: int = await self._perform(
            sock, self._add_writer, self._remove_writer, lambda: sock.sendto(data, 0, address)
        )
        self._count_bytes(0, sent)
        return sent

    async def sock_accept(self: Any, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Accept a connection: its socket, which is non-blocking, and the peer's address."""
        self._check_socket(sock)

        def attempt() -> tuple[socket.socket, Any]:
            connection, address = sock.accept()
            connection.setblocking(False)
            return connection, address

        return await self._perform(sock, self._add_reader, self._remove_reader, attempt)

    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> None:
        """Connect ``sock`` to ``address``; resolves host names."""
        self._check_socket(sock)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            resolved = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            address = resolved[0][4]
        try:
            sock.connect(address)
            return
        except (BlockingIOError, InterruptedError):
            pass

        def attempt() -> None:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error != 0:
                raise OSError(error, f"Connect call failed {address}")

        await self._perform(sock, self._add_writer, self._remove_writer, attempt, try_now=False)

    async def _perform(
        self: Any,
        sock: socket.socket,
        add: Callable[..., Any],
        remove: Callable[[int], bool],
        attempt: Callable[[], _T],
        *,
        try_now: bool = True,
    ) -> _T:
        """The result of ``attempt``, once it does not raise BlockingIOError any more."""
        if try_now:
            try:
                return attempt()
            except (BlockingIOError, InterruptedError):
                pass
        fd = sock.fileno()
        self._ensure_fd_no_transport(fd)
        future = self.create_future()
        watcher = add(fd, _attempt, future, attempt)

        def forget(_: asyncio.Future[_T]) -> None:
            # A cancelled watcher has been replaced by a later operation, perhaps on another socket of this number.
            if not watcher.cancelled():
                remove(fd)

        future.add_done_callback(forget)
        try:
            return await future
        finally:
            # The exception of the future refers to this frame.
            del future

    # --- sendfile ------------------------------------------------------------------------------------------------

    async def _sock_sendfile_native(self: Any, sock: socket.socket, file: IO[bytes], offset: int, count: int) -> int:
        try:
            source = file.fileno()
            size = os.fstat(source).st_size
        except (AttributeError, io.UnsupportedOperation, OSError):
            raise asyncio.SendfileNotAvailableError("not a regular file") from None
        if not (count or size):
            return 0
        total = 0
        position = offset

        def attempt() -> int:
            nonlocal total, position
            while True:
                most = min(count - total if count else size, _MOST_SENT)
                if most <= 0:
                    return total
                sent = os.sendfile(sock.fileno(), source, position, most)
                if sent == 0:
                    return total
                self._count_bytes(0, sent)
                total += sent
                position += sent

        try:
            return await self._perform(sock, self._add_writer, self._remove_writer, attempt)
        except OSError as error:
            if total == 0 and not isinstance(error, ConnectionError):
                # Not a file that can be mapped: the caller reads and sends.
                raise asyncio.SendfileNotAvailableError("os.sendfile call failed") from error
            raise
        finally:
            os.lseek(source, position, os.SEEK_SET)

    async def _sendfile_native(self: Any, transport: Any, file: IO[bytes], offset: int, count: int) -> int:
        wrapped = transport.get_extra_info("socket")
        if wrapped is None:
            raise asyncio.SendfileNotAvailableError("the transport has no socket")
        sock = wrapped._sock
        fd = sock.fileno()
        resume_reading = transport.is_reading()
        transport.pause_reading()
        await transport._make_empty_waiter()
        self._set_transport(fd, None)
        try:
            return await self.sock_sendfile(sock, file, offset, count, fallback=False)
        finally:
            self._set_transport(fd, transport)
            transport._reset_empty_waiter()
            if resume_reading:
                transport.resume_reading()


def _attempt(future: asyncio.Future[_T], attempt: Callable[[], _T]) -> None:
    if future.done():
        return
    try:
        result = attempt()
    except (BlockingIOError, InterruptedError):
        return
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        # The traceback of the error refers to this frame.
        del future
