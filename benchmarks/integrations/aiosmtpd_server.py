"""Messages taken by aiosmtpd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.integrations.counting import CountingServerWorkload
from mainspring.benchmarks.requirement import required

TEXT = b"Subject: hello\r\n\r\n" + b"Good morning, and good night.\r\n" * 32


@asynccontextmanager
async def serve(count: Callable[[], None]) -> AsyncIterator[int]:
    smtp = required("aiosmtpd.smtp", "aiosmtpd")

    class Inbox:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            if envelope.content != TEXT:
                return "554 Other bytes came"
            count()
            return "250 Taken"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: smtp.SMTP(Inbox(), hostname="localhost"), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


WORKLOAD = CountingServerWorkload(
    "aiosmtpd, messages of 1 KiB, 10 connections", serve, "mainspring.benchmarks.integrations.smtp_clients"
)
