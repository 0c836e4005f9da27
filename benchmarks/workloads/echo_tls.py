"""TLS echo by an ``asyncio.Protocol`` and by streams."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_protocol import EchoProtocol
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, KIB
from mainspring.benchmarks.workloads.echo_streams import echo

OPENSSL = "libssl.so.3"

SIZES = [("1 KiB x 10", KIB, 10), ("100 KiB x 10", 100 * KIB, 10)]


@cache
def server_context() -> ssl.SSLContext:
    """A context with a certificate that the openssl command signs by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(["openssl", "req", "-x509", *kind, *names], check=True, capture_output=True)
        context.load_cert_chain(certificate, key)
    return context


@asynccontextmanager
async def serve_protocol() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(
        EchoProtocol, "127.0.0.1", 0, backlog=BACKLOG, ssl=server_context()
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serve_streams() -> AsyncIterator[int]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=BACKLOG, ssl=server_context())
    async with server:
        yield server.sockets[0].getsockname()[1]


WORKLOADS = [
    ServerWorkload(f"TLS echo, {kind}, {label}", serve, "echo", connections, size, tls=OPENSSL)
    for kind, serve in (("protocol", serve_protocol), ("streams", serve_streams))
    for label, size, connections in SIZES
]
