"""Many small tasks of Dask distributed: scheduler, worker and client on one loop, with TCP between them."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.integrations.no_service import no_service
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service_client import Request, ServiceClientWorkload

TASKS = 50


def successor(number: int) -> int:
    return number + 1


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Request]:
    distributed, settings = required("distributed", "distributed"), required("dask.config", "distributed")
    with tempfile.TemporaryDirectory() as folder, settings.set({"temporary-directory": folder}):
        async with (
            distributed.LocalCluster(
                n_workers=1,
                threads_per_worker=1,
                processes=False,
                # Within a process it would not use the network.
                protocol="tcp://",
                host="127.0.0.1",
                dashboard_address=None,
                asynchronous=True,
            ) as cluster,
            distributed.Client(cluster, asynchronous=True) as client,
        ):

            async def compute() -> None:
                # Impure, so that it is computed each time.
                futures = client.map(successor, range(TASKS), pure=False)
                if await client.gather(futures) != list(range(1, TASKS + 1)):
                    raise RuntimeError("the worker gave other results")

            yield compute


WORKLOAD = ServiceClientWorkload(
    "Dask distributed, 50 small tasks at once", no_service, connect, 1, batch=TASKS, threads=True
)
