"""How a UNIX socket may be named, what becomes of its path, and arguments that are refused."""

import asyncio
import os
import pathlib
import re
import socket
import sys

import pytest
from helpers import Recorder, compare, eventually, outcome


async def talk(loop, path):
    """A connection to a server at the path: the names that both sides report, and what the server received."""
    made = []

    def factory():
        made.append(Recorder())
        return made[-1]

    server = await loop.create_unix_server(factory, path)
    transport, client = await loop.create_unix_connection(Recorder, path)
    transport.write(b"hello")
    transport.close()
    await client.lost
    await eventually(lambda: made)
    await made[0].lost
    names = transport.get_extra_info("peername"), made[0].transport.get_extra_info("sockname")
    server.close()
    await server.wait_closed()
    return names, bytes(made[0].received)


class Named:
    """A path-like object that gives bytes."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


@pytest.mark.parametrize("kind", [str, pathlib.Path, os.fsencode, Named], ids=["str", "Path", "bytes", "bytes-like"])
def test_paths_of_every_type_name_the_same_socket(loop, tmp_path, kind):
    path = str(tmp_path / "söcket")
    assert loop.run_until_complete(talk(loop, kind(path))) == ((path, path), b"hello")


@pytest.mark.parametrize("kind", [str, os.fsencode], ids=["str", "bytes"])
def test_an_abstract_name_is_no_file_and_is_free_after_the_server(loop, kind):
    name = f"\0mainspring-abstract-{os.getpid()}"
    for _ in range(2):
        (peer, own), received = loop.run_until_complete(talk(loop, kind(name)))
        assert peer == own == name.encode()
        assert received == b"hello"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="cleanup_socket came with Python 3.13")
@pytest.mark.parametrize("cleanup", [True, False])
def test_cleanup_socket_decides_whether_the_path_is_removed(loop, tmp_path, cleanup):
    path = tmp_path / "socket"

    async def main():
        server = await loop.create_unix_server(asyncio.Protocol, path, cleanup_socket=cleanup)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert path.exists() is not cleanup


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="cleanup_socket exists since Python 3.13")
def test_cleanup_socket_is_unknown_before_python_3_13():
    def scenario(loop):
        async def main():
            await loop.create_unix_server(asyncio.Protocol, "/no/such/folder/socket", cleanup_socket=True)

        return outcome(loop.run_until_complete, main())[0]

    assert compare(scenario) is TypeError


@pytest.mark.parametrize("replacement", ["nothing", "socket", "file"])
def test_a_path_that_is_no_longer_the_servers_is_left_alone(tmp_path, replacement):
    def scenario(loop):
        path = tmp_path / f"socket-{type(loop).__name__}"

        async def main():
            server = await loop.create_unix_server(asyncio.Protocol, path)
            # Kept under another name so that the file system does not give the same number to the replacement.
            path.rename(path.with_suffix(".old"))
            if replacement == "socket":
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.bind(str(path))
            elif replacement == "file":
                path.write_text("kept")
            server.close()
            await server.wait_closed()

        loop.run_until_complete(main())
        return path.exists(), path.with_suffix(".old").exists()

    assert compare(scenario) == (replacement != "nothing", True)


def test_a_listening_socket_of_the_programs_own_serves_and_its_path_ends_as_by_default(tmp_path):
    def scenario(loop):
        path = tmp_path / f"socket-{type(loop).__name__}"

        async def main():
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(path))
            sock.setblocking(True)
            server = await loop.create_unix_server(Recorder, sock=sock)
            assert [listener.fileno() for listener in server.sockets] == [sock.fileno()]
            transport, protocol = await loop.create_unix_connection(Recorder, str(path))
            transport.close()
            await protocol.lost
            server.close()
            await server.wait_closed()
            return sock.fileno(), path.exists()

        return loop.run_until_complete(main())

    assert compare(scenario) == (-1, sys.version_info < (3, 13))


def test_an_address_in_use_is_the_same_error():
    name = f"\0mainspring-in-use-{os.getpid()}"

    def scenario(loop):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(name)
            return outcome(loop.run_until_complete, loop.create_unix_server(asyncio.Protocol, name))

    kind, text = compare(scenario)
    assert kind is OSError
    assert "already in use" in text


def call(loop, method, arguments):
    """What the method came to with arguments made by a function, since sockets must be new for each loop."""
    socks = []

    def make(family, kind):
        socks.append(socket.socket(family, kind))
        return socks[-1]

    async def main():
        result = await getattr(loop, method)(asyncio.Protocol, **arguments(make))
        result.close()

    try:
        kind, text = outcome(loop.run_until_complete, main())
        if kind == "returned" or kind is AssertionError:
            # pytest gives texts to the assertions of the packages that have a plugin for it.
            return kind, ""
        # The text may begin with the name of the loop's class and show the descriptor of the socket.
        return kind, re.sub(r"^\w+\.(?=create_)", "", text).split("fd=")[0]
    finally:
        for sock in socks:
            sock.close()


WRONG = {
    "nothing": lambda make: {},
    "path and socket": lambda make: {"path": "x", "sock": make(socket.AF_UNIX, socket.SOCK_STREAM)},
    "a socket of another family": lambda make: {"sock": make(socket.AF_INET, socket.SOCK_STREAM)},
    "a datagram socket": lambda make: {"sock": make(socket.AF_UNIX, socket.SOCK_DGRAM)},
    "no such folder": lambda make: {"path": "/no/such/folder/socket"},
    "a number": lambda make: {"path": 5},
    "too long": lambda make: {"path": "x" * 200},
    "an embedded null": lambda make: {"path": "x\0y"},
    "an unknown keyword": lambda make: {"path": "x", "nonsense": 1},
    "a timeout without TLS": lambda make: {"path": "x", "ssl_shutdown_timeout": 1},
}
WRONG_OF_SERVERS = {
    "ssl=True": lambda make: {"path": "x", "ssl": True},
    "ssl=False": lambda make: {"path": "x", "ssl": False},
    "a timeout of the handshake without TLS": lambda make: {"path": "x", "ssl_handshake_timeout": 1},
}
WRONG_OF_CONNECTIONS = {
    "nobody listens": lambda make: {"path": "/no/such/socket"},
    "an abstract name nobody has": lambda make: {"path": f"\0mainspring-nobody-{os.getpid()}"},
    "a host name without TLS": lambda make: {"path": "x", "server_hostname": "x"},
    "a host name that is no text": lambda make: {"path": "x", "server_hostname": 5},
    "an empty name without TLS": lambda make: {"path": "x", "server_hostname": ""},
    "a socket that is not connected": lambda make: {"sock": make(socket.AF_UNIX, socket.SOCK_STREAM)},
}


@pytest.mark.parametrize("case", [*WRONG, *WRONG_OF_SERVERS])
def test_wrong_arguments_of_a_server_are_the_same_errors(case):
    arguments = {**WRONG, **WRONG_OF_SERVERS}[case]
    kind, _ = compare(call, "create_unix_server", arguments)
    assert kind != "returned"


@pytest.mark.parametrize("case", [*WRONG, *WRONG_OF_CONNECTIONS])
def test_wrong_arguments_of_a_connection_are_the_same_errors(case):
    arguments = {**WRONG, **WRONG_OF_CONNECTIONS}[case]

    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(context["message"]))
        return call(loop, "create_unix_connection", arguments), contexts

    (kind, _), _ = compare(scenario)
    assert kind != "returned" or case == "a socket that is not connected"


@pytest.mark.parametrize("path", ["", b""], ids=repr)
@pytest.mark.parametrize("method", ["create_unix_server", "create_unix_connection"])
def test_an_empty_path_is_the_same_error(method, path):
    kind, _ = compare(call, method, lambda make: {"path": path})
    assert kind != "returned"
