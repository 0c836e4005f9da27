"""Logs for machines, with ``structlog``: each line is JSON, and each task's own context is in all its lines.

Context variables belong to the task, so what ``handle`` binds is in the lines of the functions that it calls, and in no
other request's. What asyncio, mainspring's watchdog and libraries log through ``logging`` is written the same way.
"""

import asyncio
import logging
import sys

import mainspring
import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

log = structlog.get_logger()


def configure_logging() -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Local variables hold passwords and customers' data, which have no place in a log.
        ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


async def look_up(item: int) -> float:
    await asyncio.sleep(0.01)
    log.info("looked up", item=item)
    return 100 / item


async def handle(request: int, item: int) -> None:
    structlog.contextvars.bind_contextvars(request=request)
    try:
        price = await look_up(item)
    except ZeroDivisionError:
        log.exception("request failed")
    else:
        log.info("request done", price=price)


async def main() -> None:
    async with asyncio.TaskGroup() as requests:
        for number, item in enumerate((4, 0, 5), 1):
            requests.create_task(handle(number, item))
    # What nobody has caught goes to the loop's exception handler, and from there to the logger "asyncio".
    asyncio.get_running_loop().call_soon(int, "not a number")
    await asyncio.sleep(0)
    await asyncio.sleep(0)


if __name__ == "__main__":
    configure_logging()
    mainspring.run(main())
