"""The catalogue: every workload, in the order of the table."""

from __future__ import annotations

from mainspring.benchmarks.workload import Workload
from mainspring.benchmarks.workloads import (
    aiohttp_client,
    aiohttp_server,
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
    sleep_zero,
    tasks,
    threadsafe,
    timeout,
    timers_cancelled,
    timers_fired,
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
        fastapi_server,
        aiohttp_client,
        idle_memory,
    )
    for workload in module.WORKLOADS
}
