"""The order in which a transport calls its protocol, and what happens when the protocol raises."""

import asyncio
import contextvars
import socket
import struct
import time

import pytest
from helpers import Recorder, collect_errors, compare, connected, eventually, normalised, serving, turns


def test_the_order_of_a_connections_life(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            assert protocol.events == ["connection_made"]
            peer.send(b"data")
            await eventually(lambda: protocol.received)
            peer.shutdown(socket.SHUT_WR)
            assert await protocol.lost is None
            assert protocol.events == ["connection_made", "data_received", "eof_received", "connection_lost"]
            assert transport.is_closing()

    loop.run_until_complete(main())


def test_data_that_is_there_already_comes_after_connection_made(loop):
    async def main():
        async with serving(Recorder) as (_, address, made):
            sock = socket.create_connection(address)
            sock.sendall(b"early")
            sock.close()
            await eventually(lambda: made and made[0].lost and made[0].lost.done())
            assert made[0].events == ["connection_made", "data_received", "eof_received", "connection_lost"]
            assert made[0].received == b"early"

    loop.run_until_complete(main())


def test_connection_made_comes_before_create_connection_returns(loop):
    async def main():
        async with serving(Recorder) as (_, address, _):
            transport, protocol = await loop.create_connection(Recorder, *address)
            assert protocol.events == ["connection_made"]
            assert protocol.transport is transport
            transport.abort()
            await protocol.lost

    loop.run_until_complete(main())


def test_connection_lost_comes_in_a_later_turn_than_close(loop):
    async def main():
        async with connected() as (transport, protocol, _):
            transport.close()
            assert transport.is_closing()
            assert protocol.events == ["connection_made"]
            await turns(2)
            assert protocol.events == ["connection_made", "connection_lost"]
            transport.close()
            transport.abort()
            await turns(3)
            assert protocol.events == ["connection_made", "connection_lost"]

    loop.run_until_complete(main())


def test_no_data_comes_after_close(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            peer.send(b"too late")
            transport.close()
            await protocol.lost
            assert protocol.received == b""

    loop.run_until_complete(main())


def test_a_reset_by_the_peer_is_told_to_connection_lost():
    def scenario(loop):
        async def main():
            async with connected() as (_, protocol, peer):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                error = await protocol.lost
                return type(error), error.errno, list(protocol.events)

        return loop.run_until_complete(main())

    kind, _, events = compare(scenario)
    assert kind is ConnectionResetError
    assert events == ["connection_made", "connection_lost"]


def test_writing_to_a_peer_that_has_gone_ends_the_connection_with_an_error(loop):
    async def main():
        async with connected(lambda: Recorder(keep_open_at_eof=True)) as (transport, protocol, peer):
            peer.close()
            await eventually(lambda: "eof_received" in protocol.events)
            while not protocol.lost.done():
                transport.write(b"x" * 1000)
                await asyncio.sleep(0.001)
            assert isinstance(protocol.lost.result(), (BrokenPipeError, ConnectionResetError))

    loop.run_until_complete(main())


class Failing(Recorder):
    """Raises in one of its methods."""

    def __init__(self, where, error):
        super().__init__()
        self.where, self.error = where, error

    def fail(self, name):
        if self.where == name:
            raise self.error

    def connection_made(self, transport):
        super().connection_made(transport)
        self.fail("connection_made")

    def data_received(self, data):
        super().data_received(data)
        self.fail("data_received")

    def eof_received(self):
        super().eof_received()
        self.fail("eof_received")

    def connection_lost(self, error):
        super().connection_lost(error)
        self.fail("connection_lost")

    def pause_writing(self):
        super().pause_writing()
        self.fail("pause_writing")

    def resume_writing(self):
        super().resume_writing()
        self.fail("resume_writing")


class FailingBuffered(Failing, asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    data_received = None

    def get_buffer(self, sizehint):
        self.events.append("get_buffer")
        self.fail("get_buffer")
        if self.where == "empty buffer":
            return bytearray()
        if self.where == "read-only buffer":
            return b"read-only"
        return bytearray(100)

    def buffer_updated(self, count):
        self.events.append(f"buffer_updated({count})")
        self.fail("buffer_updated")


def provoke(loop, factory):
    """Let every method of a protocol be called; what the program saw."""

    async def main():
        errors = collect_errors(loop)
        async with connected(factory) as (transport, protocol, peer):
            peer.send(b"data")
            await eventually(lambda: transport.is_closing() or len(protocol.events) > 1)
            if not transport.is_closing():
                transport.set_write_buffer_limits(high=10)
                transport.write(b"x" * (8 << 20))
            while not transport.is_closing() and transport.get_write_buffer_size():
                await asyncio.sleep(0.001)
                try:
                    while peer.recv(1 << 20):
                        pass
                except BlockingIOError:
                    pass
            if not transport.is_closing():
                peer.shutdown(socket.SHUT_WR)
            await eventually(lambda: protocol.lost.done())
            await turns(2)
            lost = protocol.lost.result()
            told = [
                (sorted(context), context["message"].split("(")[0].split(" <")[0], repr(context["exception"]))
                for context in errors
            ]
            return list(protocol.events), repr(lost), told

    return loop.run_until_complete(main())


PLACES = ["data_received", "eof_received", "pause_writing", "resume_writing"]


@pytest.mark.parametrize("where", [None, *PLACES])
def test_a_protocol_that_raises_has_the_same_consequences(where):
    events, lost, told = compare(provoke, lambda: Failing(where, ValueError("on purpose")))
    assert events[0] == "connection_made"
    assert events[-1] == "connection_lost"
    assert bool(told) == (where is not None)
    assert (lost == "None") == (where not in ("data_received", "eof_received"))


@pytest.mark.parametrize("where", [None, "get_buffer", "buffer_updated", "empty buffer", "read-only buffer"])
def test_a_buffered_protocol_that_raises_has_the_same_consequences(where):
    events, lost, told = compare(provoke, lambda: FailingBuffered(where, ValueError("on purpose")))
    assert events[:2] == ["connection_made", "get_buffer"]
    assert events[-1] == "connection_lost"
    assert bool(told) == (where is not None)
    assert (lost == "None") == (where is None)


@pytest.mark.parametrize("where", ["connection_made", "connection_lost"])
def test_errors_at_both_ends_of_the_life_are_reported(where):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with connected(lambda: Failing(where, ValueError("on purpose"))) as (transport, protocol, _):
                transport.close()
                await protocol.lost
                await turns(2)
            (context,) = errors
            assert context["message"].startswith("Exception in callback")
            return list(protocol.events), repr(context["exception"])

        return loop.run_until_complete(main())

    events, error = compare(scenario)
    assert events == ["connection_made", "connection_lost"]
    assert error == "ValueError('on purpose')"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["data_received", "connection_lost", "eof_received"])
def test_an_exit_in_a_protocol_leaves_the_loop(loop, errors, error, where):
    async def main():
        nonlocal transport
        async with connected(lambda: Failing(where, error("leave"))) as (transport, _, peer):
            peer.send(b"data")
            peer.shutdown(socket.SHUT_WR)
            await asyncio.sleep(10)

    transport = None
    with pytest.raises(error, match="leave"):
        loop.run_until_complete(main())
    assert errors == []
    transport.abort()
    loop.run_until_complete(turns(3))


def test_protocol_callbacks_see_the_same_contexts():
    def scenario(loop):
        variable = contextvars.ContextVar("variable", default="unset")
        seen = []

        class Protocol(Recorder):
            def note(self, where):
                seen.append((where, variable.get()))
                variable.set(where)

            def connection_made(self, transport):
                super().connection_made(transport)
                self.note("connection_made")

            def data_received(self, data):
                super().data_received(data)
                self.note("data_received")

            def connection_lost(self, error):
                super().connection_lost(error)
                self.note("connection_lost")

        async def main():
            variable.set("outside")
            async with serving(Protocol) as (_, address, made):
                for number in (1, 2):
                    sock = socket.create_connection(address)
                    for count in (1, 2):
                        sock.send(b"x")
                        await eventually(lambda n=number, c=count: len(made) == n and len(made[-1].received) == c)
                    sock.close()
                    await made[-1].lost
            return variable.get(), seen

        return loop.run_until_complete(main())

    outside, seen = compare(scenario)
    assert outside == "outside"
    # The second connection sees nothing of the first.
    assert seen[0] == ("connection_made", "outside")
    assert seen[:4] == seen[4:]


def test_set_protocol_switches_whom_the_transport_calls(loop):
    async def main():
        async with connected() as (transport, first, peer):
            second = Recorder()
            second.connection_made(transport)
            assert transport.get_protocol() is first
            transport.set_protocol(second)
            assert transport.get_protocol() is second
            peer.send(b"for the second")
            await eventually(lambda: second.received)
            assert first.events == ["connection_made"]
            transport.close()
            assert await second.lost is None
            assert first.events == ["connection_made"]

    loop.run_until_complete(main())


def test_set_protocol_switches_between_data_and_buffers(loop):
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self):
            self.buffer = bytearray(4)
            self.received = b""

        def get_buffer(self, sizehint):
            return memoryview(self.buffer)

        def buffer_updated(self, count):
            self.received += self.buffer[:count]

    async def main():
        async with connected() as (transport, first, peer):
            buffered = Buffered()
            transport.set_protocol(buffered)
            peer.send(b"longer than the buffer")
            await eventually(lambda: buffered.received == b"longer than the buffer")
            transport.set_protocol(first)
            peer.send(b"plain")
            await eventually(lambda: first.received == b"plain")

    loop.run_until_complete(main())


class FailsToBegin(Recorder):
    def connection_made(self, transport):
        super().connection_made(transport)
        raise ValueError("in connection_made")


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_of_connection_made_is_that_of_a_callback(debug):
    async def scenario(loop):
        loop.set_debug(debug)
        errors = collect_errors(loop)
        async with connected(FailsToBegin) as (_, protocol, peer):
            peer.send(b"data")
            await eventually(lambda: protocol.received)
        (context,) = errors
        return sorted(context), context["message"].partition("(")[0], isinstance(context["handle"], asyncio.Handle)

    keys, message, is_handle = compare(lambda loop: loop.run_until_complete(scenario(loop)))
    assert keys == ["exception", "handle", "message", *(["source_traceback"] if debug else [])]
    assert message == "Exception in callback FailsToBegin.connection_made"
    assert is_handle


def test_a_slow_connection_made_is_told_of_in_debug_mode(caplog):
    class Slow(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            time.sleep(0.02)

    async def scenario(loop):
        caplog.clear()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.01
        async with connected(Slow):
            pass
        return [normalised(text).split("(")[0] for text in caplog.messages if "connection_made" in text]

    texts = compare(lambda loop: loop.run_until_complete(scenario(loop)))
    assert [text.split(".")[-1] for text in texts] == ["connection_made"]
    assert texts[0].startswith("Executing <Handle ")


def test_the_protocol_is_there_until_connection_lost_has_returned():
    class Looks(Recorder):
        def connection_lost(self, error):
            self.seen = self.transport.get_protocol() is self
            super().connection_lost(error)

    async def scenario():
        async with connected(Looks) as (transport, protocol, _):
            transport.close()
            await protocol.lost
            await turns(2)
            return protocol.seen, transport.get_protocol()

    assert compare(lambda loop: loop.run_until_complete(scenario())) == (True, None)
