"""The servers and clients of the benchmark that are other people's programs."""

import asyncio

import pytest
from helpers.benchmarks import SHORTEST
from mainspring.benchmarks.generator import GeneratorError, run_generator
from mainspring.benchmarks.loops import LOOPS, OURS
from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.runner import Plan, run, run_worker
from mainspring.benchmarks.serving import in_thread
from mainspring.benchmarks.workloads import CATALOGUE

NAMES = [
    "aiohttp server, 50 connections",
    "uvicorn with httptools, 50 connections",
    "FastAPI on uvicorn, 50 connections",
    "websockets echo, 1 KiB x 50",
    "asyncpg SELECT 1, 10 connections",
    "redis-py, pipelines of 100",
]


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_measured(name):
    try:
        measurement = run_worker(LOOPS[OURS], name, SHORTEST)
    except MissingRequirementError as error:
        pytest.skip(str(error))
    assert measurement.value > 0
    assert measurement.loop_class == "mainspring._loop.Loop"
    assert measurement.details["wall_requests_per_second"] > 0
    assert 0 < measurement.details["p50_us"] <= measurement.details["p99_us"] <= measurement.details["p999_us"]


def test_a_server_that_is_not_installed_is_said_and_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    name = "redis-py, pipelines of 100"
    steps = []
    results = run(Plan([LOOPS["default"], LOOPS[OURS]], [CATALOGUE[name]], 2, SHORTEST), steps.append)
    assert results.missing == {name: "needs redis-server (Debian: apt install redis-server)"}
    assert results.essential_failures() == []
    assert len(steps) == 4


def ask_by_websocket(size, answer):
    """Let the load generator ask a server that sends back ``answer(message)``; its figures."""
    websockets = pytest.importorskip("websockets", reason="a WebSocket server is needed")

    async def echo(connection):
        async for message in connection:
            await connection.send(answer(message))

    async def main():
        async with websockets.serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            return await in_thread(lambda: run_generator("websocket", port, connections=3, size=size, requests=30))

    return asyncio.run(main())


# Each has another form of the length in its frame.
@pytest.mark.parametrize("size", [1, 125, 126, 65535, 65536, 100_000])
def test_websocket_messages_come_back(size):
    figures = ask_by_websocket(size, lambda message: message)
    assert figures["errors"] == 0
    assert figures["requests"] == 30


def test_another_websocket_message_is_noticed():
    with pytest.raises(GeneratorError, match="other bytes came back"):
        ask_by_websocket(1000, lambda message: message[::-1])
