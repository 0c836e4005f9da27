"""``python -m service``: uvicorn on mainspring, with a bounded end."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator

import mainspring
import uvicorn

from service.app import create_app
from service.settings import Settings

STARTUP_FAILURE = 3
"""What uvicorn's own command ends with, then."""

CLOSING_TIME = 1
"""Seconds for the pools to be closed, after the last request."""


class Server(uvicorn.Server):
    """uvicorn without handlers of its own for signals: they are ``mainspring.run``'s, whose end is bounded."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        create_app(),
        host=settings.host,
        port=settings.port,
        # A line for each request takes about as long as its answer. /metrics counts them.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(), name="uvicorn")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    # uvicorn cancels what has not ended by then. This cuts what is left after that: a pool that waits for the database,
    # a thread that hangs.
    mainspring.run(main(settings), shutdown_timeout=settings.shutdown_timeout + CLOSING_TIME)
