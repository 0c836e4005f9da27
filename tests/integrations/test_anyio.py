"""anyio on this loop: streams, datagrams, TLS, processes, signals, files, threads, and its plugin for pytest."""

import asyncio
import os
import signal
import socket
import sys
import threading

import mainspring
import pytest
from helpers import is_mainspring, run_program
from helpers.pages import python_blocks
from helpers.scripts import run_suite

anyio = pytest.importorskip("anyio")

OPTIONS = {"loop_factory": mainspring.new_event_loop}


def run(function, *arguments):
    """The result of a coroutine function that anyio runs on mainspring's loop."""

    async def main():
        assert is_mainspring(asyncio.get_running_loop())
        return await function(*arguments)

    return anyio.run(main, backend_options=OPTIONS)


def test_the_program_of_the_page():
    program, _ = python_blocks("integrations/anyio.md")
    done = run_program(program)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == ["b'hello'", "timed out: True", "6", f"loop: {mainspring.Loop}"]


SUITE = """
import asyncio

import anyio

pytestmark = pytest.mark.anyio


@pytest.fixture
async def resource():
    yield type(asyncio.get_running_loop())


async def test_the_loop(resource):
    assert type(asyncio.get_running_loop()) is resource is mainspring.Loop


async def test_a_scope():
    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await anyio.sleep_forever()
"""


def test_the_plugin(tmp_path):
    _, fixture = python_blocks("integrations/anyio.md")
    done = run_suite(tmp_path, fixture + SUITE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


async def _echo(stream):
    async with stream:
        async for data in stream:
            await stream.send(data)
        await stream.send(b"goodbye")
        await stream.send_eof()


async def _received(stream):
    return b"".join([data async for data in stream])


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_streams(kind, tmp_path):
    data = os.urandom(1_000_000)

    async def scenario():
        if kind == "tcp":
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            connecting = anyio.connect_tcp("127.0.0.1", port)
        else:
            listener = await anyio.create_unix_listener(tmp_path / "socket")
            connecting = anyio.connect_unix(tmp_path / "socket")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, _echo)
            async with await connecting as stream:
                with anyio.move_on_after(0.01) as scope:
                    await stream.receive()
                assert scope.cancelled_caught

                async def send():
                    await stream.send(data)
                    await stream.send_eof()

                tasks.start_soon(send)
                received = await _received(stream)
            tasks.cancel_scope.cancel()
        return received

    assert run(scenario) == data + b"goodbye"


def test_datagrams():
    async def scenario():
        async with await anyio.create_udp_socket(socket.AF_INET, local_host="127.0.0.1") as server:
            port = server.extra(anyio.abc.SocketAttribute.local_port)
            async with await anyio.create_connected_udp_socket("127.0.0.1", port) as client:
                await client.send(b"question")
                question, sender = await server.receive()
                await server.sendto(question + b"?", *sender)
                return await client.receive()

    assert run(scenario) == b"question?"


def test_tls(authority):
    from anyio.streams.tls import TLSListener

    data = os.urandom(200_000)

    async def echo(stream):
        async with stream:
            received = b""
            while len(received) < len(data):
                received += await stream.receive()
            await stream.send(received)

    async def scenario():
        tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = tcp.extra(anyio.abc.SocketAttribute.local_port)
        keywords = {"ssl_context": authority.client_context(), "tls_hostname": "localhost"}
        async with TLSListener(tcp, authority.server_context()) as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, echo)
            async with await anyio.connect_tcp("127.0.0.1", port, **keywords) as stream:
                await stream.send(data)
                received = await _received(stream)
            tasks.cancel_scope.cancel()
        return received

    assert run(scenario) == data


def test_processes():
    code = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)"

    async def scenario():
        done = await anyio.run_process([sys.executable, "-c", code], input=b"text", check=False)
        with anyio.move_on_after(0.01) as scope:
            await anyio.run_process(["sleep", "600"])
        assert scope.cancelled_caught
        return done.stdout, done.returncode

    assert run(scenario) == (b"TEXT", 3)


def test_signals():
    async def scenario():
        with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert await anext(signals) == signal.SIGUSR1
            os.kill(os.getpid(), signal.SIGUSR2)
            return await anext(signals)

    assert run(scenario) == signal.SIGUSR2


def test_files(tmp_path):
    path = anyio.Path(tmp_path / "file")

    async def scenario():
        async with await anyio.open_file(path, "w") as file:
            await file.writelines(["one\n", "two\n"])
        async with await anyio.open_file(path) as file:
            return [line async for line in file]

    assert run(scenario) == ["one\n", "two\n"]


def test_an_abandoned_thread():
    gate = threading.Event()

    async def scenario():
        with anyio.move_on_after(0.01) as scope:
            await anyio.to_thread.run_sync(gate.wait, abandon_on_cancel=True)
        gate.set()
        return scope.cancelled_caught

    assert run(scenario)


def test_calls_from_a_thread():
    async def kind():
        await anyio.sleep(0)
        return type(asyncio.get_running_loop())

    async def scenario():
        return await anyio.to_thread.run_sync(anyio.from_thread.run, kind)

    assert run(scenario) is mainspring.Loop


def test_a_portal():
    async def kind():
        await anyio.sleep(0)
        return type(asyncio.get_running_loop())

    with anyio.from_thread.start_blocking_portal(backend_options=OPTIONS) as portal:
        assert portal.call(kind) is mainspring.Loop
        assert portal.start_task_soon(anyio.sleep, 0).result(timeout=60) is None


def test_a_task_group_of_failures():
    async def fail(number):
        await anyio.sleep(0)
        raise ValueError(number)

    async def scenario():
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(fail, number)

    with pytest.raises(ExceptionGroup) as raised:
        run(scenario)
    assert [str(error) for error in raised.value.exceptions] == ["0", "1", "2"]
