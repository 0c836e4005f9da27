"""The other side of the client workload: a server on the default loop that answers HTTP after 200 ms.

``python -m mainspring.benchmarks.slow_server PROCESSOR [DELAY]``; it prints its port.
"""

from __future__ import annotations

import asyncio
import os
import sys

DELAY = 0.2
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"


class SlowAnswer(asyncio.Protocol):
    """Takes whatever comes up to an empty line as one request."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, ANSWER)


async def serve(delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: SlowAnswer(delay), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if int(sys.argv[1]) >= 0:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    asyncio.run(serve(float(sys.argv[2]) if len(sys.argv) > 2 else DELAY))
