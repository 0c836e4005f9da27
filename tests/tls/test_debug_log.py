"""What the loop logs in debug mode about TLS connections."""

import asyncio
import re

import pytest
from helpers import compare, eventually, normalised, tls_connected, tls_with_peer, turns


def messages(caplog):
    """What was logged and the types of the exceptions with it, without what differs between two runs."""
    told = []
    for record in caplog.records:
        text = re.sub(r"\bfd=\d+|\('127.0.0.1', \d+\)|127.0.0.1:\d+|took [\d.]+ ms", "…", normalised(record.message))
        # The default loop tells which selector it has got.
        if not text.startswith("Using selector"):
            told.append((text, record.levelname, record.exc_info and record.exc_info[0]))
    return told


def test_the_life_of_a_connection_is_logged_as_by_default(authority, caplog):
    def scenario(loop):
        async def main():
            contexts = authority.server_context(), authority.client_context()
            async with tls_connected(*contexts) as (client, server):
                client.transport.write(b"hello")
                await eventually(lambda: server.received == b"hello")
                client.transport.close()
                await asyncio.gather(client.lost, server.lost)

        caplog.clear()
        loop.set_debug(True)
        loop.slow_callback_duration = 60
        loop.run_until_complete(main())
        return messages(caplog)

    with caplog.at_level("DEBUG", "asyncio"):
        logged = compare(scenario)
    assert any("got a new connection" in text for text, *_ in logged)
    assert sum("SSL handshake" in text and "starts" not in text for text, *_ in logged) == 2


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("ending", ["say_goodbye", "end_stream", "reset"])
def test_the_end_of_a_connection_is_logged_as_by_default(authority, side, ending, caplog):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, side=side) as (_, protocol, peer):
                if side == "client":
                    await peer.send(b"x")
                    await eventually(lambda: protocol.received)
                caplog.clear()
                if ending == "say_goodbye":
                    await peer.say_goodbye()
                    peer.end_stream()
                else:
                    getattr(peer, ending)()
                await protocol.lost
                await turns(2)
                return messages(caplog)

        loop.set_debug(True)
        loop.slow_callback_duration = 60
        return loop.run_until_complete(main())

    with caplog.at_level("DEBUG", "asyncio"):
        logged = compare(scenario)
    assert logged or ending == "say_goodbye"


def test_pausing_the_underlying_transport_is_logged_as_by_default(authority, caplog):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                transport.set_read_buffer_limits(high=10, low=5)
                caplog.clear()
                transport.pause_reading()
                await peer.send(b"x" * 100)
                await eventually(lambda: transport.get_read_buffer_size() > 100)
                transport.resume_reading()
                await eventually(lambda: protocol.received)
                return messages(caplog)

        loop.set_debug(True)
        loop.slow_callback_duration = 60
        return loop.run_until_complete(main())

    with caplog.at_level("DEBUG", "asyncio"):
        logged = compare(scenario)
    assert [text.split("> ")[-1] for text, *_ in logged] == ["pauses reading", "resumes reading"]
