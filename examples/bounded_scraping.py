"""Many requests, never more than a few at a time: ``asyncio.Semaphore``, with aiohttp as server and client."""

import asyncio

import aiohttp
import mainspring
from aiohttp import web

PAGES = 40
AT_A_TIME = 5


class Site:
    """A local server that remembers how many requests it ever had at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def page(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return web.Response(text=f"page {request.match_info['number']}")


async def scrape(address: str) -> list[str]:
    permits = asyncio.Semaphore(AT_A_TIME)

    async with aiohttp.ClientSession(address) as session:

        async def fetch(number: int) -> str:
            async with permits, session.get(f"/{number}") as response:
                response.raise_for_status()
                return await response.text()

        return await asyncio.gather(*(fetch(number) for number in range(PAGES)))


async def main() -> None:
    site = Site()
    application = web.Application()
    application.router.add_get("/{number}", site.page)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        texts = await scrape(f"http://{host}:{port}")
    finally:
        await runner.cleanup()
    print(f"{len(texts)} pages, from {texts[0]!r} to {texts[-1]!r}")
    print(f"at most {site.most} at a time")


if __name__ == "__main__":
    mainspring.run(main())
