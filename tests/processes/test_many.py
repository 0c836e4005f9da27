"""Many processes at once, and processes of several threads at once."""

import asyncio
import os
import resource
import threading

import pytest
from helpers import open_descriptors

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def many_descriptors():
    """Allow a descriptor for each process and some more, if the system does."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = before
    if soft < 4096:
        if hard != resource.RLIM_INFINITY and hard < 4096:
            pytest.skip("too few descriptors are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def unreaped(pids):
    """Those that the kernel still knows as children of this process."""
    found = []
    for pid in pids:
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            continue
        found.append(pid)
    return found


def test_five_hundred_processes_at_once(loop, many_descriptors):
    count = 500

    async def one():
        process = await asyncio.create_subprocess_exec("true")
        return process.pid, await process.wait()

    async def main():
        return await asyncio.gather(*(one() for _ in range(count)))

    # A loop may open descriptors of its own when it first has to wait.
    loop.run_until_complete(one())
    before = open_descriptors()
    results = loop.run_until_complete(main())
    assert [code for _, code in results] == [0] * count
    assert len({pid for pid, _ in results}) == count
    assert unreaped(pid for pid, _ in results) == []
    assert open_descriptors().keys() - before.keys() == set()


def test_hundreds_with_pipes_at_once_all_answer(loop, many_descriptors):
    count = 150

    async def one(number):
        process = await asyncio.create_subprocess_shell(f"cat; exit {number % 7}", stdin=-1, stdout=-1)
        out, _ = await process.communicate(b"%d" % number)
        return out, process.returncode

    async def main():
        return await asyncio.gather(*(one(number) for number in range(count)))

    assert loop.run_until_complete(main()) == [(b"%d" % number, number % 7) for number in range(count)]


def test_hundreds_killed_at_once(loop, many_descriptors):
    async def main():
        processes = [await asyncio.create_subprocess_exec("sleep", "60") for _ in range(100)]
        for process in processes:
            process.kill()
        assert await asyncio.gather(*(process.wait() for process in processes)) == [-9] * 100
        assert unreaped(process.pid for process in processes) == []

    loop.run_until_complete(main())


def test_four_threads_start_processes_at_once_each_in_its_own_loop(loop_factory):
    barrier = threading.Barrier(4)
    results = {}

    async def one(thread, number):
        process = await asyncio.create_subprocess_shell(f"cat; exit {number}", stdin=-1, stdout=-1)
        out, _ = await process.communicate(b"%d %d" % (thread, number))
        return out, process.returncode

    async def main(thread):
        barrier.wait(20)
        return await asyncio.gather(*(one(thread, number) for number in range(25)))

    def run(thread):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            results[thread] = runner.run(main(thread))

    threads = [threading.Thread(target=run, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {thread: [(b"%d %d" % (thread, number), number) for number in range(25)] for thread in range(4)}


def test_a_process_started_in_a_thread_while_the_main_loop_runs(loop, loop_factory):
    async def in_thread():
        process = await asyncio.create_subprocess_shell("exit 5")
        return await process.wait()

    def run():
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(in_thread())

    async def main():
        # The loop of the main thread serves while the other one waits for its child.
        here = await asyncio.create_subprocess_shell("read -r line; exit 6", stdin=-1)
        assert await loop.run_in_executor(None, run) == 5
        here.stdin.close()
        assert await here.wait() == 6

    loop.run_until_complete(main())
