"""Virtual time: the loop jumps from timer to timer, and its clock says so exactly."""

import asyncio
import logging
import math
import threading
import time

import mainspring
import pytest
from helpers import turns
from helpers.virtual import now


@pytest.fixture
def runner():
    with asyncio.Runner(loop_factory=lambda: mainspring.new_event_loop(clock=mainspring.VirtualClock())) as runner:
        yield runner


def test_an_hour_of_sleeps_takes_an_hour_of_the_loops_time(runner):
    async def main():
        for _ in range(3600):
            await asyncio.sleep(1)
        return now()

    assert runner.run(main()) == 3600


def test_ten_tenths_are_one(runner):
    async def main():
        for _ in range(10):
            await asyncio.sleep(0.1)
        return now()

    assert runner.run(main()) == 1


def test_the_clock_stands_still_while_callbacks_run(runner):
    async def main():
        await asyncio.sleep(1)
        for _ in range(100):
            time.sleep(0.0001)
            await asyncio.sleep(0)
        return now()

    assert runner.run(main()) == 1


def test_timers_run_in_the_order_of_their_times_and_then_of_their_making(runner):
    async def main():
        loop = asyncio.get_running_loop()
        seen = []
        for name, when in [("c", 3), ("a", 1), ("d", 3), ("b", 1.5), ("a2", 1), ("far", 86400 * 365)]:
            loop.call_at(when, lambda name=name: seen.append((name, loop.time())))
        await asyncio.sleep(86400 * 366)
        return seen

    assert runner.run(main()) == [("a", 1), ("a2", 1), ("b", 1.5), ("c", 3), ("d", 3), ("far", 86400 * 365)]


def test_the_clock_goes_only_to_moments_of_timers(runner):
    """Many timers far away lie in one slot of the wheel, whose beginning is no moment of its own."""

    async def main():
        loop = asyncio.get_running_loop()
        seen = []
        for i in range(100):
            loop.call_at(100_000 + (i * 37 % 100) * 0.001, lambda: seen.append(loop.time()))
        await asyncio.sleep(100_001)
        return seen

    assert runner.run(main()) == [100_000 + i / 1000 for i in range(100)]


def test_a_timer_that_is_cancelled_is_not_gone_to(runner):
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(5, pytest.fail, "it was cancelled").cancel()
        await asyncio.sleep(7)
        return now()

    assert runner.run(main()) == 7


def test_sleeping_until_a_deadline_ends(runner):
    """0.1 + 0.2 is a little more than 0.3, which the clock would round it to."""

    async def main():
        deadline = 0.1 + 0.2
        await asyncio.sleep(0.3)
        while now() < deadline:
            await asyncio.sleep(deadline - now())
        return now()

    assert runner.run(main()) == 0.300000001


def test_nested_timeouts(runner):
    async def main():
        order = []
        try:
            async with asyncio.timeout(10):
                try:
                    async with asyncio.timeout(3):
                        await asyncio.sleep(60)
                except TimeoutError:
                    order.append(("inner", now()))
                await asyncio.sleep(60)
        except TimeoutError:
            order.append(("outer", now()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 30)
        order.append(("wait_for", now()))
        return order

    assert runner.run(main()) == [("inner", 3), ("outer", 10), ("wait_for", 40)]


def test_a_timeout_as_long_as_the_sleep_in_it_comes_first(runner):
    async def main():
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.sleep(0.2)
        return now()

    assert runner.run(main()) == 0.3


def test_retries_with_backoff(runner):
    async def main():
        attempts = []
        for attempt in range(6):
            attempts.append(now())
            await asyncio.sleep(2**attempt)
        return attempts

    assert runner.run(main()) == [0, 1, 3, 7, 15, 31]


def test_cancelling_a_sleep(runner):
    async def main():
        task = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == 5
        await asyncio.sleep(1)
        return now()

    assert runner.run(main()) == 6


def test_a_clock_that_starts_elsewhere():
    clock = mainspring.VirtualClock(1_700_000_000)
    loop = mainspring.new_event_loop(clock=clock)
    try:
        assert loop.time() == clock.time() == 1_700_000_000
        loop.run_until_complete(asyncio.sleep(90))
        assert loop.time() == clock.time() == 1_700_000_090
    finally:
        loop.close()


def test_a_sleep_too_short_for_a_late_clock_ends():
    loop = mainspring.new_event_loop(clock=mainspring.VirtualClock(1_700_000_000.1))
    try:
        before = loop.time()
        loop.run_until_complete(asyncio.sleep(3e-7))
        assert before < loop.time() < before + 1e-6
    finally:
        loop.close()


def test_the_next_loop_goes_on_where_the_last_one_stopped():
    clock = mainspring.VirtualClock()
    for expected in (10, 20, 30):
        with asyncio.Runner(loop_factory=lambda: mainspring.new_event_loop(clock=clock)) as runner:
            runner.run(asyncio.sleep(10))
        assert clock.time() == expected


def test_advancing_runs_what_becomes_due_in_order(runner):
    async def main():
        loop = asyncio.get_running_loop()
        seen = []
        for delay in (3, 1, 2, 9):
            loop.call_later(delay, lambda delay=delay: seen.append((delay, loop.time())))
        loop.clock.advance(5.5)
        assert (seen, loop.time()) == ([], 5.5)
        await turns(2)
        assert seen == [(1, 5.5), (2, 5.5), (3, 5.5)]
        await asyncio.sleep(10)
        return seen, loop.time()

    assert runner.run(main()) == ([(1, 5.5), (2, 5.5), (3, 5.5), (9, 9)], 15.5)


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, 1e300])
def test_the_clock_cannot_go_back_nor_to_the_end_of_time(seconds):
    clock = mainspring.VirtualClock(5)
    with pytest.raises(ValueError):
        clock.advance(seconds)
    assert clock.time() == 5


@pytest.mark.parametrize(
    "arguments", [{"start": -1}, {"start": math.nan}, {"start": 1e10}, {"patience": -1}, {"grace": math.nan}]
)
def test_what_a_clock_cannot_be_made_of(arguments):
    with pytest.raises(ValueError):
        mainspring.VirtualClock(**arguments)


@pytest.mark.parametrize("clock", [time.monotonic, 5, "now"])
def test_a_clock_of_another_kind_is_refused(clock):
    with pytest.raises(TypeError, match="VirtualClock"):
        mainspring.new_event_loop(clock=clock)


def test_a_clock_drives_one_running_loop_at_a_time(runner):
    def run_another(clock):
        loop = mainspring.new_event_loop(clock=clock)
        try:
            with pytest.raises(RuntimeError, match="drives another loop"):
                loop.run_forever()
        finally:
            loop.close()

    async def main():
        clock = asyncio.get_running_loop().clock
        thread = threading.Thread(target=run_another, args=(clock,))
        thread.start()
        thread.join()
        await asyncio.sleep(1)
        return now()

    assert runner.run(main()) == 1


def test_a_timer_at_infinity_does_not_end_the_waiting(runner):
    """Somebody else wakes the loop, which is idle: it waits in the kernel as any other."""

    async def main():
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        loop.call_at(math.inf, pytest.fail, "infinity has come")
        thread = threading.Timer(0.02, loop.call_soon_threadsafe, [event.set])
        thread.start()
        await event.wait()
        thread.join()
        return now()

    assert runner.run(main()) == 0


def test_time_module_is_left_alone(runner):
    async def main():
        before = time.monotonic()
        await asyncio.sleep(86400)
        return time.monotonic() - before < 86400

    assert runner.run(main())


def test_a_replaced_time_module_does_not_move_the_loop(runner, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 12345.0)

    async def main():
        await asyncio.sleep(2)
        return now()

    assert runner.run(main()) == 2


def test_slow_callbacks_are_those_that_take_virtual_time(runner, caplog):
    caplog.set_level(logging.WARNING, "asyncio")
    loop = runner.get_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.005

    async def main():
        time.sleep(0.02)
        await asyncio.sleep(0)
        assert caplog.records == []
        loop.clock.advance(2)
        await asyncio.sleep(0)
        return [record.getMessage() for record in caplog.records]

    [message] = runner.run(main())
    assert message.startswith("Executing ") and message.endswith(" took 2.000 seconds")


def test_a_program_repeats_exactly():
    async def worker(name, delay, seen, lock):
        for _ in range(20):
            await asyncio.sleep(delay)
            async with lock:
                seen.append((name, now()))
                await asyncio.sleep(delay / 7)

    async def main():
        seen = []
        lock = asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            for name in range(10):
                group.create_task(worker(name, 0.1 + name / 30, seen, lock))
        return seen

    runs = []
    for _ in range(20):
        with asyncio.Runner(loop_factory=lambda: mainspring.new_event_loop(clock=mainspring.VirtualClock())) as runner:
            runs.append(runner.run(main()))
    assert len(runs[0]) == 200
    assert runs == [runs[0]] * 20
