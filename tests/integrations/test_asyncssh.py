"""Servers and clients of asyncssh on this loop."""

import asyncio
import contextlib
import os
import subprocess

import mainspring
import pytest
from helpers.pages import printed_by

asyncssh = pytest.importorskip("asyncssh")


def test_the_program_of_the_page():
    printed = printed_by("integrations/asyncssh.md")
    assert printed == ["greet, alice?", "GOOD MORNING", "status: 3", f"loop: {mainspring.Loop}"]


@pytest.fixture(scope="module")
def keys():
    """The keys of the server, of a user that it knows and of one that it does not."""
    return [asyncssh.generate_private_key("ssh-ed25519") for _ in range(3)]


@contextlib.asynccontextmanager
async def serving(keys, handle=None, **options):
    """The port of a server."""
    users = asyncssh.import_authorized_keys(keys[1].export_public_key().decode())
    options = {"server_host_keys": [keys[0]], "authorized_client_keys": users, "process_factory": handle, **options}
    async with await asyncssh.listen("127.0.0.1", 0, **options) as server:
        yield server.get_port()


def connecting(keys, port, user_key=None):
    known = ([keys[0].convert_to_public()], [], [])
    user_key = user_key or keys[1]
    return asyncssh.connect(
        "127.0.0.1", port, username="alice", client_keys=[user_key], known_hosts=known, config=None, agent_path=None
    )


@pytest.fixture
def run(keys, mainspring_loop):
    """Runs a coroutine function with a connection to a server, on mainspring's loop."""

    async def main(function, handle, **options):
        async with serving(keys, handle, **options) as port, connecting(keys, port) as connection:
            return await function(connection)

    return lambda function, handle=None, **options: mainspring_loop.run_until_complete(
        main(function, handle, **options)
    )


def test_many_commands_at_once(run):
    async def handle(process):
        data = await process.stdin.read()
        process.stdout.write(data + process.command)
        process.exit(len(process.command))

    async def scenario(connection):
        texts = [str(number) * 50_000 for number in range(10)]
        done = await asyncio.gather(*(connection.run("x" * n, input=text) for n, text in enumerate(texts, 1)))
        assert [one.stdout for one in done] == [text + "x" * n for n, text in enumerate(texts, 1)]
        return [one.exit_status for one in done]

    assert run(scenario, handle) == list(range(1, 11))


def test_a_child_process_on_the_server(run):
    async def handle(process):
        child = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        await process.redirect(stdin=child.stdin, stdout=child.stdout)
        await process.stdout.drain()
        process.exit(await child.wait())
        await process.wait_closed()

    async def scenario(connection):
        done = await connection.run("upper", input="text\n" * 20_000)
        return done.stdout, done.exit_status

    assert run(scenario, handle) == ("TEXT\n" * 20_000, 0)


def test_files(run, tmp_path):
    data = os.urandom(2_000_000)
    (tmp_path / "here").write_bytes(data)

    async def scenario(connection):
        async with connection.start_sftp_client() as client:
            await client.put(str(tmp_path / "here"), str(tmp_path / "there"))
            await client.get(str(tmp_path / "there"), str(tmp_path / "back"))
            return await client.getsize(str(tmp_path / "there"))

    assert run(scenario, sftp_factory=True) == len(data)
    assert (tmp_path / "back").read_bytes() == data


def test_a_forwarded_port(run):
    class Server(asyncssh.SSHServer):
        def connection_requested(self, *addresses):
            return True

    async def shout(reader, writer):
        writer.write((await reader.read()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def scenario(connection):
        async with await asyncio.start_server(shout, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", port) as listener:
                reader, writer = await asyncio.open_connection("127.0.0.1", listener.get_port())
                writer.write(b"text" * 50_000)
                writer.write_eof()
                received = await reader.read()
                writer.close()
                await writer.wait_closed()
        return received

    assert run(scenario, server_factory=Server) == b"TEXT" * 50_000


def test_a_signal(run):
    async def handle(process):
        process.stdout.write("ready\n")
        try:
            await process.stdin.read()
        except asyncssh.SignalReceived as signal:
            process.exit_with_signal(signal.signal)

    async def scenario(connection):
        async with connection.create_process("wait") as process:
            assert await process.stdout.readline() == "ready\n"
            process.send_signal("USR1")
            return (await process.wait()).exit_signal[0]

    assert run(scenario, handle) == "USR1"


def test_a_refused_key(keys, mainspring_loop):
    async def scenario():
        async with serving(keys) as port:
            with pytest.raises(asyncssh.PermissionDenied):
                await connecting(keys, port, keys[2])

    mainspring_loop.run_until_complete(scenario())


def test_a_lost_connection(run):
    async def handle(process):
        process.get_extra_info("connection").abort()

    async def scenario(connection):
        done = await connection.run("wait")
        await connection.wait_closed()
        return done.exit_status

    assert run(scenario, handle) is None
