"""What an ASGI server has to answer for the service in services/asgi_service.py."""

from concurrent.futures import ThreadPoolExecutor

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
