"""call_later and call_at: never early, in order, cancellable; and delays that are no sensible numbers."""

import asyncio
import fractions
import math
import random
import time

import pytest
from helpers import compare, is_mainspring, needs_linux, outcome


def run_for(loop, seconds):
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def test_timers_are_never_early(loop):
    generator = random.Random(3)
    early = []

    def check(when):
        now = loop.time()
        if now < when:
            early.append((when, now))

    delays = [generator.uniform(0, 0.002) for _ in range(300)] + [generator.uniform(0, 0.2) for _ in range(300)]
    for delay in delays:
        when = loop.time() + delay
        loop.call_at(when, check, when)
    run_for(loop, 0.21)
    # The default loop runs what is due within the resolution of its clock.
    limit = 0 if is_mainspring(loop) else time.get_clock_info("monotonic").resolution
    assert [pair for pair in early if pair[0] - pair[1] > limit] == []


def test_timers_that_are_awaited_one_by_one_are_never_early(mainspring_loop):
    async def main():
        generator = random.Random(4)
        for _ in range(300):
            delay = generator.uniform(0, 0.0015)
            started = time.monotonic()
            await asyncio.sleep(delay)
            assert time.monotonic() - started >= delay

    mainspring_loop.run_until_complete(main())


def test_timers_without_a_delay_do_not_wait_for_the_crowd(mainspring_loop):
    """Where many timers fire at once, the loop sleeps a little before the next ones: not when they are due at once."""

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        rounds = 0

        def one_of_many():
            nonlocal rounds
            rounds += 1
            if rounds == 2000:
                done.set_result(None)
            elif rounds < 2000:
                loop.call_later(0, one_of_many)

        # These make the crowd.
        for number in range(400):
            loop.call_later(number / 200_000, int)
        for _ in range(8):
            loop.call_at(loop.time(), one_of_many)
        before = loop.metrics().waits
        await done
        return loop.metrics().waits - before

    assert mainspring_loop.run_until_complete(main()) == 0


@needs_linux("libuv's timers have whole milliseconds")
def test_a_wait_below_a_millisecond_is_not_rounded_up_to_one(mainspring_loop):
    async def main():
        shortest = math.inf
        for _ in range(100):
            started = time.perf_counter()
            await asyncio.sleep(0.0002)
            shortest = min(shortest, time.perf_counter() - started)
        return shortest

    assert mainspring_loop.run_until_complete(main()) < 0.0009


def test_timers_run_in_the_order_of_their_deadlines(loop):
    generator = random.Random(5)
    ran = []
    start = loop.time()
    deadlines = [start + generator.uniform(0, 0.05) for _ in range(2000)]
    for when in deadlines:
        loop.call_at(when, ran.append, when)
    run_for(loop, 0.06)
    assert ran == sorted(deadlines)


def test_equal_deadlines_run_in_the_order_of_scheduling(mainspring_loop):
    ran = []
    when = mainspring_loop.time() + 0.01
    for number in range(1000):
        mainspring_loop.call_at(when, ran.append, number)
    run_for(mainspring_loop, 0.02)
    assert ran == list(range(1000))


def test_arguments_and_context_reach_the_callback(loop):
    ran = []
    loop.call_later(0, lambda *args: ran.append(args), 1, 2, 3, 4, 5)
    loop.call_at(loop.time(), lambda *args: ran.append(args))
    run_for(loop, 0.005)
    assert sorted(ran) == [(), (1, 2, 3, 4, 5)]


def test_a_cancelled_timer_does_not_run(loop):
    ran = []
    now = loop.time()
    handle = loop.call_at(now + 0.005, ran.append, "cancelled")
    loop.call_at(now + 0.001, handle.cancel)
    run_for(loop, 0.02)
    assert ran == []
    assert handle.cancelled()


def test_a_timer_can_be_cancelled_by_one_that_is_due_in_the_same_turn(loop):
    ran = []
    handles = []
    when = loop.time() + 0.002
    loop.call_at(when, lambda: handles[0].cancel())
    handles.append(loop.call_at(when + 0.000001, ran.append, "cancelled"))
    time.sleep(0.005)
    run_for(loop, 0.005)
    assert ran == []


def test_cancelling_after_it_has_run_does_nothing(loop):
    ran = []
    handle = loop.call_later(0, ran.append, "ran")
    run_for(loop, 0.005)
    handle.cancel()
    run_for(loop, 0.001)
    assert ran == ["ran"]


def test_a_timer_due_now_runs_in_the_next_turn_after_what_was_ready(loop):
    ran = []
    loop.call_at(loop.time() - 1, ran.append, "timer")
    loop.call_soon(ran.append, "soon")
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["soon", "timer"]


def test_timers_scheduled_from_timers_run(loop):
    ran = []

    def again(count):
        ran.append(count)
        if count:
            loop.call_later(0.0005, again, count - 1)
        else:
            loop.stop()

    loop.call_soon(again, 20)
    loop.run_forever()
    assert ran == list(range(20, -1, -1))


@pytest.mark.parametrize("delay", [-1, -1e-9, -1e300, -math.inf, 0, -0.0, False])
def test_delays_that_have_passed_run_at_once(loop, delay):
    ran = []
    loop.call_later(delay, ran.append, "ran")
    run_for(loop, 0.01)
    assert ran == ["ran"]


def test_a_delay_that_is_not_a_number_is_due_at_once(loop):
    ran = []
    loop.call_later(math.nan, ran.append, "ran")
    # Alone it would end the default loop with a ValueError from its selector.
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["ran"]


@pytest.mark.parametrize("delay", [math.inf, 1e300, 1e12])
def test_delays_beyond_any_clock_never_run_and_keep_nothing_from_running(loop, delay):
    ran = []
    handle = loop.call_later(delay, ran.append, "ran")
    run_for(loop, 0.01)
    assert ran == []
    assert handle.when() > loop.time() + 1e11
    handle.cancel()


def test_a_loop_whose_only_timer_is_infinite_still_wakes_for_other_threads(loop):
    handle = loop.call_later(math.inf, print)
    task = loop.run_in_executor(None, loop.call_soon_threadsafe, loop.stop)
    loop.run_forever()
    loop.run_until_complete(task)
    handle.cancel()


def test_other_numbers_are_delays(loop):
    ran = []
    loop.call_later(fractions.Fraction(1, 1000), ran.append, "fraction")
    loop.call_at(loop.time() + 0.001, ran.append, "float")
    loop.call_later(True, ran.append, "never in this run").cancel()
    run_for(loop, 0.02)
    assert sorted(ran) == ["float", "fraction"]


@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_none_is_refused_with_the_same_text(method):
    kind, text = compare(lambda loop: outcome(getattr(loop, method), None, print))
    assert kind is TypeError
    assert "None" in text


@pytest.mark.parametrize("delay", ["1", object(), [], 1j], ids=["str", "object", "list", "complex"])
@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_what_is_no_number_is_a_type_error(mainspring_loop, method, delay):
    with pytest.raises(TypeError):
        getattr(mainspring_loop, method)(delay, print)


@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_a_closed_loop_refuses_timers(method):
    def scenario(loop):
        loop.close()
        return outcome(getattr(loop, method), 1, print)

    assert compare(scenario) == (RuntimeError, "Event loop is closed")


def test_time_is_the_monotonic_clock(loop):
    before = time.monotonic()
    now = loop.time()
    after = time.monotonic()
    assert before <= now <= after
