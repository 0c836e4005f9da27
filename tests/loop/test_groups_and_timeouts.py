"""Task groups, timeouts, gather and wait, Runner, and the lists of tasks."""

import asyncio
import contextvars
import sys

import pytest
from helpers import compare, outcome, turns


def test_a_failing_member_cancels_the_others_and_all_errors_are_told():
    def scenario(loop):
        steps = []

        async def sleep(name):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                steps.append(f"{name} cancelled")
                raise

        async def fail(error):
            await turns(2)
            raise error

        async def main():
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(sleep("a"))
                    group.create_task(fail(LookupError("one")))
                    group.create_task(fail(ValueError("two")))
                    group.create_task(sleep("b"))
                    await asyncio.sleep(60)
            except* LookupError as errors:
                steps.append(repr(errors.exceptions))
            except* ValueError as errors:
                steps.append(repr(errors.exceptions))

        loop.run_until_complete(main())
        # A group keeps its tasks in a set.
        return sorted(steps)

    assert compare(scenario) == ["(LookupError('one'),)", "(ValueError('two'),)", "a cancelled", "b cancelled"]


def test_cancelling_a_group_from_outside_cancels_its_members(loop):
    async def main():
        cancelled = []

        async def member(number):
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.append(number)

        async def group_of_three():
            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(member(number))

        task = loop.create_task(group_of_three())
        await turns(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(cancelled) == [0, 1, 2]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    loop.run_until_complete(main())


def test_timeouts_nest_expire_move_and_are_told_apart(loop):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60) as outer:
                async with asyncio.timeout(0.001) as inner:
                    await asyncio.sleep(60)
        assert inner.expired()
        assert not outer.expired()
        async with asyncio.timeout(0.001) as moved:
            moved.reschedule(None)
            await asyncio.sleep(0.005)
            assert moved.when() is None
        async with asyncio.timeout_at(loop.time() + 60) as at:
            assert at.when() > loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(-1):
                await asyncio.sleep(60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), 0)
        assert await asyncio.wait_for(asyncio.sleep(0, "in time"), 60) == "in time"

    loop.run_until_complete(main())


def test_a_cancellation_inside_a_timeout_stays_a_cancellation(loop):
    async def main():
        async def work():
            async with asyncio.timeout(60):
                await asyncio.sleep(60)

        task = loop.create_task(work())
        await turns(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run_until_complete(main())


def test_gather_wait_as_completed_and_shield():
    def scenario(loop):
        async def value(result, count=1):
            await turns(count)
            if isinstance(result, Exception):
                raise result
            return result

        async def main():
            steps = [await asyncio.gather(value("a", 5), value("b"), value("c", 3))]
            results = await asyncio.gather(value("a"), value(LookupError("b")), return_exceptions=True)
            steps.append(repr(results))
            done, pending = await asyncio.wait(
                [loop.create_task(value("fast")), loop.create_task(asyncio.sleep(60))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            steps.append(([task.result() for task in done], len(pending)))
            for task in pending:
                task.cancel()
            steps.append([await task for task in asyncio.as_completed([value(3, 30), value(1), value(2, 10)])])
            inner = loop.create_task(value("shielded", 5))
            outer = asyncio.shield(inner)
            outer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await outer
            steps.append(await inner)
            return steps

        return loop.run_until_complete(main())

    assert compare(scenario) == [
        ["a", "b", "c"],
        "['a', LookupError('b')]",
        (["fast"], 1),
        [1, 2, 3],
        "shielded",
    ]


def test_a_runner_keeps_its_loop_and_context_and_cancels_what_is_left(loop_factory):
    variable = contextvars.ContextVar("variable", default=0)
    seen = []

    async def forever():
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("cancelled")

    async def generate():
        try:
            yield 1
        finally:
            seen.append("generator closed")

    async def step(number):
        variable.set(variable.get() + number)
        if number == 1:
            seen.append(asyncio.create_task(forever()))
            seen.append(generate())
            await anext(seen[-1])
        return asyncio.get_running_loop()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.run(step(1))
        assert runner.run(step(2)) is loop is runner.get_loop()
        assert variable.get() == 0
        assert not loop.is_closed()
    assert loop.is_closed()
    assert seen[2:] == ["cancelled", "generator closed"]
    assert outcome(runner.get_loop) == (RuntimeError, "Runner is closed")


def test_the_lists_of_tasks_know_those_of_their_loop(loop_factory):
    first, second = loop_factory(), loop_factory()

    async def main(loop):
        assert asyncio.current_task() in asyncio.all_tasks()
        assert asyncio.current_task(loop) is asyncio.current_task()
        others = {loop.create_task(asyncio.sleep(0)) for _ in range(3)}
        assert asyncio.all_tasks() == {asyncio.current_task(), *others}
        await asyncio.gather(*others)
        return asyncio.current_task()

    waiting = second.create_task(asyncio.sleep(0))
    task = first.run_until_complete(main(first))
    assert task.done()
    assert asyncio.all_tasks(first) == set()
    assert asyncio.all_tasks(second) == {waiting}
    assert asyncio.current_task(first) is None
    second.run_until_complete(waiting)
    first.close()
    second.close()
    assert outcome(asyncio.current_task) == (RuntimeError, "no running event loop")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_in_a_group():
    def scenario(loop):
        loop.set_task_factory(asyncio.eager_task_factory)
        steps = []

        async def member(number):
            steps.append((number, asyncio.current_task() in asyncio.all_tasks()))
            if number % 2:
                await asyncio.sleep(0)
            steps.append(number)
            return number

        async def main():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(member(number)) for number in range(4)]
                steps.append([task.done() for task in tasks])
            steps.append([task.result() for task in tasks])
            steps.append(await asyncio.gather(member(10), member(11)))

        loop.run_until_complete(main())
        return steps

    steps = compare(scenario)
    assert [True, False, True, False] in steps
