"""Programs in processes of their own."""

import os
import subprocess
import sys
import textwrap


def _command(code, arguments, options):
    return [sys.executable, *options, "-c", textwrap.dedent(code), *map(str, arguments)]


def clean_environment(extra=()):
    """This process's variables and further ones, without what the test run itself was configured with."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONASYNCIO"))}
    return {**clean, **dict(extra)}


def run_program(code, *arguments, options=(), timeout=60, env=(), **keywords):
    """Run Python code to its end, with further keywords of Popen; a CompletedProcess with text."""
    return subprocess.run(
        _command(code, arguments, options),
        text=True,
        timeout=timeout,
        env=clean_environment(env),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords},
    )


def start_program(code, *arguments, options=(), env=(), before=(), **keywords):
    """Start Python code, through the command `before` if there is one; a Popen with text pipes."""
    return subprocess.Popen(
        [*before, *_command(code, arguments, options)],
        text=True,
        env=clean_environment(env),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords},
    )
