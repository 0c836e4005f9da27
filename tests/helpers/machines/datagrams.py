"""A world whose connection is a datagram endpoint."""

import tempfile

from helpers.differential.datagrams import Datagrams, Interpreter
from helpers.differential.trace import Trace
from helpers.waiting import turns


class DatagramWorld(Interpreter):
    """An endpoint and a socket, driven step by step."""

    def __init__(self, factory, kind, connected, debug):
        self.folder_of_sockets = tempfile.TemporaryDirectory(prefix="alike-")
        program = Datagrams((), kind, connected, debug=debug)
        super().__init__(factory(), program, Trace(), self.folder_of_sockets.name, patience=1)
        self.loop.set_debug(debug)
        self.loop.slow_callback_duration = 60
        self.loop.set_exception_handler(self.on_error)
        self.loop.run_until_complete(self.open())

    @property
    def broken(self):
        return self.trace.broken

    def step(self, *nodes):
        self.loop.run_until_complete(self.do(nodes))

    async def do(self, nodes):
        for node in nodes:
            self.act(node)
        await self.settle()

    def settle_again(self):
        self.patience *= 2
        self.loop.run_until_complete(self.settle())

    def seen(self):
        return [*self.trace.events, self.transport.is_closing(), self.transport.get_write_buffer_size() > 0]

    def close(self):
        if not self.endpoint.lost:
            self.transport.abort()
        self.loop.run_until_complete(turns(3))
        self.loop.close()
        self.peer.close()
        self.folder_of_sockets.cleanup()
