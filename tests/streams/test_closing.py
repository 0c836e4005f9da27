"""Ends of a connection: close, abort, half close, and writing when it is too late."""

import asyncio
import logging
import socket

import pytest
from helpers import Recorder, collect_errors, compare, connected, eventually, outcome, turns

MIB = 1 << 20


async def read_to_end(sock):
    """All that comes until the end of the stream."""
    data = bytearray()
    while True:
        try:
            chunk = sock.recv(MIB)
        except BlockingIOError:
            await asyncio.sleep(0.001)
            continue
        if not chunk:
            return bytes(data)
        data += chunk


def test_close_sends_what_is_queued_before_connection_lost(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            transport.write(b"x" * (6 * MIB))
            transport.close()
            await asyncio.sleep(0.02)
            assert transport.is_closing()
            assert "connection_lost" not in protocol.events
            assert len(await read_to_end(peer)) == 6 * MIB
            assert await protocol.lost is None
            assert protocol.events[-1] == "connection_lost"

    loop.run_until_complete(main())


def test_small_writes_just_before_close_arrive(loop):
    async def main():
        async with connected() as (transport, _, peer):
            transport.write(b"one ")
            transport.write(b"two")
            transport.close()
            assert await read_to_end(peer) == b"one two"

    loop.run_until_complete(main())


def test_abort_drops_what_is_queued(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            transport.write(b"x" * (16 * MIB))
            transport.abort()
            assert transport.is_closing()
            assert transport.get_write_buffer_size() == 0
            assert await protocol.lost is None
            assert len(await read_to_end(peer)) < 16 * MIB

    loop.run_until_complete(main())


def test_close_after_abort_and_abort_after_close(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            transport.write(b"x" * (16 * MIB))
            transport.close()
            transport.abort()
            transport.close()
            await protocol.lost
            await read_to_end(peer)
            assert protocol.events.count("connection_lost") == 1

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [0, 10, 4 * MIB])
def test_write_eof_ends_our_side_after_what_was_written(loop, size):
    async def main():
        async with connected() as (transport, protocol, peer):
            assert transport.can_write_eof()
            transport.write(b"x" * size)
            transport.write_eof()
            transport.write_eof()
            assert len(await read_to_end(peer)) == size
            peer.send(b"still heard")
            await eventually(lambda: protocol.received == b"still heard")
            assert not transport.is_closing()

    loop.run_until_complete(main())


@pytest.mark.parametrize("method", ["write", "writelines"])
def test_writing_after_write_eof_is_refused(method):
    def scenario(loop):
        async def main():
            async with connected() as (transport, _, _):
                transport.write_eof()
                argument = [b"x"] if method == "writelines" else b"x"
                return outcome(getattr(transport, method), argument)

        return loop.run_until_complete(main())

    kind, text = compare(scenario)
    assert kind is RuntimeError
    # writelines() is write() before Python 3.12.
    assert text in (f"Cannot call {method}() after write_eof()", "Cannot call write() after write_eof()")


def test_the_peers_end_closes_the_transport_unless_the_protocol_wants_it_open(loop):
    async def main():
        for keep in (False, None, True, 1):
            async with connected(lambda value=keep: Recorder(value)) as (transport, protocol, peer):
                transport.write(b"before")
                peer.shutdown(socket.SHUT_WR)
                await eventually(lambda p=protocol: "eof_received" in p.events)
                await turns(3)
                assert transport.is_closing() == (not keep)
                if keep:
                    transport.write(b" and after")
                    transport.close()
                await protocol.lost
                assert await read_to_end(peer) == (b"before and after" if keep else b"before")
                assert protocol.events.count("eof_received") == 1

    loop.run_until_complete(main())


def test_an_end_kept_open_does_not_spin(loop):
    async def main():
        async with connected(lambda: Recorder(True)) as (_, protocol, peer):
            peer.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.05)
            assert protocol.events == ["connection_made", "eof_received"]

    loop.run_until_complete(main())


def test_writing_after_close_is_ignored(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            transport.write(b"before")
            transport.close()
            transport.write(b"after")
            await protocol.lost
            transport.write(b"much later")
            assert await read_to_end(peer) == b"before"

    loop.run_until_complete(main())


def test_writing_after_the_connection_was_lost_warns_from_the_same_write_on(caplog):
    def scenario(loop):
        async def main():
            caplog.clear()
            async with connected() as (transport, protocol, _):
                transport.abort()
                await protocol.lost
                await turns(2)
                counts = []
                for _ in range(10):
                    transport.write(b"x")
                    counts.append(len(caplog.records))
                return counts, {record.getMessage() for record in caplog.records}

        return loop.run_until_complete(main())

    with caplog.at_level(logging.WARNING, "asyncio"):
        counts, messages = compare(scenario)
    assert messages == {"socket.send() raised exception."}
    assert counts[-1] > 0


def test_a_connection_closed_in_connection_made(loop):
    class Shy(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(b"bye")
            transport.close()

    async def main():
        async with connected(Shy) as (_, protocol, peer):
            assert await read_to_end(peer) == b"bye"
            await protocol.lost
            assert protocol.events == ["connection_made", "connection_lost"]

    loop.run_until_complete(main())


def test_closing_in_data_received_with_an_answer(loop):
    class Answer(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.write(b"answer")
            self.transport.close()

    async def main():
        async with connected(Answer) as (_, protocol, peer):
            peer.send(b"question")
            assert await read_to_end(peer) == b"answer"
            assert await protocol.lost is None

    loop.run_until_complete(main())


class Failing(asyncio.Protocol):
    """Answers, and then fails at the chosen place."""

    def __init__(self, place, error):
        self.place, self.error = place, error

    def connection_made(self, transport):
        self.transport = transport

    def fail(self, place):
        if place != self.place:
            return
        self.transport.write(b"answer")
        if self.error is None:
            self.transport.write(memoryview(b"with gaps")[::2])
        else:
            raise self.error

    def data_received(self, data):
        self.fail("data_received")

    def eof_received(self):
        self.fail("eof_received")


@pytest.mark.parametrize("place", ["data_received", "eof_received"])
@pytest.mark.parametrize(
    ("error", "reported"),
    [(OSError("mine"), []), (ValueError("mine"), [ValueError]), (None, [BufferError])],
    ids=["silent", "reported", "of write"],
)
def test_what_was_written_before_an_error_of_the_protocol_arrives(loop, place, error, reported):
    errors = collect_errors(loop)

    async def main():
        ours, peer = socket.socketpair()
        peer.setblocking(False)
        with peer:
            await loop.create_connection(lambda: Failing(place, error), sock=ours)
            peer.send(b"request")
            peer.shutdown(socket.SHUT_WR)
            received = b""
            while data := await asyncio.wait_for(loop.sock_recv(peer, 100), 10):
                received += data
            assert received == b"answer"

    loop.run_until_complete(main())
    assert [type(context["exception"]) for context in errors] == reported


def test_the_transport_forgets_its_protocol_and_its_loop_lets_go(loop):
    import gc
    import weakref

    async def main():
        async with connected() as (transport, protocol, _):
            transport.close()
            await protocol.lost
            protocol.transport = None
            return weakref.ref(transport), weakref.ref(protocol)

    dead = loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in dead] == [None, None]


def left_open(loop):
    """A transport of a loop that is then closed, and its peer."""
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    transport, _ = loop.run_until_complete(loop.create_connection(Recorder, sock=ours))
    transport.pause_reading()
    loop.close()
    return transport, peer


@pytest.mark.filterwarnings("ignore:unclosed transport")
def test_what_needs_a_loop_that_is_closed():
    def scenario(loop):
        transport, peer = left_open(loop)
        with peer:
            return [
                outcome(transport.write, b"fits"),
                peer.recv(100),
                outcome(transport.write, b"x" * MIB),
                transport.get_write_buffer_size(),
                outcome(transport.write, b"x"),
                transport.get_write_buffer_size(),
                outcome(transport.resume_reading),
                outcome(transport.close),
            ]

    closed = (RuntimeError, "Event loop is closed")
    nothing = ("returned", None)
    expected = [nothing, b"fits", closed, 0, closed, 0, closed, closed]
    assert compare(scenario) == expected


@pytest.mark.filterwarnings("ignore:unclosed transport")
def test_an_error_of_the_socket_is_the_context_of_that_of_the_closed_loop():
    def scenario(loop):
        transport, peer = left_open(loop)
        peer.close()
        with pytest.raises(RuntimeError, match="Event loop is closed") as caught:
            transport.write(b"x")
        return type(caught.value.__context__)

    assert compare(scenario) is BrokenPipeError
