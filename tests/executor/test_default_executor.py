"""The default executor: setting it, shutting it down, and calls after that."""

import asyncio
import concurrent.futures
import inspect
import sys
import threading
import time
import warnings

import pytest
from helpers import compare, normalised, outcome

HAS_TIMEOUT = "timeout" in inspect.signature(asyncio.BaseEventLoop.shutdown_default_executor).parameters


def test_the_one_that_was_set_is_used(loop):
    async def main():
        assert (await loop.run_in_executor(None, threading.current_thread)).name.startswith("own")

    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="own"))
    loop.run_until_complete(main())


class OwnExecutor(concurrent.futures.Executor):
    """An executor that is no thread pool."""


@pytest.mark.parametrize(
    "thing",
    [None, 5, "text", OwnExecutor(), concurrent.futures.ThreadPoolExecutor],
    ids=lambda thing: normalised(repr(thing)),
)
def test_other_types_are_refused_with_the_same_text(thing):
    assert compare(lambda loop: outcome(loop.set_default_executor, thing)) == (
        TypeError,
        "executor must be ThreadPoolExecutor instance",
    )


def test_after_the_shutdown_calls_are_refused():
    def scenario(loop):
        loop.run_until_complete(loop.run_in_executor(None, int))
        loop.run_until_complete(loop.shutdown_default_executor())
        return outcome(loop.run_in_executor, None, int)

    assert compare(scenario) == (RuntimeError, "Executor shutdown has been called")


def test_the_shutdown_waits_for_what_runs(loop):
    finished = threading.Event()
    loop.run_in_executor(None, lambda: (time.sleep(0.05), finished.set()))
    loop.run_until_complete(loop.shutdown_default_executor())
    assert finished.is_set()


def test_a_shutdown_without_an_executor(loop):
    assert loop.run_until_complete(loop.shutdown_default_executor()) is None


@pytest.mark.skipif(not HAS_TIMEOUT, reason="shutdown_default_executor(timeout) came with Python 3.12")
def test_the_shutdown_gives_up_after_its_timeout_with_a_warning():
    def scenario(loop):
        release = threading.Event()
        loop.run_in_executor(None, release.wait, 10)
        # Python 3.12.1 waits all the same.
        threading.Timer(0.3, release.set).start()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RuntimeWarning)
            loop.run_until_complete(loop.shutdown_default_executor(0.02))
            told = [str(warning.message) for warning in caught], release.is_set()
        release.wait(10)
        return told

    messages, waited = compare(scenario)
    if sys.version_info >= (3, 13):
        assert messages == ["The executor did not finishing joining its threads within 0.02 seconds."]
        assert not waited


def test_closing_the_loop_does_not_wait_for_threads(loop_factory):
    release = threading.Event()
    loop = loop_factory()
    loop.call_soon(loop.stop)
    loop.run_in_executor(None, release.wait, 10)
    loop.run_forever()
    started = time.monotonic()
    loop.close()
    assert time.monotonic() - started < 5
    release.set()


def test_a_threads_call_soon_threadsafe_works_from_the_executor(loop):
    async def main():
        future = loop.create_future()
        await loop.run_in_executor(None, loop.call_soon_threadsafe, future.set_result, "from a thread")
        assert await future == "from a thread"

    loop.run_until_complete(main())


def test_a_coroutine_submitted_from_a_thread(loop):
    async def main():
        def work():
            return asyncio.run_coroutine_threadsafe(asyncio.sleep(0.001, "result"), loop).result(10)

        assert await asyncio.to_thread(work) == "result"

    loop.run_until_complete(main())
