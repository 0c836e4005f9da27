"""Alive while the loop answers, ready while the database does.

Kubernetes restarts what is not alive, and sends no requests to what is not ready. Without the cache the service is
slower and ready all the same, so that the end of a Redis is not everything's.
"""

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response

TIMEOUT = 1

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/alive")
async def alive() -> dict[str, bool]:
    """No more than an answer."""
    return {"alive": True}


@router.get("/ready")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Whether requests can be answered, and by what if not."""
    state = request.app.state
    database, cache = await asyncio.gather(_outcome(state.database.fetchval("SELECT 1")), _outcome(state.cache.ping()))
    if database != "fine":
        response.status_code = 503
    return {"database": database, "cache": cache}


async def _outcome(check: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(TIMEOUT):
            await check
    except Exception as error:
        return f"failed: {type(error).__name__}"
    return "fine"
