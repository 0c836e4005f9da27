"""The workloads that are a server which starts its own processes and makes its own loops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.benchmarks.generator import run_generator
from mainspring.benchmarks.integrations.loop_path import path_of
from mainspring.benchmarks.integrations.serving_loop import ask_for_loop
from mainspring.benchmarks.loops import LoopDidNotStartError, LoopFactory
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service import accepts, free_port, running
from mainspring.benchmarks.serving import measurement_of, share_processors
from mainspring.benchmarks.undisturbed import requests_per_processor_second
from mainspring.benchmarks.workload import REQUESTS, LoopCheck, Measurement, Unit, Windows


@dataclass(frozen=True)
class ServerProgramWorkload:
    """Puts one process of such a server under load, and judges as ``ServerWorkload`` does."""

    name: str
    packages: Sequence[str]
    """What the program needs; the first one is to be installed."""
    program: Sequence[str]
    """Arguments of Python; the program gets ``path_of`` the loop and its port as further ones."""
    connections: int
    unit: Unit = REQUESTS
    network: bool = True
    quick: bool = False

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        for package in self.packages:
            required(package, " ".join(self.packages))
        generator_cpu = share_processors()
        port = free_port()
        words = [sys.executable, *self.program, path_of(factory), str(port)]
        with running(words, None, None, lambda: accepts(port)):
            process, loop_class = ask_for_loop(port)
            expected = class_of(factory, check)
            if loop_class != expected:
                raise LoopDidNotStartError(f"{self.name!r} ran on {loop_class} instead of {expected}")
            figures = run_generator(
                "http",
                port,
                process,
                connections=self.connections,
                warmup=windows.warmup,
                duration=windows.server,
                cpu=generator_cpu,
            )
        return measurement_of(loop_class, figures, requests_per_processor_second(figures))


def class_of(factory: LoopFactory, check: LoopCheck) -> str:
    async def look() -> str:
        return check()

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(look())
