"""``python -m service``: uvicorn on mainspring, with a bounded end."""

import logging
import sys

import mainspring
import uvicorn

from service.app import create_app
from service.settings import Settings

STARTUP_FAILURE = 3
"""What uvicorn's own command ends with, then."""


async def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        create_app(),
        host=settings.host,
        port=settings.port,
        # Each line costs about as much as the answer; /metrics counts requests, and the balancer in front logs them.
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_timeout,
        log_config=None,
    )
    server = uvicorn.Server(config)
    await server.serve()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    # uvicorn ends requests and connections; this ends what is left, be it a task or a thread that hangs.
    mainspring.run(main(settings), shutdown_timeout=settings.shutdown_timeout)
