"""create_future and create_task: names, contexts, factories, eager start; tasks at work."""

import asyncio
import contextvars
import gc
import re
import sys
import weakref

import pytest
from helpers import compare, outcome


async def answer(value=42):
    await asyncio.sleep(0)
    return value


def test_a_future_belongs_to_its_loop(loop):
    future = loop.create_future()
    assert isinstance(future, asyncio.Future)
    assert future.get_loop() is loop
    assert not future.done()


def test_a_task_belongs_to_its_loop_and_is_listed(loop):
    async def main():
        task = asyncio.current_task()
        assert task.get_loop() is loop
        assert asyncio.all_tasks() == {task}
        other = loop.create_task(answer())
        assert type(other) is asyncio.Task
        assert asyncio.all_tasks(loop) == {task, other}
        assert await other == 42
        assert asyncio.all_tasks() == {task}

    loop.run_until_complete(main())
    assert asyncio.all_tasks(loop) == set()


def test_names(loop):
    async def main():
        named = loop.create_task(answer(), name="a name")
        unnamed = loop.create_task(answer())
        none = loop.create_task(answer(), name=None)
        assert named.get_name() == "a name"
        assert unnamed.get_name().startswith("Task-")
        assert none.get_name().startswith("Task-")
        number = loop.create_task(answer(), name=5)
        assert number.get_name() == "5"
        await asyncio.gather(named, unnamed, none, number)

    loop.run_until_complete(main())


def test_a_given_context_is_the_tasks_own(loop):
    variable = contextvars.ContextVar("variable", default=0)

    async def change():
        variable.set(variable.get() + 1)
        await asyncio.sleep(0)
        variable.set(variable.get() + 1)

    async def main():
        context = contextvars.copy_context()
        await loop.create_task(change(), context=context)
        assert context[variable] == 2
        await loop.create_task(change())
        assert variable.get() == 0

    loop.run_until_complete(main())


@pytest.mark.parametrize("thing", [None, 3, "text", answer], ids=["None", "int", "str", "function"])
def test_what_is_no_coroutine_is_the_same_error(thing):
    kind, text = compare(lambda loop: outcome(loop.create_task, thing))
    assert kind is TypeError
    assert "coroutine" in text


def test_an_unknown_keyword_is_a_type_error(loop):
    coro = answer()
    with pytest.raises(TypeError):
        loop.create_task(coro, nonsense=1)
    coro.close()


def test_a_task_factory_makes_the_tasks(loop):
    made = []

    class Task(asyncio.Task):
        pass

    def factory(loop, coro, **keywords):
        made.append(sorted(keywords))
        return Task(coro, loop=loop, **keywords)

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory

    async def main():
        task = loop.create_task(answer(), name="named")
        assert type(task) is Task
        assert task.get_name() == "named"
        return await task

    assert loop.run_until_complete(main()) == 42
    assert len(made) == 2
    loop.set_task_factory(None)
    assert loop.get_task_factory() is None
    task = loop.create_task(answer())
    assert type(task) is asyncio.Task
    loop.run_until_complete(task)


def test_the_factory_is_called_with_the_same_arguments():
    def scenario(loop):
        calls = []

        def factory(loop, coro, **keywords):
            calls.append(sorted(keywords.items(), key=str))
            return asyncio.Task(coro, loop=loop, **keywords)

        loop.set_task_factory(factory)
        context = contextvars.copy_context()
        tasks = [loop.create_task(answer()), loop.create_task(answer(), name="n")]
        tasks.append(loop.create_task(answer(), context=context))
        loop.run_until_complete(asyncio.gather(*tasks))
        return [[(key, value is context or value) for key, value in call] for call in calls]

    assert len(compare(scenario)) == 3


def test_a_factory_of_the_old_style_takes_the_loop_and_the_coroutine(loop):
    # From before Python 3.11; newer Pythons pass keywords to it only when the program gives some.
    def factory(loop, coro, context=None, name=None):
        return asyncio.Task(coro, loop=loop, name=name)

    loop.set_task_factory(factory)
    assert loop.run_until_complete(loop.create_task(answer())) == 42


def test_a_factory_that_cannot_be_called_is_refused():
    assert compare(lambda loop: outcome(loop.set_task_factory, 3)) == (
        TypeError,
        "task factory must be a callable or None",
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_the_eager_factory_runs_up_to_the_first_wait(loop):
    loop.set_task_factory(asyncio.eager_task_factory)
    steps = []

    async def work():
        steps.append("started")
        await asyncio.sleep(0)
        steps.append("went on")
        return 5

    async def no_wait():
        return 6

    async def main():
        task = loop.create_task(work())
        assert steps == ["started"]
        done = loop.create_task(no_wait())
        assert done.done()
        assert done.result() == 6
        assert await task == 5
        assert steps == ["started", "went on"]

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info < (3, 14), reason="create_task(eager_start=) came with Python 3.14")
def test_eager_start(loop):
    steps = []

    async def work():
        steps.append("started")

    async def main():
        task = loop.create_task(work(), eager_start=True)
        assert steps == ["started"]
        assert task.done()
        await loop.create_task(work(), eager_start=False)
        assert steps == ["started", "started"]

    loop.run_until_complete(main())


def test_a_patched_task_class_is_used(loop, monkeypatch):
    class Task(asyncio.Task):
        pass

    monkeypatch.setattr(asyncio.tasks, "Task", Task)
    task = loop.create_task(answer())
    assert type(task) is Task
    loop.run_until_complete(task)


def test_structured_concurrency_and_timeouts(loop):
    async def fail():
        await asyncio.sleep(0.005)
        raise ValueError

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await asyncio.sleep(60)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(answer(number)) for number in range(100)]
        assert [task.result() for task in tasks] == list(range(100))
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))
                group.create_task(fail())

    loop.run_until_complete(main())


def test_synchronisation_primitives(loop):
    async def main():
        queue, lock, order = asyncio.Queue(3), asyncio.Lock(), []

        async def produce():
            for number in range(50):
                await queue.put(number)

        async def consume():
            for _ in range(50):
                async with lock:
                    order.append(await queue.get())

        await asyncio.gather(produce(), consume())
        assert order == list(range(50))
        event = asyncio.Event()
        waiter = loop.create_task(event.wait())
        loop.call_later(0.001, event.set)
        assert await waiter

    loop.run_until_complete(main())


def test_cancellation_reaches_a_sleeping_task(loop):
    async def main():
        task = loop.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        assert task.cancelled()

    loop.run_until_complete(main())


def test_keywords_that_say_nothing(loop_factory):
    async def nothing():
        return asyncio.current_task().get_name()

    loop = loop_factory()
    try:
        names = [
            loop.run_until_complete(loop.create_task(nothing(), **keywords))
            for keywords in ({}, {"name": None}, {"context": None}, {"name": None, "context": None})
        ]
        assert all(re.fullmatch(r"Task-\d+", name) for name in names)
        assert len(set(names)) == 4
        assert loop.run_until_complete(loop.create_task(nothing(), name=5)) == "5"
        with pytest.raises(TypeError, match="a coroutine was expected, got 5"):
            loop.create_task(5)
        coroutine = nothing()
        with pytest.raises(TypeError, match="colour"):
            loop.create_task(coroutine, colour=None)
        coroutine.close()
    finally:
        loop.close()


def test_a_closed_loop_that_made_futures_needs_no_collector(loop_factory):
    async def nothing():
        pass

    gc.collect()
    gc.disable()
    try:
        loop = loop_factory()
        loop.run_until_complete(loop.create_task(nothing()))
        loop.create_future().cancel()
        loop.close()
        freed = weakref.ref(loop)
        del loop
        assert freed() is None
    finally:
        gc.enable()
