"""multiprocessing.Process started from within a running loop, with every start method."""

import pytest
from helpers import run_program

CHILDREN = """
import asyncio
import contextlib

import mainspring


async def echo(reader, writer):
    # Early releases of Python 3.11 and 3.12 report a cancelled connection as an error.
    with contextlib.suppress(asyncio.CancelledError):
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
    writer.close()


async def work():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello")
    answer = await reader.readexactly(5)
    await asyncio.sleep(0.001)
    process = await asyncio.create_subprocess_shell("exit 4")
    code = await process.wait()
    writer.close()
    await writer.wait_closed()
    server.close()
    return answer, code, type(asyncio.get_running_loop()).__module__


def child(name, connection):
    if name == "mainspring":
        result = mainspring.run(work())
    else:
        result = asyncio.run(work())
    connection.send(result)
    connection.close()
"""

PARENT = """
    import asyncio, multiprocessing, sys
    import mainspring
    sys.path.insert(0, sys.argv[3])
    import children_of_the_loop as children

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]

    async def main():
        loop = asyncio.get_running_loop()
        context = multiprocessing.get_context(sys.argv[2])
        server = await asyncio.start_server(children.echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for name in ("mainspring", "default"):
            receiving, sending = context.Pipe(False)
            process = context.Process(target=children.child, args=(name, sending))
            process.start()
            sending.close()
            ended = loop.create_future()
            loop.add_reader(process.sentinel, lambda: ended.done() or ended.set_result(None))
            # The connections of the parent go on all the time.
            while not ended.done():
                writer.write(b"ping")
                assert await reader.readexactly(4) == b"ping"
            loop.remove_reader(process.sentinel)
            process.join()
            print(process.exitcode, receiving.recv())
            process.close()
            receiving.close()
        print(await children.work())
        writer.close()
        await writer.wait_closed()
        server.close()

    if __name__ == "__main__":
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_started_from_a_running_loop_runs_its_own(loop_name, method, tmp_path):
    (tmp_path / "children_of_the_loop.py").write_text(CHILDREN)
    done = run_program(PARENT, loop_name, method, tmp_path, options=["-W", "ignore::DeprecationWarning"])
    result = (b"hello", 4)
    module = {"mainspring": "mainspring._loop", "default": "asyncio.unix_events"}
    expected = [f"0 {(*result, module[name])}" for name in ("mainspring", "default")]
    expected.append(str((*result, module[loop_name])))
    assert (done.stderr, done.stdout.splitlines(), done.returncode) == ("", expected, 0)
