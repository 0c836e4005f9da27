"""The ASGI application of the servers: it only answers, and at ``/loop`` tells which loop it runs on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mainspring.benchmarks.integrations.serving_loop import LOOP_PATH, serving_loop

BODY = b'{"hello":"world"}'

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    body = serving_loop().encode() if scope["path"] == LOOP_PATH else BODY
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})
