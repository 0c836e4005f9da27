"""The workloads that are a server under load: the server in this process, the load generator in another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from mainspring.benchmarks.generator import Address, run_generator
from mainspring.benchmarks.limit import NAME as LIMIT_NAME
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.pinning import allowed_processors, pin_to
from mainspring.benchmarks.undisturbed import requests_per_processor_second
from mainspring.benchmarks.workload import REQUESTS, LoopCheck, Measurement, Unit, Windows

StartServer = Callable[[], AbstractAsyncContextManager[Address]]
"""Serves while entered and gives the address."""


@dataclass(frozen=True)
class ServerWorkload:
    """Puts a server under load and judges by requests per second of processor time that the server used."""

    name: str
    start: StartServer
    mode: str
    connections: int
    size: int = 1024
    quick: bool = True
    tls: str | None = None
    """OpenSSL's library for the load generator, for servers that speak TLS."""
    unit: Unit = REQUESTS
    network: bool = True
    limit: LimitServer | None = None
    """The same server on bare epoll."""

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        generator_cpu = share_processors()
        with asyncio.Runner(loop_factory=factory) as runner:
            return self._judged(*runner.run(self._serve(check, windows, generator_cpu)))

    def measure_limit(self, windows: Windows) -> Measurement:
        assert self.limit is not None
        generator_cpu = share_processors()
        with self.limit.running() as (process, address):
            return self._judged(LIMIT_NAME, self._load(address, windows, generator_cpu, process))

    def value(self, figures: dict[str, Any]) -> float:
        """What is judged, of what the load generator reports."""
        return requests_per_processor_second(figures)

    def _judged(self, loop_class: str, figures: dict[str, Any]) -> Measurement:
        return measurement_of(loop_class, figures, self.value(figures))

    async def _serve(self, check: LoopCheck, windows: Windows, generator_cpu: int | None) -> tuple[str, dict[str, Any]]:
        async with self.start() as address:
            figures = await in_thread(lambda: self._load(address, windows, generator_cpu))
            return check(), figures

    def _load(
        self, address: Address, windows: Windows, generator_cpu: int | None, server: int | None = None
    ) -> dict[str, Any]:
        return run_generator(
            self.mode,
            address,
            server,
            connections=self.connections,
            size=self.size,
            warmup=windows.warmup,
            duration=windows.server,
            cpu=generator_cpu,
            tls=self.tls,
        )


def measurement_of(loop_class: str, figures: dict[str, Any], value: float) -> Measurement:
    """What the load generator reports, beside the value that is judged."""
    return Measurement(
        value=value,
        loop_class=loop_class,
        details={
            "wall_requests_per_second": figures["requests_per_second"],
            "p50_us": figures["p50_us"],
            "p99_us": figures["p99_us"],
            "p999_us": figures["p999_us"],
            "server_load": figures["server_seconds"] / figures["seconds"],
            "generator_load": figures["generator_seconds"] / figures["seconds"],
        },
    )


def share_processors() -> int | None:
    """Confine this process, and the server it may start, to the first processor; the one for the load generator."""
    processors = allowed_processors()
    pin_to(0, processors)
    return processors[1] if len(processors) > 1 else None


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a plain thread, since the loop's own executor would be part of what is measured."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    outcome: list[Any] = [None, None]

    def run() -> None:
        try:
            outcome[0] = function()
        except BaseException as error:
            outcome[1] = error
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=run)
    thread.start()
    await done.wait()
    thread.join()
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]
