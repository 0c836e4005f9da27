"""Commands that clients run on an SSH server of asyncssh."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.integrations.counting import CountingServerWorkload
from mainspring.benchmarks.requirement import required


@asynccontextmanager
async def serve(count: Callable[[], None]) -> AsyncIterator[int]:
    asyncssh = required("asyncssh", "asyncssh")

    class Open(asyncssh.SSHServer):  # type: ignore[name-defined, misc]
        def begin_auth(self, username: str) -> bool:
            return False

    def run(process: Any) -> None:
        process.stdout.write(process.command)
        process.exit(0)
        count()

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Open, server_host_keys=[key], process_factory=run, config=None
    )
    async with server:
        yield server.get_port()


WORKLOAD = CountingServerWorkload(
    "asyncssh, commands, 10 connections", serve, "mainspring.benchmarks.integrations.ssh_clients"
)
