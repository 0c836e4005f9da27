"""Context variables: each callback has the context it was scheduled in, and nobody else sees what it sets."""

import asyncio
import contextvars
import socket

import pytest
from helpers import turns

variable = contextvars.ContextVar("variable", default="unset")


def test_a_callback_sees_the_context_of_its_scheduling(loop):
    seen = []

    async def main():
        for number in range(5):
            variable.set(number)
            loop.call_soon(lambda: seen.append(variable.get()))
            loop.call_later(0.001, lambda: seen.append(variable.get()))
            loop.call_soon_threadsafe(lambda: seen.append(variable.get()))
        await asyncio.sleep(0.005)

    loop.run_until_complete(main())
    assert sorted(seen) == sorted([*range(5)] * 3)
    assert variable.get() == "unset"


def test_what_a_callback_sets_stays_with_it(loop):
    seen = []

    def change(value):
        seen.append(variable.get())
        variable.set(value)

    for number in range(3):
        loop.call_soon(change, number)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["unset"] * 3
    assert variable.get() == "unset"


def test_callbacks_of_one_context_share_it(loop):
    context = contextvars.copy_context()
    seen = []

    def change():
        seen.append(variable.get())
        variable.set(len(seen))

    for _ in range(3):
        loop.call_soon(change, context=context)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["unset", 1, 2]
    assert context[variable] == 3
    assert variable.get() == "unset"


def test_contexts_do_not_mix_after_a_callback_that_raises(loop, errors):
    context = contextvars.copy_context()

    def fail():
        variable.set("inside")
        raise ValueError

    seen = []
    loop.call_soon(fail, context=context)
    loop.call_soon(lambda: seen.append(variable.get()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert len(errors) == 1
    assert seen == ["unset"]
    assert context.run(variable.get) == "inside"


def test_a_context_can_be_entered_again_after_the_loop_left_it(loop):
    context = contextvars.copy_context()

    def leave():
        raise SystemExit

    loop.call_soon(leave, context=context)
    with pytest.raises(SystemExit):
        loop.run_forever()
    assert context.run(lambda: "entered") == "entered"
    loop.call_soon(loop.stop, context=context)
    loop.run_forever()
    assert context.run(lambda: "entered") == "entered"


def test_readers_and_signal_handlers_keep_the_context_of_their_registration(loop):
    one, other = socket.socketpair()
    seen = []

    async def register():
        variable.set("registered")
        loop.add_reader(one, lambda: (seen.append(variable.get()), one.recv(1)))

    async def main():
        await loop.create_task(register())
        variable.set("other")
        for _ in range(2):
            other.send(b"x")
            await asyncio.sleep(0.005)

    loop.run_until_complete(main())
    assert seen == ["registered"] * 2
    loop.remove_reader(one)
    one.close()
    other.close()


def test_a_callback_can_run_code_in_the_context_of_another(loop):
    seen = []

    async def main():
        outer = contextvars.copy_context()
        loop.call_soon(lambda: seen.append(outer.run(variable.get)))
        await turns(2)

    loop.run_until_complete(main())
    assert seen == ["unset"]
