"""A Redis for the workloads that are its clients."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.service import accepts, folder_of, free_port, running, unprivileged_user


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
