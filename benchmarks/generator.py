"""Runs the native load generator against a server in this process, from a thread, while the loop serves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

EXECUTABLE = Path(__file__).with_name("mainspring-load")


class GeneratorError(Exception):
    """The load generator ended with an error: a refused or broken connection, a wrong answer."""


def command(mode: str, port: int, **options: object) -> list[str]:
    words = [str(EXECUTABLE), "--mode", mode, "--port", str(port)]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", str(value)]
    return words


def run_generator(mode: str, port: int, watch: bool = True, **options: object) -> dict[str, Any]:
    """The figures of one run; ``watch`` adds the processor time this process used, as ``server_seconds``."""
    watched = os.getpid() if watch else None
    finished = subprocess.run(
        command(mode, port, watch=watched, **options), capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise GeneratorError(finished.stderr.strip() or f"mainspring-load ended with {finished.returncode}")
    figures: dict[str, Any] = json.loads(finished.stdout)
    return figures
