"""run_forever, run_until_complete, stop and close: turns, states, and every call at the wrong time."""

import asyncio
import sys
import threading

import pytest
from helpers import LOOPS, compare, normalised, outcome


def test_stop_before_the_run_makes_one_turn(loop):
    ran = []
    loop.call_soon(ran.append, 1)
    loop.stop()
    loop.run_forever()
    assert ran == [1]
    assert not loop.is_running()


def test_what_is_scheduled_in_the_last_turn_stays_for_the_next_run(loop):
    ran = []

    def last():
        loop.stop()
        loop.call_soon(ran.append, "kept")

    loop.call_soon(last)
    loop.call_soon(ran.append, "same turn")
    loop.run_forever()
    assert ran == ["same turn"]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["same turn", "kept"]


def test_a_loop_runs_again_and_again(loop):
    ran = []
    for number in range(50):
        loop.call_soon(ran.append, number)
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert ran == list(range(50))


def test_is_running_and_the_running_loop(loop):
    seen = []
    assert not loop.is_running()

    def look():
        seen.append((loop.is_running(), asyncio.get_running_loop() is loop))
        loop.stop()

    loop.call_soon(look)
    loop.run_forever()
    assert seen == [(True, True)]
    assert not loop.is_running()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_running_it_while_it_runs_is_refused():
    def scenario(loop):
        seen = []
        loop.call_soon(lambda: seen.append(outcome(loop.run_forever)))
        loop.call_soon(loop.call_soon, loop.stop)
        loop.run_forever()
        return seen

    assert compare(scenario) == [(RuntimeError, "This event loop is already running")]


def test_a_second_loop_in_the_same_thread_is_refused():
    def scenario(loop):
        seen = []
        other = LOOPS["default"]()
        loop.call_soon(lambda: seen.append(outcome(other.run_forever)))
        loop.call_soon(loop.call_soon, loop.stop)
        loop.run_forever()
        other.close()
        return seen

    expected = [(RuntimeError, "Cannot run the event loop while another loop is running")]
    assert compare(scenario) == expected


def test_a_refused_run_leaves_the_running_loop_as_it_was(mainspring_loop):
    # CPython's own loop forgot that it was running, until 3.13.1.
    seen = []

    def nested():
        outcome(mainspring_loop.run_forever)
        seen.append((mainspring_loop.is_running(), asyncio._get_running_loop() is mainspring_loop))
        mainspring_loop.stop()

    mainspring_loop.call_soon(nested)
    mainspring_loop.run_forever()
    assert seen == [(True, True)]


def test_this_loop_is_refused_inside_another_one():
    def scenario(loop):
        seen = []
        outer = LOOPS["default"]()
        outer.call_soon(lambda: seen.append(outcome(loop.run_forever)))
        outer.call_soon(outer.stop)
        outer.run_forever()
        outer.close()
        return seen, loop.is_running()

    expected = [(RuntimeError, "Cannot run the event loop while another loop is running")]
    assert compare(scenario) == (expected, False)


def test_a_loop_that_runs_in_another_thread_is_refused():
    def scenario(loop):
        running = threading.Event()
        thread = threading.Thread(target=loop.run_forever)
        loop.call_soon(running.set)
        thread.start()
        assert running.wait(10)
        closed = outcome(loop.close)
        seen = outcome(loop.run_forever)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        return seen, closed

    first, second = compare(scenario)
    assert first == (RuntimeError, "This event loop is already running")
    assert second == (RuntimeError, "Cannot close a running event loop")


def test_two_loops_run_in_two_threads(loop_factory):
    def work(results, number):
        loop = loop_factory()
        results[number] = loop.run_until_complete(asyncio.sleep(0.01, number))
        loop.close()

    results = {}
    threads = [threading.Thread(target=work, args=(results, number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number for number in range(4)}


def test_a_closed_loop_refuses_everything_with_the_same_words():
    async def coroutine():
        pass

    def scenario(loop):
        loop.close()
        coro = coroutine()
        future = LOOPS["default"]().create_future()
        results = [
            outcome(loop.run_forever),
            outcome(loop.run_until_complete, coro),
            outcome(loop.create_task, coro),
            outcome(loop.run_in_executor, None, print),
            outcome(loop.call_later, 1, print),
            outcome(loop.add_reader, 0, print),
            outcome(loop.remove_reader, 0),
            outcome(loop.stop),
        ]
        future.get_loop().close()
        coro.close()
        return results, loop.is_closed(), loop.is_running()

    results, closed, running = compare(scenario)
    assert results[:5] == [(RuntimeError, "Event loop is closed")] * 5
    assert closed
    assert not running


def test_closing_twice_is_fine(loop):
    loop.close()
    loop.close()
    assert loop.is_closed()


def test_closing_a_running_loop_is_refused():
    def scenario(loop):
        seen = []
        loop.call_soon(lambda: seen.append(outcome(loop.close)))
        loop.call_soon(loop.stop)
        loop.run_forever()
        return seen, loop.is_closed()

    assert compare(scenario) == ([(RuntimeError, "Cannot close a running event loop")], False)


def test_callbacks_that_are_scheduled_when_it_closes_never_run(loop):
    ran = []
    loop.call_soon(ran.append, 1)
    loop.call_later(0, ran.append, 2)
    loop.close()
    assert ran == []


def test_run_until_complete_returns_the_result_and_raises_the_exception(loop):
    async def fail():
        raise LookupError("lost")

    assert loop.run_until_complete(asyncio.sleep(0, "result")) == "result"
    with pytest.raises(LookupError, match="lost"):
        loop.run_until_complete(fail())
    future = loop.create_future()
    loop.call_soon(future.set_result, 5)
    assert loop.run_until_complete(future) == 5


@pytest.mark.parametrize("thing", [None, 3, "text", print, [1]], ids=repr)
def test_run_until_complete_refuses_what_cannot_be_awaited(thing):
    kind, text = compare(lambda loop: outcome(loop.run_until_complete, thing))
    assert kind is TypeError
    assert text


def test_run_until_complete_refuses_a_future_of_another_loop():
    def scenario(loop):
        other = LOOPS["default"]()
        future = other.create_future()
        try:
            return outcome(loop.run_until_complete, future)
        finally:
            other.close()

    kind, text = compare(scenario)
    assert kind is ValueError
    assert text


def test_stopping_before_the_future_is_done_is_an_error():
    def scenario(loop):
        loop.call_soon(loop.stop)
        return outcome(loop.run_until_complete, loop.create_future())

    assert compare(scenario) == (RuntimeError, "Event loop stopped before Future completed.")


def test_stop_from_a_timer(loop):
    loop.call_later(0.005, loop.stop)
    loop.run_forever()
    assert not loop.is_running()


def test_stop_twice_is_one_stop(loop):
    ran = []
    loop.stop()
    loop.stop()
    loop.run_forever()
    loop.call_soon(ran.append, 1)
    loop.call_soon(loop.call_soon, ran.append, 2)
    loop.call_soon(lambda: loop.call_soon(loop.stop))
    loop.run_forever()
    assert ran == [1, 2]


def test_repr_says_the_state():
    def scenario(loop):
        texts = [repr(loop)]
        loop.call_soon(lambda: texts.append(repr(loop)))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.set_debug(True)
        texts.append(repr(loop))
        loop.close()
        texts.append(repr(loop))
        return [normalised(text) for text in texts]

    texts = compare(scenario)
    assert texts[0] == "<LOOP running=False closed=False debug=False>"
    assert texts[1] == "<LOOP running=True closed=False debug=False>"


def test_asynchronous_generators_are_closed_by_the_loop(loop):
    closed = []

    async def generate():
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main():
        generator = generate()
        await generator.__anext__()
        kept.append(generator)

    kept = []
    loop.run_until_complete(main())
    assert closed == []
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert closed == [True]


def test_the_thread_s_generator_hooks_are_restored(loop):
    before = sys.get_asyncgen_hooks()
    seen = []
    loop.call_soon(lambda: seen.append(sys.get_asyncgen_hooks()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen[0] != before
    assert sys.get_asyncgen_hooks() == before
