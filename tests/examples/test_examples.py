"""Each program in examples/ runs by itself and prints what it promises."""

import json
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers.programs import clean_environment
from helpers.signalled import connect, controlled

EXAMPLES = Path(__file__).parents[2] / "examples"

PRINTED = {
    "gather_partial_failures": """
        north: 10.00
        west: failed, no prices from west
        east: 12.50
        south: 9.00
        best: 9.00
    """,
    "task_group_errors": """
        slow: cancelled
        connection: broken: no answer
        data: confused: nonsense
        results: 0 1 4 9 16
    """,
    "timeouts": """
        first: done
        second: gives up
        too slow
        handshake: done
        answer: done
        single: gives up
        too slow again
    """,
    "bounded_scraping": """
        40 pages, from 'page 0' to 'page 39'
        at most 5 at a time
    """,
    "worker_pool": """
        failed: division by zero
        100 / 1 = 100
        100 / 2 = 50
        100 / 3 = 33.3333
        100 / 4 = 25
        100 / 5 = 20
    """,
    "pipeline": """
        {'apples': 5050, 'pears': 5050}
    """,
    "backpressure": """
        100 items through a queue that never held more than 5
        13107200 bytes through a connection, within the water mark: True
    """,
    "context_managers_and_iterators": """
        connected
        closed
        sum: 5050
        connected
        enough at 3
        closed
    """,
    "locks": """
        without a lock: 1
        with a lock: 100
        rich enough when it was looked at: True
        all started: [0, 1, 2]
    """,
    "cpu_work": """
        sha256 in a thread: ab46920a3bcd0891
        primes in processes: {100: 25, 1000: 168, 100000: 9592}
        the loop went on meanwhile: True
    """,
    "retry_with_backoff": """
        attempt 1: the server has hung up
        attempt 2: the server has hung up
        at last
        attempt 1: [Errno 111] Connect call failed ('127.0.0.1', PORT)
        given up after 2: ConnectionRefusedError
    """,
    "websocket_chat": """
        Anna reads: Anna joined
        Anna reads: Ben joined
        Ben reads: Ben joined
        Anna reads: Ben: hello
        Anna reads: Ben left
    """,
    "rate_limited_client": """
        25 answers, 25 requests
        within the limit: True
    """,
    "health_checks": """
        /alive 200 {'alive': True}
        /ready 200 {'database': 'fine', 'cache': 'fine'}
        /alive 200 {'alive': True}
        /ready 503 {'database': 'failed: ConnectionError', 'cache': 'fine'}
    """,
    "circuit_breaker": """
        failed: the server has hung up
        failed: the server has hung up
        the breaker of the price list is opened
        failed: the server has hung up
        not asked
        not asked
        3 calls reached the server
        the breaker of the price list is half-opened
        the breaker of the price list is closed
        price: 42
        price: 42
    """,
    "cpu_work_on_dask": """
        primes below 100: 25
        primes below 1000: 168
        primes below 100000: 9592
        counted in other processes: True
        failed there, raised here: 1000000000000 is too much
    """,
    "tracing": """
        order 1
          price apple
          price plum
          receipt
        order 2
          price pear (LookupError: no pears today)
          price apple
          receipt
        8 spans in 2 traces
    """,
    "debug_mode": """
        named: True with its time: True
        from another thread: Non-thread-safe operation invoked on an event loop other than the current one
    """,
}

NEEDS = {
    "bounded_scraping": ["aiohttp"],
    "circuit_breaker": ["purgatory"],
    "cpu_work_on_dask": ["distributed"],
    "health_checks": ["aiohttp"],
    "rate_limited_client": ["aiohttp", "httpx"],
    "retry_with_backoff": ["tenacity"],
    "tracing": ["opentelemetry.sdk"],
    "websocket_chat": ["websockets"],
}


# They print more than words: each has a test of its own.
OTHERS = {"graceful_shutdown", "many_calls", "structured_logging"}


def printed_by(name):
    """Run an example to its end; its lines."""
    command = [sys.executable, "-W", "always", str(EXAMPLES / f"{name}.py")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, env=clean_environment())
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == PRINTED.keys() | OTHERS


@pytest.mark.parametrize("name", PRINTED)
def test_what_an_example_prints(name):
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    expected = textwrap.dedent(PRINTED[name]).strip().splitlines()
    printed = printed_by(name)
    assert len(printed) == len(expected)
    for line, wanted in zip(printed, expected, strict=True):
        before, _, after = wanted.partition("PORT")
        assert line.startswith(before) and line.endswith(after)


def test_many_calls():
    pytest.importorskip("aiohttp")
    hundred, thousand, memory = printed_by("many_calls")
    for line, count in ((hundred, 100), (thousand, 1000)):
        at_once = re.fullmatch(rf"{count} calls, (\d+) at the same time: \d+\.\d\d seconds", line)
        assert 1 < int(at_once[1]) <= count
    # On both sides of nothing: a figure that was not measured is not below 50 either.
    assert 1 < float(re.fullmatch(r"memory: (\d+\.\d) MB more", memory)[1]) < 50


def test_structured_logging():
    pytest.importorskip("structlog")
    *lines, last = map(json.loads, printed_by("structured_logging"))
    told = {}
    for line in lines:
        told.setdefault(line["request"], []).append((line["level"], line["event"], line.get("price")))
    assert told == {
        1: [("info", "looked up", None), ("info", "request done", 25)],
        2: [("info", "looked up", None), ("error", "request failed", None)],
        3: [("info", "looked up", None), ("info", "request done", 20)],
    }
    (error,) = (line["exception"][0] for line in lines if line["level"] == "error")
    assert (error["exc_type"], error["exc_value"]) == ("ZeroDivisionError", "division by zero")
    assert [frame["name"] for frame in error["frames"]] == ["handle", "look_up"]
    # asyncio's own record is JSON as well, and not a request's.
    assert last["event"].startswith("Exception in callback int()") and "request" not in last
    assert last["exception"][0]["exc_type"] == "ValueError"


def test_graceful_shutdown():
    command = [sys.executable, str(EXAMPLES / "graceful_shutdown.py")]
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=clean_environment())
    with controlled(process) as program:
        with connect(program.expect_port()) as connection:
            connection.sendall(b"one\n")
            program.expect("request one")
            program.send(signal.SIGTERM)
            program.expect("state saved")
            assert connection.recv(100) == b"answer to one\n"
        assert program.end() == (143, [], "INFO:asyncio:shutdown: SIGTERM received\n")
