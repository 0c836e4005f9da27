"""Callbacks that are scheduled alike share a context behind the scenes, which nobody is to notice."""

import asyncio
import contextlib
import contextvars
import gc
import sys
import threading
import weakref

import mainspring
import pytest
from helpers import turns

variable = contextvars.ContextVar("variable", default="unset")

TOLD = sys.version_info >= (3, 12)
"""Whether Handle.get_context() is public: the default loop's handles have a private attribute before."""


def context_of(handle):
    return handle.get_context() if TOLD else handle._context


def run_all(loop):
    """What is ready now, and what that makes ready."""
    loop.run_until_complete(turns(3))


class Value:
    """Something that a weak reference can tell about."""


WAYS = {
    "call_soon": lambda loop, *call: loop.call_soon(*call),
    "call_later": lambda loop, *call: loop.call_later(0, *call),
    "call_soon_threadsafe": lambda loop, *call: loop.call_soon_threadsafe(*call),
}


@pytest.fixture(params=WAYS)
def schedule(loop, request):
    return lambda *call: WAYS[request.param](loop, *call)


def test_who_sets_a_variable_is_alone_with_it(loop, schedule):
    seen = []

    def look():
        seen.append(variable.get())

    def change():
        look()
        variable.set("changed")
        schedule(look)

    for callback in [look, change, look, change, look]:
        schedule(callback)
    run_all(loop)
    assert seen == ["unset"] * 5 + ["changed"] * 2


def test_a_token_is_refused_in_another_callback(loop, schedule):
    """Even where the variable was set to what it was."""
    tokens = []
    errors = []

    def take():
        tokens.append(variable.set(same))

    def give():
        with pytest.raises(ValueError, match="was created in a different Context") as caught:
            variable.reset(tokens[0])
        errors.append(caught.type)

    same = Value()
    token = variable.set(same)
    schedule(take)
    schedule(give)
    run_all(loop)
    variable.reset(token)
    assert errors == [ValueError]


def test_a_handle_that_is_kept_has_what_its_callback_has_set(loop, schedule):
    seen = []

    def change(value):
        seen.append(variable.get())
        variable.set(value)

    handles = [schedule(change, value) for value in ("one", "two")]
    schedule(change, "forgotten")
    handles.append(schedule(lambda: seen.append(variable.get())))
    run_all(loop)
    assert seen == ["unset"] * 4
    assert [context_of(handle).get(variable) for handle in handles] == ["one", "two", None]


def test_each_handle_has_a_context_of_its_own(loop, schedule):
    inside = []
    handles = []

    def look(number):
        if number == 1:
            inside.append(context_of(handles[number]))
        variable.set(number)

    handles += [schedule(look, number) for number in range(4)]
    before = context_of(handles[0])
    run_all(loop)
    after = [context_of(handle) for handle in handles]
    assert len({id(context) for context in after}) == 4
    assert after[0] is before
    assert after[1] is inside[0]
    assert [context[variable] for context in after] == [0, 1, 2, 3]
    assert context_of(handles[2]) is after[2]


def test_what_is_set_in_a_handle_s_context_is_for_its_callback_alone(loop, schedule):
    seen = []
    handles = [schedule(lambda: seen.append(variable.get())) for _ in range(3)]
    context_of(handles[1]).run(variable.set, "set before")
    run_all(loop)
    assert seen == ["unset", "set before", "unset"]


def test_a_callback_cannot_enter_its_own_context_but_another_s(loop, schedule):
    said = []

    def enter(number):
        try:
            context_of(handles[number]).run(variable.set, f"by the first, for {number}")
        except RuntimeError as error:
            said.append(str(error).split(":")[0])

    def first():
        enter(0)
        enter(1)

    seen = []
    handles = [schedule(first), schedule(lambda: seen.append(variable.get()))]
    schedule(lambda: seen.append(variable.get()))
    run_all(loop)
    assert said == ["cannot enter context"]
    assert seen == ["by the first, for 1", "unset"]


def test_the_exception_handler_sees_what_the_callback_has_set(loop, schedule):
    seen = []

    def handler(_, details):
        seen.append(variable.get())
        variable.set("by the handler")
        handles.append(details["handle"])

    def fail(value):
        seen.append(variable.get())
        variable.set(value)
        raise LookupError

    handles = []
    loop.set_exception_handler(handler)
    schedule(fail, "one")
    schedule(lambda: seen.append(variable.get()))
    schedule(fail, "two")
    schedule(lambda: seen.append(variable.get()))
    contextvars.copy_context().run(run_all, loop)
    if TOLD:
        assert seen == ["unset", "one", "unset", "unset", "two", "unset"]
        assert [context_of(handle)[variable] for handle in handles] == ["by the handler"] * 2
    else:
        # Before Python 3.12 the handler runs outside, and what it sets stays.
        assert seen == ["unset", "unset", "unset", "unset", "by the handler", "unset"]
        assert [context_of(handle)[variable] for handle in handles] == ["one", "two"]


def test_a_callback_that_runs_another_goes_on_in_its_own_context(loop, schedule):
    seen = []

    def inner():
        seen.append(("inner", variable.get()))
        variable.set("by the inner")

    def outer():
        variable.set("by the outer")
        other._run()
        other._run()
        other.cancel()
        seen.append(("outer", variable.get()))

    schedule(outer)
    other = schedule(inner)
    schedule(lambda: seen.append(("later", variable.get())))
    run_all(loop)
    assert seen == [
        ("inner", "unset"),
        ("inner", "by the inner"),
        ("outer", "by the outer"),
        ("later", "unset"),
    ]


def test_a_callback_may_run_another_inside_a_third_context(loop, schedule):
    seen = []
    schedule(lambda: contextvars.copy_context().run(inner._run))
    inner = schedule(lambda: seen.append("inner"))
    for number in range(3):
        schedule(seen.append, number)
    run_all(loop)
    assert seen == ["inner", "inner", 0, 1, 2]


def test_a_callback_cannot_run_itself(loop, schedule, caplog):
    seen = []

    def run_again():
        seen.append(variable.get())
        variable.set("once")
        handle._run()
        seen.append(variable.get())

    handle = schedule(run_again)
    schedule(lambda: seen.append(variable.get()))
    run_all(loop)
    assert seen == ["unset", "once", "unset"]
    assert "cannot enter context" in caplog.text


def test_a_callback_survives_another_that_wants_to_leave(loop, schedule):
    seen = []
    same = Value()

    def leave():
        raise KeyboardInterrupt

    def outer():
        tokens.append(variable.set(same))
        with pytest.raises(KeyboardInterrupt):
            inner._run()
        inner.cancel()
        seen.append(variable.get() is same)

    def give():
        with pytest.raises(ValueError, match="was created in a different Context"):
            variable.reset(tokens[0])
        seen.append(variable.get() is same)

    tokens = []
    token = variable.set(same)
    for callback in [outer, give, give]:
        schedule(callback)
    inner = schedule(leave)
    run_all(loop)
    variable.reset(token)
    assert seen == [True] * 3


def test_a_handle_keeps_the_context_of_its_token(loop, schedule):
    """Even where somebody else's context was used meanwhile, and the variable was set to what it was."""
    tokens = []
    same = Value()
    token = variable.set(same)
    other = contextvars.copy_context()
    other.run(contextvars.ContextVar("another").set, 1)

    def take():
        tokens.append(variable.set(same))
        other.run(schedule, int)

    handle = schedule(take)
    schedule(int)
    run_all(loop)
    variable.reset(token)
    context_of(handle).run(variable.reset, tokens[0])


@pytest.mark.parametrize("base", [asyncio.SelectorEventLoop, mainspring.Loop])
def test_a_handle_that_the_exception_handler_keeps_has_its_context(base):
    class Keeps(base):
        def call_exception_handler(self, context):
            failed.append(context["handle"])

    def fail():
        handles.append(loop.call_soon(change))
        raise LookupError

    def change():
        tokens.append(variable.set("changed"))

    failed, handles, tokens = [], [], []
    with contextlib.closing(Keeps()) as loop:
        loop.call_soon(fail)
        run_all(loop)
    assert context_of(failed[0]) is not context_of(handles[0])
    assert context_of(failed[0]).get(variable) is None
    with pytest.raises(ValueError, match="was created in a different Context"):
        context_of(failed[0]).run(variable.reset, tokens[0])


def test_a_value_goes_when_the_last_callback_replaces_it(loop, schedule):
    dead = []

    def replace():
        dead.append(reference() is None)
        variable.set(None)
        dead.append(reference() is None)

    value = Value()
    token = variable.set(value)
    schedule(int)
    schedule(replace)
    variable.reset(token)
    reference = weakref.ref(value)
    del value, token
    run_all(loop)
    assert dead == [False, True]


def test_contexts_of_several_threads_stay_apart(loop):
    seen = []

    def send(number):
        variable.set(number)
        for _ in range(100):
            loop.call_soon_threadsafe(lambda: seen.append((number, variable.get())))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_all(loop)
    assert sorted(seen) == [(number, number) for number in range(4) for _ in range(100)]


def test_a_value_goes_when_its_last_callback_has_run(loop):
    dead = []
    context = contextvars.copy_context()

    def schedule():
        value = Value()
        token = variable.set(value)
        for _ in range(3):
            loop.call_soon(lambda: dead.append(reference() is None))
        variable.reset(token)
        return weakref.ref(value)

    reference = context.run(schedule)
    del context
    for _ in range(2):
        loop.call_soon(lambda: dead.append(reference() is None))
    run_all(loop)
    assert dead == [False, False, False, True, True]


def test_a_value_goes_with_a_timer_that_was_cancelled(mainspring_loop):
    def schedule():
        value = Value()
        token = variable.set(value)
        timer = mainspring_loop.call_later(100, print)
        variable.reset(token)
        return timer, weakref.ref(value)

    timer, reference = schedule()
    assert reference() is not None
    timer.cancel()
    del timer
    assert reference() is None


def test_a_finalizer_that_schedules_or_cancels_harms_nothing(loop):
    ran = []

    class Cancels:
        def __init__(self, handle):
            self.handle = handle

        def __del__(self):
            self.handle.cancel()
            loop.call_soon(ran.append, "scheduled by a finalizer")

    def schedule(handle):
        token = variable.set(Cancels(handle))
        timer = loop.call_later(100, print)
        loop.call_soon(ran.append, "sees it")
        variable.reset(token)
        timer.cancel()

    later = loop.call_later(0.001, ran.append, "cancelled")
    contextvars.copy_context().run(schedule, later)
    loop.call_soon(ran.append, "next")
    run_all(loop)
    loop.run_until_complete(asyncio.sleep(0.005))
    if isinstance(loop, asyncio.SelectorEventLoop):
        # There a cancelled timer keeps its context until its time has come.
        assert ran[:2] == ["sees it", "next"]
    else:
        assert ran == ["sees it", "next", "scheduled by a finalizer"]


def test_what_goes_with_a_callback_is_finalized_outside_its_context(loop, schedule):
    seen = []

    class Noisy:
        def __init__(self, name):
            self.name = name

        def __call__(self, *_):
            seen.append(("called", self.name, variable.get()))
            return Noisy(f"result of {self.name}") if self.name == "third" else None

        def __del__(self):
            seen.append(("gone", self.name, variable.get()))
            if self.name != "cancelled":
                variable.set("by a finalizer")
                variable.set("outside")

    def plain(*_):
        seen.append(("called", "plain", variable.get()))

    def schedule_all():
        variable.set("inside")
        for call in [(plain,), (Noisy("first"),), (plain, Noisy("argument")), (plain,), (Noisy("third"),), (plain,)]:
            schedule(*call)
        schedule(Noisy("cancelled")).cancel()
        schedule(plain)

    variable.set("outside")
    contextvars.copy_context().run(schedule_all)
    run_all(loop)
    variable.set("unset")
    called = [event[1:] for event in seen if event[0] == "called"]
    gone = {event[1]: event[2] for event in seen if event[0] == "gone"}
    assert called == [(name, "inside") for name in ["plain", "first", "plain", "plain", "third", "plain", "plain"]]
    # The one that was cancelled goes at once.
    assert gone.pop("cancelled") == "inside"
    assert gone == dict.fromkeys(["first", "argument", "third", "result of third"], "outside")


def test_many_callbacks_have_few_contexts(mainspring_loop):
    def contexts():
        return sum(type(one) is contextvars.Context for one in gc.get_objects())

    found = []
    gc.collect()
    before = contexts()
    for _ in range(500):
        mainspring_loop.call_soon(lambda: None)
        mainspring_loop.call_soon_threadsafe(lambda: None)
        mainspring_loop.call_later(0, lambda: None)
    found.append(contexts() - before)
    mainspring_loop.call_soon(lambda: found.append(contexts() - before))
    run_all(mainspring_loop)
    assert found[0] == 1
    # One more in which they run, and a task's of run_until_complete().
    assert found[1] <= 4
    gc.collect()
    assert contexts() == before
