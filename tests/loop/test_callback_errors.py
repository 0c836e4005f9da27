"""Callbacks that raise: the exception handler, and exits that leave the loop."""

import asyncio
import logging
import socket

import pytest
from helpers import collect_errors, compare, normalised, outcome


def fail(error):
    raise error


SCHEDULES = {
    "call_soon": lambda loop, *call: loop.call_soon(*call),
    "call_later": lambda loop, *call: loop.call_later(0.001, *call),
    "call_at": lambda loop, *call: loop.call_at(loop.time(), *call),
    "call_soon_threadsafe": lambda loop, *call: loop.call_soon_threadsafe(*call),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("debug", [False, True])
def test_the_handler_is_given_the_same_context(schedule, debug):
    def scenario(loop):
        loop.set_debug(debug)
        errors = collect_errors(loop)
        ran = []
        SCHEDULES[schedule](loop, fail, ValueError("on purpose"))
        loop.call_soon(ran.append, "others run")
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        (context,) = errors
        return (
            sorted(context),
            normalised(context["message"]),
            repr(context["exception"]),
            # The default loop's private subclass for call_soon_threadsafe, since Python 3.14.
            normalised(repr(context["handle"])).split(" created at")[0].replace("_ThreadSafeHandle", "Handle"),
            isinstance(context["handle"], asyncio.Handle),
            ran,
        )

    keys, message, exception, _, is_handle, ran = compare(scenario)
    assert keys == ["exception", "handle", "message", *(["source_traceback"] if debug else [])]
    assert message.startswith("Exception in callback fail(")
    assert exception == "ValueError('on purpose')"
    assert is_handle
    assert ran == ["others run"]


def test_without_a_handler_of_its_own_it_is_logged(caplog):
    def scenario(loop):
        caplog.clear()
        loop.call_soon(fail, ValueError("on purpose"))
        loop.call_soon(loop.stop)
        loop.run_forever()
        (record,) = caplog.records
        return normalised(record.getMessage()), record.levelno, record.name, record.exc_info[0]

    message, level, name, kind = compare(scenario)
    assert message.startswith("Exception in callback fail(")
    assert "handle: <Handle fail(" in message
    assert (level, name, kind) == (logging.ERROR, "asyncio", ValueError)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("now")], ids=repr)
def test_an_exit_leaves_the_loop_which_can_go_on_afterwards(loop, errors, schedule, error):
    ran = []
    SCHEDULES[schedule](loop, fail, error)
    with pytest.raises(type(error)) as raised:
        loop.run_forever()
    assert raised.value is error
    assert not loop.is_running()
    assert not loop.is_closed()
    assert asyncio._get_running_loop() is None
    loop.call_soon(ran.append, 1)
    loop.call_later(0.005, loop.stop)
    loop.run_forever()
    assert ran == [1]
    assert errors == []


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_was_ready_behind_an_exit_runs_in_the_next_run(error):
    def scenario(loop):
        ran = []
        loop.call_soon(ran.append, "before")
        loop.call_soon(fail, error("leave"))
        loop.call_soon(ran.append, "behind")
        first = outcome(loop.run_forever), list(ran)
        loop.call_soon(ran.append, "new")
        loop.call_soon(loop.stop)
        loop.run_forever()
        return first, ran

    (left, before), after = compare(scenario)
    assert left == (error, "leave")
    assert before == ["before"]
    assert after == ["before", "behind", "new"]


def test_an_exit_of_a_task_leaves_run_until_complete():
    def scenario(loop):
        async def leave():
            raise SystemExit(7)

        async def main():
            await asyncio.sleep(0)
            await loop.create_task(leave())

        result = outcome(loop.run_until_complete, main())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        return result

    assert compare(scenario) == (SystemExit, "7")


def test_other_base_exceptions_are_reported(loop, errors):
    class Own(BaseException):
        pass

    loop.call_soon(fail, Own("on purpose"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert [type(context["exception"]) for context in errors] == [Own]


def test_a_handler_that_raises_is_logged_with_what_it_was_called_for(caplog):
    def scenario(loop):
        caplog.clear()

        def handler(loop, context):
            raise LookupError("in the handler")

        loop.set_exception_handler(handler)
        loop.call_soon(fail, ValueError("on purpose"))
        loop.call_soon(loop.stop)
        loop.run_forever()
        return [(normalised(record.getMessage()), record.exc_info[0]) for record in caplog.records]

    ((message, kind),) = compare(scenario)
    assert "Unhandled error in exception handler" in message
    assert kind is LookupError


def test_an_exit_in_the_handler_leaves_the_loop():
    def scenario(loop):
        loop.set_exception_handler(lambda loop, context: fail(SystemExit(4)))
        loop.call_soon(fail, ValueError("on purpose"))
        loop.call_later(5, loop.stop)
        return outcome(loop.run_forever)

    assert compare(scenario) == (SystemExit, "4")


def test_set_exception_handler_checks_its_argument():
    def scenario(loop):
        def handler(loop, context):
            pass

        result = outcome(loop.set_exception_handler, "not callable")
        loop.set_exception_handler(handler)
        assert loop.get_exception_handler() is handler
        loop.set_exception_handler(None)
        return result, loop.get_exception_handler()

    assert compare(scenario) == ((TypeError, "A callable object or None is expected, got 'not callable'"), None)


def test_errors_in_readers_are_reported_and_the_reader_stays(loop, errors):
    one, other = socket.socketpair()
    calls = []

    def failing():
        calls.append(one.recv(1))
        raise ValueError("on purpose")

    loop.add_reader(one, failing)
    other.send(b"ab")
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    assert calls == [b"a", b"b"]
    assert [repr(context["exception"]) for context in errors] == ["ValueError('on purpose')"] * 2
    assert errors[0]["message"].startswith("Exception in callback test_errors_in_readers")
    loop.remove_reader(one)
    one.close()
    other.close()


def test_a_context_that_is_none_is_the_callbacks_error():
    def scenario(loop):
        errors = collect_errors(loop)
        ran = []
        loop.call_soon(ran.append, "never", context=3)
        loop.call_soon(loop.stop)
        loop.run_forever()
        return ran, [(type(it["exception"]), str(it["exception"]), sorted(it)) for it in errors]

    ran, errors = compare(scenario)
    assert ran == []
    assert errors == [(AttributeError, "'int' object has no attribute 'run'", ["exception", "handle", "message"])]


def test_whatever_has_a_method_run_is_a_context():
    class Calls:
        def run(self, callback, *args):
            return callback("through run", *args)

    def scenario(loop):
        seen = []
        loop.call_soon(lambda *args: seen.append(args), 1, 2, 3, 4, context=Calls())
        loop.call_soon(loop.stop)
        loop.run_forever()
        return seen

    assert compare(scenario) == [("through run", 1, 2, 3, 4)]


@pytest.mark.parametrize("debug", [False, True])
def test_a_callback_that_cancels_its_handle_and_fails(debug):
    def scenario(loop):
        loop.set_debug(debug)
        errors = collect_errors(loop)
        handles = []

        def cancel_and_fail(argument):
            handles[0].cancel()
            seen = handles[0]._callback, handles[0]._args, normalised(repr(handles[0]))
            raise ValueError(*seen)

        handles.append(loop.call_soon(cancel_and_fail, "argument"))
        loop.call_soon(loop.stop)
        loop.run_forever()
        (context,) = errors
        return normalised(context["message"]), normalised(repr(context["handle"])), context["exception"].args

    message, text, args = compare(scenario)
    assert message == "Exception in callback None()"
    assert args[:2] == (None, None)
    assert ("cancel_and_fail" in text) == debug


def test_a_context_that_cancels_the_handle_when_it_is_asked_for_run():
    def scenario(loop):
        seen = []

        class Cancels:
            @property
            def run(self):
                handle.cancel()
                return lambda callback, *args: seen.append(args)

        handle = loop.call_soon(print, 1, context=Cancels())
        loop.call_soon(loop.stop)
        loop.run_forever()
        return handle.cancelled(), handle._callback

    assert compare(scenario) == (True, None)
