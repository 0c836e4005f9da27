"""A loop in each of several threads, all of which work for each other."""

import asyncio
import threading

LOOPS = 4
ROUNDS = 50


def test_loops_in_threads_give_each_other_work(loop_factory):
    loops = [loop_factory() for _ in range(LOOPS)]
    begin = threading.Barrier(LOOPS, timeout=60)
    finished = threading.Barrier(LOOPS, timeout=60)
    results = [None] * LOOPS
    failures = []

    async def answer(number):
        await asyncio.sleep(0.001)
        return number

    async def work(self):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, begin.wait)
        told = []
        for number in range(ROUNDS):
            # To another loop's inbox, to this loop's threads, to a timer, and to a look-up of a name.
            other = loops[(self + 1 + number) % LOOPS]
            future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(number), other))
            addresses = loop.getaddrinfo("127.0.0.1", number + 1, proto=6)
            done = await asyncio.gather(future, loop.run_in_executor(None, int, number), answer(number), addresses)
            told.append((*done[:3], done[3][0][4][1] - 1))
        # The others may still be sending work here.
        await loop.run_in_executor(None, finished.wait)
        await loop.shutdown_default_executor()
        return told

    def run(self):
        try:
            results[self] = loops[self].run_until_complete(work(self))
        except BaseException as error:
            failures.append(error)
            begin.abort()
            finished.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(LOOPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for loop in loops:
        loop.close()
    assert failures == []
    assert results == [[(number,) * 4 for number in range(ROUNDS)]] * LOOPS
