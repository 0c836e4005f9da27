"""Stages that work at the same time, joined by bounded queues: read, parse, add up.

Each stage passes the end on, and a failure of one ends all, because they are one TaskGroup.
"""

import asyncio

import mainspring

END = object()


async def read(lines: list[str], output: asyncio.Queue[object]) -> None:
    for line in lines:
        await asyncio.sleep(0)
        await output.put(line)
    await output.put(END)


async def parse(source: asyncio.Queue[object], output: asyncio.Queue[object]) -> None:
    while (line := await source.get()) is not END:
        name, amount = str(line).split("=")
        await output.put((name, int(amount)))
    await output.put(END)


async def add_up(source: asyncio.Queue[object]) -> dict[str, int]:
    totals: dict[str, int] = {}
    while isinstance(item := await source.get(), tuple):
        name, amount = item
        totals[name] = totals.get(name, 0) + amount
    return totals


async def main() -> None:
    lines = [f"{name}={number}" for number in range(1, 101) for name in ("apples", "pears")]
    read_lines: asyncio.Queue[object] = asyncio.Queue(maxsize=10)
    parsed: asyncio.Queue[object] = asyncio.Queue(maxsize=10)
    async with asyncio.TaskGroup() as group:
        group.create_task(read(lines, read_lines))
        group.create_task(parse(read_lines, parsed))
        totals = group.create_task(add_up(parsed))
    print(totals.result())


if __name__ == "__main__":
    mainspring.run(main())
