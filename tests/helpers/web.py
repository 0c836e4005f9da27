"""What the services in services/ have to answer, and to say at their end, whichever server runs them."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.servers import LOOP_CLASSES

pytest.importorskip("websockets")
import httpx
from websockets.sync.client import connect


def check_requests(server, loop_name):
    """Bodies, streams, and requests at the same time; all of them on this loop."""
    body = bytes(range(256)) * 4000
    assert server.post("/echo", content=body).content == body
    with server.stream("GET", "/count") as streamed:
        assert list(streamed.iter_lines()) == [str(number) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.get("/").json()["loop"], range(40)))
    assert answers == [LOOP_CLASSES[loop_name]] * 40


def check_websocket(server):
    """A conversation over a WebSocket."""
    with connect(f"ws://127.0.0.1:{server.port}/shout") as connection:
        for text in ["a", "bc", "d" * 100_000]:
            connection.send(text)
            assert connection.recv(timeout=30) == text.upper()


def workers_seen(server, count, beside=()):
    """Ask until so many processes have answered, other than those; the loop of each."""
    seen = {}
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline, seen
        # A worker that is told to end closes connections whose request it has not read.
        with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError):
            # A connection of its own for each request, so that any worker may accept it.
            answer = server.get("/", headers={"connection": "close"}).json()
            if answer["process"] not in beside:
                seen[answer["process"]] = answer["loop"]
        if len(seen) == count:
            return seen
        # So that the log of requests does not fill the pipe, which nobody reads now, while a worker starts.
        time.sleep(0.02)


def check_end(server, loop_name, number, *, status=0, processes=1):
    """A signal ends it, with so many processes or more that end their application and nothing raised; what it says."""
    ended, text = server.end(number)
    assert ended == status, text
    assert text.count(f"ended on {LOOP_CLASSES[loop_name]}\n") >= processes, text
    assert "Traceback" not in text
    return text
