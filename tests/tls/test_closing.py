"""Ends of TLS connections: close, abort, half close, close_notify and its absence."""

import asyncio
import gc
import ssl
import warnings

import pytest
from helpers import (
    Recorder,
    collect_errors,
    compare,
    eventually,
    normalised,
    outcome,
    tls_connected,
    tls_with_peer,
    turns,
)

MIB = 1 << 20
SIDES = pytest.mark.parametrize("side", ["client", "server"])


@SIDES
def test_write_eof_is_not_there(authority, side):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, side=side) as (transport, _, peer):
                result = transport.can_write_eof(), outcome(transport.write_eof)
                transport.write(b"goes on")
                return result, await peer.read()

        return loop.run_until_complete(main())

    assert compare(scenario) == ((False, (NotImplementedError, "")), b"goes on")


def test_a_stream_cannot_write_eof(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, _):
                writer = asyncio.StreamWriter(transport, protocol, None, loop)
                return writer.can_write_eof(), outcome(writer.write_eof)

        return loop.run_until_complete(main())

    assert compare(scenario)[0] is False


@SIDES
def test_close_says_goodbye(loop, errors, authority, version, side):
    async def main():
        async with tls_with_peer(authority, side=side, version=version) as (transport, protocol, peer):
            transport.write(b"last words")
            transport.close()
            assert transport.is_closing()
            assert protocol.events == ["connection_made"]
            assert await peer.read_to_end() == (b"last words", "close_notify")
            await peer.say_goodbye()
            peer.end_stream()
            assert await protocol.lost is None
            assert protocol.events == ["connection_made", "eof_received", "connection_lost"]

    loop.run_until_complete(main())
    assert errors == []


@SIDES
@pytest.mark.parametrize("size", [0, 10, 2 * MIB])
@pytest.mark.parametrize("ending", ["close_notify", "end of stream"])
def test_the_peers_end_comes_after_its_data(loop, errors, authority, version, side, size, ending):
    async def main():
        async with tls_with_peer(authority, side=side, version=version) as (transport, protocol, peer):
            if size:
                await peer.send(b"x" * size)
            if ending == "close_notify":
                await peer.say_goodbye()
            peer.end_stream()
            assert await protocol.lost is None
            assert protocol.received == b"x" * size
            assert [event for event in protocol.events if event != "data_received"] == [
                "connection_made",
                "eof_received",
                "connection_lost",
            ]
            assert protocol.events[-2:] == ["eof_received", "connection_lost"]
            assert transport.is_closing()

    loop.run_until_complete(main())
    assert errors == []


def test_a_goodbye_is_answered_without_an_end_of_the_stream(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            transport.write(b"before")
            await peer.send_close_notify()
            assert await peer.read_to_end() == (b"before", "close_notify")
            assert await protocol.lost is None
            assert protocol.events == ["connection_made", "eof_received", "connection_lost"]

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("keep", [True, 1, False, None], ids=repr)
def test_eof_received_cannot_keep_the_connection_open(authority, keep, caplog):
    def scenario(loop):
        async def main():
            caplog.clear()
            async with tls_with_peer(authority, lambda: Recorder(keep)) as (_, protocol, peer):
                await peer.say_goodbye()
                peer.end_stream()
                error = await protocol.lost
                return repr(error), protocol.events, [record.getMessage() for record in caplog.records]

        return loop.run_until_complete(main())

    lost, events, logged = compare(scenario)
    assert lost == "None"
    assert events == ["connection_made", "eof_received", "connection_lost"]
    assert logged == (["returning true from eof_received() has no effect when using ssl"] if keep else [])


class Giving(Recorder):
    """Sends much and closes at once."""

    chunks = (b"x" * (4 * MIB),)

    def connection_made(self, transport):
        super().connection_made(transport)
        for chunk in self.chunks:
            transport.write(chunk)
        transport.close()


class GivingPieces(Giving):
    chunks = tuple(b"%06d" % number * 100 for number in range(4000))


@pytest.mark.parametrize("giver", [Giving, GivingPieces])
@pytest.mark.parametrize("side", ["client", "server"])
def test_all_that_was_written_before_close_arrives(loop, errors, authority, version, giver, side):
    async def main():
        contexts = authority.server_context(version=version), authority.client_context()
        factories = (giver, Recorder) if side == "server" else (Recorder, giver)
        async with tls_connected(*contexts, *factories) as (client, server):
            taker, other = (client, server) if side == "server" else (server, client)
            assert await taker.lost is None
            assert await other.lost is None
            assert taker.received == b"".join(giver.chunks)
            assert taker.events[-2:] == ["eof_received", "connection_lost"]

    loop.run_until_complete(main())
    assert errors == []


def test_a_stream_server_that_writes_and_closes_loses_nothing(loop, errors, server_context, client_context):
    async def handle(reader, writer):
        writer.write(b"x" * (3 * MIB))
        writer.write(b"end")
        writer.close()
        await writer.wait_closed()

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server_context)
        port = server.sockets[0].getsockname()[1]
        for _ in range(3):
            reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context)
            assert await reader.read() == b"x" * (3 * MIB) + b"end"
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


@SIDES
def test_what_a_slow_peer_reads_after_close_is_complete(loop, errors, authority, side):
    async def main():
        async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
            for _ in range(40):
                transport.write(b"x" * 100_000)
            transport.close()
            await turns(10)
            assert "connection_lost" not in protocol.events
            assert await peer.read_to_end() == (b"x" * 4_000_000, "close_notify")
            await peer.say_goodbye()
            peer.end_stream()
            assert await protocol.lost is None

    loop.run_until_complete(main())
    assert errors == []


@SIDES
@pytest.mark.parametrize("size", [10, 8 * MIB])
def test_data_that_crosses_a_goodbye_is_told_as_by_default(authority, side, size):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
                transport.write(b"y" * size)
                transport.close()
                await peer.send(b"x" * 1000)
                if size < 1000:
                    ended = await peer.read_to_end()
                else:
                    ended = None
                error = await protocol.lost
                return ended, type(error), str(error), bytes(protocol.received), protocol.events, errors

        return loop.run_until_complete(main())

    ended, kind, _, _, events, errors = compare(scenario)
    if size < 1000:
        assert ended == (b"y" * size, "close_notify")
    assert kind is ssl.SSLError
    assert events == ["connection_made", "connection_lost"]
    assert errors == []


@SIDES
def test_abort_ends_without_a_goodbye(loop, errors, authority, side):
    async def main():
        async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
            transport.abort()
            assert transport.is_closing()
            assert await protocol.lost is None
            assert protocol.events == ["connection_made", "connection_lost"]
            if side == "client":
                assert await peer.read_to_end() == (b"", "end of stream")

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2], ids=["TLSv1.2"])
@pytest.mark.parametrize("size", [1, 1000, 50_000])
def test_what_was_written_just_before_abort_arrives_as_by_default(authority, version, size):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, version=version) as (transport, protocol, peer):
                transport.write(b"x" * size)
                transport.abort()
                await protocol.lost
                return await peer.read_to_end()

        return loop.run_until_complete(main())

    assert compare(scenario) == (b"x" * size, "end of stream")


@SIDES
def test_abort_drops_what_the_peer_did_not_take(loop, errors, authority, side):
    async def main():
        async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
            for _ in range(16):
                transport.write(b"x" * MIB)
            transport.abort()
            assert await protocol.lost is None
            assert transport.get_write_buffer_size() == 0
            try:
                received, _ = await peer.read_to_end()
            except ConnectionResetError:
                received = b""
            assert len(received) < 16 * MIB

    loop.run_until_complete(main())
    assert errors == []


def test_abort_in_the_middle_of_a_shutdown(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, _):
            transport.write(b"x" * (8 * MIB))
            transport.close()
            await turns(3)
            assert "connection_lost" not in protocol.events
            transport.abort()
            assert await protocol.lost is None
            assert protocol.events.count("connection_lost") == 1

    loop.run_until_complete(main())
    assert errors == []


def test_writing_after_close_is_ignored_and_warned_of_as_by_default(authority, caplog):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                transport.write(b"before")
                transport.close()
                transport.write(b"after")
                caplog.clear()
                received = await peer.read_to_end()
                await peer.say_goodbye()
                peer.end_stream()
                await protocol.lost
                counts = []
                for _ in range(10):
                    transport.write(b"much later")
                    counts.append(len(caplog.records))
                return received, counts, {record.getMessage() for record in caplog.records}

        return loop.run_until_complete(main())

    received, counts, logged = compare(scenario)
    assert received == (b"before", "close_notify")
    assert counts[0] == 0
    assert counts[-1] > 0
    assert logged == {"SSL connection is closed"}


CALLS_AFTER = [
    ("is_closing",),
    ("close",),
    ("abort",),
    ("is_reading",),
    ("pause_reading",),
    ("resume_reading",),
    ("get_write_buffer_size",),
    ("get_write_buffer_limits",),
    ("set_write_buffer_limits", 10),
    ("get_protocol",),
    ("write", b""),
    ("write", b"x"),
    ("writelines", [b"x"]),
    ("get_extra_info", "peername"),
    ("get_extra_info", "socket"),
    ("get_extra_info", "sslcontext"),
    ("get_extra_info", "cipher"),
]


@pytest.mark.parametrize("call", CALLS_AFTER, ids=lambda call: "-".join(map(str, call)))
@pytest.mark.parametrize("closes", [1, 2])
def test_methods_of_a_lost_connection_do_as_by_default(authority, call, closes):
    name, *arguments = call

    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                for _ in range(closes):
                    transport.close()
                await peer.say_goodbye()
                peer.end_stream()
                await protocol.lost
                await turns(2)
                kind, result = outcome(getattr(transport, name), *arguments)
                return kind, result if isinstance(result, (int, str, type(None))) else type(result)

        return loop.run_until_complete(main())

    kind, _ = compare(scenario)
    if closes == 1:
        assert kind == "returned"


def test_closing_in_connection_made_is_a_handshake_and_a_goodbye(loop, errors, server_context, client_context):
    class Shy(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(b"bye")
            transport.close()

    async def main():
        async with tls_connected(server_context, client_context, Shy) as (client, server):
            assert await client.lost is None
            assert await server.lost is None
            assert client.received == b"bye"
            assert server.events == ["connection_made", "eof_received", "connection_lost"]

    loop.run_until_complete(main())
    assert errors == []


def test_closing_in_data_received_with_an_answer(loop, errors, server_context, client_context):
    class Answer(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.write(b"answer" * 100_000)
            self.transport.close()

    async def main():
        async with tls_connected(server_context, client_context, Answer) as (client, server):
            client.transport.write(b"question")
            assert await client.lost is None
            assert await server.lost is None
            assert client.received == b"answer" * 100_000

    loop.run_until_complete(main())
    assert errors == []


def test_both_ends_close_at_once(loop, errors, server_context, client_context):
    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            client.transport.write(b"from the client")
            await eventually(lambda: server.received)
            client.transport.close()
            server.transport.close()
            assert await client.lost is None
            assert await server.lost is None

    loop.run_until_complete(main())
    assert errors == []


def test_a_closed_server_lets_its_connections_go_on(loop, errors, server_context, client_context):
    async def main():
        server = await loop.create_server(lambda: made, "127.0.0.1", 0, ssl=server_context)
        transport, client = await loop.create_connection(Recorder, *server.sockets[0].getsockname(), ssl=client_context)
        await eventually(lambda: made.transport is not None)
        server.close()
        transport.write(b"still there")
        await eventually(lambda: made.received == b"still there")
        transport.close()
        await asyncio.gather(client.lost, made.lost)
        await server.wait_closed()

    made = Recorder()
    loop.run_until_complete(main())
    assert errors == []


def test_a_loop_closed_over_open_connections_warns_as_by_default(authority):
    def scenario(loop):
        async def main():
            server = await loop.create_server(Recorder, "127.0.0.1", 0, ssl=authority.server_context())
            transport, _ = await loop.create_connection(
                Recorder, *server.sockets[0].getsockname(), ssl=authority.client_context()
            )
            server.close()
            return transport

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            transport = loop.run_until_complete(main())
            loop.close()
            assert not transport.is_closing()
            del transport
            gc.collect()
        messages = {normalised(str(warning.message)).split(" fd=")[0].split(" object")[0] for warning in caught}
        # A socket warns too where the collector finalizes it before its transport, which is by chance on both loops.
        return sorted(message for message in messages if not message.startswith("unclosed <socket.socket"))

    assert "unclosed transport <asyncio._SSLProtocolTransport" in compare(scenario)
