"""Connections accepted: each one is opened, carries one small message to and fro, and is closed."""

from __future__ import annotations

from mainspring.benchmarks.certificate import OPENSSL
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads import echo_protocol, echo_streams, echo_tls

CONNECTIONS = 10
SIZE = 64

WORKLOADS = [
    ServerWorkload(
        "TCP connections accepted, protocol", echo_protocol.serve, "accept", CONNECTIONS, SIZE, limit=LimitServer()
    ),
    ServerWorkload(
        "TCP connections accepted, streams",
        echo_streams.serving(echo_streams.echo),
        "accept",
        CONNECTIONS,
        SIZE,
        quick=False,
        limit=LimitServer(),
    ),
    ServerWorkload(
        "TLS connections accepted, protocol",
        echo_tls.serve_protocol,
        "accept",
        CONNECTIONS,
        SIZE,
        quick=False,
        tls=OPENSSL,
        limit=LimitServer(tls=True),
    ),
]
