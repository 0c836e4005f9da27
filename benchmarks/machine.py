"""What the figures were made on: processor, cores, kernel, Python."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    kernel: str
    python: str

    def __str__(self) -> str:
        cores = "core" if self.cores == 1 else "cores"
        return f"{self.python}, {self.processor} ({self.cores} {cores}), {self.kernel}"


def this_machine() -> Machine:
    return Machine(
        processor=processor_model(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def processor_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.machine()
