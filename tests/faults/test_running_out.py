"""What the campaigns found, each case by itself."""

import asyncio
import os
import socket

import pytest
from helpers import open_descriptors, run_program


@pytest.mark.skipif("san.so" in os.environ.get("LD_PRELOAD", ""), reason="UBSan looks at exceptions through a pipe")
def test_making_a_loop_without_descriptors(loop_name):
    """An OSError, as for everything else that needs a descriptor."""
    done = run_program(
        """
        import asyncio, errno, os, resource, sys, mainspring

        factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]
        factory().close()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            factory()
        except OSError as error:
            number = error.errno
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        print(errno.errorcode[number])
        """,
        loop_name,
    )
    assert done.stdout == "EMFILE\n", done.stderr


def test_server_on_the_number_of_a_closed_socket(mainspring_loop):
    """A program that closes a socket without remove_reader() can use the number for a server."""
    one, other = socket.socketpair()

    async def main():
        mainspring_loop.add_reader(one, print)
        await asyncio.sleep(0)
        number = one.fileno()
        one.close()
        listener = socket.create_server(("127.0.0.1", 0))
        assert listener.fileno() == number
        server = await asyncio.start_server(lambda reader, writer: writer.close(), sock=listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    with other:
        mainspring_loop.run_until_complete(asyncio.wait_for(main(), 10))


def test_loop_closed_while_a_child_runs(mainspring_loop):
    """The descriptor by which the loop watches a child goes with the loop."""
    before = open_descriptors()

    async def main():
        return await asyncio.create_subprocess_exec("sleep", "60")

    process = mainspring_loop.run_until_complete(main())
    mainspring_loop.close()
    left = {fd: name for fd, name in open_descriptors().items() if before.get(fd) != name}
    os.kill(process.pid, 9)
    os.waitpid(process.pid, 0)
    process._transport._proc.returncode = -9
    assert not left


@pytest.mark.parametrize("pipe", ["connect_write_pipe", "connect_read_pipe"])
def test_child_whose_pipes_cannot_be_connected(mainspring_loop, monkeypatch, pipe):
    """The error reaches the program, and the child is ended and reaped."""
    children = []

    async def fail(factory, file):
        children.append(factory().proc.get_pid())
        raise MemoryError

    async def main():
        await asyncio.create_subprocess_exec("sleep", "60", stdin=-1, stdout=-1)

    monkeypatch.setattr(mainspring_loop, pipe, fail)
    with pytest.raises(MemoryError):
        mainspring_loop.run_until_complete(asyncio.wait_for(main(), 10))
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], 0)
