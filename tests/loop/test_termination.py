"""SIGTERM: a server that shuts down in good order, and one that does not care."""

import signal
import socket

import pytest
from helpers import start_program

PRELUDE = """
    import asyncio, contextlib, signal, sys
    import mainspring

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]

    async def echo(reader, writer):
        # Early releases of Python 3.11 and 3.12 report a cancelled connection as an error.
        with contextlib.suppress(asyncio.CancelledError):
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
        writer.close()
"""

GRACEFUL = (
    PRELUDE
    + """
    async def main():
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopping.set)
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await stopping.wait()
        server.close()
        print("stopped", flush=True)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
    print("ended", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
)

CANCELLING = (
    PRELUDE
    + """
    async def main():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        try:
            await server.serve_forever()
        finally:
            print("cancelled", flush=True)

    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            runner.run(main())
        except asyncio.CancelledError:
            print("ended")
"""
)

CARELESS = (
    PRELUDE
    + """
    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""
)

PYTHON_HANDLER = (
    PRELUDE
    + """
    def handler(number, frame):
        raise SystemExit(7)

    signal.signal(signal.SIGTERM, handler)

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""
)


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    ("code", "number", "said", "status"),
    [
        (GRACEFUL, signal.SIGTERM, "stopped\nended True\n", 0),
        (GRACEFUL, signal.SIGHUP, "stopped\nended True\n", 0),
        (CANCELLING, signal.SIGTERM, "cancelled\nended\n", 0),
        (CARELESS, signal.SIGTERM, "", -signal.SIGTERM),
        (PYTHON_HANDLER, signal.SIGTERM, "", 7),
    ],
    ids=["graceful", "hangup", "cancelling", "careless", "Python's own handler"],
)
def test_a_serving_program_is_terminated(loop_name, code, number, said, status, connected):
    with start_program(code, loop_name) as program:
        port = int(program.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            if connected:
                client.sendall(b"hello")
                assert client.recv(100) == b"hello"
            program.send_signal(number)
            # serve_forever() waits for its connections.
            client.shutdown(socket.SHUT_WR)
            assert program.wait(20) == status
            # One that was never accepted is reset.
            assert not connected or client.recv(100) == b""
        assert program.stdout.read() == said
        # Python's own handler raises wherever the program is, and a connection's task tells of it.
        assert code is PYTHON_HANDLER or program.stderr.read() == ""
