"""The two ends of a connection in a race: protocols that check each byte and end at a random moment."""

import asyncio
import contextlib
import socket
import struct

from identity import HEADER_SIZE, Checker, ForeignBytes, Sender, header, number_of

PIECES = (1, 100, 5000, 70_000, 400_000)
UPGRADE, GO = b"!", b"."


def end(rng, transport):
    """End a connection in one of the ways there are."""
    way = rng.choice(("close", "abort", "reset", "eof", "close twice"))
    if way == "reset":
        # A transport that is closed already may have no socket left to ask.
        with contextlib.suppress(OSError, AttributeError, ValueError):
            sock = transport.get_extra_info("socket")
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    elif way == "abort":
        transport.abort()
    elif way == "eof" and not transport.is_closing() and transport.can_write_eof():
        with contextlib.suppress(OSError):
            transport.write_eof()
        asyncio.get_running_loop().call_later(rng.random() * 0.01, transport.abort)
    else:
        transport.close()
        if way == "close twice":
            transport.close()
            transport.abort()


class _End(asyncio.Protocol):
    # One end: it answers what arrives with bytes of its own until it has had enough.
    def __init__(self, field):
        self.field = field
        self.transport = None
        self.lost = None
        self.paused = self.ended = self.upgrading = False

    def connection_made(self, transport):
        self.transport = transport
        self.lost = asyncio.get_running_loop().create_future()
        self.field.ends.add(self)

    def connection_lost(self, error):
        if not self.lost.done():
            self.lost.set_result(error)

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False

    def end(self):
        """End the connection in a random way, or once more in another."""
        self.ended = True
        end(self.rng, self.transport)
        self.field.squat()

    def answer(self):
        """One more piece, and sometimes the end."""
        if self.ended or self.upgrading or self.transport.is_closing():
            return
        if not self.paused:
            self.transport.write(self.sender.next(self.rng.choice(self.pieces)))
        self.rounds -= 1
        if self.rounds == 0:
            self.end()
        elif self.rng.random() < 0.1:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def upgraded(self, transport):
        """The connection speaks TLS from now on."""
        self.transport, self.upgrading = transport, False
        self.answer()

    def _go_on(self):
        if not self.transport.is_closing():
            self.transport.resume_reading()


class Client(_End):
    """The end that begins."""

    def __init__(self, field, rng, number, upgrading=False):
        super().__init__(field)
        self.rng, self.number = rng, number
        # Data may arrive before start_tls returns the transport that answers go to.
        self.upgrading = upgrading
        self.go = asyncio.get_running_loop().create_future()
        self._told = not upgrading
        self.rounds = rng.randrange(1, 6)
        self.pieces = PIECES[: rng.randrange(1, len(PIECES) + 1)]
        self.checker, self.sender = Checker(field, number, "back"), Sender(number, "there")

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.write((UPGRADE if self.upgrading else b"") + header(self.number))
        self.answer()

    def data_received(self, data):
        if not self._told:
            self._told = True
            if data != GO:
                self.field.violation(f"race {self.number}: {len(data)} bytes instead of the word to start TLS")
            if not self.go.done():
                self.go.set_result(None)
            return
        self.checker.take(data)
        self.answer()

    def connection_lost(self, error):
        super().connection_lost(error)
        if not self.go.done():
            self.go.cancel()


class Answering(_End):
    """The end that a server makes: it learns from the header who the client is."""

    def __init__(self, field, context=None):
        super().__init__(field)
        self._context = context
        self._head = b""
        self.checker = self._upgrade = None

    def data_received(self, data):
        if self.checker is None:
            self._head += data
            upgrading = self._head[:1] == UPGRADE
            if len(self._head) < HEADER_SIZE + upgrading:
                return
            self._begin(self._head[upgrading : upgrading + HEADER_SIZE])
            data = self._head[upgrading + HEADER_SIZE :]
            if upgrading:
                if data:
                    self.field.violation(f"race {self.number}: {len(data)} bytes before the handshake")
                self.upgrading = True
                # Nothing of the handshake is read before start_tls takes over.
                self.transport.pause_reading()
                self.transport.write(GO)
                self._upgrade = asyncio.ensure_future(self._start_tls())
                return
        if data and self.checker is not None:
            self.checker.take(data)
        if self.checker is not None:
            self.answer()

    def _begin(self, head):
        try:
            self.number = number_of(head)
        except ForeignBytes as error:
            self.field.violation(str(error))
            self.transport.abort()
            return
        self.field.arrived(self.number)
        self.rng = self.field.random(self.number, "server")
        self.rounds = self.rng.randrange(1, 8)
        self.pieces = PIECES[: self.rng.randrange(1, len(PIECES) + 1)]
        self.checker, self.sender = Checker(self.field, self.number, "there"), Sender(self.number, "back")

    async def _start_tls(self):
        loop = asyncio.get_running_loop()
        old = self.transport
        if self.rng.random() < 0.2:
            loop.call_later(self.rng.random() * 0.01, self._upgrade.cancel)
        try:
            transport = await loop.start_tls(old, self, self._context, server_side=True)
            if transport is not None:
                self.upgraded(transport)
        except OSError:
            old.abort()
        except BaseException:
            old.abort()
            raise
