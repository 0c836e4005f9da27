"""A thousand calls at once: 100 of 200 ms take 0.2 seconds and not 20, and none of them costs a thread.

The server, in a process of its own, tells how many calls it had at the same time. docs/performance.md has the thousand
as a row, on each loop.
"""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import mainspring
from aiohttp import web

LATENCY = 0.2


async def serve() -> None:
    """Answer each call 200 ms after it came, and the calls are counted that came meanwhile."""
    waiting = most = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(LATENCY)
        waiting -= 1
        return web.Response(text=str(most))

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        # The pipe ends when the parent closes it, or dies.
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await runner.cleanup()


async def call(session: aiohttp.ClientSession) -> int:
    async with session.get("/") as response:
        return int(await response.text())


def memory(name: str) -> float:
    """What Linux says of this process, in MB: ``VmRSS`` is what it has in memory now, ``VmHWM`` the most it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


async def main() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "serve", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        port = int(await server.stdout.readline())
        # By default aiohttp opens at most 100 connections, and the other calls wait for one.
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:
            await call(session)
            before = memory("VmRSS")
            for count in (100, 1000):
                began = time.perf_counter()
                counts = await asyncio.gather(*(call(session) for _ in range(count)))
                seconds = time.perf_counter() - began
                print(f"{count} calls, {max(counts)} at the same time: {seconds:.2f} seconds")
            print(f"memory: {memory('VmHWM') - before:.1f} MB more")
    finally:
        server.stdin.close()
        await server.wait()


if __name__ == "__main__":
    mainspring.run(serve() if sys.argv[1:] == ["serve"] else main())
