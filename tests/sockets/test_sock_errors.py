"""Wrong sockets, wrong arguments and failing peers of the sock_* methods: the errors of the default loop."""

import asyncio
import io
import socket
import ssl

import pytest
from helpers import compare, normalised, outcome, tcp_pair

CALLS = {
    "sock_recv": (10,),
    "sock_recv_into": (bytearray(10),),
    "sock_recvfrom": (10,),
    "sock_recvfrom_into": (bytearray(10),),
    "sock_sendall": (b"data",),
    "sock_sendto": (b"data", ("127.0.0.1", 9)),
    "sock_accept": (),
    "sock_connect": (("127.0.0.1", 9),),
}


@pytest.mark.parametrize("method", list(CALLS))
def test_a_blocking_socket_is_refused_in_debug_mode(method):
    def scenario(loop):
        loop.set_debug(True)
        with socket.socket() as sock:
            return outcome(loop.run_until_complete, getattr(loop, method)(sock, *CALLS[method]))

    assert compare(scenario) == (ValueError, "the socket must be non-blocking")


@pytest.mark.parametrize("method", list(CALLS))
@pytest.mark.parametrize("debug", [False, True])
def test_a_tls_socket_is_refused(method, debug):
    def scenario(loop):
        loop.set_debug(debug)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        with socket.socket() as plain:
            plain.setblocking(False)
            with context.wrap_socket(plain) as sock:
                return outcome(loop.run_until_complete, getattr(loop, method)(sock, *CALLS[method]))

    kind, text = compare(scenario)
    assert kind is TypeError
    assert "Socket cannot be of type SSLSocket" in text


@pytest.mark.parametrize("method", list(CALLS))
def test_a_closed_socket_is_the_same_error(method):
    def scenario(loop):
        sock = socket.socket()
        sock.setblocking(False)
        sock.close()
        return outcome(loop.run_until_complete, getattr(loop, method)(sock, *CALLS[method]))

    assert compare(scenario)[0] is OSError


@pytest.mark.parametrize("method", list(CALLS))
@pytest.mark.parametrize("thing", [None, 3, "socket"])
def test_what_is_no_socket_is_the_same_kind_of_error(method, thing):
    def scenario(loop):
        return outcome(loop.run_until_complete, getattr(loop, method)(thing, *CALLS[method]))[0]

    assert compare(scenario) in (AttributeError, TypeError)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("sock_recv", ("ten",)),
        ("sock_recv", (-1,)),
        ("sock_recv_into", (b"constant",)),
        ("sock_recv_into", (None,)),
        ("sock_recvfrom_into", (bytearray(3), 10)),
        ("sock_recvfrom_into", (bytearray(3), -1)),
        ("sock_sendall", ("text",)),
        ("sock_sendall", (None,)),
        ("sock_sendto", ("text", ("127.0.0.1", 9))),
        ("sock_sendto", (b"data", "nowhere")),
        ("sock_connect", ("nowhere",)),
        ("sock_connect", (("127.0.0.1",),)),
        ("sock_connect", (("127.0.0.1", "no such service"),)),
        ("sock_accept", ()),
    ],
    ids=str,
)
def test_wrong_arguments_are_the_same_error(method, arguments):
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:
            one.send(b"something to receive")
            return outcome(loop.run_until_complete, getattr(loop, method)(other, *arguments))

    assert compare(scenario)[0] != "returned"


def test_a_refused_connection_is_the_same_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()

    def scenario(loop):
        with socket.socket() as sock:
            sock.setblocking(False)
            return outcome(loop.run_until_complete, loop.sock_connect(sock, address))

    assert compare(scenario)[0] is ConnectionRefusedError


def test_a_peer_that_resets_is_the_same_error():
    def scenario(loop):
        one, other = tcp_pair()
        with other:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            loop.call_soon(one.close)
            return outcome(loop.run_until_complete, loop.sock_recv(other, 10))

    assert compare(scenario)[0] is ConnectionResetError


def test_the_descriptor_of_a_transport_is_refused():
    def scenario(loop):
        async def main():
            one, other = tcp_pair()
            with one:
                transport, _ = await loop.create_connection(asyncio.Protocol, sock=other)
                try:
                    with pytest.raises(RuntimeError) as caught:
                        await loop.sock_recv(other, 1)
                    return normalised(str(caught.value).replace(f"descriptor {other.fileno()} ", "descriptor N "))
                finally:
                    transport.close()
                    await asyncio.sleep(0)

        return loop.run_until_complete(main())

    assert compare(scenario).startswith("File descriptor N is used by transport <TRANSPORT fd=")


class Unreadable(io.BytesIO):
    """A file without a descriptor."""


@pytest.mark.parametrize("offset", [0, 3])
@pytest.mark.parametrize("count", [None, 5])
def test_a_file_without_descriptor_is_read_and_sent(loop, offset, count):
    data = b"0123456789"
    expected = data[offset:] if count is None else data[offset : offset + count]

    async def main():
        one, other = tcp_pair()
        with one, other:
            file = Unreadable(data)
            assert await loop.sock_sendfile(one, file, offset, count) == len(expected)
            assert other.recv(100) == expected
            assert file.tell() == offset + len(expected)

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    "arguments",
    [
        {"file": io.BytesIO(b"x"), "fallback": False},
        {"file": io.StringIO("x")},
        {"file": io.BytesIO(b"x"), "offset": -1},
        {"file": io.BytesIO(b"x"), "offset": "x"},
        {"file": io.BytesIO(b"x"), "count": 0},
        {"file": io.BytesIO(b"x"), "count": "x"},
        {"file": None},
    ],
    ids=lambda arguments: normalised(str(arguments)),
)
def test_wrong_arguments_of_sendfile_are_the_same_error(arguments):
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:
            return outcome(loop.run_until_complete, loop.sock_sendfile(one, **arguments))

    assert compare(scenario)[0] != "returned"
