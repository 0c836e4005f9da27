"""Ends of a pipe: a transport, and a descriptor that does what it is told."""

import os

from helpers.differential.connections import TransportEnd


class PipePeer:
    """A pipe's other end with a socket's methods."""

    def __init__(self, fd):
        self.fd = fd
        os.set_blocking(fd, False)

    def fileno(self):
        return self.fd

    def setblocking(self, blocking):
        pass

    def setsockopt(self, *option):
        pass

    def sendall(self, data):
        os.write(self.fd, data)

    def recv(self, size):
        return os.read(self.fd, size)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def shutdown(self, how):
        self.close()


class PipeEnd(TransportEnd):
    """A transport that reads or writes a pipe."""

    def connection_made(self, transport):
        self.transport = transport
        self.note("connection_made")

    def do_write(self, kind, size):
        # The default loop loses count of items larger than a byte, and then reports an empty buffer for ever; a view
        # with gaps makes it close the pipe.
        super().do_write("bytes" if kind in ("array", "gaps") else kind, size)

    def do_writelines(self, pieces):
        super().do_writelines([("bytes" if kind in ("array", "gaps") else kind, size) for kind, size in pieces])

    def waits(self):
        return hasattr(self.transport, "get_write_buffer_size") and self.transport.get_write_buffer_size() > 0

    def is_reading(self):
        return hasattr(self.transport, "is_reading") and self.transport.is_reading()
