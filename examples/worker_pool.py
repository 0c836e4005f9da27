"""A fixed number of workers on one queue: ``asyncio.Queue`` with ``join``, workers cancelled when all is done.

A job that fails is noted, and its worker goes on with the next.
"""

import asyncio

import mainspring

WORKERS = 3


async def work(queue: asyncio.Queue[int], results: dict[int, str]) -> None:
    while True:
        job = await queue.get()
        try:
            await asyncio.sleep(0.001)
            results[job] = f"100 / {job} = {100 / job:g}"
        except ZeroDivisionError as error:
            results[job] = f"failed: {error}"
        finally:
            queue.task_done()


async def main() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    results: dict[int, str] = {}
    for job in range(6):
        queue.put_nowait(job)
    workers = [asyncio.create_task(work(queue, results)) for _ in range(WORKERS)]
    await queue.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    for job in sorted(results):
        print(results[job])


if __name__ == "__main__":
    mainspring.run(main())
