"""Health checks of a service, with aiohttp: alive while the loop answers, ready while what it needs does.

Kubernetes restarts what is not alive, and sends no requests to what is not ready.
"""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import mainspring
from aiohttp import web

Check = Callable[[], Awaitable[None]]


async def outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(0.5):
            await check()
    except Exception as error:
        return f"failed: {type(error).__name__}"
    return "fine"


def add_health(application: web.Application, checks: dict[str, Check]) -> None:
    async def alive(request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(request: web.Request) -> web.Response:
        outcomes = await asyncio.gather(*map(outcome, checks.values()))
        status = 200 if set(outcomes) <= {"fine"} else 503
        return web.json_response(dict(zip(checks, outcomes, strict=True)), status=status)

    application.router.add_get("/alive", alive)
    application.router.add_get("/ready", ready)


async def main() -> None:
    database_is_up = True

    async def database() -> None:
        if not database_is_up:
            raise ConnectionError("no answer")

    async def cache() -> None:
        await asyncio.sleep(0)

    application = web.Application()
    add_health(application, {"database": database, "cache": cache})
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            for up in (True, False):
                database_is_up = up
                for path in ("/alive", "/ready"):
                    async with session.get(path) as response:
                        print(path, response.status, await response.json())
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    mainspring.run(main())
