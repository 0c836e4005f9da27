"""Interpreter of programs over one connection, whose other end is a plain socket or another transport.

A program is a `Connection`. Each step is a body of calls made in one callback, by us or by them; between steps
everything settles, so that the order within one end is beyond doubt, and only that is compared. Nodes are tuples of a
name and arguments: `("write", "bytes", 10)` is `do_write("bytes", 10)` of the end that the step belongs to.
"""

import array
import asyncio
import contextlib
import contextvars
import fcntl
import gc
import logging
import re
import socket
import struct
import sys
import tempfile
import termios
import time
import zlib
from asyncio import selector_events
from typing import NamedTuple

from helpers.differential.trace import Trace, described, descriptors_counted, told, watched
from helpers.loops import is_mainspring
from helpers.waiting import turns

# What fits into the kernel's buffers for sure is far below this, and what does not is far above.
KERNEL_BUFFER = 16 * 1024
LARGE = 300_000
REACTIONS = 3
LONGEST_WAIT = 1.0

# The default loop of some releases of 3.12 and 3.13 forgets pause_writing() after writelines().
WRITELINES_PAUSES = not {"_maybe_pause_protocol", "write"}.isdisjoint(
    selector_events._SelectorSocketTransport.writelines.__code__.co_names
)


class Connection(NamedTuple):
    """A program: how the connection is made, how the protocol answers, and what is done with it."""

    steps: tuple
    kind: str = "pair"
    way: str = "adopted"
    protocol: str = "plain"
    reactions: tuple = ()
    keep_open: bool = False
    debug: bool = False
    ending: str = "close"
    after: tuple = ()


class Odd(Exception):
    """Raised by protocols."""


ERRORS = {"odd": Odd, "system": OSError, "cancelled": asyncio.CancelledError, "exit": SystemExit}


def piece(kind, size, number):
    """Something to write, and never twice the same."""
    data = bytes([97 + number % 26]) * size
    match kind:
        case "bytearray":
            return bytearray(data)
        case "view":
            return memoryview(data)
        case "slice":
            return memoryview(b"-" + data + b"-")[1:-1]
        case "array":
            return memoryview(array.array("i", [number]) * (size // 4))
        case "gaps":
            return memoryview(data + data)[::2]
        case "subclass":
            return type("Bytes", (bytes,), {})(data)
        case "text":
            return "x" * size
        case "number":
            return size
        case "nothing":
            return None
    return data


def unacknowledged(fd):
    """The bytes that a TCP socket has sent and that have not arrived in the other's buffer."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0" * 4))[0]


class End:
    """One end of the connection: what it was told, and what its calls came to."""

    def __init__(self, run, name):
        self.run = run
        self.name = name
        self.events = []
        self.written = bytearray()
        self.came = bytearray()
        # What waited to be sent was thrown away: how much of it the system had taken already is not known exactly.
        self.cut = False

    def note(self, *event):
        self.run.progress += 1
        self.events.append(event)

    def note_data(self, data):
        """How data is cut into pieces is up to the system."""
        self.run.progress += 1
        self.came += data
        if self.events and self.events[-1][0] == "data":
            _, size, checksum = self.events[-1]
            self.events[-1] = ("data", size + len(data), zlib.crc32(data, checksum))
        elif data:
            self.events.append(("data", len(data), zlib.crc32(data)))

    def tell(self, other):
        """The events, and whether what came is what the other end has written."""
        last = max((number for number, event in enumerate(self.events) if event[0] == "data"), default=None)
        for number, event in enumerate(self.events):
            if number == last and other.cut:
                event = ("data", "cut")
            yield self.name, number, *event
        yield self.name, "received what was written", other.written.startswith(self.came)

    def call(self, name, function, *args, **keywords):
        try:
            result = function(*args, **keywords)
        except (Exception, SystemExit) as error:
            self.run.look_for_failure(error)
            self.note(name, described(error))
            return False
        self.note(name, told(result))
        return True

    def act(self, node):
        name, *args = node
        getattr(self, f"do_{name}")(*args)


class TransportEnd(End):
    """An end with a transport and a protocol."""

    def __init__(self, run, name):
        super().__init__(run, name)
        self.transport = None
        self.left = REACTIONS
        self.lost = False
        # Closed with something left to send. The default loop does not take such a transport for closed when it calls
        # connection_lost(): writing goes on to the socket, or fails inside the loop.
        self.closed_late = False
        self.buffer = bytearray(1000)

    # --- what the transport calls -------------------------------------------------------------------------------------

    def react(self, event):
        for wanted, body in self.run.program.reactions if self.name == "ours" else ():
            if wanted == event and self.left > 0:
                self.left -= 1
                for node in body:
                    self.act(node)

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        self.fd = sock.fileno()
        self.note("connection_made")
        self.react("connection_made")

    def received(self, data):
        self.note_data(data)
        # How often it is called within a flood is up to the system.
        if len(self.run.theirs.written) < LARGE:
            self.react("data_received")

    def waits(self):
        return self.transport.get_write_buffer_size() > 0

    def eof_received(self):
        self.closed_late = self.waits() and not self.run.program.keep_open
        self.note("eof_received")
        self.react("eof_received")
        return self.run.program.keep_open

    def connection_lost(self, error):
        self.lost = True
        self.cut = self.cut or error is not None
        self.note("connection_lost", described(error))
        self.react("connection_lost")

    def pause_writing(self):
        self.note("pause_writing")
        self.react("pause_writing")

    def resume_writing(self):
        self.note("resume_writing")
        self.react("resume_writing")

    def is_sending(self):
        """Whether something is on its way, if the other end lets it."""
        if self.transport is None or self.lost:
            return False
        return self.waits() or (self.run.over_tcp() and unacknowledged(self.fd) > 0)

    def is_reading(self):
        return self.transport is not None and self.transport.is_reading()

    # --- nodes --------------------------------------------------------------------------------------------------------

    def write(self, method, argument, pieces):
        if self.lost and self.closed_late:
            return
        accepts = not self.transport.is_closing()
        if self.call(method, getattr(self.transport, method), argument) and accepts:
            for data in pieces:
                self.written += data if isinstance(data, bytes) else memoryview(data or b"").tobytes()

    def do_write(self, kind, size):
        # The default loop loses count of items larger than a byte unless the system takes all at once, and looks at
        # the layout of a view only when its turn to be sent has come.
        kind = "bytes" if kind in ("array", "gaps") and self.waits() else kind
        data = piece(kind, size, self.run.number())
        self.write("write", data, [data])

    def do_writelines(self, pieces):
        if sys.version_info >= (3, 15):
            # The default loop keeps what stands before a wrong item, and never sends it.
            wrong = ("gaps", "text", "number", "nothing")
            pieces = [("bytes" if kind in wrong else kind, size) for kind, size in pieces]
        # What was written in this turn is sent now, so that a lost connection is known.
        self.waits()
        if self.transport.is_closing():
            # The default loop fails inside itself, or sends what is never sent by write().
            return
        if self.waits() or any(size == LARGE for _, size in pieces):
            # As for write().
            pieces = [("bytes" if kind == "gaps" else kind, size) for kind, size in pieces]
        chunks = [
            piece(kind, size if WRITELINES_PAUSES else min(size, 1000), self.run.number()) for kind, size in pieces
        ]
        self.write("writelines", chunks, chunks)

    def do_write_eof(self):
        self.call("write_eof", self.transport.write_eof)

    def do_close(self):
        self.closed_late = self.closed_late or (self.waits() and not self.transport.is_closing())
        self.call("close", self.transport.close)

    def do_abort(self):
        if self.lost and self.closed_late:
            return
        self.cut = self.cut or self.waits()
        self.call("abort", self.transport.abort)

    def do_pause(self):
        self.call("pause_reading", self.transport.pause_reading)

    def do_resume(self):
        self.call("resume_reading", self.transport.resume_reading)

    def do_limits(self, high, low):
        self.call("limits", self.transport.set_write_buffer_limits, high, low)

    def do_look(self):
        transport = self.transport
        self.call("is_closing", transport.is_closing)
        self.call("is_reading", transport.is_reading)
        self.call("limits", transport.get_write_buffer_limits)
        self.call("waits", self.waits)
        self.call("socket", lambda: type(transport.get_extra_info("socket")).__name__)
        self.call("names", lambda: [transport.get_extra_info(name) for name in ("peername", "sockname")])
        self.call("protocol", lambda: type(transport.get_protocol()).__name__)
        self.call("repr", lambda: told(transport))

    def do_switch_protocol(self, kind):
        self.call("set_protocol", self.transport.set_protocol, PROTOCOLS[kind](self))

    def do_raise(self, kind):
        raise ERRORS[kind]("raised by the protocol")

    def do_close_server(self):
        if self.run.server is not None:
            self.call("close server", self.run.server.close)

    def do_stop(self):
        self.run.loop.stop()


class _Calls:
    """The calls that both kinds of protocols have."""

    def __init__(self, end):
        self.connection_made = end.connection_made
        self.connection_lost = end.connection_lost
        self.eof_received = end.eof_received
        self.pause_writing = end.pause_writing
        self.resume_writing = end.resume_writing
        self.end = end


class PlainProtocol(_Calls, asyncio.Protocol):
    def data_received(self, data):
        assert type(data) is bytes
        self.end.received(data)


class Buffered(_Calls, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        return self.end.buffer

    def buffer_updated(self, count):
        self.end.received(bytes(self.end.buffer[:count]))


class BufferedWrongly(Buffered):
    def get_buffer(self, hint):
        return bytearray()


class BufferedForReading(Buffered):
    def get_buffer(self, hint):
        return b"x" * 100


PROTOCOLS = {
    "plain": PlainProtocol,
    "buffered": Buffered,
    "empty buffer": BufferedWrongly,
    "read-only buffer": BufferedForReading,
}


class SocketEnd(End):
    """An end that is a plain socket, which does only what it is told."""

    def __init__(self, run, name, sock):
        super().__init__(run, name)
        self.sock = sock
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)

    def do_send(self, size):
        data = piece("bytes", size, self.run.number())
        if self.call("send", self.sock.sendall, data):
            self.written += data

    def do_read(self):
        self.run.reader = self

    def do_shutdown(self):
        self.call("shutdown", self.sock.shutdown, socket.SHUT_WR)

    def do_close(self):
        self.sock.close()

    def do_reset(self):
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()

    def is_sending(self):
        return self.sock.fileno() >= 0 and self.run.over_tcp() and unacknowledged(self.sock.fileno()) > 0

    def is_reading(self):
        return False

    def take(self, data):
        """Note what was received; whether more may come."""
        if not data:
            self.note("read the end")
            return False
        self.note_data(data)
        return True

    async def read_all(self):
        """Read until nothing comes any more."""
        quiet = 0
        deadline = time.monotonic() + LONGEST_WAIT
        while quiet < 3 and self.sock.fileno() >= 0:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                if not self.run.ours.is_sending() or time.monotonic() > deadline:
                    quiet += 1
                await turns(2)
                await asyncio.sleep(0.0005)
                continue
            except OSError as error:
                self.note("read", described(error))
                return
            if not self.take(data):
                return
            quiet = 0
            # The transport sends more as soon as it is told that there is room.
            await asyncio.sleep(0)


class Interpreter:
    """The state of one run of a program."""

    # When everything has settled: so many rounds of so many turns and so many seconds without anything happening.
    QUIET_ROUNDS, QUIET_TURNS, QUIET_TIME = 2, 3, 0.0005

    def __init__(self, loop, program, trace, patience):
        self.loop = loop
        self.ours_is_mainspring = is_mainspring(loop)
        self.program = program
        self.patience = patience
        self.trace = trace
        self.progress = 0
        self.count = 0
        self.server = None
        self.reader = None
        self.ours = TransportEnd(self, "ours")
        self.theirs = End(self, "theirs")

    def number(self):
        self.count += 1
        return self.count

    def look_for_failure(self, error):
        """After abort() of a transport that has closed, for example, the default loop looks for its loop in vain."""
        if not self.ours_is_mainspring and re.search(
            "'NoneType' object (has no attribute|is not callable)", str(error)
        ):
            self.trace.broken = True

    def on_error(self, loop, context):
        self.look_for_failure(context.get("exception"))
        self.progress += 1
        if self.ours.lost and self.ours.closed_late and context["message"].startswith("Exception in callback"):
            # The default loop calls connection_lost() from a callback that it has cancelled, and names that None.
            self.trace.add("handler", "connection_lost", described(context["exception"]))
            return
        self.trace.add_error_context(context)

    # --- making the connection ----------------------------------------------------------------------------------------

    def listener(self, folder):
        if self.program.kind == "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{folder}/socket")
            listener.listen()
            return listener
        listener = socket.create_server(("127.0.0.1", 0))
        # Accepted sockets inherit it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
        return listener

    def connect(self, listener):
        sock = socket.socket(listener.family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
        sock.connect(listener.getsockname())
        return sock

    def make_ours(self):
        return PROTOCOLS[self.program.protocol](self.ours)

    async def open(self, folder):
        loop, way = self.loop, self.program.way
        if self.program.kind == "pair":
            one, other = socket.socketpair()
            one.setblocking(False)
            await loop.create_connection(self.make_ours, sock=one)
            if way == "both":
                other.setblocking(False)
                self.theirs = TransportEnd(self, "theirs")
                await loop.create_connection(lambda: PlainProtocol(self.theirs), sock=other)
            else:
                self.theirs = SocketEnd(self, "theirs", other)
            return
        listener = self.listener(folder)
        unix = self.program.kind == "unix"
        if way in ("accepted", "both"):
            listener.setblocking(False)
            serve = loop.create_unix_server if unix else loop.create_server
            self.server = await serve(self.make_ours, sock=listener)
            if way == "both":
                self.theirs = TransportEnd(self, "theirs")
                await self.connect_by_name(listener, lambda: PlainProtocol(self.theirs))
            else:
                self.theirs = SocketEnd(self, "theirs", self.connect(listener))
            deadline = time.monotonic() + 5
            while self.ours.transport is None and time.monotonic() < deadline:
                await asyncio.sleep(0.0005)
            return
        with listener:
            if way == "adopted":
                sock = self.connect(listener)
                sock.setblocking(False)
                await loop.create_connection(self.make_ours, sock=sock)
            else:
                await self.connect_by_name(listener, self.make_ours)
            self.theirs = SocketEnd(self, "theirs", listener.accept()[0])

    async def connect_by_name(self, listener, factory):
        if listener.family == socket.AF_UNIX:
            return await self.loop.create_unix_connection(factory, listener.getsockname())
        return await self.loop.create_connection(factory, *listener.getsockname())

    # --- running ------------------------------------------------------------------------------------------------------

    async def settle(self):
        """Wait until nothing happens any more."""
        quiet = 0
        deadline = time.monotonic() + LONGEST_WAIT
        while quiet < self.QUIET_ROUNDS:
            before = self.progress
            await turns(self.QUIET_TURNS)
            # Any time makes the loop ask the system.
            await asyncio.sleep(self.QUIET_TIME * self.patience)
            quiet = quiet + 1 if self.progress == before else 0
            if self.is_under_way() and time.monotonic() < deadline:
                quiet = 0

    def over_tcp(self):
        return self.program.kind == "tcp"

    def is_under_way(self):
        return (self.ours.is_sending() and self.theirs.is_reading()) or (
            self.theirs.is_sending() and self.ours.is_reading()
        )

    async def main(self, folder):
        await self.open(folder)
        await self.settle()
        for who, body in self.program.steps:
            end = self.ours if who == "ours" else self.theirs
            for node in body:
                end.act(node)
            if self.reader is not None:
                await self.reader.read_all()
                self.reader = None
            await self.settle()
            for each in (self.ours, self.theirs):
                each.note("settled")
        if self.program.ending == "loop":
            return
        self.ours.do_look()
        getattr(self.ours, f"do_{self.program.ending}")()
        await self.settle()
        await self.close_theirs()
        # What still waits to be written has nobody to go to.
        if not self.ours.lost:
            self.ours.do_abort()
        await self.settle()
        self.ours.do_look()
        for node in self.program.after:
            self.ours.act(node)
        await self.settle()

    async def close_theirs(self):
        if isinstance(self.theirs, TransportEnd):
            if not self.theirs.lost:
                self.theirs.do_look()
                self.theirs.do_resume()
                await self.settle()
                self.theirs.do_abort()
        else:
            await self.theirs.read_all()
            self.theirs.sock.close()
        await self.settle()

    def hangs(self, main):
        self.trace.add("hangs", [frame.f_code.co_name for frame in main.get_stack()])
        main.cancel()

    def run(self, folder):
        main = self.loop.create_task(self.main(folder))
        self.loop.call_later(10 * LONGEST_WAIT, self.hangs, main)
        for _ in range(10):
            try:
                self.loop.run_until_complete(main)
            except (Odd, AssertionError):
                raise
            except BaseException as error:
                if main.done() and not main.cancelled():
                    raise
                # An exit of a protocol, or a stop: the program goes on.
                self.trace.add("left the loop", described(error))
            if main.done():
                break
        if self.server is not None:
            self.server.close()
            self.loop.run_until_complete(turns(2))
        self.loop.close()
        if self.program.ending == "loop":
            for node in self.program.after:
                with contextlib.suppress(*ERRORS.values()):
                    self.ours.act(node)
            if isinstance(self.theirs, SocketEnd):
                self.theirs.sock.close()

    def tell(self):
        """Put together what the ends tell."""
        reports = self.trace.events
        if self.program.way == "both":
            # Which end comes first is nobody's promise.
            reports = sorted(reports, key=repr)
        self.trace.events = [
            *self.ours.tell(self.theirs),
            *self.theirs.tell(self.ours),
            *reports,
        ]


def run_connection(make_loop, program, patience=1):
    """The trace of a program on a new loop."""
    return contextvars.Context().run(_run, make_loop, program, patience)


def _run(make_loop, program, patience):
    trace = Trace()
    level = logging.DEBUG if program.debug else logging.WARNING
    with tempfile.TemporaryDirectory(prefix="alike-") as folder, descriptors_counted(trace):
        loop = make_loop()
        with watched(trace, level):
            try:
                loop.set_debug(program.debug)
                loop.slow_callback_duration = 60
                interpreter = Interpreter(loop, program, trace, patience)
                loop.set_exception_handler(interpreter.on_error)
                interpreter.run(folder)
                interpreter.tell()
            finally:
                loop.close()
            del interpreter, loop
            gc.collect()
    return trace
