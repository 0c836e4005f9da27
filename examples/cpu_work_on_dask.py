"""Work for the processors of other machines, with Dask: ``loop.run_in_executor(client.get_executor(), function)``.

This starts a cluster of its own, of two worker processes. With a scheduler that runs elsewhere it is
``Client("tcp://scheduler:8786", asynchronous=True)``, and nothing else changes.
"""

import asyncio
import logging
import os

import mainspring
from distributed import Client, LocalCluster


def count_primes(limit: int) -> tuple[int, int]:
    """How many primes there are below a limit, and the process that has counted them."""
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return sum(sieve), os.getpid()


def refuse(limit: int) -> None:
    raise ValueError(f"{limit} is too much")


async def main() -> None:
    loop = asyncio.get_running_loop()
    async with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            # The workers would log what the function raises, which is raised here as well.
            silence_logs=logging.CRITICAL,
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        executor = client.get_executor()
        limits = (100, 1000, 100_000)
        counts = await asyncio.gather(*(loop.run_in_executor(executor, count_primes, limit) for limit in limits))
        for limit, (count, _) in zip(limits, counts, strict=True):
            print(f"primes below {limit}: {count}")
        print("counted in other processes:", os.getpid() not in {process for _, process in counts})
        try:
            await loop.run_in_executor(executor, refuse, 10**12)
        except ValueError as error:
            print("failed there, raised here:", error)


if __name__ == "__main__":
    mainspring.run(main())
