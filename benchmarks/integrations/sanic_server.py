"""Sanic in a single process under HTTP load."""

from __future__ import annotations

from mainspring.benchmarks.integrations.server_program import ServerProgramWorkload

WORKLOAD = ServerProgramWorkload(
    "Sanic, 50 connections", ["sanic"], ["-m", "mainspring.benchmarks.integrations.sanic_program"], 50
)
