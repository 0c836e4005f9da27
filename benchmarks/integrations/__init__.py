"""The integrations that serve or fetch something: the workloads of ``python -m mainspring.benchmarks.integrations``.

They are no part of ``mainspring bench``. Each is known by the name of its package.
"""

from __future__ import annotations

from mainspring.benchmarks.integrations import (
    aiofiles_reads,
    aiosmtpd_server,
    asyncssh_server,
    distributed_tasks,
    granian_server,
    gunicorn_server,
    httpx_client,
    hypercorn_server,
    picows_server,
    psycopg_client,
    sanic_server,
    tornado_server,
)
from mainspring.benchmarks.workload import Workload

INTEGRATIONS: dict[str, Workload] = {
    "hypercorn": hypercorn_server.WORKLOAD,
    "granian": granian_server.WORKLOAD,
    "gunicorn": gunicorn_server.WORKLOAD,
    "sanic": sanic_server.WORKLOAD,
    "tornado": tornado_server.WORKLOAD,
    "httpx": httpx_client.WORKLOAD,
    "psycopg": psycopg_client.WORKLOAD,
    "picows": picows_server.WORKLOAD,
    "aiosmtpd": aiosmtpd_server.WORKLOAD,
    "asyncssh": asyncssh_server.WORKLOAD,
    "aiofiles": aiofiles_reads.WORKLOAD,
    "distributed": distributed_tasks.WORKLOAD,
}

INTEGRATION_WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in INTEGRATIONS.values()}
