"""What each workload should reach, and the kind it belongs to: the rows of the table that ``--full`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase


class Kind(Enum):
    """What a workload is about; tables and pictures show the kinds in this order."""

    CALLBACKS = "Callbacks, tasks and timers"
    THREADS = "Threads and processes"
    NETWORK = "Network"
    TLS = "TLS"
    SERVICES = "Services"
    MEMORY = "Memory"
    LATENCY = "Latency"
    OTHER = "Other"


@dataclass(frozen=True)
class Target:
    """The speeds to reach, as ratios; ``most`` is in the workload's own unit and needs nothing to compare with."""

    pattern: str
    """Which workloads, as a shell pattern of their names in lower case."""
    kind: Kind
    peer: float | None = None
    limit: float | None = None
    default: float | None = None
    most: float | None = None


# The first pattern that matches counts.
TARGETS = (
    Target("*queue*", Kind.CALLBACKS, peer=1.0),
    Target("call_soon_threadsafe*", Kind.THREADS, peer=1.3),
    Target("call_soon*", Kind.CALLBACKS, peer=1.15),
    Target("sleep(0)*", Kind.CALLBACKS, peer=1.15),
    Target("future*", Kind.CALLBACKS, peer=1.15),
    Target("create_task*", Kind.CALLBACKS, peer=1.15),
    Target("gather*", Kind.CALLBACKS, peer=1.15),
    Target("asyncio.timeout*", Kind.CALLBACKS, peer=1.15),
    Target("timer set and cancelled*", Kind.CALLBACKS, peer=1.5),
    Target("timers fired*", Kind.CALLBACKS, peer=1.5),
    Target("run_in_executor*", Kind.THREADS, peer=2.0),
    Target("to_thread*", Kind.THREADS, peer=2.0),
    Target("subprocess*", Kind.THREADS, peer=1.0),
    Target("getaddrinfo*", Kind.THREADS, peer=1.0),
    Target("memory*connection*", Kind.MEMORY, most=1.2 * 1024),
    Target("memory*task*", Kind.MEMORY, default=1.0),
    Target("memory*timer*", Kind.MEMORY, most=1.0),
    Target("latency*", Kind.LATENCY, peer=1.0),
    Target("tls*accepted*", Kind.TLS, peer=1.1),
    Target("tcp*accepted*", Kind.NETWORK, peer=1.1),
    Target("tls echo, streams*", Kind.TLS, peer=1.2),
    Target("tls echo*", Kind.TLS, peer=1.0, limit=0.95),
    Target("tcp echo, protocol, 1 kib*", Kind.NETWORK, peer=1.0, limit=0.97),
    Target("tcp echo, protocol*", Kind.NETWORK, peer=1.0, limit=0.95),
    Target("tcp echo, buffered*", Kind.NETWORK, peer=1.0, limit=0.95),
    Target("tcp echo, streams, 100 kib*", Kind.NETWORK, peer=1.5),
    Target("tcp echo, readexactly, 100 kib*", Kind.NETWORK, peer=1.5),
    Target("tcp echo*", Kind.NETWORK, peer=1.3),
    Target("udp echo*", Kind.NETWORK, peer=1.1),
    Target("unix echo*", Kind.NETWORK, peer=1.1, limit=0.95),
    Target("pipe*", Kind.NETWORK, peer=1.1),
    Target("*aiohttp*", Kind.SERVICES, peer=1.1),
    Target("*uvicorn*", Kind.SERVICES, peer=1.1),
    Target("websockets*", Kind.SERVICES, peer=1.1),
    Target("asyncpg*", Kind.SERVICES, peer=1.1),
    Target("redis*", Kind.SERVICES, peer=1.1),
)

WITHOUT_TARGET = Target("*", Kind.OTHER, peer=1.0)


def target_of(workload: str) -> Target:
    name = workload.lower()
    return next((target for target in TARGETS if fnmatchcase(name, target.pattern)), WITHOUT_TARGET)
