"""Locks, conditions, semaphores, barriers and events: who runs, in which order, and who is passed over."""

import asyncio

import pytest
from helpers import compare, turns


def test_a_lock_is_handed_on_in_order_without_those_who_were_cancelled():
    def scenario(loop):
        async def main():
            lock = asyncio.Lock()
            got = []

            async def hold(name):
                async with lock:
                    got.append(name)
                    await turns(1)

            await lock.acquire()
            tasks = [loop.create_task(hold(name)) for name in "abcd"]
            await turns(1)
            tasks[2].cancel()
            lock.release()
            await asyncio.wait(tasks)
            assert not lock.locked()
            return got

        return loop.run_until_complete(main())

    assert compare(scenario) == ["a", "b", "d"]


def test_a_lock_belongs_to_one_at_a_time(loop):
    async def main():
        lock = asyncio.Lock()
        inside = 0

        async def hold():
            nonlocal inside
            for _ in range(10):
                async with lock:
                    inside += 1
                    assert inside == 1
                    await turns(2)
                    inside -= 1

        await asyncio.gather(*(hold() for _ in range(10)))
        with pytest.raises(RuntimeError):
            lock.release()

    loop.run_until_complete(main())


def test_a_condition_wakes_as_many_as_it_is_told():
    def scenario(loop):
        async def main():
            condition = asyncio.Condition()
            woken = []

            async def wait(name):
                async with condition:
                    await condition.wait()
                    woken.append(name)

            tasks = [loop.create_task(wait(name)) for name in "abcde"]
            await turns(2)
            steps = []
            for count in (1, 2, None):
                async with condition:
                    condition.notify(count) if count else condition.notify_all()
                await turns(10)
                steps.append(list(woken))
            await asyncio.gather(*tasks)
            return steps

        return loop.run_until_complete(main())

    assert compare(scenario) == [["a"], ["a", "b", "c"], ["a", "b", "c", "d", "e"]]


def test_wait_for_a_predicate(loop):
    async def main():
        condition = asyncio.Condition()
        value = 0

        async def count():
            nonlocal value
            for _ in range(5):
                async with condition:
                    value += 1
                    condition.notify_all()
                await turns(1)

        async def wait():
            async with condition:
                await condition.wait_for(lambda: value >= 3)
                return value

        results = await asyncio.gather(wait(), count())
        assert results[0] >= 3

    loop.run_until_complete(main())


@pytest.mark.parametrize("kind", [asyncio.Semaphore, asyncio.BoundedSemaphore])
def test_a_semaphore_lets_so_many_in(loop, kind):
    async def main():
        semaphore = kind(3)
        inside, most = 0, 0

        async def enter():
            nonlocal inside, most
            async with semaphore:
                inside += 1
                most = max(most, inside)
                await turns(2)
                inside -= 1

        tasks = [loop.create_task(enter()) for _ in range(20)]
        await turns(1)
        tasks[5].cancel()
        await asyncio.wait(tasks)
        assert most == 3
        assert not semaphore.locked()
        if kind is asyncio.BoundedSemaphore:
            with pytest.raises(ValueError, match="released too many times"):
                semaphore.release()

    loop.run_until_complete(main())


def test_a_barrier_lets_its_parties_through_together():
    def scenario(loop):
        async def main():
            barrier = asyncio.Barrier(3)
            passed = []

            async def arrive(name):
                async with barrier as position:
                    passed.append((name, position))

            tasks = [loop.create_task(arrive(name)) for name in "ab"]
            await turns(3)
            assert passed == []
            assert barrier.n_waiting == 2
            await arrive("c")
            await asyncio.gather(*tasks)
            waiting = loop.create_task(barrier.wait())
            await turns(1)
            await barrier.abort()
            with pytest.raises(asyncio.BrokenBarrierError):
                await waiting
            return passed

        return loop.run_until_complete(main())

    assert sorted(name for name, _ in compare(scenario)) == ["a", "b", "c"]


def test_an_event_wakes_all_who_wait_in_their_order():
    def scenario(loop):
        async def main():
            event = asyncio.Event()
            woken = []

            async def wait(name):
                await event.wait()
                woken.append(name)

            tasks = [loop.create_task(wait(name)) for name in "abc"]
            await turns(1)
            event.set()
            event.clear()
            await asyncio.gather(*tasks)
            assert not event.is_set()
            return woken

        return loop.run_until_complete(main())

    assert compare(scenario) == ["a", "b", "c"]


def test_a_primitive_of_one_loop_is_refused_in_another_with_the_same_words():
    def scenario(loop):
        lock = asyncio.Lock()
        other = type(loop)()

        async def contend():
            await lock.acquire()
            waiting = asyncio.ensure_future(lock.acquire())
            await turns(1)
            waiting.cancel()
            await asyncio.wait([waiting])

        loop.run_until_complete(contend())

        async def elsewhere():
            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                await lock.acquire()
            return True

        try:
            return other.run_until_complete(elsewhere())
        finally:
            other.close()

    assert compare(scenario) is True
