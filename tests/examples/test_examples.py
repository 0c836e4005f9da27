"""Each program in examples/ runs by itself and prints what it promises."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.signalled import SignalledProgram, connect

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
    "debug_mode": """
        named: True with its time: True
        from another thread: Non-thread-safe operation invoked on an event loop other than the current one
    """,
}

NEEDS = {
    "bounded_scraping": ["aiohttp"],
    "health_checks": ["aiohttp"],
    "rate_limited_client": ["aiohttp", "httpx"],
    "retry_with_backoff": ["tenacity"],
    "websocket_chat": ["websockets"],
}


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONASYNCIO"))}


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PRINTED, "graceful_shutdown"}


@pytest.mark.parametrize("name", PRINTED)
def test_what_an_example_prints(name):
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    command = [sys.executable, "-W", "always", str(EXAMPLES / f"{name}.py")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment())
    assert (ended.returncode, ended.stderr) == (0, "")
    expected = [line.strip() for line in PRINTED[name].strip().splitlines()]
    printed = ended.stdout.splitlines()
    assert len(printed) == len(expected)
    for line, wanted in zip(printed, expected, strict=True):
        before, _, after = wanted.partition("PORT")
        assert line.startswith(before) and line.endswith(after)


def test_graceful_shutdown():
    command = [sys.executable, str(EXAMPLES / "graceful_shutdown.py")]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment()) as process:
        program = SignalledProgram(process)
        with connect(program.expect_port()) as connection:
            connection.sendall(b"one\n")
            program.expect("request one")
            program.send(signal.SIGTERM)
            program.expect("state saved")
            assert connection.recv(100) == b"answer to one\n"
        assert program.end() == (143, [], "INFO:asyncio:shutdown: SIGTERM received\n")
