"""Programs in processes of their own."""

import contextlib
import os
import signal
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


class Program(subprocess.Popen):
    """A process that is killed when the test in whose ``with`` block it runs fails; Popen would wait for its end."""

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, traceback)


def start_program(code, *arguments, options=(), env=(), before=(), **keywords):
    """Start Python code, through the command `before` if there is one; a Program with text pipes."""
    return Program(
        [*before, *_command(code, arguments, options)],
        text=True,
        env=clean_environment(env),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords},
    )


@contextlib.contextmanager
def started(words, *, env=(), **keywords):
    """A command with text pipes, in a group of processes, all of which are killed at the end; keywords are Popen's."""
    process = subprocess.Popen(words, text=True, env=clean_environment(env), start_new_session=True, **keywords)
    try:
        yield process
    finally:
        # The group can outlive the process: workers, say.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
