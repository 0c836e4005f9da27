"""Virtual time and what only the outside can finish: threads, executors, look-ups, child processes."""

import asyncio
import concurrent.futures
import logging
import socket
import sys
import threading
import time

import pytest
from helpers import turns
from helpers.virtual import now, run


async def noting(seen, name, awaitable):
    await awaitable
    seen.append((name, now()))


async def in_order(**awaitables):
    """What ended when, in the order in which it ended."""
    seen = []
    await asyncio.gather(*(noting(seen, name, awaitable) for name, awaitable in awaitables.items()))
    return seen


def test_no_timer_overtakes_a_thread():
    async def main():
        return await in_order(
            day=asyncio.sleep(86400), second=asyncio.sleep(1), thread=asyncio.to_thread(time.sleep, 0.02)
        )

    assert run(main()) == [("thread", 0), ("second", 1), ("day", 86400)]


def test_threads_one_after_another_take_no_time():
    async def main():
        async with asyncio.timeout(1):
            for _ in range(5):
                assert await asyncio.to_thread(time.sleep, 0.002) is None
                await asyncio.sleep(0.1)
        return now()

    assert run(main()) == 0.5


@pytest.mark.parametrize("own_pool", [True, False], ids=["own", "default"])
def test_no_timer_overtakes_an_executor(own_pool):
    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = asyncio.get_running_loop().run_in_executor(pool if own_pool else None, time.sleep, 0.02)
            return await in_order(second=asyncio.sleep(1), call=future)

    assert run(main()) == [("call", 0), ("second", 1)]


def test_calls_that_wait_for_a_thread_are_waited_for():
    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            loop = asyncio.get_running_loop()
            calls = {f"call {i}": loop.run_in_executor(pool, time.sleep, 0.005) for i in range(4)}
            return await in_order(second=asyncio.sleep(1), **calls)

    assert run(main()) == [("call 0", 0), ("call 1", 0), ("call 2", 0), ("call 3", 0), ("second", 1)]


def test_no_timeout_overtakes_a_look_up(monkeypatch):
    def slow_look_up(*args, **kwargs):
        time.sleep(0.02)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)

    async def main():
        async with asyncio.timeout(0.001):
            return await asyncio.get_running_loop().getaddrinfo("example.invalid", 80)

    assert run(main())[0][4] == ("192.0.2.1", 80)


def test_a_call_that_nobody_waits_for_any_more_holds_nobody():
    released = threading.Event()

    async def main():
        task = asyncio.create_task(asyncio.to_thread(released.wait))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(3600)
        released.set()
        return now()

    assert run(main(), patience=float("inf")) == 3600


def test_timers_for_which_a_thread_waits_run_in_the_end(caplog):
    caplog.set_level(logging.WARNING, "asyncio")

    async def main():
        loop = asyncio.get_running_loop()

        def ask_the_loop():
            return asyncio.run_coroutine_threadsafe(asyncio.sleep(60, "slept"), loop).result()

        result = await asyncio.to_thread(ask_the_loop)
        return result, now()

    assert run(main(), patience=0.05) == ("slept", 60)
    [record] = caplog.records
    assert "without 1 call(s) in executors or child process(es)" in record.getMessage()


def test_what_was_outlasted_holds_nobody_again_but_new_calls_do(caplog):
    released = threading.Event()

    async def main():
        asyncio.get_running_loop().run_in_executor(None, released.wait)
        await asyncio.sleep(1)
        await asyncio.sleep(1)
        seen = await in_order(second=asyncio.sleep(1), thread=asyncio.to_thread(time.sleep, 0.005))
        released.set()
        return seen

    assert run(main(), patience=3) == [("thread", 2), ("second", 3)]
    assert len(caplog.records) == 1


def test_another_thread_wakes_the_loop():
    async def main():
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def wake():
            time.sleep(0.01)
            loop.call_soon_threadsafe(event.set)
            time.sleep(0.01)

        return await in_order(thread=loop.run_in_executor(None, wake), event=event.wait(), second=asyncio.sleep(1))

    assert run(main()) == [("event", 0), ("thread", 0), ("second", 1)]


def test_another_thread_advances_the_clock():
    async def main():
        loop = asyncio.get_running_loop()
        slept = threading.Event()
        sleeping = asyncio.create_task(asyncio.sleep(5))
        sleeping.add_done_callback(lambda _: slept.set())
        await turns(2)

        def advance():
            loop.clock.advance(7)
            return slept.wait(30)

        assert await loop.run_in_executor(None, advance)
        return now()

    assert run(main()) == 7


def test_the_threads_are_waited_for_at_the_end():
    ended = []

    async def main():
        def call():
            time.sleep(0.02)
            ended.append(True)

        asyncio.get_running_loop().run_in_executor(None, call)
        await asyncio.sleep(0)

    run(main())
    assert ended == [True]


def test_no_timer_overtakes_a_child_process():
    async def main():
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import time; time.sleep(0.02); print('done')", stdout=asyncio.subprocess.PIPE
        )
        seen = await in_order(second=asyncio.sleep(1), child=child.wait())
        return seen, await child.stdout.read(), child.returncode

    assert run(main(), patience=60) == ([("child", 0), ("second", 1)], b"done\n", 0)


def test_a_conversation_with_a_child_process():
    echo = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)"

    async def main():
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", echo, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(0.01):
            answers = []
            for line in (b"one\n", b"two\n"):
                child.stdin.write(line)
                answers.append(await child.stdout.readline())
            child.stdin.close()
            await child.wait()
        return answers, now()

    assert run(main(), patience=60) == ([b"ONE\n", b"TWO\n"], 0)


def test_many_children_and_timers_repeat_exactly():
    async def main():
        async def one(i):
            await asyncio.sleep(i)
            child = await asyncio.create_subprocess_exec("true")
            await child.wait()
            return now()

        return await asyncio.gather(*(one(i) for i in range(5)))

    assert [run(main(), patience=60) for _ in range(3)] == [[0, 1, 2, 3, 4]] * 3
