"""UNIX domain sockets: paths, abstract names, cleaning up, what a transport says about them."""

import asyncio
import gc
import logging
import os
import socket
import sys
import weakref

import pytest
from helpers import compare, normalised


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_data_goes_both_ways(loop, tmp_path, abstract):
    path = f"\0mainspring-{os.getpid()}-{loop.time()}" if abstract else str(tmp_path / "socket")
    data = os.urandom(1_000_000)

    async def main():
        server = await asyncio.start_unix_server(echo, path)
        reader, writer = await asyncio.open_unix_connection(path)
        name = path.encode() if abstract else path
        assert writer.get_extra_info("peername") == name
        assert writer.get_extra_info("sockname") == ""
        assert writer.get_extra_info("socket").family == socket.AF_UNIX
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_an_accepted_connection_knows_its_names(loop, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        names = loop.create_future()

        async def serve(reader, writer):
            names.set_result((writer.get_extra_info("sockname"), writer.get_extra_info("peername")))
            writer.close()

        server = await asyncio.start_unix_server(serve, path)
        _, writer = await asyncio.open_unix_connection(path)
        assert await names == (path, "")
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_the_path_is_removed_as_the_default_loop_does(loop, tmp_path):
    path = tmp_path / "socket"

    async def main():
        server = await loop.create_unix_server(asyncio.Protocol, path)
        assert path.exists()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert path.exists() == (sys.version_info < (3, 13))


def test_a_stale_socket_is_replaced_and_a_file_is_not(loop, tmp_path):
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(stale))
    file = tmp_path / "file"
    file.write_text("kept")

    async def main():
        server = await loop.create_unix_server(asyncio.Protocol, stale)
        server.close()
        await server.wait_closed()
        with pytest.raises(OSError, match="is already in use"):
            await loop.create_unix_server(asyncio.Protocol, file)

    loop.run_until_complete(main())
    assert file.read_text() == "kept"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "no path and sock were specified"),
        ({"path": "x", "ssl": True}, "you have to pass server_hostname when using ssl"),
        ({"path": "x", "server_hostname": "x"}, "server_hostname is only meaningful with ssl"),
        ({"path": "x", "ssl_handshake_timeout": 1}, "ssl_handshake_timeout is only meaningful with ssl"),
    ],
)
def test_arguments_that_exclude_each_other(loop, arguments, text):
    with pytest.raises(ValueError, match=text):
        loop.run_until_complete(loop.create_unix_connection(asyncio.Protocol, **arguments))


def test_nothing_is_left_of_a_connection(loop, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        server = await asyncio.start_unix_server(echo, path)
        _, writer = await asyncio.open_unix_connection(path)
        transport = weakref.ref(writer.transport)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return transport

    transport = loop.run_until_complete(main())
    gc.collect()
    assert transport() is None


@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
def test_the_log_of_a_connection_in_debug_mode(named, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "asyncio")

    async def scenario(loop):
        caplog.clear()
        loop.set_debug(True)
        path, own = tmp_path / f"server-{id(loop)}", tmp_path / f"client-{id(loop)}"
        server = await asyncio.start_unix_server(lambda reader, writer: writer.close(), path)
        with socket.socket(socket.AF_UNIX) as client:
            if named:
                client.bind(str(own))
            client.setblocking(False)
            await loop.sock_connect(client, str(path))
            await loop.sock_recv(client, 1)
        server.close()
        (text,) = [text for text in caplog.text.splitlines() if "got a new connection" in text]
        return normalised(text.partition("connection ")[2]).replace(str(id(loop)), "…")

    text = compare(lambda loop: loop.run_until_complete(scenario(loop)))
    assert text.startswith(f"from {str(tmp_path / 'client-…') if named else ''!r}: <socket.socket fd=…, family=1")
