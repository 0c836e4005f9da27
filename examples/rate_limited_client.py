"""No more than so many calls in so much time: a token bucket in front of an HTTP client (``httpx``).

The bucket holds a few tokens for a burst and is filled at the permitted rate; each call takes one.
"""

import asyncio

import httpx
import mainspring
from aiohttp import web

BURST = 5
PER_SECOND = 100.0


class TokenBucket:
    """``async with bucket:`` waits for a token. Waiting calls go in the order in which they came."""

    def __init__(self, size: int, per_second: float) -> None:
        self._tokens = float(size)
        self._size = size
        self._rate = per_second
        self._lock = asyncio.Lock()
        self._filled = asyncio.get_running_loop().time()

    async def __aenter__(self) -> None:
        async with self._lock:
            self._fill()
            while self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self._rate)
                self._fill()
            self._tokens -= 1

    async def __aexit__(self, *error: object) -> None:
        pass

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        self._tokens = min(self._size, self._tokens + (now - self._filled) * self._rate)
        self._filled = now


async def main() -> None:
    times: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        times.append(asyncio.get_running_loop().time())
        return web.Response(text="fine")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        bucket = TokenBucket(BURST, PER_SECOND)
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:

            async def call() -> int:
                async with bucket:
                    began.append(asyncio.get_running_loop().time())
                return (await client.get("/")).status_code

            began: list[float] = []
            codes = await asyncio.gather(*(call() for _ in range(25)))
    finally:
        await runner.cleanup()
    # Of the calls in any stretch of time, all but the burst needed a token that was made in it.
    fair = all(
        last - first + 1 <= BURST + (began[last] - began[first]) * PER_SECOND + 1
        for first in range(len(began))
        for last in range(first, len(began))
    )
    print(f"{codes.count(200)} answers, {len(times)} requests")
    print("within the limit:", fair)


if __name__ == "__main__":
    mainspring.run(main())
