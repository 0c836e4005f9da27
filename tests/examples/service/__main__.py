"""The load on examples/service: ``python tests/examples/service [--rounds N] [--seconds S] [--loops a,b]``.

Reads of one item that is in Redis, on 50 connections; the loops in turn. With one process the server has the first
processor, and the load generator and Redis have the second; with two, all share all.
"""

import argparse
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from helpers.service import EXAMPLES, Database, Service, serving
from mainspring.benchmarks.generator import run_generator
from mainspring.benchmarks.pinning import allowed_processors
from mainspring.benchmarks.postgresql_server import postgresql
from mainspring.benchmarks.redis_server import redis

HERE = Path(__file__).parent
LOOPS = {"asyncio": "asyncio", "mainspring": "mainspring:new_event_loop", "uvloop": "uvloop"}
SERVICE = "uvicorn --factory service.app:create_app"
SCENARIOS = {
    "bare uvicorn, 1 process": ("uvicorn bare:app", HERE, 1),
    "a read, 1 process": (SERVICE, EXAMPLES, 1),
    "a read, 2 processes": (SERVICE, EXAMPLES, 2),
}
CONNECTIONS = 50


def processor_seconds(process):
    """What the service's processes have used."""
    parent = psutil.Process(process.pid)
    times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def measure(command, folder, workers, environment, seconds):
    """Requests a second by the clock and by the servers' processor time, and the latencies in ms."""
    first, *others = allowed_processors()
    command = f"{command} --port 0 --no-access-log --timeout-graceful-shutdown 10"
    with serving(f"{command} --workers {workers}" if workers > 1 else command, environment, folder) as process:
        service = Service(process)
        pinned = workers == 1 and others
        if pinned:
            os.sched_setaffinity(process.pid, {first})
        for _ in range(workers if workers > 1 else 0):
            service.expect("Application startup complete")
        port = int(service.address.rpartition(":")[2])
        options = {"connections": CONNECTIONS, "path": "/items/1", "cpu": others[0] if pinned else None, "watch": False}
        run_generator("http", port, duration=1, **options)
        before = processor_seconds(process)
        figures = run_generator("http", port, duration=seconds, warmup=0, **options)
        used = processor_seconds(process) - before
        service.end()
    return (
        figures["requests_per_second"],
        figures["requests"] / used,
        figures["p50_us"] / 1000,
        figures["p99_us"] / 1000,
    )


def main():
    """Measure; a line for each scenario and loop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--loops", default=",".join(LOOPS))
    options = parser.parse_args()
    results = defaultdict(list)
    elsewhere = allowed_processors()[-1]
    with postgresql(elsewhere) as postgresql_port, redis(elsewhere) as redis_port:
        environment = {
            "SERVICE_DATABASE": Database(postgresql_port, "shop").dsn,
            "SERVICE_CACHE": f"redis://127.0.0.1:{redis_port}",
        }
        for _ in range(options.rounds):
            for name, (command, folder, workers) in SCENARIOS.items():
                for loop in options.loops.split(","):
                    with_loop = f"{command} --loop {LOOPS[loop]}"
                    results[name, loop].append(measure(with_loop, folder, workers, environment, options.seconds))
    print(f"{'medians (best)':24} {'loop':10} {'req/s':>18} {'per CPU second':>18} {'p50 ms':>8} {'p99 ms':>8}")
    for (name, loop), rounds in results.items():
        wall, processor, *latencies = zip(*rounds, strict=True)
        rates = (f"{statistics.median(each):8,.0f} ({max(each):7,.0f})" for each in (wall, processor))
        print(f"{name:24} {loop:10}", *rates, *(f"{statistics.median(each):8.2f}" for each in latencies))


if __name__ == "__main__":
    main()
