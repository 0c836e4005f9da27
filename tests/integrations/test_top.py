"""`mainspring top`: what it shows of loops that are served by mainspring.prometheus."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys

import pytest
from helpers import connected, run_program, start_program
from helpers.scraping import exported

prometheus_client = pytest.importorskip("prometheus_client")
pytest.importorskip("psutil")
pytest.importorskip("rich")
from mainspring._top import quantile  # noqa: E402
from mainspring.prometheus import Collector  # noqa: E402


def top(*arguments):
    """What the command prints."""
    command = [sys.executable, "-m", "mainspring", "top", *arguments]
    environment = {**os.environ, "COLUMNS": "120", "PYTHONUTF8": "1"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, env=environment)


@pytest.fixture
def registry():
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def address(registry):
    with exported(registry) as address:
        yield address


def cells(text):
    """The rows of the table by their first cell."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in rows}


def test_a_running_loop(mainspring_loop, registry, address):
    registry.register(Collector(mainspring_loop, name="service"))
    mainspring_loop.set_metrics(True)

    async def main():
        async with connected():
            mainspring_loop.call_later(3600, int)
            return await asyncio.to_thread(top, address, "--once", "--interval", "0.05")

    done = mainspring_loop.run_until_complete(main())
    assert (done.stderr, done.returncode) == ("", 0)
    shown = cells(done.stdout)
    assert shown["TCP connections"] == ["1"]
    assert shown["timers"] == ["1"]
    assert shown["executor: waiting / threads"] == ["0 / 1"]
    assert shown["busy"][0].endswith(" %")


def test_a_loop_that_measures_nothing(mainspring_loop, registry, address):
    registry.register(Collector(mainspring_loop))
    shown = cells(top(address, "--once", "--interval", "0").stdout)
    assert shown["busy"] == ["not measured"]
    assert shown["lag, p99"] == ["none"]


def test_other_metrics_and_nobody_there(address):
    done = top(address, "--once")
    assert done.returncode == 1
    assert done.stderr == f"mainspring top: there are no metrics of mainspring at {address}\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = top(f"http://127.0.0.1:{port}/metrics")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


SERVICE = """
import asyncio, socket
import mainspring
from mainspring.prometheus import Collector
from prometheus_client import REGISTRY, start_http_server

async def main():
    # Ports that listen as well, of which one never answers and one with what is no HTTP.
    silent = socket.create_server(("127.0.0.1", 0))
    await asyncio.start_server(lambda reader, writer: (writer.write(b"220 mail\\r\\n"), writer.close()), "127.0.0.1", 0)
    REGISTRY.register(Collector(asyncio.get_running_loop(), name="found"))
    start_http_server(0, addr=ADDRESS)
    print("serving", flush=True)
    await asyncio.to_thread(input)

mainspring.run(main())
"""


@contextlib.contextmanager
def serving(address):
    process = start_program(SERVICE.replace("ADDRESS", repr(address)), stdin=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "serving\n"
        yield process
        assert process.communicate("\n") == ("", "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_the_endpoint_of_a_process_is_found(address):
    with serving(address) as process:
        done = top(str(process.pid), "--once", "--interval", "0.05")
    assert (done.stderr, done.returncode) == ("", 0)
    assert "found" in done.stdout
    assert cells(done.stdout)["busy"] == ["not measured"]


def test_a_process_without_an_endpoint_and_none():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        held = {"stdin": subprocess.PIPE, "pass_fds": [taken.fileno()]}
        with subprocess.Popen([sys.executable, "-c", "input()"], **held) as process:
            done = top(str(process.pid), "--once")
            process.communicate(b"\n")
    assert (done.returncode, done.stderr) == (
        1,
        f"mainspring top: {process.pid}: the process serves no metrics of mainspring at /metrics: "
        f"it only listens at {port}\n",
    )
    done = top(str(process.pid), "--once")
    assert done.returncode == 1
    assert done.stderr.startswith(f"mainspring top: {process.pid}: process PID not found")


def test_a_quantile_is_that_of_the_time_between_two_looks():
    before = {("x", "0.1"): 90, ("x", "1.0"): 100, ("x", "+Inf"): 100}
    now = {("x", "0.1"): 91, ("x", "1.0"): 104, ("x", "+Inf"): 104}
    assert quantile({}, before, "x", 0.5) == 0.1
    assert quantile(before, now, "x", 0.5) == 1.0
    assert quantile(now, now, "x", 0.5) is None


def test_without_the_libraries():
    done = run_program(
        "import sys; sys.modules['rich'] = None; from mainspring.__main__ import main; main(['top', 'x'])"
    )
    assert "mainspring top needs the package" in done.stderr
    assert "pip install 'mainspring[top]'" in done.stderr
