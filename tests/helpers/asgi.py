"""What an ASGI server has to answer for the service in services/asgi_service.py."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from websockets.sync.client import connect

from helpers.servers import LOOP_CLASSES


def check_requests(server, loop_name):
    """Bodies, streams, and requests at the same time; all of them on this loop."""
    answer = server.get("/").json()
    assert (answer["loop"], answer["lifespan"]) == (LOOP_CLASSES[loop_name],) * 2
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
    while len(seen) < count:
        assert time.monotonic() < deadline, seen
        # A connection of its own for each request, so that any worker may accept it.
        try:
            answer = server.get("/", headers={"connection": "close"}).json()
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # A worker that is told to end closes connections whose request it has not read.
            continue
        if answer["process"] not in beside:
            seen[answer["process"]] = answer["loop"]
    return seen


def check_end(server, loop_name, number):
    """A signal ends it with status 0, after the application's lifespan, and nothing is raised."""
    status, text = server.end(number)
    assert status == 0, text
    assert f"the lifespan has ended on {LOOP_CLASSES[loop_name]}\n" in text
    assert "Traceback" not in text
