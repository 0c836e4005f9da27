"""The catalogue: every workload, in the order of the table."""

from __future__ import annotations

from mainspring.benchmarks.workload import Workload
from mainspring.benchmarks.workloads import (
    aiohttp_client,
    aiohttp_server,
    asgi_server,
    asyncpg_client,
    batched_call_soon,
    chained_call_soon,
    echo_protocol,
    echo_sockets,
    echo_streams,
    echo_tls,
    executor,
    fastapi_server,
    future_wakeup,
    idle_memory,
    redis_client,
    sleep_zero,
    tasks,
    threadsafe,
    timeout,
    timers_cancelled,
    timers_fired,
    websockets_server,
)

CATALOGUE: dict[str, Workload] = {
    workload.name: workload
    for module in (
        chained_call_soon,
        batched_call_soon,
        sleep_zero,
        future_wakeup,
        tasks,
        timers_cancelled,
        timers_fired,
        timeout,
        threadsafe,
        executor,
        echo_protocol,
        echo_streams,
        echo_sockets,
        echo_tls,
        aiohttp_server,
        asgi_server,
        fastapi_server,
        websockets_server,
        asyncpg_client,
        redis_client,
        aiohttp_client,
        idle_memory,
    )
    for workload in module.WORKLOADS
}
