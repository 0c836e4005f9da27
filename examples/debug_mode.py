"""What debug mode tells: callbacks that block the loop, and calls from the wrong thread.

``mainspring.run(main(), debug=True)``, or ``PYTHONASYNCIODEBUG=1`` for a program that cannot be changed.
"""

import asyncio
import logging
import threading
import time

import mainspring


class Told(logging.Handler):
    """Keeps what asyncio logs."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


async def blocks() -> None:
    time.sleep(0.02)


async def main() -> None:
    loop = asyncio.get_running_loop()
    told = Told()
    logging.getLogger("asyncio").addHandler(told)

    loop.slow_callback_duration = 0.01
    await asyncio.create_task(blocks(), name="the slow one")
    slow = [message for message in told.messages if "the slow one" in message]
    print("named:", slow[0].startswith("Executing <Task"), "with its time:", " took 0." in slow[0])

    def wrong() -> None:
        try:
            loop.call_soon(print)
        except RuntimeError as error:
            print("from another thread:", error)

    thread = threading.Thread(target=wrong)
    thread.start()
    await asyncio.to_thread(thread.join)


if __name__ == "__main__":
    logging.getLogger("asyncio").propagate = False
    mainspring.run(main(), debug=True)
