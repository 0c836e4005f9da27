"""A world whose connection is a StreamReader and a StreamWriter."""

import asyncio

from helpers.differential.connections import End, SocketEnd, piece
from helpers.differential.trace import described
from helpers.machines.worlds import World

LIMIT = 100


class StreamsEnd(End):
    """Our end: reads that wait are tasks, noted when they are done."""

    def __init__(self, run, name):
        super().__init__(run, name)
        self.tasks = []
        self.lost = False

    def begin(self, name, function, *arguments):
        async def call():
            return await function(*arguments)

        self.tasks = [task for task in self.tasks if not task.done()]
        task = asyncio.get_running_loop().create_task(call())
        task.add_done_callback(lambda task: self.done(name, task))
        self.tasks.append(task)

    def done(self, name, task):
        if task.cancelled():
            self.note(name, "cancelled")
        elif error := task.exception():
            self.note(name, described(error), bytes(getattr(error, "partial", b"")))
        else:
            self.note(name, task.result())

    def tell(self, other):
        yield from ((self.name, number, *event) for number, event in enumerate(self.events))

    def waits(self):
        return self.writer.transport.get_write_buffer_size() > 0

    def is_sending(self):
        return not self.writer.transport.is_closing() and self.waits()

    def is_reading(self):
        return False

    def do_read(self, count):
        self.begin("read", self.reader.read, count)

    def do_readexactly(self, count):
        self.begin("readexactly", self.reader.readexactly, count)

    def do_readline(self):
        self.begin("readline", self.reader.readline)

    def do_readuntil(self, separator):
        self.begin("readuntil", self.reader.readuntil, separator)

    def do_cancel(self):
        for task in self.tasks:
            task.cancel()

    def do_write(self, size):
        data = piece("bytes", size, self.run.number())
        if self.call("write", self.writer.write, data):
            self.written += data

    def do_drain(self):
        self.begin("drain", self.writer.drain)

    def do_write_eof(self):
        self.call("write_eof", self.writer.write_eof)

    def do_close(self):
        self.call("close", self.writer.close)

    def do_wait_closed(self):
        self.begin("wait_closed", self.writer.wait_closed)

    def do_abort(self):
        self.cut = self.cut or self.waits()
        self.call("abort", self.writer.transport.abort)


class LinesEnd(SocketEnd):
    """The peer, whose data have delimiters in them."""

    def do_lines(self, text):
        if self.call("send", self.sock.sendall, text):
            self.written += text


class StreamsWorld(World):
    """A stream over a UNIX or TCP socket."""

    def make_ends(self):
        self.ours = StreamsEnd(self, "ours")

    async def make(self, ours, theirs):
        self.theirs = LinesEnd(self, "theirs", theirs)
        self.ours.reader, self.ours.writer = await asyncio.open_connection(sock=ours, limit=LIMIT)

    def state(self):
        reader, writer = self.ours.reader, self.ours.writer
        return {"at_eof": reader.at_eof(), "is_closing": writer.is_closing(), "error": described(reader.exception())}

    async def leave(self):
        self.theirs.sock.close()
        self.ours.do_cancel()
        self.ours.writer.transport.abort()
        await self.settle()
