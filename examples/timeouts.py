"""No wait without an end: ``asyncio.timeout``, a deadline for several steps, and one that is moved.

The code under the time-out is cancelled and may clean up; outside, the cancellation is a TimeoutError.
"""

import asyncio

import mainspring


async def step(name: str, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
        print(f"{name}: done")
    except asyncio.CancelledError:
        print(f"{name}: gives up")
        raise


async def main() -> None:
    try:
        async with asyncio.timeout(0.05):
            await step("first", 0.001)
            await step("second", 60)
    except TimeoutError:
        print("too slow")

    async with asyncio.timeout(60) as deadline:
        await step("handshake", 0.001)
        # It has begun to answer, so it may take its time.
        deadline.reschedule(None)
        await step("answer", 0.001)

    try:
        await asyncio.wait_for(step("single", 60), timeout=0.01)
    except TimeoutError:
        print("too slow again")


if __name__ == "__main__":
    mainspring.run(main())
