"""The loop's own thread pool: its threads, what runs when, and that nothing is held back."""

import asyncio
import concurrent.futures
import concurrent.futures.thread
import contextlib
import functools
import math
import os
import threading
import time

import pytest
from helpers import collect_errors, compare, eventually, outcome


def own_threads():
    """The threads of loops' pools."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("asyncio_")]


async def warmed_up(loop, count):
    """Let the pool start so many threads, and let them become idle."""
    barrier = threading.Barrier(count)
    await asyncio.gather(*(loop.run_in_executor(None, barrier.wait, 10) for _ in range(count)))
    await asyncio.sleep(0.01)


def test_it_is_a_thread_pool_executor():
    def scenario(loop):
        async def main():
            names = await asyncio.gather(*(loop.run_in_executor(None, lambda: threading.current_thread().name),))
            pool = loop._default_executor
            return names, type(pool), pool._max_workers, pool._thread_name_prefix, pool._work_queue.qsize()

        try:
            return loop.run_until_complete(main())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    names, kind, *_ = compare(scenario)
    assert names == ["asyncio_0"]
    assert kind is concurrent.futures.ThreadPoolExecutor


def test_its_own_methods_work(loop):
    async def main():
        await loop.run_in_executor(None, int)
        pool = loop._default_executor
        future = pool.submit(pow, 2, exp=10)
        assert isinstance(future, concurrent.futures.Future)
        assert future.result(10) == 1024
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]
        assert await loop.run_in_executor(pool, math.gcd, 12, 18) == 6
        failing = pool.submit(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            failing.result(10)
        mixed = [
            loop.run_in_executor(None, str, 1),
            asyncio.wrap_future(pool.submit(str, 2)),
            asyncio.to_thread(str, 3),
        ]
        assert await asyncio.gather(*mixed) == ["1", "2", "3"]

    loop.run_until_complete(main())


def test_after_its_shutdown_it_refuses_with_the_same_texts():
    def scenario(loop):
        loop.run_until_complete(loop.run_in_executor(None, int))
        pool = loop._default_executor
        pool.shutdown()
        return outcome(pool.submit, int), outcome(loop.run_in_executor, None, int), pool.shutdown()

    told = (RuntimeError, "cannot schedule new futures after shutdown")
    assert compare(scenario) == (told, told, None)


def test_an_idle_thread_is_used_again(loop):
    async def main():
        for _ in range(10):
            await loop.run_in_executor(None, int)
            await asyncio.sleep(0.005)
        assert own_threads() == ["asyncio_0"]

    loop.run_until_complete(main())


def test_there_are_never_more_threads_than_the_pool_may_have(loop):
    async def main():
        release = threading.Event()
        await loop.run_in_executor(None, int)
        most = loop._default_executor._max_workers
        calls = [loop.run_in_executor(None, release.wait, 10) for _ in range(3 * most)]
        await eventually(lambda: len(own_threads()) == most)
        await asyncio.sleep(0.01)
        assert len(own_threads()) == most
        assert loop._default_executor._work_queue.qsize() == 2 * most
        release.set()
        assert await asyncio.gather(*calls) == [True] * len(calls)

    loop.run_until_complete(main())


def test_a_limit_that_the_program_raises_counts(loop):
    async def main():
        await loop.run_in_executor(None, int)
        loop._default_executor._max_workers = 40
        await warmed_up(loop, 40)
        assert len(own_threads()) == 40

    loop.run_until_complete(main())


@pytest.mark.parametrize("threads", [0, 3])
def test_a_call_that_blocks_delays_nobody(loop, threads):
    async def main():
        if threads:
            await warmed_up(loop, threads)
        release = threading.Event()
        first = loop.run_in_executor(None, release.wait, 30)
        assert await asyncio.wait_for(loop.run_in_executor(None, int, "2"), 20) == 2
        short = [loop.run_in_executor(None, abs, number) for number in range(50)]
        blocking = loop.run_in_executor(None, release.wait, 30)
        short += [loop.run_in_executor(None, abs, number) for number in range(50, 100)]
        assert await asyncio.wait_for(asyncio.gather(*short), 20) == list(range(100))
        assert not first.done()
        assert not blocking.done()
        release.set()
        assert await asyncio.gather(first, blocking) == [True, True]

    loop.run_until_complete(main())


def test_a_result_is_not_held_back_by_the_next_call(loop):
    async def main():
        await warmed_up(loop, 1)
        loop._default_executor._max_workers = 1
        release = threading.Event()
        first = loop.run_in_executor(None, int, "1")
        second = loop.run_in_executor(None, release.wait, 30)
        assert await asyncio.wait_for(first, 20) == 1
        release.set()
        assert await second

    loop.run_until_complete(main())


@pytest.mark.parametrize("pause", [0, 0.05], ids=["just idle", "idle for long"])
@pytest.mark.parametrize("way", ["coroutine", "callback"])
def test_a_call_begins_although_its_callback_blocks_the_loop(loop, pause, way):
    async def main():
        await warmed_up(loop, 2)
        await asyncio.sleep(pause)
        begun = threading.Event()
        seen = []

        def submit_and_wait():
            call = loop.run_in_executor(None, begun.set)
            seen.append(begun.wait(20))
            return call

        if way == "coroutine":
            await submit_and_wait()
        else:
            loop.call_soon(submit_and_wait)
            await eventually(lambda: seen)
        assert seen == [True]

    loop.run_until_complete(main())


def test_a_call_begins_although_the_loop_stays_busy(loop):
    async def main():
        begun = threading.Event()
        await warmed_up(loop, 1)
        call = loop.run_in_executor(None, begun.set)
        deadline = time.monotonic() + 20
        while not begun.is_set() and time.monotonic() < deadline:
            await asyncio.sleep(0)
        assert begun.is_set()
        await call

    loop.run_until_complete(main())


def test_calls_submitted_before_the_loop_runs_begin(loop):
    begun = threading.Event()
    calls = [loop.run_in_executor(None, begun.set), loop.run_in_executor(None, int)]
    assert begun.wait(20)
    loop.run_until_complete(asyncio.gather(*calls))
    begun.clear()
    call = loop.run_in_executor(None, begun.set)
    assert begun.wait(20)
    loop.run_until_complete(call)


def test_the_last_thing_a_loop_does_before_it_stops(loop):
    begun = threading.Event()
    loop.run_until_complete(warmed_up(loop, 1))

    def last():
        loop.run_in_executor(None, begun.set)
        loop.stop()

    loop.call_soon(last)
    loop.run_forever()
    assert begun.wait(20)


def test_results_come_in_order_of_completion(loop):
    async def main():
        loop._default_executor or await loop.run_in_executor(None, int)
        loop._default_executor._max_workers = 1
        order = []
        for number in range(200):
            call = loop.run_in_executor(None, abs, number)
            call.add_done_callback(lambda done: order.append(done.result()))
        await eventually(lambda: len(order) == 200)
        assert order == list(range(200))

    loop.run_until_complete(main())


def test_what_a_call_schedules_runs_before_its_result_is_there(mainspring_loop):
    """Since Python 3.14 not so on the default loop, when the call is done before its future is chained."""
    loop = mainspring_loop

    async def main():
        seen = []

        def work(number):
            loop.call_soon_threadsafe(lambda: seen.append((number, calls[number].done())))
            return number

        calls = []
        for number in range(20):
            calls.append(loop.run_in_executor(None, work, number))
            calls[-1].add_done_callback(lambda done: seen.append(done.result()))
        await asyncio.gather(*calls)
        for number in range(20):
            assert seen.index((number, False)) < seen.index(number)

    loop.run_until_complete(main())


def test_callbacks_of_a_result_take_as_many_turns_as_on_the_default_loop():
    def scenario(loop):
        async def main():
            await warmed_up(loop, 1)
            order = []
            call = loop.run_in_executor(None, loop.call_soon_threadsafe, order.append, "scheduled")
            call.add_done_callback(lambda _: order.append("done"))
            while not call.done():
                await asyncio.sleep(0.001)
            loop.call_soon(order.append, "after")
            await asyncio.sleep(0.005)
            return order

        try:
            return loop.run_until_complete(main())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    assert compare(scenario) == ["scheduled", "done", "after"]


@pytest.mark.parametrize("count", range(7))
def test_any_number_of_arguments(loop, count):
    arguments = tuple(object() for _ in range(count))

    async def main():
        assert await loop.run_in_executor(None, lambda *args: args, *arguments) == arguments

    loop.run_until_complete(main())


def test_arguments_by_name_and_wrong_ones():
    def scenario(loop):
        try:
            return (
                loop.run_until_complete(loop.run_in_executor(executor=None, func=os.getpid)),
                loop.run_until_complete(loop.run_in_executor(None, func=int)),
                [
                    outcome(loop.run_in_executor, *args, **keywords)
                    for args, keywords in (((), {}), ((None,), {}), ((None, int), {"wrong": 1}), ((5, int), {}))
                ],
                outcome(loop.run_until_complete, loop.run_in_executor(None, 5)),
            )
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    compare(scenario)


def test_a_closed_loop_refuses():
    def scenario(loop):
        loop.close()
        return outcome(loop.run_in_executor, None, int)

    assert compare(scenario) == (RuntimeError, "Event loop is closed")


ERRORS = [
    ValueError("text"),
    SystemExit(3),
    KeyboardInterrupt(),
    asyncio.CancelledError("by itself"),
    concurrent.futures.CancelledError("of the other kind"),
    concurrent.futures.InvalidStateError("state"),
    TimeoutError("late"),
    GeneratorExit(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_every_exception_comes_back(error):
    def scenario(loop):
        def fail():
            raise error

        async def main():
            call = loop.run_in_executor(None, fail)
            while not call.done():
                await asyncio.sleep(0.001)
            got = call.exception()
            return type(got), got.args, got.__traceback__ is not None

        try:
            return loop.run_until_complete(main())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    compare(scenario)


def test_an_exception_that_nobody_asks_for_is_told():
    def scenario(loop):
        errors = collect_errors(loop)

        async def main():
            loop.run_in_executor(None, int, "no number")
            await eventually(lambda: errors)

        loop.run_until_complete(main())
        return [(context["message"], type(context["exception"])) for context in errors]

    assert compare(scenario) == [("Future exception was never retrieved", ValueError)]


def test_a_future_that_the_program_completes_itself():
    def scenario(loop):
        errors = collect_errors(loop)

        async def main():
            release = threading.Event()
            call = loop.run_in_executor(None, release.wait, 10)
            call.set_result("of the program")
            release.set()
            await eventually(lambda: errors)
            return await call, await loop.run_in_executor(None, str, "goes on")

        try:
            return loop.run_until_complete(main()), len(errors)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    assert compare(scenario) == (("of the program", "goes on"), 1)


def test_a_cancelled_call_does_not_begin_and_a_running_one_goes_on(loop):
    async def main():
        await loop.run_in_executor(None, int)
        loop._default_executor._max_workers = 1
        ran = []
        begun = threading.Event()
        release = threading.Event()

        def work():
            begun.set()
            release.wait(10)
            ran.append("running")

        running = loop.run_in_executor(None, work)
        waiting = [loop.run_in_executor(None, ran.append, number) for number in range(5)]
        await eventually(begun.is_set)
        running.cancel()
        for call in waiting[::2]:
            call.cancel()
        await asyncio.sleep(0.01)
        release.set()
        told = await asyncio.gather(running, *waiting, return_exceptions=True)
        assert [type(one) for one in told[1::2]] == [asyncio.CancelledError] * 3
        assert told[2::2] == [None, None]
        await eventually(lambda: len(ran) == 3)
        assert ran == ["running", 1, 3]

    loop.run_until_complete(main())


def test_a_timeout_around_a_call(loop):
    async def main():
        release = threading.Event()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(release.wait, 10), 0.01)
        release.set()

    loop.run_until_complete(main())


def test_a_shutdown_that_cancels():
    def scenario(loop):
        async def main():
            await loop.run_in_executor(None, int)
            pool = loop._default_executor
            pool._max_workers = 1
            begun = threading.Event()
            release = threading.Event()
            running = loop.run_in_executor(None, lambda: (begun.set(), release.wait(10))[1])
            waiting = [loop.run_in_executor(None, int) for _ in range(3)]
            submitted = pool.submit(int)
            await eventually(begun.is_set)
            pool.shutdown(wait=False, cancel_futures=True)
            release.set()
            told = await asyncio.gather(running, *waiting, return_exceptions=True)
            return told[0], [type(one) for one in told[1:]], submitted.cancelled()

        return loop.run_until_complete(main())

    assert compare(scenario) == (True, [asyncio.CancelledError] * 3, True)


def test_what_waits_still_runs_when_the_loop_is_closed(loop_factory):
    loop = loop_factory()
    ran = []
    release = threading.Event()
    loop.run_until_complete(warmed_up(loop, 1))
    pool = loop._default_executor
    pool._max_workers = 1
    loop.run_in_executor(None, release.wait, 10)
    for number in range(5):
        loop.run_in_executor(None, ran.append, number)
    loop.close()
    release.set()
    pool.shutdown()
    assert ran == list(range(5))


def test_results_that_no_turn_delivered_go_with_the_loop(loop_factory):
    loop = loop_factory()
    loop.run_until_complete(warmed_up(loop, 2))
    calls = [loop.run_in_executor(None, abs, number) for number in range(20)]
    pool = loop._default_executor
    pool.shutdown()
    loop.close()
    assert not any(call.done() for call in calls)


def test_no_thread_is_left_after_the_shutdown(loop):
    loop.run_until_complete(warmed_up(loop, 5))
    assert len(own_threads()) == 5
    loop.run_until_complete(loop.shutdown_default_executor())
    assert own_threads() == []


def test_no_thread_is_left_of_an_abandoned_loop(loop_factory):
    loop = loop_factory()
    loop.run_until_complete(warmed_up(loop, 3))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")]
    loop.close()
    del loop
    for thread in threads:
        thread.join(20)
    assert own_threads() == []


def test_each_loop_has_a_pool_of_its_own(loop_factory):
    loops = [loop_factory() for _ in range(3)]
    for loop in loops:
        loop.run_until_complete(loop.run_in_executor(None, int))
    assert len({id(loop._default_executor) for loop in loops}) == 3
    for loop in loops:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_two_loops_share_a_pool(loop_factory):
    one, other = loop_factory(), loop_factory()
    one.run_until_complete(one.run_in_executor(None, int))
    other.set_default_executor(one._default_executor)

    async def main(loop):
        for _ in range(50):
            await loop.run_in_executor(None, int)
        calls = [loop.run_in_executor(None, abs, number) for number in range(200)]
        return await asyncio.gather(*calls)

    results = []
    thread = threading.Thread(target=lambda: results.append(other.run_until_complete(main(other))))
    thread.start()
    results.append(one.run_until_complete(main(one)))
    thread.join(20)
    assert results == [list(range(200))] * 2
    one.run_until_complete(one.shutdown_default_executor())
    one.close()
    other.close()


def test_a_replaced_submit_is_used(loop, monkeypatch):
    """Programs that trace wrap ``ThreadPoolExecutor.submit``."""
    pool_class = concurrent.futures.ThreadPoolExecutor
    loop.run_until_complete(loop.run_in_executor(None, int))
    original = pool_class.submit
    seen = []

    @functools.wraps(original)
    def submit(self, function, /, *args, **keywords):
        seen.append(args)
        return original(self, function, *args, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(pool_class, "submit", submit)
        assert loop.run_until_complete(loop.run_in_executor(None, abs, -1)) == 1
    assert loop.run_until_complete(loop.run_in_executor(None, abs, -2)) == 2
    monkeypatch.setattr(loop._default_executor, "submit", functools.partial(submit, loop._default_executor))
    assert loop.run_until_complete(loop.run_in_executor(None, abs, -3)) == 3
    assert seen == [(-1,), (-3,)]


def test_a_replaced_thread_pool_executor_is_used(loop, monkeypatch):
    class Pool(concurrent.futures.ThreadPoolExecutor):
        pass

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Pool)
    assert loop.run_until_complete(loop.run_in_executor(None, abs, -1)) == 1
    assert type(loop._default_executor) is Pool


def test_futures_of_an_overridden_create_future(loop_factory):
    made = []

    class OwnLoop(loop_factory if isinstance(loop_factory, type) else type(_closed(loop_factory()))):
        def create_future(self):
            made.append(super().create_future())
            return made[-1]

    with contextlib.closing(OwnLoop()) as loop:
        future = loop.run_in_executor(None, abs, -1)
        assert future in made
        assert loop.run_until_complete(future) == 1


def _closed(loop):
    loop.close()
    return loop


def test_debug_mode(loop):
    async def main():
        assert await loop.run_in_executor(None, abs, -1) == 1
        assert await asyncio.to_thread(abs, -2) == 2
        with pytest.raises(TypeError, match="coroutines cannot be used with run_in_executor"):
            loop.run_in_executor(None, main)

    loop.set_debug(True)
    loop.run_until_complete(main())


def test_many_calls_from_many_tasks(loop):
    async def one(number):
        for step in range(20):
            assert await asyncio.to_thread(math.gcd, number * step, number) == number

    async def main():
        await asyncio.gather(*(one(number) for number in range(1, 101)))

    loop.run_until_complete(main())


def test_other_events_are_served_between_calls(loop):
    """A chain of calls, each submitted as soon as the one before is done, with a timer and a descriptor beside it."""

    async def main():
        ours, theirs = os.pipe()
        seen = asyncio.Event()
        loop.add_reader(ours, seen.set)
        await warmed_up(loop, 1)
        timer = asyncio.create_task(asyncio.sleep(0.02))
        loop.call_later(0.01, os.write, theirs, b"x")
        count = 0
        while not (seen.is_set() and timer.done()):
            await loop.run_in_executor(None, int)
            count += 1
        assert count > 1
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)

    loop.run_until_complete(asyncio.wait_for(main(), 20))
