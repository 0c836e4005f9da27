"""run_in_executor and to_thread: any concurrent.futures.Executor, results, exceptions, cancellation, contexts."""

import asyncio
import concurrent.futures
import contextvars
import functools
import math
import multiprocessing
import os
import signal
import socket
import threading
import time

import pytest
from helpers import compare, normalised, outcome, turns


class InlineExecutor(concurrent.futures.Executor):
    """An executor of the program's own: runs at once, in the caller's thread."""

    def __init__(self):
        self.calls = []

    def submit(self, function, /, *args, **keywords):
        self.calls.append(args)
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*args, **keywords))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.fixture(params=["default executor", "ThreadPoolExecutor", "own executor"])
def executor(request):
    if request.param == "default executor":
        yield None
    elif request.param == "own executor":
        yield InlineExecutor()
    else:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            yield pool


def test_the_result_comes_back(loop, executor):
    async def main():
        assert await loop.run_in_executor(executor, math.gcd, 12, 18) == 6
        calls = [loop.run_in_executor(executor, pow, 2, number) for number in range(100)]
        assert await asyncio.gather(*calls) == [2**number for number in range(100)]

    loop.run_until_complete(main())


def test_the_exception_comes_back(loop, executor):
    error = ValueError("on purpose")

    def fail():
        raise error

    async def main():
        with pytest.raises(ValueError, match="on purpose") as raised:
            await loop.run_in_executor(executor, fail)
        assert raised.value is error

    loop.run_until_complete(main())


def test_threads_do_the_work_while_the_loop_goes_on(loop):
    async def main():
        turns = 0
        work = loop.run_in_executor(None, lambda: (time.sleep(0.05), threading.get_ident())[1])
        while not work.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert turns > 5
        assert await work != threading.get_ident()

    loop.run_until_complete(main())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes(loop, method):
    async def main(pool):
        numbers = await asyncio.gather(*(loop.run_in_executor(pool, math.factorial, n) for n in range(20)))
        assert numbers == [math.factorial(n) for n in range(20)]
        assert await loop.run_in_executor(pool, os.getpid) != os.getpid()
        with pytest.raises(ValueError):
            await loop.run_in_executor(pool, math.factorial, -1)
        with pytest.raises(concurrent.futures.process.BrokenProcessPool):
            await loop.run_in_executor(pool, os._exit, 1)

    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        loop.run_until_complete(main(pool))
    if method == "forkserver":
        multiprocessing.forkserver._forkserver._stop()
    multiprocessing.resource_tracker._resource_tracker._stop()


def test_cancelling_the_wait_is_cancelling_the_call_when_it_has_not_begun():
    def scenario(loop):
        ran = []

        async def main():
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                release = threading.Event()
                first = loop.run_in_executor(pool, release.wait, 10)
                second = loop.run_in_executor(pool, ran.append, "second")
                await asyncio.sleep(0.005)
                second.cancel()
                # The pool hears of it from a callback of the future.
                await turns(3)
                result = await asyncio.gather(second, return_exceptions=True)
                release.set()
                return await first, [type(error) for error in result], second.cancelled()

        return loop.run_until_complete(main()), ran

    assert compare(scenario) == ((True, [asyncio.CancelledError], True), [])


def test_a_call_that_runs_already_is_not_stopped_by_a_cancellation(loop):
    async def main():
        finished = threading.Event()
        begun = threading.Event()

        def work():
            begun.set()
            time.sleep(0.02)
            finished.set()

        future = loop.run_in_executor(None, work)
        while not begun.is_set():
            await asyncio.sleep(0.001)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert await loop.run_in_executor(None, finished.wait, 10)

    loop.run_until_complete(main())


def test_to_thread_carries_the_context_and_keywords(loop):
    variable = contextvars.ContextVar("variable", default=None)

    def work(*args, **keywords):
        return args, keywords, variable.get(), threading.current_thread() is threading.main_thread()

    async def main():
        variable.set("of the task")
        assert await asyncio.to_thread(work, 1, key=2) == ((1,), {"key": 2}, "of the task", False)

    loop.run_until_complete(main())


def test_functools_partial_and_bound_methods(loop):
    async def main():
        assert await loop.run_in_executor(None, functools.partial(sorted, reverse=True), [1, 3, 2]) == [3, 2, 1]
        assert await loop.run_in_executor(None, "text".upper) == "TEXT"

    loop.run_until_complete(main())


def test_a_result_for_a_closed_loop_hurts_nobody(loop_factory):
    loop = loop_factory()
    release = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = loop.run_in_executor(pool, release.wait, 10)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        release.set()
    assert not future.done()


def test_debug_mode_refuses_what_cannot_be_called():
    def scenario(loop):
        loop.set_debug(True)
        kind, text = outcome(loop.run_in_executor, None, 5)
        return kind, normalised(text)

    assert compare(scenario)[0] is TypeError


def test_stop_iteration_does_not_hang():
    def scenario(loop):
        def stop():
            raise StopIteration("value")

        async def main():
            try:
                await asyncio.wait_for(loop.run_in_executor(None, stop), 2)
            except BaseException as error:
                return type(error)

        try:
            return loop.run_until_complete(main())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    compare(scenario)


@pytest.mark.parametrize("quick", [0, 1, 500])
def test_everything_else_goes_on_while_a_call_takes_long(loop, quick):
    """However quick the calls before it were, after which the loop may count on quick ones."""
    may_end = threading.Event()
    one, other = socket.socketpair()
    one.setblocking(False)

    async def main():
        for number in range(quick):
            assert await loop.run_in_executor(None, abs, -number) == number
        call = loop.run_in_executor(None, may_end.wait)
        received = asyncio.ensure_future(loop.sock_recv(one, 10))
        loop.call_later(0.001, other.send, b"from a timer")
        assert await received == b"from a tim"
        woken = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(woken.set_result, "by a thread"))
        loop.call_later(0.001, thread.start)
        assert await woken == "by a thread"
        thread.join()
        signalled = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR1, signalled.set_result, "by a signal")
        loop.call_later(0.001, os.kill, os.getpid(), signal.SIGUSR1)
        assert await signalled == "by a signal"
        assert loop.remove_signal_handler(signal.SIGUSR1)
        assert not call.done()
        may_end.set()
        assert await call is True
        assert await loop.run_in_executor(None, abs, -1) == 1

    with one, other:
        try:
            loop.run_until_complete(main())
        finally:
            may_end.set()


@pytest.mark.parametrize("one_processor", [False, True])
def test_two_tasks_and_two_threads_that_wait_for_each_other_in_turns(loop, one_processor):
    """Each call is over soon after its task went on, or only when the other task did."""
    allowed = os.sched_getaffinity(0) if one_processor else None
    if allowed:
        os.sched_setaffinity(0, {min(allowed)})
    may_go = [threading.Semaphore(0), threading.Semaphore(0)]
    order = []

    def take_turn(number):
        may_go[number].acquire()
        order.append(number)
        may_go[1 - number].release()

    async def player(number):
        for _ in range(200):
            await loop.run_in_executor(None, take_turn, number)

    async def main():
        may_go[0].release()
        await asyncio.gather(player(0), player(1))

    try:
        loop.run_until_complete(main())
    finally:
        for semaphore in may_go:
            semaphore.release(400)
        if allowed:
            os.sched_setaffinity(0, allowed)
    assert order == [0, 1] * 200
