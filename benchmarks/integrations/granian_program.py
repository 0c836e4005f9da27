"""Granian as a program: ``python -m mainspring.benchmarks.integrations.granian_program LOOP PORT``."""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop

from granian import Granian, loops
from granian.constants import Interfaces
from mainspring.benchmarks.integrations.loop_path import factory_at


@loops.register("auto")
def new_loop() -> AbstractEventLoop:
    return factory_at(sys.argv[1])()


if __name__ == "__main__":
    Granian(
        "mainspring.benchmarks.integrations.asgi:application",
        interface=Interfaces.ASGI,
        address="127.0.0.1",
        port=int(sys.argv[2]),
        workers=1,
    ).serve()
