"""os.fork in a callback: the child ends, or goes on with a loop of its own, and the parent's loop notices nothing."""

import pytest

PROGRAM = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)

def child():
    # The copy of the parent's loop is marked as running in this thread, as the default loop's is.
    asyncio._set_running_loop(None)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.sleep(0.001))
        assert runner.run(echo()) == b"hello"
    os._exit(7)

async def echo():
    async def serve(reader, writer):
        writer.write(await reader.readline())
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\\n")
    answer = await reader.readline()
    writer.close()
    server.close()
    return answer.strip()

def fork():
    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(1)
    return pid

class Forking(asyncio.Protocol):
    def data_received(self, data):
        self.forked.set_result(fork())

async def main():
    loop = asyncio.get_running_loop()
    forked = loop.create_future()
    def in_callback():
        forked.set_result(fork())
    where = sys.argv[2]
    if where == "handle":
        loop.call_soon(in_callback)
    elif where == "timer":
        loop.call_later(0.001, in_callback)
    elif where == "reader":
        one, other = socket.socketpair()
        other.send(b"x")
        loop.add_reader(one, lambda: (loop.remove_reader(one), in_callback()))
    elif where == "task":
        async def task():
            in_callback()
        loop.create_task(task())
    else:
        one, other = socket.socketpair()
        transport, protocol = await loop.create_unix_connection(Forking, sock=one)
        protocol.forked = forked
        other.send(b"x")
    pid = await forked
    ticks = 0
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        ticks += 1
        await asyncio.sleep(0.001)
    assert await echo() == b"hello"
    print(os.waitstatus_to_exitcode(ended[1]))

with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("where", ["handle", "timer", "reader", "task", "data_received"])
def test_fork_in_a_callback(run, where):
    done = run(PROGRAM, where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "7\n", "")
