"""A PostgreSQL for the workloads that are its clients."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.service import ServiceError, folder_of, free_port, identity, running, unprivileged_user


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
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **identity(user),
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
