"""Runs the native load generator against a server, which may be this process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

EXECUTABLE = Path(__file__).with_name("mainspring-load")


class GeneratorError(Exception):
    """The load generator ended with an error: a refused or broken connection, a wrong answer."""


Address = int | str
"""A port of 127.0.0.1, or the path of a UNIX socket."""


def command(mode: str, address: Address, **options: object) -> list[str]:
    where = ["--unix", address] if isinstance(address, str) else ["--port", str(address)]
    words = [str(EXECUTABLE), "--mode", mode, *where]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", str(value)]
    return words


def run_generator(
    mode: str, address: Address, server: int | None = None, watch: bool = True, **options: object
) -> dict[str, Any]:
    """The figures of one run; ``watch`` adds the processor time of the process ``server``, or this one."""
    watched = (server or os.getpid()) if watch else None
    finished = subprocess.run(
        command(mode, address, watch=watched, **options), capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise GeneratorError(finished.stderr.strip() or f"mainspring-load ended with {finished.returncode}")
    figures: dict[str, Any] = json.loads(finished.stdout)
    return figures
