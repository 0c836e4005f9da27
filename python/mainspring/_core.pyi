"""The native part of mainspring. Programs use the names of the package; these are what it is made of."""

import asyncio
from asyncio.transports import _FlowControlMixin
from collections.abc import Callable, Coroutine, Generator, Iterable
from concurrent.futures import Executor
from contextvars import Context
from socket import socket
from typing import Any, SupportsFloat, TypeVar, final

from typing_extensions import disjoint_base

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
__version__: str

# Whether it was built with what every POSIX system has, in the place of what is Linux's.
PORTABLE: bool
_FileDescriptor = int | Any  # anything with fileno()

@disjoint_base
class Handle:
    """A callback waiting to run: what ``call_soon`` returns (asyncio documentation, "Callback Handles").

    ``isinstance(handle, asyncio.Handle)`` holds. A handle keeps its loop, its callback and the arguments alive until
    it has run or has been cancelled and dropped.
    """

    def cancel(self) -> None:
        """Do not run the callback. Its references are dropped at once. Nothing happens if it ran already."""
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
    def get_context(self) -> Context:
        """The context in which the callback runs."""

@final
class TimerHandle(Handle):
    """A callback waiting for its time: what ``call_later`` and ``call_at`` return.

    Compares and hashes as ``asyncio.TimerHandle`` does: by time, then equality of callback, arguments and state.
    """

    def when(self) -> float:
        """The time at which it is due, in seconds of ``loop.time()``."""
    def __lt__(self, other: object, /) -> bool: ...
    def __le__(self, other: object, /) -> bool: ...
    def __gt__(self, other: object, /) -> bool: ...
    def __ge__(self, other: object, /) -> bool: ...

@final
class SocketTransport(asyncio.Transport):
    """A transport over a connected stream socket (asyncio documentation, "Transports and Protocols").

    Owns its descriptor until ``connection_lost`` has been called: the number cannot come back as another connection
    before. Made by the loop only.
    """

    max_size: int
    """The most bytes that one ``data_received`` gets: 256 KiB."""

    def write(self, data: bytes | bytearray | memoryview) -> None:  # type: ignore[override]
        """Queue ``data`` and send it, with everything else of this turn, when the turn's callbacks have run.

        ``bytes`` are kept by reference until they are sent; anything mutable is copied, so it may change afterwards.
        Sent at once when the queue passes the high water mark or 64 KiB, or outside of a running loop. Raises
        TypeError for other types and RuntimeError after ``write_eof``. Errors of the connection go to
        ``connection_lost``.
        """
    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """``write`` for each of several chunks, which are never joined."""
    def get_write_buffer_size(self) -> int:
        """The bytes that the kernel has not taken yet. What was written in this turn is offered to it first."""
    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high water mark, in bytes; 16 KiB and 64 KiB by default."""
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the water marks, in bytes. Raises ValueError unless ``high >= low >= 0``."""

@final
class DatagramTransport(_FlowControlMixin, asyncio.DatagramTransport):
    """A transport of datagrams over UDP or a UNIX socket (asyncio documentation, "Datagram Transports").

    Owns its descriptor until ``connection_lost`` has been called. Made by the loop only.
    """

    max_size: int
    """The longest datagram that ``datagram_received`` gets whole: 256 KiB."""

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send a datagram, at once if the kernel takes it; a copy waits otherwise. An empty one is sent as well.

        Raises TypeError for other types and ValueError for an address other than that of a connected socket. Errors
        of the network go to ``error_received``.
        """

@final
class PipeReader(asyncio.ReadTransport):
    """A transport that reads from a pipe, FIFO, terminal or socket ("UNIX pipes"). Made by the loop only.

    Owns the file object that it was given, and closes it in the end.
    """

    max_size: int
    """The most bytes that one ``data_received`` gets: 256 KiB."""

@final
class PipeWriter(asyncio.WriteTransport):
    """A transport that writes to a pipe, FIFO, terminal or socket. Made by the loop only.

    Owns the file object that it was given, and closes it in the end. Writes are gathered as a SocketTransport's are.
    """

@disjoint_base
class TlsProtocol:
    """The native half of the protocol between a stream transport and a TLS transport.

    Has the fields of ``asyncio.sslproto.SSLProtocol`` that the path of the data needs, under their names. The
    environment variable ``MAINSPRING_TLS=python`` leaves that path to the ``ssl`` module.
    """

    def _do_read(self) -> None: ...
    def _process_outgoing(self) -> None: ...

class TlsWriting:
    """The native methods of a TLS transport.

    They encrypt at once what is plain data on an established connection, and leave everything else to asyncio's
    ``_SSLProtocolTransport``, with its checks and errors.
    """

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send ``data``; TypeError for other types. Copied before it returns."""
    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """``write`` for each of several chunks, sent together."""

@final
class Acceptor:
    """Accepts connections from one listening socket, which it keeps alive but does not own."""

    @property
    def server(self) -> Any:
        """The server that it accepts for, None without one."""
    def resume(self) -> None:
        """Go on accepting after descriptors had run out. Does nothing once stopped."""
    def stop(self) -> None:
        """Accept no more. Idempotent."""

@final
class SocketOperation(Coroutine[Any, Any, _T_co]):
    """The coroutine of ``sock_recv`` or one of its relatives, without a frame. Made by the loop only.

    It tries the system call when it is awaited, and waits only if that would block. Cancelling the task that awaits it
    ends the wait; what has not been received by then is there for the next operation.
    """

    __name__: str
    __qualname__: str

    cr_running: bool
    cr_origin: None

    def __await__(self) -> Generator[Any, None, _T_co]: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, typ: Any, val: Any = None, tb: Any = None, /) -> Any: ...
    def close(self) -> None: ...

@final
class PendingCall:
    """A call of ``run_in_executor`` that has not begun, in the hands of its pool: an item of its queue."""

    @property
    def future(self) -> PendingCall:
        """Itself: what the pool cancels."""
    def run(self, *args: Any) -> None:
        """Call the function, once, and leave the result to the loop. ``args`` are the pool's and ignored."""
    def cancel(self) -> None:
        """Do not call it: the loop cancels its future."""

@final
class WorkQueue:
    """What the threads of the loop's pool wait on.

    Stands in for the ``SimpleQueue`` and for the semaphore of idle threads of ``ThreadPoolExecutor``.
    """

    def __init__(self) -> None: ...
    def put(self, item: object, /) -> None:
        """Append an item. A ``PendingCall`` becomes a native call again."""
    def get(self, block: bool = True) -> Any:
        """Run native calls until there is another item, however long that takes, and return it."""
    def get_nowait(self) -> Any:
        """Take the first item. Raises ``queue.Empty``."""
    def qsize(self) -> int:
        """How many items wait."""
    def empty(self) -> bool:
        """Whether no item waits."""
    def acquire(self, *, timeout: float = 0) -> bool:
        """Whether an idle thread is left for each item that waits. Never blocks."""
    def release(self) -> None:
        """Nothing: ``get`` knows which threads are idle."""

@final
class VirtualClock:
    """The clock of loops in virtual time, for tests; ``loop.time()`` is its ``time()``.

    It stands still while callbacks run. When a loop has nothing ready, it moves the clock to its next timer at once,
    unless calls in executors or child processes of the loop have not ended: timers wait for those in real time, and
    ``patience`` says how long nothing may happen until they go on. When something was sent, received or newly watched
    since the clock moved last, and the other end of a connection is not in the loop, timers wait for an answer for at
    most ``grace``.

    A clock drives one running loop at a time; another one can use it later and goes on from the same moment.
    """

    def __init__(self, start: float = 0.0, *, patience: float = 10.0, grace: float = 0.1) -> None:
        """A clock that begins at ``start``. All are seconds, ``patience`` and ``grace`` real ones; ``math.inf`` is one.

        Raises ValueError for what is negative or no number, and for a ``start`` beyond 4e9.
        """
    def time(self) -> float:
        """The present in seconds, counted in whole nanoseconds. Never goes back."""
    def advance(self, seconds: float) -> None:
        """Move the clock on, as if so much time had passed in the callback that calls this.

        Timers that are due then run in the next turn, in order. Any thread may call it. Raises ValueError for what is
        negative, no number, or too far.
        """

@final
class Watch:
    """The native half of a watchdog. It holds no loop."""

    def wait(self) -> tuple[float, bool, Any, Any, Any] | None:
        """Wait, without the GIL, until the loop is blocked or no longer; None when it has been stopped.

        ``(seconds, False, loop, what, frame)`` of a block that goes on: ``what`` is the Handle or the transport that is
        being served, a descriptor's number, or None, and ``frame`` where the loop's thread is. ``(seconds, True, None,
        callback, None)`` of one that is over, with what it called if it had not been returned before.
        """
    def goes_on(self) -> bool:
        """Whether the block that ``wait`` returned last goes on."""
    def stop(self) -> None:
        """End ``wait``, from another thread."""

class Loop:
    """The native half of ``mainspring.Loop``: what runs per callback, per event or per accepted connection."""

    _debug: bool
    _closed: bool
    _stopping: bool
    _native_streams: bool
    """Whether connections that are made from now on use native streams (``MAINSPRING_NATIVE_STREAMS``)."""
    _thread_id: int | None
    _task_factory: Callable[..., Any] | None
    _current_handle: Handle | None
    _default_executor: Executor | None
    _executor_shutdown_called: bool

    def _watch(self, threshold: float, /) -> Watch: ...
    def __init__(self) -> None:
        """Raises OSError when the process has no descriptors left.

        A loop needs four, two more to run, and one more once a ``sock_*`` operation has to wait.
        """
    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Handle:
        """Run ``callback(*args)`` in the next turn. RuntimeError when the loop is closed."""
    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """``call_soon`` for other threads; wakes the loop if it waits."""
    def call_later(
        self,
        delay: SupportsFloat,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> TimerHandle:
        """Run ``callback(*args)`` after ``delay`` seconds: never earlier, and later only by what the machine needs.

        A negative or NaN delay is due at once. TypeError when it is no number.
        """
    def call_at(
        self, when: SupportsFloat, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Run ``callback(*args)`` when ``time()`` has reached ``when``. Timers for one time run in order."""
    def time(self) -> float:
        """The present in seconds: the clock of ``time.monotonic()``, to the nanosecond."""
    def create_future(self) -> asyncio.Future[Any]:
        """A new ``asyncio.Future`` of this loop."""
    def create_task(self, coro: Coroutine[Any, Any, _T], **kwargs: Any) -> asyncio.Task[_T]:
        """Schedule a coroutine. ``kwargs`` are those of ``asyncio.Task``, or what the task factory accepts."""
    def stop(self) -> None:
        """End ``run_forever`` after this turn."""
    def is_running(self) -> bool:
        """Whether the loop runs, in whatever thread."""
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
    def get_debug(self) -> bool:
        """Whether debug mode is on."""
    def run_in_executor(self, executor: Executor | None, func: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:
        """Call ``func(*args)`` in the executor, or in the loop's own pool of threads.

        Cancelling the future before the call has begun cancels the call. Raises RuntimeError when the loop is closed or
        its pool has been shut down.
        """
    def add_reader(self, fd: _FileDescriptor, callback: Callable[..., object], *args: Any) -> None:
        """Run ``callback(*args)`` in each turn in which ``fd`` can be read.

        The descriptor stays the program's: remove it before closing it. Its blocking mode is not changed. Raises
        ValueError for what is no descriptor, PermissionError for what cannot be polled (a regular file), and
        RuntimeError for the descriptor of an open transport.
        """
    def add_writer(self, fd: _FileDescriptor, callback: Callable[..., object], *args: Any) -> None:
        """``add_reader`` for writing."""
    def remove_reader(self, fd: _FileDescriptor) -> bool:
        """Stop watching; whether there was a reader."""
    def remove_writer(self, fd: _FileDescriptor) -> bool:
        """Stop watching; whether there was a writer."""
    def sock_recv(self, sock: socket, n: int) -> Coroutine[Any, Any, bytes]:
        """Receive up to ``n`` bytes; empty when the peer has closed its side.

        This and the others raise OSError as the socket itself does and RuntimeError for the descriptor of a transport.
        A second operation that waits on a socket in the same direction replaces the first, which is not completed.
        """
    def sock_recv_into(self, sock: socket, buf: bytearray | memoryview) -> Coroutine[Any, Any, int]:
        """Receive into ``buf``; the number of bytes written to it."""
    def sock_recvfrom(self, sock: socket, bufsize: int) -> Coroutine[Any, Any, tuple[bytes, Any]]:
        """Receive a datagram of up to ``bufsize`` bytes, with its sender's address."""
    def sock_recvfrom_into(
        self, sock: socket, buf: bytearray | memoryview, nbytes: int = 0
    ) -> Coroutine[Any, Any, tuple[int, Any]]:
        """Receive a datagram into ``buf``, at most ``nbytes`` of it (the size of ``buf`` by default)."""
    def sock_sendall(self, sock: socket, data: bytes | bytearray | memoryview) -> Coroutine[Any, Any, None]:
        """Send all of ``data``. After an error nothing says how much the peer has received."""
    def sock_sendto(self, sock: socket, data: bytes | bytearray | memoryview, address: Any) -> Coroutine[Any, Any, int]:
        """Send a datagram to ``address``; the number of bytes sent."""
    def sock_accept(self, sock: socket) -> Coroutine[Any, Any, tuple[socket, Any]]:
        """Accept a connection: its socket, which is non-blocking, and the peer's address."""
    def sock_connect(self, sock: socket, address: Any) -> Coroutine[Any, Any, None]:
        """Connect `sock` to `address`; resolves host names."""
    def _use_clock(self, clock: VirtualClock, /) -> None: ...
    def _get_clock(self) -> VirtualClock: ...
    def _begin_work(self) -> int: ...
    def _end_work(self, number: int, /) -> None: ...
    def _check_closed(self) -> None: ...
    def _add_reader(self, fd: _FileDescriptor, callback: Callable[..., object], *args: Any) -> Handle: ...
    def _add_writer(self, fd: _FileDescriptor, callback: Callable[..., object], *args: Any) -> Handle: ...
    def _watch_exit(self, pidfd: int, callback: Callable[..., object], /, *args: Any) -> None: ...
    def _remove_reader(self, fd: _FileDescriptor, /) -> bool: ...
    def _remove_writer(self, fd: _FileDescriptor, /) -> bool: ...
    def _ensure_fd_no_transport(self, fd: _FileDescriptor, /) -> None: ...
    def _open_transports(self) -> list[asyncio.BaseTransport]: ...
    def _run(self, handles_signals: bool, /) -> None: ...
    def _close(self) -> None: ...
    def _open_signal_pipe(self) -> int: ...
    def _forward_signals_to(self, fd: int, /) -> None: ...
    def _make_handle(self, callback: Callable[..., object], *args: Any) -> Handle: ...
    def _add_callback(self, handle: Handle, /) -> None: ...
    def _read_metrics(self) -> dict[str, Any]: ...
    def _set_metrics(self, enabled: bool, /) -> None: ...
    def _count_bytes(self, received: int, sent: int) -> None: ...
    def _open_socket_transport(
        self,
        sock: socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None,
        extra: dict[str, Any] | None,
        server: Any,
        context: Context | None,
        /,
    ) -> SocketTransport: ...
    def _accept_on(
        self,
        sock: socket,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        server: Any,
        tls: dict[str, Any] | None,
        backlog: int,
        context: Context | None,
        /,
    ) -> Acceptor: ...
    def _drive_tls(self, protocol: TlsProtocol, /) -> bool: ...
    def _finds_tls_pointers(self, raw: object, context: object, incoming: object, outgoing: object, /) -> bool: ...
