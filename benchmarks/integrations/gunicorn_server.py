"""gunicorn with one worker, uvicorn's, under HTTP load."""

from __future__ import annotations

from mainspring.benchmarks.integrations.server_program import ServerProgramWorkload

WORKLOAD = ServerProgramWorkload(
    "gunicorn with uvicorn's worker, 50 connections",
    ["gunicorn", "uvicorn_worker", "httptools"],
    ["-m", "mainspring.benchmarks.integrations.gunicorn_program"],
    50,
)
