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

from mainspring.benchmarks.requirement import MissingRequirementError

PATIENCE = 20

Service = Callable[[int | None], AbstractContextManager[int]]
"""Runs on the given processor while entered, and gives its TCP port on 127.0.0.1."""


class ServiceError(Exception):
    """A server did not start."""


@contextmanager
def redis(processor: int | None) -> Iterator[int]:
    """A Redis server that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise MissingRequirementError("needs redis-server (Debian: apt install redis-server)")
    user, port = unprivileged_user("redis"), free_port()
    words = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with folder_of(user) as folder, running([*words, "--dir", folder], user, processor, lambda: accepts(port)):
        yield port


@contextmanager
def postgresql(processor: int | None) -> Iterator[int]:
    """A PostgreSQL server with a new, empty cluster; anybody on this machine is its user ``bench``."""
    programs = postgresql_programs()
    user, port = unprivileged_user("postgres"), free_port()
    with folder_of(user) as folder:
        cluster = str(Path(folder, "cluster"))
        options = ["--username=bench", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"]
        made = subprocess.run(
            [str(programs / "initdb"), *options, cluster],
            user=user,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise ServiceError(f"initdb failed: {made.stderr.strip()}")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
        }
        words = [str(programs / "postgres"), "-D", cluster]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]

        def ready() -> bool:
            asked = [str(programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
            return subprocess.run(asked, check=False).returncode == 0

        # An immediate shutdown: what it leaves on disk is thrown away.
        with running(words, user, processor, ready, signal.SIGQUIT):
            yield port


def postgresql_programs() -> Path:
    """The folder of the server's programs, which Debian keeps out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        raise MissingRequirementError("needs PostgreSQL (Debian: apt install postgresql)")
    return Path(initdb).resolve().parent


def unprivileged_user(preferred: str) -> str | None:
    """Whom to run a server as: PostgreSQL refuses to run as root. None: as whoever runs the benchmark."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise MissingRequirementError(f"needs a user {preferred!r} or 'nobody', or to be run by a user that is not root")


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
            words, user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
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
