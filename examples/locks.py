"""Locks, events and conditions, for what other tasks may change across an ``await``.

Without a lock two tasks read the same balance, both wait, and one payment is lost.
"""

import asyncio

import mainspring


class Account:
    def __init__(self) -> None:
        self.balance = 0
        self.lock = asyncio.Lock()
        self.changed = asyncio.Condition(self.lock)

    async def pay_in_carelessly(self, amount: int) -> None:
        balance = self.balance
        await asyncio.sleep(0)
        self.balance = balance + amount

    async def pay_in(self, amount: int) -> None:
        async with self.lock:
            await self.pay_in_carelessly(amount)
            self.changed.notify_all()

    async def wait_until_rich(self, amount: int) -> int:
        async with self.changed:
            await self.changed.wait_for(lambda: self.balance >= amount)
            return self.balance


async def main() -> None:
    careless = Account()
    await asyncio.gather(*(careless.pay_in_carelessly(1) for _ in range(100)))
    print("without a lock:", careless.balance)

    account = Account()
    rich = asyncio.create_task(account.wait_until_rich(50))
    await asyncio.gather(*(account.pay_in(1) for _ in range(100)))
    print("with a lock:", account.balance)
    print("rich enough when it was looked at:", await rich >= 50)

    start = asyncio.Event()
    order: list[int] = []

    async def runner(number: int) -> None:
        await start.wait()
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(runner(number))
        await asyncio.sleep(0)
        start.set()
    print("all started:", sorted(order))


if __name__ == "__main__":
    mainspring.run(main())
