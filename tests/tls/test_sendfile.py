"""loop.sendfile() over TLS, which reads the file and writes its content."""

import asyncio
import io

import pytest
from helpers import Recorder, TlsPeer, compare, connected, eventually, tls_connected, tls_with_peer

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        yield file


RANGES = [(0, None), (0, 0), (0, 100), (1000, None), (1000, 70_000), (len(CONTENT), None), (len(CONTENT) - 10, 100)]


@pytest.mark.parametrize(("offset", "count"), RANGES, ids=str)
def test_a_part_of_a_file_is_sent(authority, file, offset, count):
    # A count of zero is no count.
    expected = CONTENT[offset : offset + count] if count else CONTENT[offset:]

    def scenario(loop):
        async def main():
            async with tls_connected(authority.server_context(), authority.client_context()) as (client, server):
                # An offset of zero means where the file is.
                file.seek(0)
                client.transport.write(b"before ")
                sent = await loop.sendfile(client.transport, file, offset, count)
                client.transport.write(b" after")
                await eventually(lambda: server.received.endswith(b" after"))
                assert client.transport.get_protocol() is client
                return sent, bytes(server.received), file.tell(), list(client.events)

        return loop.run_until_complete(main())

    sent, received, position, events = compare(scenario)
    assert sent == len(expected)
    assert received == b"before " + expected + b" after"
    assert position == offset + sent
    assert events == ["connection_made"]


def test_without_the_fallback_it_is_the_same_error(authority, file):
    def scenario(loop):
        async def main():
            async with tls_connected(authority.server_context(), authority.client_context()) as (client, server):
                try:
                    await loop.sendfile(client.transport, file, fallback=False)
                except Exception as error:
                    client.transport.write(b"goes on")
                    await eventually(lambda: server.received == b"goes on")
                    return type(error), str(error).split(" for ")[0]

        return loop.run_until_complete(main())

    assert compare(scenario) == (RuntimeError, "fallback is disabled and native sendfile is not supported")


def test_it_waits_for_a_slow_reader(loop, errors, authority, file):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            transport.set_write_buffer_limits(high=50_000)
            sending = loop.create_task(loop.sendfile(transport, file))
            received = bytearray()
            while len(received) < len(CONTENT):
                received += await peer.read()
            assert await sending == len(CONTENT)
            assert received == CONTENT
            assert protocol.events == ["connection_made"]

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("paused", [False, True], ids=["", "paused"])
def test_the_protocol_gets_its_data_afterwards(loop, errors, authority, file, paused):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            if paused:
                transport.pause_reading()
            assert await loop.sendfile(transport, file, 0, 10) == 10
            assert await peer.read() == CONTENT[:10]
            await peer.send(b"answer")
            if paused:
                transport.resume_reading()
            await eventually(lambda: protocol.received == b"answer")

    loop.run_until_complete(main())
    assert errors == []


def bad(**keywords):
    return keywords


BAD_ARGUMENTS = {
    "a file opened for text": bad(file=io.StringIO("text")),
    "a negative offset": bad(offset=-1),
    "a negative count": bad(count=-1),
    "a count that is no number": bad(count="1"),
    "an offset that is no number": bad(offset=1.5),
}


@pytest.mark.parametrize("keywords", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_wrong_arguments_are_the_same_error(authority, file, keywords):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, _, _):
                try:
                    await loop.sendfile(transport, **{"file": file, **keywords})
                except Exception as error:
                    return type(error), str(error)

        return loop.run_until_complete(main())

    kind, text = compare(scenario)
    assert issubclass(kind, Exception)
    assert text


def test_a_file_in_memory_is_sent_as_well(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, _, peer):
            assert await loop.sendfile(transport, io.BytesIO(b"in memory"), 3) == 6
            assert await peer.read() == b"memory"

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_closing_transport_is_the_same_error(authority, file, how):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, _, _):
                getattr(transport, how)()
                try:
                    await loop.sendfile(transport, file)
                except Exception as error:
                    return type(error), str(error)

        return loop.run_until_complete(main())

    assert compare(scenario) == (RuntimeError, "Transport is closing")


def test_a_peer_that_leaves_is_the_same_error(authority, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * (32 << 20))

    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                with path.open("rb") as file:
                    sending = loop.create_task(loop.sendfile(transport, file))
                    await peer.read()
                    peer.reset()
                    try:
                        await sending
                    except Exception as error:
                        lost = await protocol.lost
                        return type(error), str(error), type(lost), list(protocol.events)

        return loop.run_until_complete(main())

    kind, *_, events = compare(scenario)
    assert issubclass(kind, ConnectionError)
    assert events == ["connection_made", "connection_lost"]


def test_cancelling_gives_the_protocol_back(loop, errors, authority, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * (32 << 20))

    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            with path.open("rb") as file:
                sending = loop.create_task(loop.sendfile(transport, file))
                await peer.read()
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            assert transport.get_protocol() is protocol
            await peer.send(b"still here")
            await eventually(lambda: protocol.received == b"still here")

    loop.run_until_complete(main())
    assert errors == []


def test_after_an_upgrade(loop, errors, authority, file):
    async def main():
        async with connected(Recorder) as (plain, protocol, sock):
            assert await loop.sendfile(plain, file, 0, 5) == 5
            assert await loop.sock_recv(sock, 10) == CONTENT[:5]
            peer = TlsPeer(sock, authority.client_context(), server_side=False)
            upgrading = loop.start_tls(plain, protocol, authority.server_context(), server_side=True)
            tls, _ = await asyncio.gather(upgrading, peer.handshake())
            assert await loop.sendfile(tls, file, 5, 5) == 5
            assert await peer.read() == CONTENT[5:10]
            tls.abort()
            await protocol.lost

    loop.run_until_complete(main())
    assert errors == []
