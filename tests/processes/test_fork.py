"""os.fork in programs whose loop has run or runs: the child has a loop of its own, the parent's goes on."""

import sys

import pytest
from helpers import run_program

PRELUDE = """
    import asyncio, contextlib, os, signal, sys, traceback
    import mainspring

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]

    async def echo(reader, writer):
        # Early releases of Python 3.11 and 3.12 report a cancelled connection as an error.
        with contextlib.suppress(asyncio.CancelledError):
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def everything():
        loop = asyncio.get_running_loop()
        assert loop.get_debug() is False
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(10):
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
        process = await asyncio.create_subprocess_shell("cat; exit 3", stdin=-1, stdout=-1)
        assert await process.communicate(b"text") == (b"text", None)
        assert process.returncode == 3
        started = loop.time()
        await asyncio.sleep(0.005)
        assert loop.time() - started >= 0.0049
        assert await loop.run_in_executor(None, lambda: 5) == 5
        got = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR2, got.set_result, "signal")
        os.kill(os.getpid(), signal.SIGUSR2)
        assert await got == "signal"
        loop.remove_signal_handler(signal.SIGUSR2)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    def run_everything():
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(everything())

    def fork(work):
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def wait(pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

PROGRAMS = {
    "a loop that is closed": """
        run_everything()
        assert wait(fork(run_everything)) == 0
        run_everything()
    """,
    "a loop between two runs": """
        loop = factory()
        loop.run_until_complete(everything())
        assert wait(fork(run_everything)) == 0
        loop.run_until_complete(everything())
        loop.close()
    """,
    "a loop that runs": """
        async def main():
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for _ in range(3):
                pid = fork(run_everything)
                waiting = loop.run_in_executor(None, wait, pid)
                while not waiting.done():
                    writer.write(b"ping")
                    assert await reader.readexactly(4) == b"ping"
                assert await waiting == 0
            await everything()
            writer.close()
            server.close()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    """,
    "a loop whose callback forks, and timers": """
        def run(delay, first):
            loop = factory()
            pids = []

            def callback():
                # A child that waits for ever ends by a signal.
                pids.append(os.fork())
                if not pids[0]:
                    signal.alarm(20)
                    waiting.cancel()
                loop.call_later(delay, loop.stop)

            waiting = loop.call_later(first, callback if first == 0 else loop.stop)
            if first:
                # The parent's timer is set when it forks, and the child's is not.
                loop.call_later(first / 4, callback)
            loop.run_forever()
            if not pids[0]:
                os._exit(0)
            loop.close()
            assert wait(pids[0]) == 0

        signal.alarm(50)
        for delay in (0.0005, 0.001, 0.0029, 0.01):
            run(delay, 0)
            run(delay, 0.0028)
    """,
    "a child that forks again": """
        def child():
            run_everything()
            assert wait(fork(run_everything)) == 0
            run_everything()

        run_everything()
        assert wait(fork(child)) == 0
        run_everything()
    """,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_forked_child_makes_its_own_loop(loop_name, program):
    code = PRELUDE + PROGRAMS[program].replace("\n    ", "\n") + '\n    print("fine")\n'
    done = run_program(code, loop_name, options=["-W", "ignore::DeprecationWarning"])
    assert (done.stderr, done.stdout, done.returncode) == ("", "fine\n", 0)


SIGNALLED_CHILD = """
    async def main():
        loop = asyncio.get_running_loop()
        calls = []
        loop.add_signal_handler(signal.SIGUSR1, calls.append, "parent")
        await asyncio.sleep(0.001)

        def child():
            os.kill(os.getpid(), signal.SIGUSR1)

        assert wait(fork(child)) == 0
        done = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR2, done.set_result, None)
        os.kill(os.getpid(), signal.SIGUSR2)
        await done
        print(calls)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 a forked child keeps the wakeup descriptor")
def test_a_signal_of_a_forked_child_does_not_reach_the_parents_handlers(loop_name):
    done = run_program(PRELUDE + SIGNALLED_CHILD, loop_name, options=["-W", "ignore::DeprecationWarning"])
    assert (done.stderr, done.stdout, done.returncode) == ("", "[]\n", 0)


CLOSED_COPY = """
    import threading

    async def woken():
        loop = asyncio.get_running_loop()
        for _ in range(3):
            done = loop.create_future()
            threading.Timer(0.01, loop.call_soon_threadsafe, [done.set_result, None]).start()
            await done

    async def connect():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        return server, *await asyncio.open_connection(*server.sockets[0].getsockname())

    async def use(reader, writer, got):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        os.write(write_end, b"x")
        assert await got.get() == b"x"

    loop = factory()
    loop.run_until_complete(woken())
    server, reader, writer = loop.run_until_complete(connect())
    read_end, write_end = os.pipe()
    got = asyncio.Queue()
    loop.add_reader(read_end, lambda: got.put_nowait(os.read(read_end, 10)))
    loop.run_until_complete(use(reader, writer, got))
    assert wait(fork(loop.close)) == 0
    loop.run_until_complete(asyncio.wait_for(woken(), 20))
    loop.run_until_complete(asyncio.wait_for(use(reader, writer, got), 20))
    loop.run_until_complete(asyncio.wait_for(use(*loop.run_until_complete(connect())[1:], got), 20))
    print("fine")
    sys.stdout.flush()
    os._exit(0)
"""


def test_a_child_that_closes_its_copy_of_a_loop_leaves_the_parents_alone():
    # Closing the default loop's copy takes the descriptor that wakes it from the epoll set that both share.
    done = run_program(PRELUDE + CLOSED_COPY, "mainspring", options=["-W", "ignore::DeprecationWarning"])
    assert (done.stderr, done.stdout, done.returncode) == ("", "fine\n", 0)


TAKEN_OVER = """
    import socket, time

    def use_everything(loop):
        async def use():
            await asyncio.sleep(0.01)
            await everything()
            one, other = socket.socketpair()
            with one, other:
                one.setblocking(False)
                receiving = loop.create_task(loop.sock_recv(one, 10))
                await asyncio.sleep(0)
                other.send(b"later")
                assert await receiving == b"later"
                got = loop.create_future()
                loop.add_reader(one, lambda: got.done() or got.set_result(os.read(one.fileno(), 10)))
                other.send(b"more")
                assert await got == b"more"
                loop.remove_reader(one)

        loop.run_until_complete(asyncio.wait_for(use(), 30))

    # Older than the loop, so that what the child makes anew gets their numbers.
    older = [socket.socketpair() for _ in range(4)]

    async def wait_for_the_older():
        for one, other in older:
            one.setblocking(False)
            receiving = asyncio.ensure_future(loop.sock_recv(one, 10))
            await asyncio.sleep(0)
            other.send(b"x")
            assert await receiving == b"x"

    loop = factory()
    if sys.argv[2] == "after use":
        use_everything(loop)
        loop.run_until_complete(wait_for_the_older())

    def in_the_child():
        for one, other in older:
            one.close()
            other.close()
        use_everything(loop)
        loop.close()

    assert wait(fork(in_the_child)) == 0
    # The child's work was its own.
    use_everything(loop)
    loop.close()
    print("fine")
"""


@pytest.mark.parametrize("when", ["before use", "after use"])
def test_a_child_can_run_the_loop_that_its_parent_made(when):
    # On the default loop the two share the descriptors that wake them, and take the signals' bytes from each other.
    done = run_program(PRELUDE + TAKEN_OVER, "mainspring", when, options=["-W", "ignore::DeprecationWarning"])
    assert (done.stderr, done.stdout, done.returncode) == ("", "fine\n", 0)
