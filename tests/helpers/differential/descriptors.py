"""Interpreter of programs that watch descriptors: add_reader, add_writer and their removal.

A program is a `Watching`: bodies for sockets, each pair of which has a watched and a far end. Only what happens at one
pair is compared in its order.
"""

import asyncio
import contextvars
import gc
import socket
from typing import NamedTuple

from helpers.differential.trace import Trace, described, descriptors_counted, told, watched
from helpers.waiting import turns

FUEL = 40


class Watching(NamedTuple):
    """A program: steps of calls, how many pairs there are, and what surrounds them."""

    steps: tuple
    pairs: int = 1
    debug: bool = False
    after: tuple = ()


class Pair:
    """A watched socket and its far end."""

    def __init__(self, run):
        self.run = run
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.events = []
        self.count = 0

    def note(self, *event):
        self.run.progress += 1
        self.events.append(event)

    def call(self, name, function, *args):
        try:
            result = function(*args)
        except Exception as error:
            self.note(name, described(error))
        else:
            self.note(name, told(result))

    def act(self, body):
        for name, *args in body:
            if self.run.spend():
                getattr(self, f"do_{name}")(*args)

    def read(self, number, amount, body):
        try:
            data = self.near.recv(amount)
        except OSError as error:
            self.note("reader", number, described(error))
            data = b""
        else:
            self.note("reader", number, data)
        if not data or not self.run.fuel > 0:
            # It would be called for ever.
            self.call("remove reader", self.run.loop.remove_reader, self.near)
        self.act(body)

    def write(self, number, times, body):
        self.note("writer", number)
        left = times.pop()
        if not times:
            self.call("remove writer", self.run.loop.remove_writer, self.near)
        self.act(body if left else ())

    def number(self):
        self.count += 1
        return self.count

    def do_add_reader(self, amount, body):
        self.call("add reader", self.run.loop.add_reader, self.near, self.read, self.number(), amount, body)

    def do_add_reader_by_number(self, amount, body):
        number = self.number()
        self.call("add reader", self.run.loop.add_reader, self.near.fileno(), self.read, number, amount, body)

    def do_add_writer(self, times, body):
        # Called in every turn: it counts its turns itself.
        turns_left = list(range(times))
        self.call("add writer", self.run.loop.add_writer, self.near, self.write, self.number(), turns_left, body)

    def do_remove_reader(self):
        self.call("remove reader", self.run.loop.remove_reader, self.near)

    def do_remove_writer(self):
        self.call("remove writer", self.run.loop.remove_writer, self.near)

    def do_send(self, size):
        self.call("send", self.far.send, bytes([97 + self.number() % 26]) * size)

    def do_shutdown(self):
        self.call("shutdown", self.far.shutdown, socket.SHUT_WR)

    def do_close_far(self):
        self.far.close()

    def do_close_near(self):
        # The order that the documentation asks for.
        self.do_remove_reader()
        self.do_remove_writer()
        self.near.close()

    def do_raise(self):
        raise ValueError("in a step or a callback")

    def do_receive(self, amount):
        """sock_recv() in a task, beside whatever watches the socket."""

        async def receive():
            try:
                self.note("received", await self.run.loop.sock_recv(self.near, amount))
            except (OSError, RuntimeError, ValueError) as error:
                self.note("received", described(error))

        if self.run.loop.is_running():
            self.run.tasks.append(self.run.loop.create_task(receive()))

    def do_cancel(self):
        if self.run.tasks:
            self.note("cancel", self.run.tasks[-1].cancel())


class Interpreter:
    """The state of one run of a program."""

    def __init__(self, loop, program, trace, patience):
        self.loop = loop
        self.program = program
        self.patience = patience
        self.trace = trace
        self.progress = 0
        self.fuel = FUEL
        self.tasks = []
        self.pairs = [Pair(self) for _ in range(program.pairs)]

    def spend(self):
        self.fuel -= 1
        return self.fuel >= 0

    def on_error(self, loop, context):
        self.progress += 1
        self.trace.add_error_context(context)

    async def settle(self):
        quiet = 0
        while quiet < 2:
            before = self.progress
            await turns(3)
            await asyncio.sleep(0.0005 * self.patience)
            quiet = quiet + 1 if self.progress == before else 0

    def step(self, which, body):
        pair = self.pairs[which % len(self.pairs)]
        try:
            pair.act(body)
        except ValueError as error:
            pair.note("raised", described(error))

    async def main(self):
        for which, body in self.program.steps:
            self.step(which, body)
            await self.settle()
            for pair in self.pairs:
                pair.note("settled")

    def run(self):
        self.loop.run_until_complete(self.main())
        for task in self.tasks:
            task.cancel()
        self.loop.run_until_complete(turns(2))
        self.loop.close()
        self.fuel = FUEL
        for which, body in self.program.after:
            self.step(which, body)
        for number, pair in enumerate(self.pairs):
            self.trace.events.extend((number, *event) for event in pair.events)


def run_watching(make_loop, program, patience=1):
    """The trace of a program on a new loop."""
    return contextvars.Context().run(_run, make_loop, program, patience)


def _run(make_loop, program, patience):
    trace = Trace()
    with watched(trace), descriptors_counted(trace):
        loop = make_loop()
        loop.set_debug(program.debug)
        loop.slow_callback_duration = 60
        interpreter = Interpreter(loop, program, trace, patience)
        loop.set_exception_handler(interpreter.on_error)
        try:
            interpreter.run()
        finally:
            for pair in interpreter.pairs:
                pair.near.close()
                pair.far.close()
            loop.close()
        del interpreter, loop
        gc.collect()
    return trace
