"""Sub-interpreters, for programs in processes of their own (see run_program)."""

import functools

from helpers.programs import run_program

INTERPRETERS = """
import sys, threading
if sys.version_info >= (3, 13):
    import _interpreters

    def make(own_gil):
        return _interpreters.create("isolated" if own_gil else "legacy")

    def run(interpreter, code):
        failed = _interpreters.exec(interpreter, code)
        if failed:
            raise RuntimeError(failed.errdisplay)

    destroy = _interpreters.destroy
else:
    import _xxsubinterpreters

    def make(own_gil):
        return _xxsubinterpreters.create(isolated=own_gil)

    run = _xxsubinterpreters.run_string
    destroy = _xxsubinterpreters.destroy
"""
"""Code that defines make(own_gil), run(interpreter, code) and destroy(interpreter); "isolated", as Python calls it,
means with a GIL of its own."""


@functools.cache
def own_gil_is_bearable():
    """Whether this Python survives an interpreter with a GIL of its own that has imported asyncio; 3.12.1 does not."""
    done = run_program(
        INTERPRETERS + "interpreter = make(True); run(interpreter, 'import asyncio'); destroy(interpreter)"
    )
    return done.returncode == 0
