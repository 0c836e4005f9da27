"""Work for the processor: in threads (``asyncio.to_thread``) or processes, while the loop goes on.

Threads are for calls that block or let go of the GIL, as ``hashlib`` does for large data; processes for Python code.
"""

import asyncio
import concurrent.futures
import hashlib
import multiprocessing

import mainspring


def count_primes(limit: int) -> int:
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return sum(sieve)


async def main() -> None:
    loop = asyncio.get_running_loop()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticker = asyncio.create_task(tick())
    digest = await asyncio.to_thread(lambda: hashlib.sha256(bytes(50_000_000)).hexdigest())
    print("sha256 in a thread:", digest[:16])
    # A forked copy of a process with threads may hang; a spawned one starts afresh.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(max_workers=2, mp_context=context)
    try:
        limits = (100, 1000, 100_000)
        counts = await asyncio.gather(*(loop.run_in_executor(pool, count_primes, limit) for limit in limits))
    finally:
        # It waits for the processes, as `with` would, and must not block the loop meanwhile.
        await asyncio.to_thread(pool.shutdown)
    print("primes in processes:", dict(zip(limits, counts, strict=True)))
    ticker.cancel()
    print("the loop went on meanwhile:", ticks > 1)


if __name__ == "__main__":
    mainspring.run(main())
