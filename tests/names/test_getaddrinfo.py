"""getaddrinfo and getnameinfo: addresses without a thread, names in the executor, the results of ``socket`` itself."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import compare, outcome

ADDRESSES = ["127.0.0.1", "127.1", "0", "::1", "::ffff:10.0.0.1", "fe80::1%lo", b"127.0.0.1", b"::1"]
NAMES = ["localhost", "1.invalid", "::1%nosuchinterface", "12:34", "", None, b"localhost"]


class Calls(ThreadPoolExecutor):
    """The default executor, which remembers what it was asked to call."""

    def __init__(self):
        super().__init__(2)
        self.functions = []

    def submit(self, function, /, *args, **keywords):
        self.functions.append(function)
        return super().submit(function, *args, **keywords)


@pytest.mark.parametrize("port", [80, "80", None, b"80", "http", "nosuchservice", -1, 1 << 40])
@pytest.mark.parametrize("host", ADDRESSES + NAMES)
def test_the_answer_is_the_one_of_the_socket_module(host, port):
    def scenario(loop):
        async def ask():
            return await loop.getaddrinfo(host, port)

        return outcome(loop.run_until_complete, ask())

    assert compare(scenario) == outcome(socket.getaddrinfo, host, port)


@pytest.mark.parametrize(
    "keywords",
    [
        {"family": socket.AF_INET},
        {"family": socket.AF_INET6},
        {"family": 99},
        {"type": socket.SOCK_STREAM, "proto": socket.IPPROTO_TCP},
        {"type": socket.SOCK_DGRAM, "flags": socket.AI_PASSIVE},
        {"family": socket.AF_INET6, "flags": socket.AI_V4MAPPED},
        {"flags": socket.AI_CANONNAME},
        {"flags": -1},
        {"flags": "none"},
        {"type": "stream"},
    ],
    ids=str,
)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_families_types_protocols_and_flags_are_the_same(host, keywords):
    def scenario(loop):
        async def ask():
            return await loop.getaddrinfo(host, 443, **keywords)

        return outcome(loop.run_until_complete, ask())

    assert compare(scenario) == outcome(socket.getaddrinfo, host, 443, **keywords)


@pytest.mark.parametrize("host", ADDRESSES)
def test_an_address_needs_no_thread(mainspring_loop, host):
    executor = Calls()
    mainspring_loop.set_default_executor(executor)

    async def ask():
        answer = await mainspring_loop.getaddrinfo(host, 80)
        await mainspring_loop.getnameinfo(answer[0][4], socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)

    mainspring_loop.run_until_complete(ask())
    assert executor.functions == []


def test_a_name_does_not_block_the_loop(loop, monkeypatch):
    asked = threading.Event()
    answer = threading.Event()

    def slow(*args):
        asked.set()
        assert answer.wait(10)
        return [("the answer", args)]

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def main():
        asking = asyncio.ensure_future(loop.getaddrinfo("name.invalid", 80, type=socket.SOCK_STREAM))
        while not asked.is_set():
            await asyncio.sleep(0)
        assert not asking.done()
        answer.set()
        assert await asking == [("the answer", ("name.invalid", 80, 0, socket.SOCK_STREAM, 0, 0))]

    loop.run_until_complete(main())


def test_a_replaced_function_is_asked_for_addresses_too(loop, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: ["replaced", *args])
    monkeypatch.setattr(socket, "getnameinfo", lambda *args: ("replaced", *args))

    async def main():
        assert await loop.getaddrinfo("127.0.0.1", 80) == ["replaced", "127.0.0.1", 80, 0, 0, 0, 0]
        assert await loop.getnameinfo(("127.0.0.1", 80), 3) == ("replaced", ("127.0.0.1", 80), 3)

    loop.run_until_complete(main())


def test_a_cancelled_look_up_is_left_behind(loop, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: answer.wait(10))

    async def main():
        asking = asyncio.ensure_future(loop.getaddrinfo("name.invalid", 80))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        answer.set()
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 80),
        ("::1", 80, 0, 0),
        ("fe80::1", 80, 0, 1),
        ("localhost", 80),
        ("127.0.0.1",),
        "x",
        None,
        ("", 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("flags", [0, socket.NI_NUMERICHOST, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV, "x"])
def test_names_of_addresses_are_the_same(address, flags):
    def scenario(loop):
        async def ask():
            return await loop.getnameinfo(address, flags)

        return outcome(loop.run_until_complete, ask())

    assert compare(scenario) == outcome(socket.getnameinfo, address, flags)


def test_in_debug_mode_a_look_up_is_logged(loop, caplog):
    loop.set_debug(True)
    with caplog.at_level("DEBUG", "asyncio"):
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))
    texts = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("Get address info 127.0.0.1:80, type=") for text in texts)
    assert any(text.startswith("Getting address info 127.0.0.1:80, type=") for text in texts)


def test_the_scope_of_an_address_reaches_the_socket(loop):
    async def main():
        server = await loop.create_server(asyncio.Protocol, "::1", 0)
        port = server.sockets[0].getsockname()[1]
        asked = []

        async def connect(sock, address):
            asked.append(address)
            raise OSError("seen")

        loop.sock_connect = connect
        with pytest.raises(OSError, match="seen"):
            await loop.create_connection(asyncio.Protocol, "fe80::1%lo", port)
        server.close()
        await server.wait_closed()
        assert asked == [("fe80::1", port, 0, socket.if_nametoindex("lo"))]

    loop.run_until_complete(main())
