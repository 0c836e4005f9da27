"""Files opened and read by aiofiles, ten at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.integrations.no_service import no_service
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service_client import Request, ServiceClientWorkload

SIZE = 4096


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Request]:
    aiofiles = required("aiofiles", "aiofiles")
    content = os.urandom(SIZE)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()

        async def read() -> None:
            async with aiofiles.open(file.name, "rb") as opened:
                if await opened.read() != content:
                    raise RuntimeError("the file has other bytes")

        yield read


WORKLOAD = ServiceClientWorkload("aiofiles, 4 KiB read, 10 at once", no_service, connect, 10, threads=True)
