"""Interpreter of programs over datagram endpoints, whose other end is a plain socket."""

import asyncio
import contextvars
import gc
import logging
import socket
import tempfile
from typing import NamedTuple

from helpers.differential.trace import Trace, described, descriptors_counted, told, watched
from helpers.waiting import turns

REACTIONS = 3


class Datagrams(NamedTuple):
    """A program: the kind of endpoint, how the protocol answers, and what is done with it."""

    steps: tuple
    kind: str = "udp"
    connected: bool = True
    reactions: tuple = ()
    debug: bool = False
    ending: str = "close"
    after: tuple = ()


class Endpoint(asyncio.DatagramProtocol):
    """Our end: what it was told, and what its calls came to."""

    def __init__(self, run):
        self.run = run
        self.left = REACTIONS
        self.lost = False

    def react(self, event):
        for wanted, body in self.run.program.reactions:
            if wanted == event and self.left > 0:
                self.left -= 1
                for node in body:
                    self.run.act(node)

    def connection_made(self, transport):
        self.run.transport = transport
        self.run.note("connection_made")
        self.react("connection_made")

    def datagram_received(self, data, address):
        assert type(data) is bytes
        self.run.note("datagram_received", len(data), data[:1], told(address))
        self.react("datagram_received")

    def error_received(self, error):
        self.run.note("error_received", described(error))
        self.react("error_received")

    def connection_lost(self, error):
        self.lost = True
        self.run.note("connection_lost", described(error))
        self.react("connection_lost")

    def pause_writing(self):
        self.run.note("pause_writing")

    def resume_writing(self):
        self.run.note("resume_writing")


class Interpreter:
    """The state of one run of a program."""

    def __init__(self, loop, program, trace, folder, patience):
        self.loop = loop
        self.program = program
        self.trace = trace
        self.folder = folder
        self.patience = patience
        self.progress = 0
        self.count = 0
        self.transport = None
        self.peer = self.bound(f"{folder}/peer")
        self.peer_name = self.peer.getsockname()
        with self.bound(f"{folder}/elsewhere") as elsewhere:
            self.unused = elsewhere.getsockname()

    def bound(self, path):
        unix = self.program.kind == "unix"
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(path if unix else ("127.0.0.1", 0))
        sock.setblocking(False)
        return sock

    def note(self, *event):
        self.progress += 1
        self.trace.add(*event)

    def call(self, name, function, *args):
        try:
            result = function(*args)
        except Exception as error:
            if "'NoneType' object has no attribute" in str(error):
                self.trace.broken = True
            self.note(name, described(error))
        else:
            self.note(name, told(result))

    def on_error(self, loop, context):
        self.progress += 1
        self.trace.add_error_context(context)

    def act(self, node):
        name, *args = node
        getattr(self, f"do_{name}")(*args)

    def piece(self, kind, size):
        self.count += 1
        data = bytes([97 + self.count % 26]) * size
        return {"bytearray": bytearray, "view": memoryview, "text": lambda it: "x", "list": list}.get(kind, bytes)(data)

    # --- nodes --------------------------------------------------------------------------------------------------------

    def do_send(self, kind, size, to):
        if self.endpoint.lost and not self.program.connected:
            # The default loop fails inside itself.
            return
        addresses = {"peer": (self.peer_name,), "nowhere": (self.unused,), "wrong": (("1",),), "none": ()}
        self.call("sendto", self.transport.sendto, self.piece(kind, size), *addresses[to])

    def do_close(self):
        self.call("close", self.transport.close)

    def do_abort(self):
        self.call("abort", self.transport.abort)

    def do_limits(self, high, low):
        self.call("limits", self.transport.set_write_buffer_limits, high, low)

    def do_look(self):
        self.call("is_closing", self.transport.is_closing)
        self.call("size", self.transport.get_write_buffer_size)
        self.call("limits", self.transport.get_write_buffer_limits)
        self.call("protocol", lambda: type(self.transport.get_protocol()).__name__)
        self.call("names", lambda: [self.transport.get_extra_info(name) for name in ("peername", "sockname")])
        self.call("repr", repr, self.transport)

    def do_raise(self):
        raise ValueError("raised by the protocol")

    def do_from_peer(self, size):
        if self.peer.fileno() >= 0:
            self.call("from peer", self.peer.sendto, self.piece("bytes", size), self.name)

    def do_read_peer(self):
        while True:
            try:
                data, address = self.peer.recvfrom(1 << 17)
            except OSError as error:
                self.note("peer", described(error))
                return
            self.note("peer", len(data), data[:1], told(address))

    def do_close_peer(self):
        self.peer.close()

    # --- running ------------------------------------------------------------------------------------------------------

    async def settle(self):
        quiet = 0
        while quiet < 2:
            before = self.progress
            await turns(3)
            await asyncio.sleep(0.0005 * self.patience)
            quiet = quiet + 1 if self.progress == before else 0

    async def open(self):
        unix = self.program.kind == "unix"
        own = f"{self.folder}/own" if unix else ("127.0.0.1", 0)
        remote = self.peer_name if self.program.connected else None
        self.endpoint = Endpoint(self)
        await self.loop.create_datagram_endpoint(
            lambda: self.endpoint,
            local_addr=own,
            remote_addr=remote,
            family=socket.AF_UNIX if unix else socket.AF_INET,
        )
        self.name = self.transport.get_extra_info("sockname")
        await self.settle()

    async def main(self):
        await self.open()
        for body in self.program.steps:
            for node in body:
                self.act(node)
            await self.settle()
            self.note("settled")
        if self.program.ending == "loop":
            return
        self.do_look()
        getattr(self, f"do_{self.program.ending}")()
        await self.settle()
        self.do_look()
        for node in self.program.after:
            self.act(node)
        await self.settle()

    def run(self):
        self.loop.run_until_complete(self.main())
        self.loop.close()
        if self.program.ending == "loop":
            for node in self.program.after:
                self.act(node)


def run_datagrams(make_loop, program, patience=1):
    """The trace of a program on a new loop."""
    return contextvars.Context().run(_run, make_loop, program, patience)


def _run(make_loop, program, patience):
    trace = Trace()
    level = logging.DEBUG if program.debug else logging.WARNING
    with tempfile.TemporaryDirectory(prefix="alike-") as folder, descriptors_counted(trace):
        loop = make_loop()
        with watched(trace, level):
            loop.set_debug(program.debug)
            loop.slow_callback_duration = 60
            interpreter = Interpreter(loop, program, trace, folder, patience)
            loop.set_exception_handler(interpreter.on_error)
            try:
                interpreter.run()
            finally:
                interpreter.peer.close()
                loop.close()
            del interpreter, loop
            gc.collect()
    return trace
