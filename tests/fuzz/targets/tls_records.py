"""TLS records cut into any pieces, changed, left out or ended anywhere: the native half against asyncio's own protocol,
each over a connection of its own to a peer that is driven by hand. What comes is a beginning of what was sent, and both
tell the program the same."""

import asyncio
import contextlib
import functools
import socket
import ssl
import tempfile
from pathlib import Path

from helpers.certificates import Authority
from mainspring import _tls

from targets.choices import Choices
from targets.stream_reader import unread


@functools.cache
def contexts(version):
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        return authority.server_context(version=version), authority.client_context(version=version)


class Program(asyncio.Protocol):
    """The program's protocol."""

    def __init__(self):
        self.received = bytearray()
        self.events = []

    def data_received(self, data):
        self.received += data

    def eof_received(self):
        self.events.append("end")

    def connection_lost(self, error):
        self.events.append(error and (type(error).__name__, getattr(error, "reason", str(error))))


async def settle(sock, program):
    """Until the transport has taken what is there and has had time to answer, or takes nothing any more."""
    for turn in range(2000):
        await asyncio.sleep(0 if turn < 20 else 0.001)
        if turn > 4 and (program.events or not unread(sock)):
            return


def take(sock):
    try:
        return sock.recv(1 << 20)
    except OSError:
        return b""


async def play(data, native):
    choices = Choices(data)
    version = choices.of([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    server, client = contexts(version)
    _tls.native = native
    ours, theirs = socket.socketpair()
    watched = ours.dup()
    for sock in (ours, theirs):
        sock.setblocking(False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = server.wrap_bio(incoming, outgoing, server_side=True)
    program, sent, written = Program(), bytearray(), bytearray()
    loop = asyncio.get_running_loop()
    making = loop.create_task(
        loop.create_connection(lambda: program, sock=ours, ssl=client, server_hostname="localhost")
    )
    while not making.done() or outgoing.pending:
        incoming.write(take(theirs))
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        theirs.sendall(outgoing.read())
        await asyncio.sleep(0)
    transport, _ = await making
    came, intact = bytearray(), True
    try:
        while choices and intact and not program.events:
            choice = choices.below(16)
            size = choices.of([0, 1, 2, 100, 5000, 20_000, 40_000])
            if choice < 3:
                part = bytes([choices.below(256)]) * size
                transport.write(part)
                written += part
                await settle(watched, program)
            elif choice < 5:
                incoming.write(take(theirs))
                while incoming.pending:
                    try:
                        came += peer.read(1 << 16)
                    except ssl.SSLWantReadError:
                        break
            else:
                for _ in range(1 + choices.below(3)):
                    part = bytes([choices.below(256)]) * size
                    if part:
                        peer.write(part)
                    sent += part
                if choice == 15:
                    try:
                        peer.unwrap()
                    except ssl.SSLWantReadError:
                        intact = False
                records = bytearray(outgoing.read())
                if choice == 14 and records:
                    records[choices.below(len(records))] ^= 1 << choices.below(8)
                    intact = False
                if choice == 13 and records:
                    del records[choices.below(len(records)) :]
                    intact = False
                # Not so many pieces that an input takes long.
                least = len(records) // 8
                while records:
                    piece = choices.of([len(records), 1, 3, 5, 17, 1000, 16_384])
                    piece = max(piece, least)
                    theirs.sendall(records[:piece])
                    del records[:piece]
                    await settle(watched, program)
                if choice == 13:
                    theirs.shutdown(socket.SHUT_WR)
                    await settle(watched, program)
            assert sent.startswith(program.received)
            assert written.startswith(came)
            assert not intact or program.received == sent, (len(program.received), len(sent))
    finally:
        for _ in range(4):
            await asyncio.sleep(0)
        transport.abort()
        theirs.close()
        watched.close()
        for _ in range(4):
            await asyncio.sleep(0)
        _tls.native = True
    return version, bytes(program.received), bytes(came), program.events, transport.is_closing()


def run(loop, data):
    loop.set_exception_handler(lambda *_: None)
    native, python = (loop.run_until_complete(play(data[:80], native)) for native in (True, False))
    assert native == python, (native[3:], python[3:], len(native[1]), len(python[1]))
