"""Programs that replace the clock: freezegun, a patched time.monotonic, a loop with a time() of its own."""

import asyncio
import time

import pytest
from helpers import LOOPS, turns

try:
    # Here, since some of what it imports keeps a descriptor for the whole process.
    import freezegun
except ImportError:
    freezegun = None


@pytest.fixture
def freeze_time():
    if freezegun is None:
        pytest.skip("freezegun is not installed")
    return freezegun.freeze_time


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


async def timers_follow(loop, advance):
    """What a program sees of timers while `advance(seconds)` moves the clock, and no real time has to pass."""
    seen = []
    start = loop.time()
    sleeping = loop.create_task(asyncio.sleep(60))
    loop.call_later(30, seen.append, "after 30 seconds")
    loop.call_at(start + 90, seen.append, "after 90 seconds")
    await turns(3)
    steps = [(loop.time() - start, list(seen), sleeping.done())]
    for seconds in (31, 30, 30):
        advance(seconds)
        await turns(3)
        steps.append((loop.time() - start, list(seen), sleeping.done()))
    sleeping.cancel()
    return steps


EXPECTED = [
    (0, [], False),
    (31, ["after 30 seconds"], False),
    (61, ["after 30 seconds"], True),
    (91, ["after 30 seconds", "after 90 seconds"], True),
]


def test_a_patched_monotonic_clock_moves_the_loop(loop, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)

    def advance(seconds):
        clock.now += seconds

    assert loop.run_until_complete(timers_follow(loop, advance)) == EXPECTED


def test_a_clock_that_was_patched_before_the_loop_was_made_moves_it(loop_factory, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    loop = loop_factory()

    def advance(seconds):
        clock.now += seconds

    try:
        assert loop.run_until_complete(timers_follow(loop, advance)) == EXPECTED
    finally:
        loop.close()


def test_a_frozen_clock_moves_by_ticks(loop, freeze_time):
    async def main():
        with freeze_time("2020-01-01") as frozen:
            return await timers_follow(loop, frozen.tick)

    steps = loop.run_until_complete(main())
    assert [(round(now), *rest) for now, *rest in steps] == EXPECTED


def test_nothing_is_due_while_the_clock_stands_still(loop, freeze_time):
    async def main():
        with freeze_time("2020-01-01"):
            seen = []
            before = loop.time()
            handle = loop.call_later(0.001, seen.append, "due")
            # Real time passes: a thread sleeps.
            await loop.run_in_executor(None, time.sleep, 0.002)
            assert loop.time() == before == time.monotonic()
            assert seen == []
            handle.cancel()

    loop.run_until_complete(main())


def test_the_loop_goes_on_when_the_freeze_has_ended(loop, freeze_time):
    async def main():
        with freeze_time("2020-01-01"):
            await turns(2)
        before = time.monotonic()
        await asyncio.sleep(0.001)
        assert before <= loop.time() <= time.monotonic()

    loop.run_until_complete(main())


def test_real_asyncio_leaves_the_loops_clock_alone(loop, freeze_time):
    async def main():
        real = time.monotonic
        with freeze_time("2020-01-01", real_asyncio=True) as frozen:
            assert time.time() == 1577836800
            before = real()
            assert before <= loop.time() <= real()
            await asyncio.sleep(0.001)
            assert real() - before >= 0.001
            frozen.tick(100)
            assert loop.time() <= real()
            async with asyncio.timeout(60):
                assert await asyncio.sleep(0.001, "slept") == "slept"

    loop.run_until_complete(main())


def test_run_under_real_asyncio(loop_factory, freeze_time):
    with freeze_time("2020-01-01", real_asyncio=True), asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(asyncio.sleep(0.001, "slept")) == "slept"


def test_a_loop_with_a_time_of_its_own_goes_by_that(loop_name):
    clock = Clock()
    plain = LOOPS[loop_name]()
    plain.close()

    class Own(type(plain)):
        def time(self):
            return clock()

    loop = Own()

    def advance(seconds):
        clock.now += seconds

    try:
        assert loop.run_until_complete(timers_follow(loop, advance)) == EXPECTED
    finally:
        loop.close()


def test_a_time_that_is_set_on_the_loop_is_what_it_goes_by(loop, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)

    def advance(seconds):
        clock.now += seconds

    assert loop.run_until_complete(timers_follow(loop, advance)) == EXPECTED


@pytest.mark.parametrize("ahead", [-1e5, 1e9], ids=["behind", "ahead"])
def test_a_clock_of_another_age_fires_one_timer_after_the_other(loop, monkeypatch, ahead):
    # Real waiting goes by the kernel's clock, from which this one differs by `ahead` seconds.
    monkeypatch.setattr(loop, "time", lambda: time.perf_counter() + ahead)

    async def main():
        for _ in range(5):
            await asyncio.sleep(0.005)
        return "done"

    assert loop.run_until_complete(asyncio.wait_for(main(), 20)) == "done"
