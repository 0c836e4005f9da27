"""Clients that run one command after the other until they are killed: ``ssh_clients PORT PROCESSOR``.

They are on the default loop, whichever the server runs on.
"""

from __future__ import annotations

import asyncio
import os
import sys

import asyncssh

CLIENTS = 10


async def run_commands(port: int) -> None:
    async with asyncssh.connect("127.0.0.1", port, username="bench", known_hosts=None, config=None) as connection:
        while True:
            done = await connection.run("hello")
            if done.stdout != "hello":
                raise RuntimeError("the server gave another answer")


async def main(port: int) -> None:
    await asyncio.gather(*(run_commands(port) for _ in range(CLIENTS)))


if __name__ == "__main__":
    if int(sys.argv[2]) >= 0:
        os.sched_setaffinity(0, {int(sys.argv[2])})
    asyncio.run(main(int(sys.argv[1])))
