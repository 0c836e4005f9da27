"""A native stream reader against asyncio's own, which gets the same bytes at the same moments: every kind of read, with
delimiters that begin in one piece and end in another, limits, ends, cancellations, and a program that looks inside."""

import array
import asyncio
import fcntl
import socket
import sys
import termios

from targets.choices import Choices

ALPHABET = b"ab\n\r\n"
SEPARATORS = [b"\n", b"\r\n", b"a", b"ab", b"aa", b"aab", b"abab", b"\n\n\n", b""]
if sys.version_info >= (3, 13):
    SEPARATORS += [(b"\n", b"\r\n"), (b"ab", b"aba"), ()]


def unread(sock):
    """The bytes that wait in the socket's buffer."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


class Gate:
    """The other reader's transport: whether it is to get anything now."""

    def __init__(self):
        self.open = True

    def pause_reading(self):
        self.open = False

    def resume_reading(self):
        self.open = True


def described(task):
    """What a task came to."""
    if not task.done():
        return "waits"
    if task.cancelled():
        return "cancelled"
    if error := task.exception():
        details = [getattr(error, name, None) for name in ("partial", "expected", "consumed")]
        return type(error), str(error), details
    return task.result()


class Pair:
    """Both readers of one run."""

    async def open(self, limit):
        ours, self.peer = socket.socketpair()
        self.fd = ours.dup()
        ours.setblocking(False)
        self.reader, self.writer = await asyncio.open_connection(sock=ours, limit=limit)
        # Otherwise asyncio's reader would be compared with itself.
        assert type(self.reader) is not asyncio.StreamReader
        self.gate = Gate()
        self.model = asyncio.StreamReader(limit=limit)
        self.model.set_transport(self.gate)
        self.under_way = b""
        self.ended = False
        self.tasks = []
        self.held = None

    def close(self):
        self.writer.transport.abort()
        self.peer.close()
        self.fd.close()
        for task in [task for pair in self.tasks for task in pair]:
            task.cancel()

    def feed_model(self):
        """Give the model what the transport has taken from the socket."""
        if arrived := self.under_way[: len(self.under_way) - unread(self.fd)]:
            self.under_way = self.under_way[len(arrived) :]
            self.model.feed_data(arrived)
        if self.ended and self.reader._eof and not self.model._eof:
            self.model.feed_eof()

    def settled(self):
        if self.writer.transport.is_reading() != self.gate.open:
            return False
        if self.gate.open and (self.under_way or self.ended != self.model._eof):
            return False
        return all(ours.done() == theirs.done() for ours, theirs in self.tasks)

    async def settle(self):
        """Until nothing can happen any more, and then a little longer."""
        quiet = 0
        for turn in range(2000):
            await asyncio.sleep(0 if turn < 50 else 0.001)
            self.feed_model()
            quiet = quiet + 1 if self.settled() else 0
            if quiet > 3:
                break
        else:
            raise AssertionError(f"{self.outcomes()}, reading {self.writer.transport.is_reading()}, {self.gate.open}")
        assert self.outcomes()[0] == self.outcomes()[1], self.outcomes()
        assert self.reader.at_eof() == self.model.at_eof()

    def outcomes(self):
        return [[described(pair[which]) for pair in self.tasks] for which in (0, 1)]

    def start(self, method, *arguments):
        async def call(reader):
            return await getattr(reader, method)(*arguments)

        self.tasks = [pair for pair in self.tasks if not pair[0].done()]
        if self.tasks and (self.model._buffer or self.under_way):
            # Two readers that share the data are a mistake, after which asyncio may overlook a delimiter.
            return
        self.tasks.append(tuple(asyncio.create_task(call(reader)) for reader in (self.reader, self.model)))

    def both(self, method, *arguments):
        """The same call to both."""
        outcomes = []
        for reader in (self.reader, self.model):
            try:
                outcomes.append(getattr(reader, method)(*arguments))
            except Exception as error:
                outcomes.append((type(error), str(error)))
        assert outcomes[0] == outcomes[1], outcomes


async def act(pair, choices):
    choice = choices.below(20)
    if choice < 7:
        # Not after the end, and not more than the socket takes.
        if not pair.ended and len(pair.under_way) < 10_000:
            data = choices.text(choices.below(12), ALPHABET) * (1 if choice else 1 + choices.below(200))
            pair.peer.sendall(data)
            pair.under_way += data
    elif choice < 9:
        pair.start("read", choices.of([-1, 0, 1, 2, 3, 10, 100, 1000]))
    elif choice < 11:
        pair.start("readexactly", choices.of([0, 1, 2, 3, 7, 10, 100, 1000, -1]))
    elif choice < 12:
        pair.start("readline")
    elif choice < 13:
        pair.start("__anext__")
    elif choice < 16:
        pair.start("readuntil", choices.of(SEPARATORS))
    elif choice == 16:
        for ours, theirs in pair.tasks:
            ours.cancel(), theirs.cancel()
    elif choice == 17:
        # A program that looks, or looks and keeps what it has seen.
        assert pair.reader._buffer == pair.model._buffer
        pair.held = pair.reader._buffer if choices.below(2) else None
    elif choice == 18:
        if not pair.ended and choices.below(4) == 0:
            pair.peer.shutdown(socket.SHUT_WR)
            pair.ended = True
    elif choices.below(8):
        # As a wrapper's protocol does.
        if not pair.model._eof and not pair.under_way:
            pair.both("feed_data", choices.text(choices.below(8), ALPHABET))
    else:
        pair.both("set_exception", ValueError("set by the program"))


async def play(data):
    choices = Choices(data)
    pair = Pair()
    await pair.open(1 + choices.below(40))
    try:
        while choices:
            # Several things in one turn, or one after another.
            for _ in range(1 if choices.below(4) else 3):
                await act(pair, choices)
                if pair.ended or pair.tasks:
                    break
            await pair.settle()
        assert pair.reader._buffer == pair.model._buffer
    finally:
        pair.close()
    for _ in range(3):
        await asyncio.sleep(0)


def run(loop, data):
    loop.run_until_complete(play(data[:600]))
