"""Running somebody else's program on this loop."""

from __future__ import annotations

import os
import runpy
import sys

from mainspring._policy import install


def run_program(target: str, arguments: list[str], *, module: bool) -> None:
    """Run a script, or with ``module`` a module, as ``python`` would, with mainspring as asyncio's own loop.

    ``sys.argv`` and ``sys.path[0]`` are what the program expects. What it raises, SystemExit included, comes through.
    """
    install()
    sys.argv = [target, *arguments]
    if module:
        sys.path[0] = os.getcwd()
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(target))
        runpy.run_path(target, run_name="__main__")
