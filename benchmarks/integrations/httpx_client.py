"""httpx, twenty requests at once to a server on the other processor."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service_client import Request, ServiceClientWorkload

# As many connections as a client keeps unless told otherwise.
AT_ONCE = 20


@contextmanager
def answering(processor: int | None) -> Iterator[int]:
    """The server of the aiohttp client's workload, without its delay."""
    words = ["-m", "mainspring.benchmarks.slow_server", str(-1 if processor is None else processor), "0"]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Request]:
    httpx = required("httpx", "httpx")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

        async def get() -> None:
            for answer in await asyncio.gather(*(client.get("/") for _ in range(AT_ONCE))):
                if answer.content != b"done":
                    raise RuntimeError("the server sent another answer")

        yield get


WORKLOAD = ServiceClientWorkload("httpx, 20 requests at once", answering, connect, 1, batch=AT_ONCE)
