"""Debug mode: slow callbacks, wrong threads, what is not callable, where things were made; and forgotten things."""

import asyncio
import gc
import logging
import re
import threading
import time
import warnings

import pytest
from helpers import LOOPS, compare, normalised, outcome


@pytest.fixture
def debug_loop(loop):
    loop.set_debug(True)
    return loop


def messages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "asyncio"]


def test_debug_comes_from_the_environment_or_development_mode(loop, monkeypatch, loop_factory):
    assert loop.get_debug() is False
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    other = loop_factory()
    assert other.get_debug() is True
    other.close()


def test_a_slow_callback_is_logged(debug_loop, caplog):
    debug_loop.slow_callback_duration = 0.01
    debug_loop.call_soon(time.sleep, 0.02)
    debug_loop.call_soon(int)
    debug_loop.call_soon(debug_loop.stop)
    with caplog.at_level(logging.WARNING, "asyncio"):
        debug_loop.run_forever()
    (text,) = messages(caplog)
    assert re.match(r"Executing <Handle sleep\(0\.02\) created at .*test_debug\.py:\d+> took 0\.\d{3} seconds", text)


def test_a_slow_task_is_logged_with_its_coroutine(debug_loop, caplog):
    async def slow():
        time.sleep(0.02)

    debug_loop.slow_callback_duration = 0.01
    with caplog.at_level(logging.WARNING, "asyncio"):
        debug_loop.run_until_complete(slow())
    (text,) = messages(caplog)
    assert text.startswith("Executing <Task ")
    assert "slow()" in text


def test_nothing_slow_is_logged_outside_debug_mode(loop, caplog):
    loop.slow_callback_duration = 0.001
    loop.call_soon(time.sleep, 0.005)
    loop.call_soon(loop.stop)
    with caplog.at_level(logging.WARNING, "asyncio"):
        loop.run_forever()
    assert messages(caplog) == []


@pytest.mark.parametrize("method", ["call_soon", "call_later", "call_at"])
def test_calls_from_another_thread_are_refused(method):
    def scenario(loop):
        loop.set_debug(True)
        seen = []
        delay = [] if method == "call_soon" else [0]
        thread = threading.Thread(target=lambda: seen.append(outcome(getattr(loop, method), *delay, print)))

        def run():
            thread.start()
            thread.join()
            loop.stop()

        loop.call_soon(run)
        loop.run_forever()
        return seen

    assert compare(scenario) == [
        (RuntimeError, "Non-thread-safe operation invoked on an event loop other than the current one")
    ]


def test_call_soon_threadsafe_from_another_thread_is_fine(debug_loop):
    thread = threading.Thread(target=debug_loop.call_soon_threadsafe, args=(debug_loop.stop,))
    debug_loop.call_soon(thread.start)
    debug_loop.run_forever()
    thread.join()


async def coroutine_function():
    pass


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later", "call_at", "run_in_executor"])
@pytest.mark.parametrize(
    "thing", ["text", None, 5, coroutine_function], ids=["str", "None", "int", "coroutine function"]
)
def test_what_cannot_be_a_callback_is_refused_with_the_same_text(method, thing):
    def scenario(loop):
        loop.set_debug(True)
        before = {"call_later": [0], "call_at": [0], "run_in_executor": [None]}.get(method, [])
        kind, text = outcome(getattr(loop, method), *before, thing)
        return kind, normalised(text)

    kind, text = compare(scenario)
    assert kind is TypeError
    # The default loop names call_at for call_later.
    assert "call_at" in text if method == "call_later" else method in text


def test_a_coroutine_object_is_refused():
    def scenario(loop):
        loop.set_debug(True)
        coro = coroutine_function()
        kind, text = outcome(loop.call_soon, coro)
        coro.close()
        return kind, text

    assert compare(scenario) == (TypeError, "coroutines cannot be used with call_soon()")


def test_handles_tell_where_they_were_made(debug_loop, caplog):
    def fail():
        raise ValueError

    handle = debug_loop.call_soon(fail)
    assert re.search(r"created at .*test_debug\.py:\d+>$", repr(handle))
    timer = debug_loop.call_later(10, fail)
    assert re.search(r"created at .*test_debug\.py:\d+>$", repr(timer))
    timer.cancel()
    assert "cancelled" in repr(timer)
    debug_loop.call_soon(debug_loop.stop)
    debug_loop.run_forever()
    (text,) = messages(caplog)
    assert "Object created at (most recent call last):" in text
    assert "handle = debug_loop.call_soon(fail)" in text


def test_a_task_whose_exception_nobody_asked_for_is_logged(loop, caplog):
    async def fail():
        raise ValueError("on purpose")

    async def main():
        loop.create_task(fail())
        await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    gc.collect()
    assert any("Task exception was never retrieved" in text for text in messages(caplog))


def test_a_coroutine_that_was_never_awaited_warns_with_its_origin(debug_loop):
    async def main():
        coroutine_function()
        gc.collect()

    with pytest.warns(RuntimeWarning, match="coroutine 'coroutine_function' was never awaited") as caught:
        debug_loop.run_until_complete(main())
    assert "Coroutine created at" in str(caught[0].message)


def test_a_pending_task_that_is_destroyed_is_reported(loop_factory, caplog):
    loop = loop_factory()

    async def forever():
        await loop.create_future()

    loop.call_soon(loop.stop)
    task = loop.create_task(forever())
    loop.run_forever()
    del task
    loop.close()
    gc.collect()
    assert any("Task was destroyed but it is pending" in text for text in messages(caplog))


def test_an_unclosed_loop_warns():
    def scenario_of(name):
        loop = LOOPS[name]()
        loop.run_until_complete(asyncio.sleep(0))
        with pytest.warns(ResourceWarning, match="unclosed event loop") as caught:
            del loop
            gc.collect()
        return [normalised(str(w.message)) for w in caught if "event loop" in str(w.message)]

    assert scenario_of("mainspring") == scenario_of("default")


def test_a_closed_loop_does_not_warn(loop_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop = loop_factory()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del loop
        gc.collect()


def test_debug_can_be_switched_while_it_runs(loop, caplog):
    async def main():
        loop.set_debug(True)
        loop.slow_callback_duration = 0.005
        await asyncio.sleep(0)
        time.sleep(0.01)
        await asyncio.sleep(0)
        loop.set_debug(False)
        await asyncio.sleep(0)
        time.sleep(0.01)
        await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING, "asyncio"):
        loop.run_until_complete(main())
    assert len(messages(caplog)) == 1
