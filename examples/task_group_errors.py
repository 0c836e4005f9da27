"""Tasks that belong together: ``asyncio.TaskGroup`` and ``except*``.

When one fails, the others are cancelled and waited for. What failed arrives together, and ``except*`` sorts it.
"""

import asyncio

import mainspring


async def read(sensor: str) -> int:
    try:
        if sensor == "broken":
            raise OSError(f"{sensor}: no answer")
        if sensor == "confused":
            raise ValueError(f"{sensor}: nonsense")
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print(f"{sensor}: cancelled")
        raise
    return 0


async def main() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for sensor in ("slow", "broken", "confused"):
                group.create_task(read(sensor))
    except* OSError as errors:
        print("connection:", *errors.exceptions)
    except* ValueError as errors:
        print("data:", *errors.exceptions)

    async with asyncio.TaskGroup() as group:
        squares = [group.create_task(asyncio.sleep(0.01, number**2)) for number in range(5)]
    print("results:", *(task.result() for task in squares))


if __name__ == "__main__":
    mainspring.run(main())
