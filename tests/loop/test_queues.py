"""asyncio's queues at work between tasks and threads."""

import asyncio
import sys
import threading

import pytest
from helpers import compare, turns


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (asyncio.Queue, [3, 1, 2, 5, 4]),
        (asyncio.PriorityQueue, [1, 2, 3, 4, 5]),
        (asyncio.LifoQueue, [4, 5, 2, 1, 3]),
    ],
    ids=["Queue", "PriorityQueue", "LifoQueue"],
)
def test_the_order_of_each_kind(loop, kind, expected):
    async def main():
        queue = kind()
        for item in (3, 1, 2, 5, 4):
            await queue.put(item)
        assert queue.qsize() == 5
        assert [await queue.get() for _ in range(5)] == expected
        assert queue.empty()
        with pytest.raises(asyncio.QueueEmpty):
            queue.get_nowait()

    loop.run_until_complete(main())


@pytest.mark.parametrize("maxsize", [0, 1, 7])
def test_producers_and_consumers_lose_nothing(loop, maxsize):
    async def main():
        queue = asyncio.Queue(maxsize)
        got = []

        async def produce(start):
            for number in range(start, start + 100):
                await queue.put(number)

        async def consume():
            while True:
                got.append(await queue.get())
                queue.task_done()

        consumers = [asyncio.ensure_future(consume()) for _ in range(3)]
        await asyncio.gather(*(produce(start) for start in (0, 1000, 2000)))
        await queue.join()
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)
        for start in (0, 1000, 2000):
            assert [number for number in got if start <= number < start + 1000] == list(range(start, start + 100))

    loop.run_until_complete(main())


def test_waiters_are_served_in_order_and_a_cancelled_one_is_passed_over():
    def scenario(loop):
        async def main():
            queue = asyncio.Queue()
            got = []

            async def consume(name):
                got.append((name, await queue.get()))

            tasks = [loop.create_task(consume(name)) for name in "abcd"]
            await turns(1)
            tasks[1].cancel()
            for number in range(3):
                queue.put_nowait(number)
            await asyncio.wait(tasks)
            return got

        return loop.run_until_complete(main())

    assert compare(scenario) == [("a", 0), ("c", 1), ("d", 2)]


def test_items_put_by_other_threads_arrive_in_their_order(loop):
    async def main():
        queue = asyncio.Queue()

        def put(name):
            for number in range(200):
                loop.call_soon_threadsafe(queue.put_nowait, (name, number))

        threads = [threading.Thread(target=put, args=[name]) for name in "ab"]
        for thread in threads:
            thread.start()
        got = [await asyncio.wait_for(queue.get(), 10) for _ in range(400)]
        for thread in threads:
            thread.join()
        for name in "ab":
            assert [number for owner, number in got if owner == name] == list(range(200))

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Queue.shutdown came with Python 3.13")
@pytest.mark.parametrize("immediate", [False, True])
def test_shutdown_wakes_everybody(immediate):
    def scenario(loop):
        async def main():
            queue, empty = asyncio.Queue(1), asyncio.Queue()
            queue.put_nowait("item")
            steps = []

            async def step(name, coroutine):
                try:
                    steps.append((name, await coroutine))
                except asyncio.QueueShutDown:
                    steps.append((name, "shut down"))

            tasks = [
                loop.create_task(step("put", queue.put(1))),
                loop.create_task(step("another put", queue.put(2))),
                loop.create_task(step("get", empty.get())),
            ]
            await turns(1)
            queue.shutdown(immediate)
            empty.shutdown(immediate)
            await asyncio.wait(tasks)
            await step("get the rest", queue.get())
            await step("get once more", queue.get())
            return steps

        return loop.run_until_complete(main())

    steps = compare(scenario)
    assert steps[:3] == [("put", "shut down"), ("another put", "shut down"), ("get", "shut down")]
    assert steps[3:] == [
        ("get the rest", "shut down" if immediate else "item"),
        ("get once more", "shut down"),
    ]
