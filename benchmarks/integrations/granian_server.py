"""Granian with one worker under HTTP load."""

from __future__ import annotations

from mainspring.benchmarks.integrations.server_program import ServerProgramWorkload

WORKLOAD = ServerProgramWorkload(
    "Granian, 50 connections", ["granian"], ["-m", "mainspring.benchmarks.integrations.granian_program"], 50
)
