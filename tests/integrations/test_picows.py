"""picows on this loop, over the loop's transports and over those of aiofastnet."""

import asyncio
import contextlib

import mainspring
import pytest
from helpers.pages import printed_by

pytest.importorskip("picows")
from picows import WSCloseCode, WSHandshakeError, WSListener, WSMsgType, ws_connect, ws_create_server


def test_the_program_of_the_page():
    assert printed_by("integrations/picows.md") == ["transport: mainspring._core", "HELLO", f"loop: {mainspring.Loop}"]


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


class Client(WSListener):
    def __init__(self):
        self.received = asyncio.Queue()
        self.closed = None

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            self.closed = frame.get_close_code(), frame.get_close_message()
            transport.disconnect()
        else:
            self.received.put_nowait((frame.msg_type, frame.get_payload_as_bytes()))


@pytest.fixture(params=["aiofastnet", "mainspring"])
def transports(request):
    """Whose transports picows uses."""
    if request.param == "aiofastnet":
        pytest.importorskip("aiofastnet")
    return request.param


@pytest.fixture(params=["tcp", "tls"])
def kind(request):
    """What is below the WebSockets."""
    return request.param


@pytest.fixture
def connected(transports, kind, authority, mainspring_loop):
    """Runs a coroutine function with the transport and the listener of a client that talks to the listener Echo."""
    keywords = {"use_aiofastnet": transports == "aiofastnet"}

    @contextlib.asynccontextmanager
    async def connecting():
        tls = kind == "tls"
        context = authority.server_context() if tls else None
        server = await ws_create_server(
            lambda _: Echo(), "127.0.0.1", 0, ssl=context, max_frame_size=3 << 20, **keywords
        )
        async with server:
            address = f"{'wss' if tls else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            context = authority.client_context() if tls else None
            transport, client = await ws_connect(Client, address, ssl_context=context, **keywords)
            try:
                ours = mainspring_loop.metrics().transports.tcp
                assert ours == (2 if transports == "mainspring" else 0)
                yield transport, client
            finally:
                transport.disconnect(graceful=False)
                await transport.wait_disconnected()

    async def main(function):
        async with connecting() as (transport, client):
            return await function(transport, client)

    return lambda function: mainspring_loop.run_until_complete(main(function))


def test_messages(connected):
    messages = [
        (WSMsgType.TEXT, "grüße".encode()),
        (WSMsgType.BINARY, b""),
        (WSMsgType.BINARY, bytes(range(256)) * 8000),
    ]

    async def scenario(transport, client):
        for kind, message in messages:
            transport.send(kind, message)
        return [await client.received.get() for _ in messages]

    assert connected(scenario) == messages


def test_pings(connected):
    async def scenario(transport, client):
        transport.send_ping(b"there?")
        answer = await client.received.get()
        return answer, await transport.measure_roundtrip_time(5)

    answer, times = connected(scenario)
    assert answer == (WSMsgType.PONG, b"there?")
    assert len(times) == 5
    assert min(times) > 0


def test_the_client_closes(connected):
    async def scenario(transport, client):
        transport.send_close(WSCloseCode.GOING_AWAY, b"enough")
        await transport.wait_disconnected()
        return client.closed

    assert connected(scenario) == (WSCloseCode.GOING_AWAY, b"enough")


def test_a_message_that_is_too_large(connected):
    async def scenario(transport, client):
        transport.send(WSMsgType.BINARY, bytes(4 << 20))
        await transport.wait_disconnected()
        return client.closed

    code, _ = connected(scenario)
    assert code == WSCloseCode.MESSAGE_TOO_BIG


def test_a_request_that_no_listener_wants(transports, mainspring_loop):
    keywords = {"use_aiofastnet": transports == "aiofastnet"}

    async def scenario():
        server = await ws_create_server(lambda _: None, "127.0.0.1", 0, **keywords)
        async with server:
            with pytest.raises(WSHandshakeError) as raised:
                await ws_connect(Client, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/path", **keywords)
            return raised.value.response.status

    assert mainspring_loop.run_until_complete(scenario()) == 404
