"""Running somebody else's program on this loop."""

from __future__ import annotations

import asyncio
import functools
import os
import runpy
import sys
from typing import Any

from mainspring._policy import install
from mainspring._runner import run


def run_program(target: str, arguments: list[str], *, module: bool, shutdown_timeout: float | None = None) -> None:
    """Run a script, or with ``module`` a module, as ``python`` would, with mainspring as asyncio's own loop.

    ``sys.argv`` and ``sys.path[0]`` are what the program expects. What it raises, SystemExit included, comes through.
    With ``shutdown_timeout`` (seconds), the program's ``asyncio.run`` is :func:`mainspring.run` with that time.
    """
    install()
    if shutdown_timeout is not None:
        stand_in: Any = functools.partial(run, shutdown_timeout=shutdown_timeout)
        asyncio.run = asyncio.runners.run = stand_in
    sys.argv = [target, *arguments]
    if module:
        sys.path[0] = os.getcwd()
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(target))
        runpy.run_path(target, run_name="__main__")
