"""What programs rely on and some loops do in their own way."""

import asyncio
import contextvars
import sys

import pytest
from helpers import Recorder, compare, connected, eventually, outcome, turns


async def answer():
    await asyncio.sleep(0)
    return asyncio.current_task().get_name(), variable.get()


variable = contextvars.ContextVar("variable", default="unset")


def without_keywords(loop, coro):
    return asyncio.Task(coro, loop=loop)


def with_context(loop, coro, context=None):
    return asyncio.Task(coro, loop=loop, context=context)


def with_keywords(loop, coro, **keywords):
    return asyncio.Task(coro, loop=loop, **keywords)


def of_futures(loop, coro, **keywords):
    """A factory may give anything that looks like a task."""
    coro.close()
    future = loop.create_future()
    future.set_result(("a future", "unset"))
    return future


@pytest.mark.parametrize("factory", [without_keywords, with_context, with_keywords, of_futures])
@pytest.mark.parametrize("keywords", [(), ("name",), ("context",), ("name", "context")], ids=" ".join)
def test_task_factories_of_every_style_are_called_in_the_same_way(factory, keywords):
    context = contextvars.copy_context()
    context.run(variable.set, "set")
    values = {"name": "named", "context": context}

    def scenario(loop):
        loop.set_task_factory(factory)

        async def main():
            coro = answer()
            result = outcome(loop.create_task, coro, **{name: values[name] for name in keywords})
            if result[0] != "returned":
                coro.close()
                return result
            name, value = await result[1]
            return name if "name" in keywords else "", value

        task = asyncio.Task(main(), loop=loop)
        return loop.run_until_complete(task)

    compare(scenario)


@pytest.mark.parametrize("factory", [None, without_keywords, with_context, with_keywords])
def test_groups_and_runners_work_with_factories_of_every_style(factory):
    def scenario(loop):
        loop.set_task_factory(factory)

        async def main():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(answer(), name=f"task {number}") for number in range(3)]
            return [task.result() for task in tasks], await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))

        return outcome(loop.run_until_complete, main())

    compare(scenario)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Handle.get_context came with Python 3.12")
def test_every_handle_tells_its_context(loop):
    context = contextvars.copy_context()
    handles = [
        loop.call_soon(print, context=context),
        loop.call_later(60, print, context=context),
        loop.call_at(loop.time() + 60, print, context=context),
        loop.call_soon_threadsafe(print, context=context),
    ]
    for handle in handles:
        assert handle.get_context() is context
        handle.cancel()
        assert handle.get_context() is context

    def schedule():
        variable.set("inside")
        return [loop.call_soon(print), loop.call_later(60, print), loop.call_soon_threadsafe(print)]

    for handle in contextvars.copy_context().run(schedule):
        assert handle.get_context()[variable] == "inside"
        handle.cancel()


def test_removing_tells_whether_there_was_something_to_remove():
    def scenario(loop):
        async def main():
            async with connected() as (_, _, peer):
                results = [loop.remove_reader(peer), loop.remove_writer(peer)]
                loop.add_reader(peer, print)
                results += [loop.remove_writer(peer), loop.remove_reader(peer), loop.remove_reader(peer)]
                loop.add_writer(peer, id, peer)
                loop.add_reader(peer, print)
                results += [loop.remove_writer(peer), loop.remove_reader(peer), loop.remove_writer(peer)]
                results.append(loop.add_reader(peer, print))
                results.append(loop.add_writer(peer, id, peer))
                results.append(loop.add_writer(peer, id, peer))
                return [*results, loop.remove_reader(peer.fileno()), loop.remove_writer(peer.fileno())]

        return loop.run_until_complete(main())

    assert compare(scenario) == [False, False, False, True, False, True, True, False, None, None, None, True, True]


def test_handles_and_timers_run_in_the_same_order():
    def scenario(loop):
        ran = []
        when = loop.time() - 1

        def first():
            ran.append("first")
            loop.call_soon(ran.append, "soon from first")
            loop.call_at(when, ran.append, "late timer from first")
            loop.call_later(0, ran.append, "timer from first")
            loop.call_soon_threadsafe(ran.append, "threadsafe from first")

        loop.call_at(when + 0.002, ran.append, "second timer")
        loop.call_at(when + 0.001, ran.append, "first timer")
        loop.call_soon(first)
        loop.call_soon_threadsafe(ran.append, "threadsafe")
        loop.call_soon(ran.append, "last")
        for _ in range(4):
            loop.call_soon(loop.stop)
            loop.run_forever()
            ran.append("---")
        return ran

    assert compare(scenario)[:3] == ["first", "threadsafe", "last"]


def test_sleep_zero_is_one_turn_for_everybody():
    def scenario(loop):
        ran = []

        async def step(name):
            for number in range(3):
                ran.append((name, number))
                await asyncio.sleep(0)

        async def main():
            await asyncio.gather(*(step(name) for name in "abc"))

        loop.run_until_complete(main())
        return ran

    assert compare(scenario) == [(name, number) for number in range(3) for name in "abc"]


def test_the_loop_is_what_futures_and_transports_say(loop):
    async def main():
        assert asyncio.get_running_loop() is loop
        assert asyncio.get_event_loop() is loop
        assert loop.create_future().get_loop() is loop
        assert asyncio.current_task().get_loop() is loop
        async with connected() as (transport, protocol, _):
            assert protocol.lost.get_loop() is loop
            assert transport.get_protocol() is protocol

    loop.run_until_complete(main())


def test_data_received_gets_bytes_of_its_own(loop):
    async def main():
        class Keeping(Recorder):
            def data_received(self, data):
                super().data_received(data)
                kept.append(data)

        kept = []
        async with connected(Keeping) as (_, protocol, peer):
            for letter in (b"a", b"b", b"c"):
                peer.send(letter * 1000)
                await eventually(lambda letter=letter: protocol.received.endswith(letter))
            await turns(2)
        assert b"".join(kept) == b"a" * 1000 + b"b" * 1000 + b"c" * 1000
        assert {type(data) for data in kept} == {bytes}

    loop.run_until_complete(main())
