"""Peers that do not speak TLS, leave at the wrong time or send nonsense, and protocols that raise."""

import asyncio
import socket
import ssl

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    collect_errors,
    compare,
    eventually,
    normalised,
    reset,
    tcp_pair,
    tls_making,
    tls_serving,
    tls_with_peer,
    turns,
)

DEBUG = pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
SIDES = pytest.mark.parametrize("side", ["client", "server"])


def told(errors):
    """What the exception handler was called with, as far as two loops can agree."""
    return [
        (sorted(context), normalised(context["message"]), type(context["exception"]), str(context["exception"]))
        for context in errors
    ]


@DEBUG
@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"this is no handshake\r\n" * 5000])
def test_plain_bytes_to_a_server_cost_only_their_connection(authority, greeting, debug):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            async with tls_serving(authority.server_context()) as (address, made):
                plain, client = await loop.create_connection(Recorder, *address)
                plain.write(greeting)
                await eventually(client.lost.done)
                transport, fine = await loop.create_connection(Recorder, *address, ssl=authority.client_context())
                transport.write(b"fine")
                await eventually(lambda: made[-1].received == b"fine")
                transport.abort()
                await fine.lost
                await turns(3)
                return bytes(client.received), [protocol.events[:2] for protocol in made], told(errors)

        return loop.run_until_complete(main())

    received, events, errors = compare(scenario)
    assert received == b""
    assert events == [[], ["connection_made", "data_received"]]
    assert bool(errors) == debug


@DEBUG
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ready\r\n", b""])
@pytest.mark.parametrize("way", ["protocols", "streams"])
def test_a_plain_server_is_the_same_error(authority, answer, way, debug):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            ours, theirs = tcp_pair()
            keywords = {"sock": ours, "ssl": authority.client_context(), "server_hostname": "localhost"}
            if way == "streams":
                task = loop.create_task(asyncio.open_connection(**keywords))
            else:
                task = loop.create_task(loop.create_connection(Recorder, **keywords))
            with theirs:
                # The greeting is read, so that the end is no reset.
                await loop.sock_recv(theirs, 10_000)
                await loop.sock_sendall(theirs, answer)
                theirs.shutdown(socket.SHUT_WR)
                try:
                    await task
                except Exception as error:
                    await turns(3)
                    return type(error), str(error), told(errors)

        return loop.run_until_complete(main())

    kind, text, errors = compare(scenario)
    if answer:
        assert issubclass(kind, ssl.SSLError)
        assert "SSL" in text
    else:
        assert kind is ConnectionResetError
    assert errors == []


def leave(sock, how):
    if how == "reset":
        reset(sock)
    else:
        sock.shutdown(socket.SHUT_WR)


@DEBUG
@SIDES
@pytest.mark.parametrize("how", ["end of stream", "reset"])
@pytest.mark.parametrize("when", ["at once", "in the middle of a record", "after one step"])
def test_a_peer_that_leaves_during_the_handshake_is_the_same_error(authority, side, how, when, debug, version):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            made = []

            def make():
                made.append(Recorder())
                return made[-1]

            _, peer, making = tls_making(authority, make, side, version=version)
            task = loop.create_task(making)
            with peer.sock:
                if side == "client":
                    await peer.take()
                if when != "at once":
                    records = peer.next_step()
                    if when == "in the middle of a record":
                        records = records[: len(records) // 2]
                    await loop.sock_sendall(peer.sock, records)
                    await turns(10)
                leave(peer.sock, how)
                try:
                    await task
                except Exception as error:
                    await turns(3)
                    return type(error), str(error), told(errors), [protocol.events for protocol in made]
                return "no error", told(errors)

        return loop.run_until_complete(main())

    kind, *rest = compare(scenario)
    if kind != "no error":
        _, errors, events = rest
        assert issubclass(kind, OSError)
        if how == "reset":
            assert kind is ConnectionResetError
        assert errors == []
        assert events == [[]]
    else:
        # Only a client of TLS 1.3 is ready after one step of the server.
        assert (side, when, version) == ("client", "after one step", ssl.TLSVersion.TLSv1_3)


@DEBUG
@SIDES
@pytest.mark.parametrize("buffered", [False, True], ids=["", "with data queued"])
def test_a_reset_after_the_handshake_is_told_to_connection_lost(authority, side, buffered, debug):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
                if buffered:
                    transport.write(b"x" * (8 << 20))
                    await turns(3)
                peer.reset()
                error = await protocol.lost
                await turns(3)
                return type(error), str(error), list(protocol.events), told(errors), transport.is_closing()

        return loop.run_until_complete(main())

    kind, _, events, errors, closing = compare(scenario)
    assert kind is ConnectionResetError
    assert events == ["connection_made", "connection_lost"]
    assert errors == []
    assert closing


def test_a_stream_tells_of_a_reset(authority):
    def scenario(loop):
        async def main():
            ours, theirs = tcp_pair()
            peer = TlsPeer(theirs, authority.server_context(), server_side=True)
            opening = asyncio.open_connection(sock=ours, ssl=authority.client_context(), server_hostname="localhost")
            (reader, writer), _ = await asyncio.gather(opening, peer.handshake())
            await peer.send(b"half a li")
            assert await reader.readexactly(5) == b"half "
            peer.reset()
            results = await asyncio.gather(reader.readline(), writer.wait_closed(), return_exceptions=True)
            return [(type(result), str(result)) for result in results]

        return loop.run_until_complete(main())

    assert compare(scenario)[0][0] is ConnectionResetError


@DEBUG
@SIDES
@pytest.mark.parametrize("nonsense", [b"\x00" * 100, b"nonsense\r\n", b"\x17\x03\x03\x00\x10" + b"x" * 16])
def test_nonsense_after_the_handshake_is_told_as_by_default(authority, version, side, nonsense, debug):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side, version=version) as (_, protocol, peer):
                await peer.send(b"sense")
                await eventually(lambda: protocol.received == b"sense")
                await loop.sock_sendall(peer.sock, nonsense)
                error = await protocol.lost
                await turns(3)
                return type(error), str(error), list(protocol.events), told(errors)

        return loop.run_until_complete(main())

    kind, _, events, _ = compare(scenario)
    assert issubclass(kind, ssl.SSLError)
    assert events == ["connection_made", "data_received", "connection_lost"]


@SIDES
def test_half_a_record_at_the_end_is_told_as_by_default(authority, version, side):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side, version=version) as (_, protocol, peer):
                await loop.sock_sendall(peer.sock, peer.encrypted(b"x" * 1000)[:-1])
                peer.end_stream()
                error = await protocol.lost
                return type(error), str(error), protocol.events, bytes(protocol.received), told(errors)

        return loop.run_until_complete(main())

    *_, received, _ = compare(scenario)
    assert received == b""


class Failing(Recorder):
    """Raises in one of its methods."""

    def __init__(self, where, error):
        super().__init__()
        self.where, self.error = where, error


def failing(name):
    def method(self, *arguments):
        getattr(Recorder, name)(self, *arguments)
        if self.where == name:
            raise self.error

    return method


PLACES = ["connection_made", "data_received", "eof_received", "connection_lost", "pause_writing", "resume_writing"]
for place in PLACES:
    setattr(Failing, place, failing(place))


def provoke(loop, authority, side, make):
    """Let every method of a protocol be called: what it saw and what the loop reported."""

    async def main():
        errors = collect_errors(loop)
        protocol = make()
        ours, peer, making = tls_making(authority, lambda: protocol, side)
        connecting = loop.create_task(making)
        outcomes = []
        with peer.sock:

            async def converse():
                await peer.handshake()
                await peer.send(b"data")
                await eventually(lambda: protocol.transport.is_closing() or len(protocol.events) > 1)
                if not protocol.transport.is_closing():
                    protocol.transport.set_write_buffer_limits(high=0)
                    protocol.transport.write(b"x" * 100)
                    await peer.read()
                await eventually(
                    lambda: protocol.transport.is_closing() or not protocol.transport.get_write_buffer_size()
                )
                await peer.send_close_notify()
                peer.end_stream()

            results = await asyncio.gather(
                asyncio.wait_for(connecting, 0.3), asyncio.wait_for(converse(), 5), return_exceptions=True
            )
            outcomes = [repr(result) if isinstance(result, BaseException) else "fine" for result in results]
            await eventually(lambda: protocol.lost.done() or ours.fileno() == -1)
            protocol.transport.abort()
            await turns(5)
        lost = repr(protocol.lost.result()) if protocol.lost.done() else "not lost"
        return outcomes, lost, protocol.events, told(errors)

    return loop.run_until_complete(main())


@SIDES
@pytest.mark.parametrize("where", [None, *PLACES])
def test_a_protocol_that_raises_has_the_same_consequences(authority, where, side):
    _, _, events, errors = compare(provoke, authority, side, lambda: Failing(where, ValueError("on purpose")))
    assert events[0] == "connection_made"
    assert bool(errors) == (where is not None)


class FailingBuffered(Failing, asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    data_received = None

    def get_buffer(self, sizehint):
        self.events.append("get_buffer")
        if self.where == "get_buffer":
            raise self.error
        return {"empty buffer": bytearray(), "read-only buffer": b"read-only"}.get(self.where, bytearray(100))

    def buffer_updated(self, count):
        self.events.append(f"buffer_updated({count})")
        if self.where == "buffer_updated":
            raise self.error


@pytest.mark.parametrize("where", [None, "get_buffer", "buffer_updated", "read-only buffer"])
def test_a_buffered_protocol_that_raises_has_the_same_consequences(authority, where):
    _, _, events, errors = compare(
        provoke, authority, "server", lambda: FailingBuffered(where, ValueError("on purpose"))
    )
    assert events[:2] == ["connection_made", "get_buffer"]
    assert bool(errors) == (where is not None)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["data_received", "connection_lost", "connection_made"])
def test_an_exit_in_a_protocol_leaves_the_loop(loop, errors, authority, error, where):
    async def main():
        protocol.append(Failing(where, error("leave")))
        async with tls_serving(authority.server_context(), lambda: protocol[0]) as (address, _):
            transport, client = await loop.create_connection(Recorder, *address, ssl=authority.client_context())
            transport.write(b"data")
            await eventually(lambda: protocol[0].received or protocol[0].where != "data_received")
            transport.abort()
            await client.lost
            await asyncio.sleep(10)

    protocol = []
    with pytest.raises(error, match="leave"):
        loop.run_until_complete(main())
    protocol[0].where = None
    protocol[0].transport.abort()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(turns(5))


@DEBUG
def test_a_factory_that_raises_costs_only_its_connection(authority, debug):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            good = Recorder()
            protocols = [good, None]

            def make():
                protocol = protocols.pop()
                if protocol is None:
                    raise ValueError("on purpose")
                return protocol

            server = await loop.create_server(make, "127.0.0.1", 0, ssl=authority.server_context())
            address = server.sockets[0].getsockname()
            with socket.create_connection(address) as sock:
                sock.setblocking(False)
                # The error's traceback keeps the default loop's socket open, and debug mode the error.
                if not debug:
                    assert await loop.sock_recv(sock, 100) == b""
                else:
                    await eventually(lambda: errors)
            transport, client = await loop.create_connection(Recorder, *address, ssl=authority.client_context())
            transport.write(b"fine")
            await eventually(lambda: good.received == b"fine")
            transport.close()
            await asyncio.gather(client.lost, good.lost)
            server.close()
            await server.wait_closed()
            return told(errors)

        return loop.run_until_complete(main())

    errors = compare(scenario)
    assert bool(errors) == debug


@pytest.mark.parametrize("tls", ["TLSv1_2"])
def test_a_client_that_wants_to_negotiate_again_is_refused(authority, tls):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            version = ssl.TLSVersion[tls]
            async with tls_serving(authority.server_context(version=version)) as (address, made):
                client = await asyncio.create_subprocess_exec(
                    "openssl", "s_client", "-connect", f"127.0.0.1:{address[1]}", "-CAfile", str(authority.certificate),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                )  # fmt: skip
                client.stdin.write(b"before\n")
                await eventually(lambda: made and made[0].received == b"before\n")
                client.stdin.write(b"R\n")
                output = await client.stdout.read()
                await client.wait()
                error = await made[0].lost
                return repr(error), made[0].events, told(errors), b"no renegotiation" in output

        return loop.run_until_complete(main())

    _, events, errors, refused = compare(scenario)
    assert refused
    assert events[-1] == "connection_lost"
    assert errors == []
