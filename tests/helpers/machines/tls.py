"""Ends of a TLS connection: a transport, and a socket with TLS driven by hand."""

import asyncio
import contextlib
import socket
import ssl
import time

from helpers.differential.connections import SocketEnd, TransportEnd, piece


class TlsTransportEnd(TransportEnd):
    """A TLS transport: below it is another, whose data are on their way too."""

    def do_writelines(self, pieces):
        # asyncio.sslproto looks at the pieces only when it encrypts them.
        super().do_writelines(
            [("bytes" if kind in ("text", "number", "nothing") else kind, size) for kind, size in pieces]
        )

    def waits(self):
        # abort() takes the transport's protocol from it, and most methods fail from then on.
        return getattr(self.transport, "_ssl_protocol", True) is not None and super().waits()

    def is_sending(self):
        if self.lost or self.transport is None:
            return False
        below = getattr(getattr(self.transport, "_ssl_protocol", None), "_transport", None)
        return super().is_sending() or (below is not None and below.get_write_buffer_size() > 0)


class TlsSocketEnd(SocketEnd):
    """The peer. It answers nothing unless it is told to read."""

    def __init__(self, run, name, sock, context, server_side):
        super().__init__(run, name, sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server_side, server_hostname=None if server_side else "localhost"
        )

    async def handshake(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                self.tls.do_handshake()
                self.send_records()
                return
            except ssl.SSLWantReadError:
                self.send_records()
            with contextlib.suppress(BlockingIOError):
                self.incoming.write(self.sock.recv(1 << 16))
            assert time.monotonic() < deadline, "the handshake takes too long"
            await asyncio.sleep(0.0002)

    def send_records(self):
        if records := self.outgoing.read():
            self.sock.sendall(records)

    def do_send(self, size):
        data = piece("bytes", size, self.run.number())

        def send():
            self.tls.write(data)
            self.send_records()

        if self.call("send", send):
            self.written += data

    def do_unwrap(self):
        """Say goodbye, and go on reading."""

        def unwrap():
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLSyscallError):
                self.tls.unwrap()
            self.send_records()

        self.call("unwrap", unwrap)

    def do_garbage(self, size):
        """Send what is no record."""
        self.call("garbage", self.sock.sendall, b"\xff" * size)

    def do_part(self, size):
        """Send the beginning of a record, and end the stream within it."""

        def part():
            self.tls.write(b"p" * size)
            self.sock.sendall(self.outgoing.read()[:-1])
            self.sock.shutdown(socket.SHUT_WR)

        self.call("part", part)

    def take(self, records):
        if records:
            self.incoming.write(records)
        else:
            self.incoming.write_eof()
        return self.decrypt() and bool(records)

    def decrypt(self):
        """Read what is there; whether more may come."""
        while True:
            try:
                data = self.tls.read(1 << 20)
            except ssl.SSLWantReadError:
                return True
            except ssl.SSLError as error:
                self.note("read", type(error).__name__, error.reason)
                return False
            if not data:
                self.note("read the end")
                return False
            self.note_data(data)
