"""What the loop's own thread pool keeps alive, and for how long."""

import asyncio
import gc
import sys
import threading
import weakref

import pytest
from helpers import eventually


class Thing:
    """Something that can be referred to weakly, and called."""

    def __call__(self, *args):
        return Thing()


def test_nothing_of_a_finished_call_is_kept(loop):
    async def main():
        for count in range(6):
            function, arguments = Thing(), [Thing() for _ in range(count)]
            call = loop.run_in_executor(None, function, *arguments)
            result = await call
            watched = [weakref.ref(thing) for thing in (function, *arguments, result, call)]
            del function, arguments, result, call
            await eventually(lambda watched=watched: not any(reference() for reference in watched))

    gc.disable()
    try:
        loop.run_until_complete(main())
    finally:
        gc.enable()


def test_nothing_of_a_failed_call_is_kept(loop):
    async def main():
        argument = Thing()

        def fail(_):
            raise ValueError(Thing())

        call = loop.run_in_executor(None, fail, argument)
        with pytest.raises(ValueError) as raised:
            await call
        watched = [weakref.ref(thing) for thing in (argument, raised.value.args[0], call)]
        # A frame and its exception's traceback refer to each other on every loop.
        raised.value.__traceback__ = None
        del raised, argument, call
        gc.collect()
        await eventually(lambda: not any(reference() for reference in watched))

    loop.run_until_complete(main())


def test_nothing_of_a_cancelled_call_is_kept(loop):
    async def main():
        await loop.run_in_executor(None, int)
        loop._default_executor._max_workers = 1
        release = threading.Event()
        running = loop.run_in_executor(None, release.wait, 10)
        function, argument = Thing(), Thing()
        call = loop.run_in_executor(None, function, argument)
        watched = [weakref.ref(thing) for thing in (function, argument)]
        call.cancel()
        del function, argument
        release.set()
        await running
        await eventually(lambda: not any(reference() for reference in watched))

    loop.run_until_complete(main())


def test_references_are_counted(loop):
    shared = object()

    async def main(count):
        calls = [
            loop.run_in_executor(None, lambda *args: args[0], *[shared] * (number % 5 + 1)) for number in range(count)
        ]
        for call in calls[::3]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for number in range(count):
            await asyncio.to_thread(lambda *args: args[0], *[shared] * (number % 5 + 1))
        calls.clear()
        await eventually(lambda: loop._default_executor._work_queue.qsize() == 0)

    loop.run_until_complete(main(20))
    gc.collect()
    before = [sys.getrefcount(thing) for thing in (shared, None, loop)]
    loop.run_until_complete(main(500))
    gc.collect()
    after = [sys.getrefcount(thing) for thing in (shared, None, loop)]
    # None is immortal or in everybody's hands; one leaked reference a call would be a thousand.
    assert all(abs(now - then) < 50 for now, then in zip(after, before, strict=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    gc.collect()
    assert sys.getrefcount(shared) == 2


def test_calls_that_wait_go_with_a_cancelling_shutdown(loop):
    async def main():
        await loop.run_in_executor(None, int)
        pool = loop._default_executor
        pool._max_workers = 1
        release = threading.Event()
        loop.run_in_executor(None, release.wait, 10)
        argument = Thing()
        watched = weakref.ref(argument)
        loop.run_in_executor(None, repr, argument)
        del argument
        pool.shutdown(wait=False, cancel_futures=True)
        await eventually(lambda: watched() is None)
        release.set()

    loop.run_until_complete(main())


@pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")
def test_an_abandoned_loop_is_collected_with_its_pool(loop_factory):
    loop = loop_factory()
    loop.run_until_complete(loop.run_in_executor(None, int))
    threads = list(loop._default_executor._threads)
    watched = weakref.ref(loop), weakref.ref(loop._default_executor)
    loop.itself = loop
    del loop
    gc.collect()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_results_are_dropped_with_a_closed_loop(loop_factory):
    loop = loop_factory()
    loop.run_until_complete(loop.run_in_executor(None, int))
    pool = loop._default_executor
    argument = Thing()
    watched = weakref.ref(argument)
    loop.run_in_executor(None, lambda thing: thing, argument)
    loop.run_in_executor(None, lambda thing: {}[thing], argument)
    del argument
    pool.shutdown()
    loop.close()
    gc.collect()
    assert watched() is None
