"""What a server's clients see when its process is told to end."""

import signal
import ssl

import pytest
from helpers.signalled import connect, signalled

STREAMS = """
async def handle(reader, writer):
    async for line in reader:
        say("request", line.decode().strip())
        await reader.readline()
        writer.write(b"answer" * int(sys.argv[1]))
        writer.close()

async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    say("port", server.sockets[0].getsockname()[1])
    try:
        await asyncio.Event().wait()
    finally:
        say("main ends")

mainspring.run(main(), shutdown_timeout=60)
"""


def receive_all(connection):
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_and_no_new_connection_accepted(number):
    with signalled(STREAMS, 1) as program:
        port = program.expect_port()
        with connect(port) as connection:
            connection.sendall(b"GET\n")
            program.expect("request GET")
            program.send(number)
            program.expect("main ends")
            with pytest.raises(ConnectionRefusedError):
                connect(port)
            connection.sendall(b"finish\n")
            assert receive_all(connection) == b"answer"
        program.end()


def test_an_answer_that_the_kernel_has_not_taken_yet_is_sent_before_the_end():
    with signalled(STREAMS, 2_000_000) as program:
        with connect(program.expect_port()) as connection:
            connection.sendall(b"GET\n")
            program.expect("request GET")
            program.send(signal.SIGTERM)
            program.expect("main ends")
            connection.sendall(b"finish\n")
            assert len(receive_all(connection)) == 12_000_000
        assert program.end() == (143, [], "")


PROTOCOL = """
class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"x" * 12_000_000)
        say("written")

    def connection_lost(self, error):
        say("lost", error)

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answers, "127.0.0.1", 0)
    say("port", server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()

mainspring.run(main(), shutdown_timeout=60)
"""


def test_connections_that_no_task_serves_are_closed_when_all_has_been_sent():
    with signalled(PROTOCOL) as program:
        with connect(program.expect_port()) as connection:
            program.expect("written")
            program.send(signal.SIGTERM)
            assert len(receive_all(connection)) == 12_000_000
        assert program.end() == (143, ["lost None"], "")


TLS = """
import ssl

class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"x" * 1_000_000)
        say("written")

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, ssl=context)
    say("port", server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()

mainspring.run(main(), shutdown_timeout=60)
"""


def test_tls_connections_end_with_their_goodbye(authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    with signalled(TLS, authority.issue("localhost")) as program:
        with (
            connect(program.expect_port()) as plain,
            context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as connection,
        ):
            program.expect("written")
            program.send(signal.SIGTERM)
            # An end without it would be an SSLEOFError.
            assert len(receive_all(connection)) == 1_000_000
        assert program.end() == (143, [], "")


SERVE_FOREVER = """
async def handle(reader, writer):
    say("connected")
    while server.is_serving():
        await asyncio.sleep(0.001)
    say("stopped")
    await reader.read()
    say("client gone")
    writer.close()

async def main():
    global server
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        say("port", server.sockets[0].getsockname()[1])
        await server.serve_forever()

mainspring.run(main(), shutdown_timeout=60)
"""


def test_serve_forever_ends_after_its_clients():
    with signalled(SERVE_FOREVER) as program:
        port = program.expect_port()
        with connect(port):
            program.expect("connected")
            program.send(signal.SIGTERM)
            program.expect("stopped")
            with pytest.raises(ConnectionRefusedError):
                connect(port)
        assert program.end() == (143, ["client gone"], "")


LEFT_OPEN = """
class Silent(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"x" * 12_000_000)
        say("written")

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Silent, "127.0.0.1", 0)
    say("port", server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()

mainspring.run(main(), shutdown_timeout=0)
"""


def test_a_connection_whose_peer_does_not_read_is_named_and_cut():
    with signalled(LEFT_OPEN) as program, connect(program.expect_port()):
        program.expect("written")
        program.send(signal.SIGTERM)
        status, lines, errors = program.end()
        assert (status, lines) == (143, [])
        assert "shutdown: cut after" in errors
        assert "connection <SocketTransport" in errors
