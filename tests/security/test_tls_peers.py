"""Peers that break TLS on purpose: the error is the default loop's, nothing stays behind, and the server goes on."""

import _ssl
import asyncio
import contextlib
import ctypes
import gc
import itertools
import ssl
import weakref

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    collect_errors,
    compare,
    eventually,
    is_mainspring,
    normalised,
    tls_making,
    tls_with_peer,
    turns,
)

pytestmark = pytest.mark.usefixtures("tls_way")

SIDES = pytest.mark.parametrize("side", ["client", "server"])

# The types of records.
ALERT, HANDSHAKE, DATA = 21, 22, 23


def record(kind, payload, size=None):
    """A record in the clear that says that it is `size` long."""
    return bytes([kind, 3, 3]) + (len(payload) if size is None else size).to_bytes(2, "big") + payload


def told(errors):
    """What the exception handler was called with."""
    return [(normalised(each["message"]), type(each.get("exception"))) for each in errors]


async def shake_hands(loop, authority, side, version, disturb):
    """How a handshake ends whose peer does what `disturb(peer, sock)` does."""
    protocol = Recorder()
    _, peer, making = tls_making(authority, lambda: protocol, side, version=version)
    task = loop.create_task(making)
    with peer.sock:
        if side == "client":
            await peer.take()
        await disturb(peer, peer.sock)
        try:
            transport, _ = await task
        except OSError as error:
            return type(error), getattr(error, "reason", str(error)), protocol.events
        finally:
            del task
        # A client of TLS 1.3 is ready before its peer has said its last word.
        error = await protocol.lost if transport.is_closing() else await asyncio.wait_for(protocol.lost, 10)
        return type(error), getattr(error, "reason", str(error)), protocol.events


GARBAGE = {
    "nothing but zeros": bytes(300),
    "an unknown kind of record": record(99, b"x" * 50),
    "data before the handshake": record(DATA, b"x" * 50),
    "an empty handshake record": record(HANDSHAKE, b""),
    "a record longer than any may be": record(HANDSHAKE, b"\x01\x00\x00\x10" + b"x" * 20_000, size=20_000),
    "a handshake message of 16 MiB": record(HANDSHAKE, b"\x01\xff\xff\xff" + b"\x03\x03" + b"x" * 1000),
    "a fatal alert": record(ALERT, b"\x02\x28"),
    "an alert that is too long": record(ALERT, b"\x01" * 50),
    "a hundred warnings": record(ALERT, b"\x01\x5a") * 100,
    "SSL 2": b"\x80\x2e\x01\x00\x02" + b"x" * 43,
    "SSH": b"SSH-2.0-OpenSSH_9.9\r\n" * 4,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@SIDES
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_in_place_of_the_handshake_is_the_same_error(authority, version, side, garbage):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)

            async def disturb(peer, sock):
                await loop.sock_sendall(sock, garbage)
                sock.shutdown(1)

            result = await shake_hands(loop, authority, side, version, disturb)
            await turns(3)
            return result, told(errors)

        return loop.run_until_complete(main())

    (kind, _, events), errors = compare(scenario)
    assert issubclass(kind, OSError)
    assert events == []
    assert errors == []


@SIDES
def test_a_damaged_handshake_is_the_same_error_wherever_it_is_damaged(authority, version, side):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            results = []
            # The type, version and length of the record, the type and length of the message, and its version.
            for place, change in itertools.product([0, 1, 3, 5, 6, 7, 8, 9], [0x01, 0xFF]):

                async def disturb(peer, sock, place=place, change=change):
                    first = bytearray(peer.next_step())
                    first[place] ^= change
                    await loop.sock_sendall(sock, first)
                    sock.shutdown(1)

                kind, _, events = await shake_hands(loop, authority, side, version, disturb)
                results.append((place, change, issubclass(kind, OSError), kind, events))
            await turns(3)
            return results, told(errors)

        return loop.run_until_complete(main())

    results, errors = compare(scenario)
    assert all(is_error and not events for _, _, is_error, _, events in results), results
    assert errors == []


@SIDES
def test_a_handshake_in_pieces_of_one_byte_succeeds(authority, version, side):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, side=side, version=version, piece=1) as (transport, protocol, peer):
                await peer.send(b"in pieces")
                await eventually(lambda: protocol.received == b"in pieces")
                transport.write(b"answer")
                answer = await peer.read()
                transport.abort()
                await protocol.lost
            return answer, protocol.events[0], protocol.events[-1]

        return loop.run_until_complete(main())

    assert compare(scenario) == (b"answer", "connection_made", "connection_lost")


AFTERWARDS = {
    "a record longer than any may be": record(DATA, b"x" * 20_000),
    "a record that nobody encrypted": record(DATA, b"x" * 100),
    "an empty record": record(DATA, b""),
    "an alert in the clear": record(ALERT, b"\x02\x28"),
    "a handshake in the clear": record(HANDSHAKE, b"\x01\x00\x00\x10" + b"x" * 16),
    "an unknown kind of record": record(99, b"x" * 50),
}


@SIDES
@pytest.mark.parametrize("before", [b"", b"x" * 100_000], ids=["first", "after much"])
@pytest.mark.parametrize("garbage", AFTERWARDS.values(), ids=AFTERWARDS.keys())
def test_garbage_after_the_handshake_is_the_same_error_and_no_data(authority, version, side, garbage, before):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side, version=version) as (_, protocol, peer):
                if before:
                    await peer.send(before)
                    await eventually(lambda: protocol.received == before)
                await loop.sock_sendall(peer.sock, garbage)
                error = await protocol.lost
                await turns(3)
                unchanged = bytes(protocol.received) == before
                return type(error), getattr(error, "reason", str(error)), unchanged, told(errors)

        return loop.run_until_complete(main())

    kind, _, unchanged, errors = compare(scenario)
    assert issubclass(kind, ssl.SSLError)
    assert unchanged
    assert errors == []


def test_a_record_that_is_sent_twice_is_no_data(authority, version):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, side="server", version=version) as (_, protocol, peer):
                once = peer.encrypted(b"once")
                await loop.sock_sendall(peer.sock, once)
                await eventually(lambda: protocol.received == b"once")
                await loop.sock_sendall(peer.sock, once)
                error = await protocol.lost
                return type(error), error.reason, bytes(protocol.received)

        return loop.run_until_complete(main())

    kind, _, received = compare(scenario)
    assert issubclass(kind, ssl.SSLError)
    assert received == b"once"


def go_on_after_goodbye(tls):
    """Make OpenSSL forget that it has sent close_notify, so that the next data are a genuine record behind it."""
    # Modules/_ssl.c: the SSL* follows the reference to the socket, behind the object's header.
    pointer = ctypes.c_void_p.from_address(id(tls._sslobj) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p))
    library = ctypes.CDLL(_ssl.__file__)
    library.SSL_set_shutdown.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.SSL_set_shutdown(pointer, 0)


@SIDES
@pytest.mark.parametrize("together", [True, False], ids=["in one piece", "later"])
@pytest.mark.parametrize("goodbye", [True, False], ids=["close_notify", "no close_notify"])
def test_data_after_close_notify_are_not_delivered(authority, version, side, together, goodbye):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side, version=version) as (_, protocol, peer):
                first = peer.encrypted(b"before")
                if goodbye:
                    with contextlib.suppress(ssl.SSLWantReadError):
                        peer.tls.unwrap()
                    first += peer._outgoing.read()
                    go_on_after_goodbye(peer.tls)
                late = peer.encrypted(b"after")
                if together:
                    await loop.sock_sendall(peer.sock, first + late)
                else:
                    await loop.sock_sendall(peer.sock, first)
                    await eventually(lambda: protocol.received == b"before")
                    with contextlib.suppress(OSError):
                        await loop.sock_sendall(peer.sock, late)
                if goodbye:
                    # asyncio waits for the answer of a peer that says nothing sensible any more.
                    peer.sock.close()
                    await protocol.lost
                else:
                    await eventually(lambda: protocol.received == b"beforeafter")
                return bytes(protocol.received), told(errors)

        return loop.run_until_complete(main())

    received, errors = compare(scenario)
    assert received == (b"before" if goodbye else b"beforeafter")
    assert errors == []


def test_a_server_outlives_a_crowd_of_bad_clients(loop, authority):
    async def main():
        errors = collect_errors(loop)
        made = []

        def make():
            protocol = Recorder()
            made.append(weakref.ref(protocol))
            return protocol

        server = await loop.create_server(make, "127.0.0.1", 0, ssl=authority.server_context())
        address = server.sockets[0].getsockname()
        context = authority.client_context()

        async def misbehave(number, garbage):
            transport, client = await loop.create_connection(Recorder, *address)
            hello = TlsPeer(None, context, server_side=False).next_step()
            # Nonsense at once, or behind a part of a true greeting, or behind all of it.
            transport.write(hello[: [0, len(hello) // 2, len(hello)][number % 3]] + garbage)
            if number % 2:
                transport.close()
            else:
                await loop.run_in_executor(None, int)
                transport.abort()
            await client.lost

        for turn in range(3):
            await asyncio.gather(*(misbehave(turn + i, garbage) for i, garbage in enumerate(GARBAGE.values())))
            transport, client = await loop.create_connection(
                Recorder, *address, ssl=context, server_hostname="localhost"
            )
            transport.write(b"fine")
            await eventually(lambda: any(each() is not None and each().received == b"fine" for each in made))
            transport.close()
            await client.lost
        server.close()
        await server.wait_closed()
        await turns(5)
        return made, told(errors)

    made, errors = loop.run_until_complete(main())
    assert len(made) == 3 * (len(GARBAGE) + 1)
    assert errors == []
    if is_mainspring(loop):
        # Nothing keeps the connections: the default loop's handshakes stay in the tracebacks of their errors.
        gc.collect()
        assert not [each for each in made if each() is not None]
