"""A loop with one transport and its peer, which does one step after another and tells what could be seen of it."""

import asyncio
import contextlib
import contextvars
import os
import tempfile
import time
from typing import NamedTuple

from helpers.differential.connections import PROTOCOLS, Interpreter, SocketEnd
from helpers.differential.trace import Trace
from helpers.loops import is_mainspring
from helpers.machines.pipes import PipeEnd, PipePeer
from helpers.machines.tls import TlsSocketEnd, TlsTransportEnd
from helpers.waiting import turns

MOST_REPORTS = 50


class Setting(NamedTuple):
    """How a transport is made, and how its protocol answers: what ends read of a program."""

    kind: str
    protocol: str = "plain"
    keep_open: bool = False
    debug: bool = False
    reactions: tuple = ()


def state_of(transport, is_pipe):
    """What a transport says of itself."""
    state = {}
    names = ["is_closing", "is_reading", "get_write_buffer_size", "get_protocol"]
    if not is_pipe:
        names.append("get_write_buffer_limits")
    for name in names:
        try:
            value = getattr(transport, name)()
        except (AttributeError, NotImplementedError):
            # The default loop's pipes have fewer methods.
            continue
        # How much the system takes is not known exactly.
        if name == "get_write_buffer_size" and isinstance(value, int):
            value = value > 0
        state[name] = value if isinstance(value, (bool, tuple)) else type(value).__name__
    return state


def without_kind_of_reset(event):
    """An event of the peer's socket. Which of its calls gets which error of a lost connection is up to the system."""
    lost = ("BrokenPipeError", "ConnectionResetError")
    return tuple("lost" if isinstance(part, tuple) and part[:1] and part[0] in lost else part for part in event)


class World(Interpreter):
    """One connection on one loop: TCP, UNIX, TLS or a pipe."""

    # What a socket on this machine is sent is there at once, and there are many steps.
    QUIET_ROUNDS, QUIET_TURNS, QUIET_TIME = 3, 2, 0.00005

    def __init__(self, factory, setting, contexts):
        self.contexts = contexts
        loop = factory()
        loop.set_debug(setting.debug)
        loop.slow_callback_duration = 60
        super().__init__(loop, setting, Trace(), patience=1)
        self.ours_is_mainspring = is_mainspring(loop)
        loop.set_exception_handler(self.on_error)
        self.make_ends()
        self.run_in_loop(self.open())

    def make_ends(self):
        if self.program.kind.startswith("tls"):
            self.ours = TlsTransportEnd(self, "ours")
        elif "pipe" in self.program.kind:
            self.ours = PipeEnd(self, "ours")

    def run_in_loop(self, coroutine):
        try:
            return contextvars.Context().run(self.loop.run_until_complete, coroutine)
        except RuntimeError:
            # Stopped by on_error().
            if not self.trace.broken:
                raise

    def on_error(self, loop, context):
        super().on_error(loop, context)
        if len(self.trace.events) > MOST_REPORTS:
            # The default loop calls the same failing callback again and again.
            self.trace.broken = True
            loop.stop()

    # --- for the ends -------------------------------------------------------------------------------------------------

    def over_tcp(self):
        # Nobody waits for acknowledgements, which the kernel delays: what is sent to this machine is there at once.
        return False

    # --- making the connection ----------------------------------------------------------------------------------------

    async def open(self):
        kind, factory = self.program.kind, lambda: PROTOCOLS[self.program.protocol](self.ours)
        if "pipe" in kind:
            reading, writing = os.pipe()
            if kind == "read pipe":
                self.theirs = SocketEnd(self, "theirs", PipePeer(writing))
                await self.loop.connect_read_pipe(factory, open(reading, "rb", 0))
            else:
                self.theirs = SocketEnd(self, "theirs", PipePeer(reading))
                await self.loop.connect_write_pipe(factory, open(writing, "wb", 0))
        elif kind == "unix":
            with tempfile.TemporaryDirectory(prefix="alike-") as folder:
                await self.connect(folder, factory)
        else:
            await self.connect(None, factory)
        await self.settle()

    async def connect(self, folder, factory):
        with Interpreter.listener(self, folder) as listener:
            ours = Interpreter.connect(self, listener)
            theirs = listener.accept()[0]
        ours.setblocking(False)
        if not self.program.kind.startswith("tls"):
            await self.make(ours, theirs)
            return
        server, client = self.contexts
        accepting = self.program.kind == "tls server"
        self.theirs = TlsSocketEnd(self, "theirs", theirs, client if accepting else server, not accepting)
        if accepting:
            making = self.loop.connect_accepted_socket(factory, ours, ssl=server)
        else:
            making = self.loop.create_connection(factory, sock=ours, ssl=client, server_hostname="localhost")
        await asyncio.gather(making, self.theirs.handshake())

    async def make(self, ours, theirs):
        self.theirs = SocketEnd(self, "theirs", theirs)
        await self.loop.create_connection(lambda: PROTOCOLS[self.program.protocol](self.ours), sock=ours)

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, who, *nodes):
        """Do these things in one callback, and wait until nothing happens any more."""
        self.run_in_loop(self.do(who, nodes))

    async def do(self, who, nodes):
        end = self.ours if who == "ours" else self.theirs
        for node in nodes:
            end.act(node)
        if self.reader is not None:
            await self.reader.read_all()
            self.reader = None
        await self.settle()

    def settle_again(self):
        """Give a machine that is slow more time."""
        self.patience *= 2
        self.run_in_loop(self.settle())

    def seen(self):
        """Everything that a user could have seen so far."""
        return [
            *self.ours.tell(self.theirs),
            *map(without_kind_of_reset, self.theirs.tell(self.ours)),
            *self.trace.events,
            self.state(),
        ]

    def state(self):
        return state_of(self.ours.transport, "pipe" in self.program.kind)

    @property
    def broken(self):
        return self.trace.broken

    def close(self):
        if self.trace.broken:
            self.theirs.sock.close()
            with contextlib.suppress(Exception):
                self.ours.transport.close()
        self.run_in_loop(turns(3) if self.trace.broken else self.leave())
        self.loop.close()

    async def leave(self):
        self.theirs.sock.close()
        await self.settle()
        if not self.ours.lost:
            self.ours.transport.abort() if hasattr(self.ours.transport, "abort") else self.ours.transport.close()
        deadline = time.monotonic() + 5
        while not self.ours.lost and time.monotonic() < deadline:
            await asyncio.sleep(0.001)
        assert self.ours.lost or self.broken, "connection_lost() was not called"
        await turns(2)
