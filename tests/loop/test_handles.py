"""Handle and TimerHandle as objects: comparison, hash, repr, what they keep alive and when they let go."""

import asyncio
import gc
import os
import re
import sys
import weakref

import pytest
from helpers import compare, normalised


class Thing:
    """Something whose life can be watched."""

    def method(self, *args):
        pass


def callback(*args):
    pass


def test_a_timer_handle_is_one_of_asyncios(loop):
    handle = loop.call_later(10, callback)
    assert isinstance(handle, asyncio.TimerHandle)
    assert isinstance(handle, asyncio.Handle)
    handle.cancel()


def test_when_is_the_deadline_as_it_was_given(loop):
    handle = loop.call_at(12345678.875, callback)
    assert handle.when() == 12345678.875
    handle.cancel()
    before = loop.time()
    handle = loop.call_later(100, callback)
    assert before + 100 <= handle.when() <= loop.time() + 100
    handle.cancel()


def test_timer_handles_are_ordered_by_deadline():
    def scenario(loop):
        early, late = loop.call_at(1e9, callback), loop.call_at(2e9, callback)
        twin = loop.call_at(1e9, callback)
        other = loop.call_at(1e9, callback, "argument")
        return [
            (a < b, a <= b, a == b, a != b, a >= b, a > b)
            for a, b in [(early, late), (late, early), (early, twin), (early, other), (early, early)]
        ]

    results = compare(scenario)
    assert results[0] == (True, True, False, True, False, False)
    assert results[2] == (False, True, True, False, True, False)


def test_comparison_with_something_else_is_left_to_that():
    def scenario(loop):
        handle = loop.call_at(1e9, callback)
        with pytest.raises(TypeError):
            handle < 3  # noqa: B015
        return handle == 3, handle != 3, handle.__lt__(3), handle.__eq__(loop.call_soon(callback))

    assert compare(scenario) == (False, True, NotImplemented, NotImplemented)


def test_equal_timer_handles_have_equal_hashes(loop):
    one, two = loop.call_at(1e9, callback), loop.call_at(1e9, callback)
    assert one == two
    assert hash(one) == hash(two) == hash(1e9)
    assert len({one, two}) == 1


def test_handles_are_hashable_and_compare_by_identity(loop):
    one, two = loop.call_soon(callback), loop.call_soon(callback)
    assert one != two
    assert one == one
    assert len({one, two, one}) == 2


@pytest.mark.parametrize("debug", [False, True])
def test_repr_is_asyncios(debug):
    def scenario(loop):
        loop.set_debug(debug)
        handles = [
            loop.call_soon(callback, 1, "two"),
            loop.call_at(1e9, callback, 3),
            loop.call_soon(Thing().method),
            loop.call_soon(lambda: None),
        ]
        texts = [repr(handle) for handle in handles]
        for handle in handles:
            handle.cancel()
        return [normalised(text) for text in texts + [repr(handle) for handle in handles]]

    texts = compare(scenario)
    assert re.match(r"<Handle callback\(.*\) at .*test_handles\.py:\d+", texts[0])
    assert texts[1].startswith("<TimerHandle when=… callback(")
    assert texts[4].startswith("<Handle cancelled")


def test_a_handle_holds_its_callback_and_arguments_until_it_has_run(loop):
    thing, argument = Thing(), Thing()
    thing_dead, argument_dead = weakref.ref(thing), weakref.ref(argument)
    loop.call_soon(thing.method, argument)
    del thing, argument
    assert thing_dead() is not None
    assert argument_dead() is not None
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert thing_dead() is None
    assert argument_dead() is None


@pytest.mark.parametrize("schedule", ["call_soon", "call_later"])
def test_cancelling_drops_the_callback_and_its_arguments_at_once(loop, schedule):
    arguments = [Thing() for _ in range(5)]
    dead = [weakref.ref(thing) for thing in arguments]
    delay = [100] if schedule == "call_later" else []
    handle = getattr(loop, schedule)(*delay, callback, *arguments)
    del arguments
    assert all(ref() is not None for ref in dead)
    handle.cancel()
    assert [ref() for ref in dead] == [None] * 5


@pytest.mark.parametrize("count", [1, 3, 4])
def test_references_are_what_they_were_after_running_cancelling_and_closing(loop_factory, count):
    things = [Thing() for _ in range(count)]
    target = Thing()
    before = [sys.getrefcount(thing) for thing in (target, *things)]
    loop = loop_factory()
    for _ in range(10):
        loop.call_soon(target.method, *things)
        loop.call_later(0, target.method, *things)
        loop.call_soon(target.method, *things).cancel()
        loop.call_later(10, target.method, *things).cancel()
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    for _ in range(10):
        loop.call_soon(target.method, *things)
        loop.call_later(10, target.method, *things)
        loop.call_soon_threadsafe(target.method, *things)
    loop.close()
    del loop
    gc.collect()
    assert [sys.getrefcount(thing) for thing in (target, *things)] == before


def test_the_callback_that_raises_is_released(loop, errors):
    def fail(thing):
        raise ValueError

    thing = Thing()
    dead = weakref.ref(thing)
    loop.call_soon(fail, thing)
    loop.call_soon(loop.stop)
    del thing
    loop.run_forever()
    assert len(errors) == 1
    errors.clear()
    gc.collect()
    assert dead() is None


def test_a_handle_that_outlives_its_loop_is_still_a_handle(loop_factory):
    loop = loop_factory()
    soon, timer = loop.call_soon(callback), loop.call_later(10, callback)
    loop.close()
    del loop
    gc.collect()
    assert timer.when() > 0
    assert "Handle" in repr(soon) + repr(timer)
    soon.cancel()
    timer.cancel()
    assert soon.cancelled()
    assert timer.cancelled()


def test_a_handle_supports_weak_references(loop):
    soon, timer = loop.call_soon(callback), loop.call_later(10, callback)
    dead = weakref.ref(soon), weakref.ref(timer)
    timer.cancel()
    loop.call_soon(loop.stop)
    del soon, timer
    loop.run_forever()
    gc.collect()
    assert [ref() for ref in dead] == [None, None]


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_million_cancelled_timers_hold_no_memory(mainspring_loop):
    loop = mainspring_loop
    for _ in range(10_000):
        loop.call_later(60, callback).cancel()
    before = resident_bytes()
    thing = Thing()
    dead = weakref.ref(thing)
    for number in range(1_000_000):
        loop.call_later(60 + number % 1000, thing.method).cancel()
    # AddressSanitizer keeps freed memory aside for a while, to notice its use.
    if "asan" not in os.environ.get("LD_PRELOAD", ""):
        assert resident_bytes() - before < 8 << 20
    del thing
    assert dead() is None


def test_a_hundred_thousand_timers_cancelled_together_give_their_memory_back(mainspring_loop):
    loop = mainspring_loop
    thing = Thing()
    handles = [loop.call_later(60 + number % 1000, thing.method) for number in range(100_000)]
    dead = weakref.ref(handles[0]), weakref.ref(handles[-1]), weakref.ref(thing)
    for handle in handles:
        handle.cancel()
    del handles, handle, thing
    gc.collect()
    assert [ref() for ref in dead] == [None, None, None]
