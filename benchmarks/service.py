"""Database servers that workloads are clients of: started for one measurement, in a folder that is thrown away."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from mainspring.benchmarks.requirement import MissingRequirementError

PATIENCE = 20

Service = Callable[[int | None], AbstractContextManager[int]]
"""Runs on the given processor while entered, and gives its TCP port on 127.0.0.1."""


class ServiceError(Exception):
    """A server did not start."""


def unprivileged_user(preferred: str) -> str | None:
    """Whom to run a server as: PostgreSQL refuses to run as root. None: as whoever runs the benchmark."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise MissingRequirementError(f"needs a user {preferred!r} or 'nobody', or to be run by a user that is not root")


def identity(user: str | None) -> dict[str, Any]:
    """How ``subprocess`` is told to run a program as this user, in no other group than theirs."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


@contextmanager
def folder_of(user: str | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
        if user is not None:
            shutil.chown(folder, user)
        yield folder


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def running(
    words: Sequence[str],
    user: str | None,
    processor: int | None,
    ready: Callable[[], bool],
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run a server in the foreground, from when it is ``ready``."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            words, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **identity(user)
        )
        try:
            if processor is not None:
                os.sched_setaffinity(process.pid, {processor})
            deadline = time.monotonic() + PATIENCE
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    last = (log.read().strip().splitlines() or ["without a word"])[-1]
                    raise ServiceError(f"{Path(words[0]).name} did not start: {last}")
                time.sleep(0.02)
            yield
        finally:
            process.send_signal(stop)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
