"""call_soon: order, arguments, contexts, turns, and what is refused."""

import asyncio
import contextvars
import sys

import pytest
from helpers import compare, is_mainspring, outcome


def test_callbacks_run_in_the_order_in_which_they_were_scheduled(loop):
    ran = []
    for number in range(5000):
        loop.call_soon(ran.append, number)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == list(range(5000))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 20])
def test_all_positional_arguments_arrive(loop, count):
    seen = []
    arguments = tuple(object() for _ in range(count))
    loop.call_soon(lambda *args: seen.append(args), *arguments)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [arguments]


def test_what_a_callback_schedules_runs_in_the_next_turn(loop):
    ran = []

    def first():
        ran.append("first")
        loop.call_soon(ran.append, "scheduled by first")

    loop.call_soon(first)
    loop.call_soon(ran.append, "second")
    loop.call_soon(lambda: loop.call_soon(loop.stop))
    loop.run_forever()
    assert ran == ["first", "second", "scheduled by first"]


def test_a_cancelled_handle_does_not_run(loop):
    ran = []
    kept, cancelled = loop.call_soon(ran.append, "kept"), loop.call_soon(ran.append, "cancelled")
    cancelled.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["kept"]
    assert cancelled.cancelled()
    assert not kept.cancelled()


def test_a_callback_can_cancel_its_neighbour_in_the_same_turn(loop):
    ran = []
    handles = []
    loop.call_soon(lambda: handles[0].cancel())
    handles.append(loop.call_soon(ran.append, "cancelled"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == []


def test_a_callback_can_cancel_itself_while_it_runs(loop):
    ran = []
    handles = []

    def callback(*args):
        handles[0].cancel()
        ran.append(args)

    handles.append(loop.call_soon(callback, "a", "b"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == [("a", "b")]
    assert handles[0].cancelled()


def test_the_given_context_is_the_callbacks_context(loop):
    variable = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    seen = []
    handle = loop.call_soon(lambda: seen.append(variable.get()), context=context)
    loop.call_soon(lambda: seen.append(variable.get()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["inside", "outside"]
    if is_mainspring(loop) or sys.version_info >= (3, 12):
        assert handle.get_context() is context


def test_a_handle_is_an_asyncio_handle(loop):
    handle = loop.call_soon(print)
    assert isinstance(handle, asyncio.Handle)
    assert not isinstance(handle, asyncio.TimerHandle)
    handle.cancel()


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe"])
def test_a_closed_loop_refuses_callbacks(method):
    def scenario(loop):
        loop.close()
        return outcome(getattr(loop, method), print)

    assert compare(scenario) == (RuntimeError, "Event loop is closed")


def test_an_unknown_keyword_is_a_type_error(loop):
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        loop.call_soon(print, nonsense=1)


def test_without_a_callback_it_is_a_type_error(loop):
    with pytest.raises(TypeError, match="callback"):
        loop.call_soon()


def test_what_is_not_callable_is_reported_when_it_would_run():
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        loop.call_soon("not callable")
        loop.call_soon(loop.stop)
        loop.run_forever()
        (context,) = contexts
        return sorted(context), context["message"], outcome(context["handle"].cancelled), str(context["exception"])

    keys, _, _, text = compare(scenario)
    assert keys == ["exception", "handle", "message"]
    assert text == "'str' object is not callable"
