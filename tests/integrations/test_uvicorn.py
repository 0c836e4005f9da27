"""uvicorn, started by the command of docs/integrations/uvicorn.md."""

import signal
import socket
import sys

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")
pytest.importorskip("websockets")
from helpers import run_program  # noqa: E402
from helpers.asgi import check_requests, check_websocket  # noqa: E402
from helpers.pages import python_blocks  # noqa: E402
from helpers.servers import LOOP_CLASSES, add_service, command_of, running  # noqa: E402

PAGE = "integrations/uvicorn.md"


def command(loop_name, *options):
    factory = {"default": "asyncio", "mainspring": "mainspring:new_event_loop"}[loop_name]
    return [word.replace("mainspring:new_event_loop", factory) for word in command_of(PAGE)] + [*options]


@pytest.mark.parametrize(("http", "number"), [("h11", signal.SIGTERM), ("httptools", signal.SIGINT)])
def test_a_server(tmp_path, loop_name, http, number):
    pytest.importorskip(http)
    add_service("asgi", tmp_path)
    with running(command(loop_name, "--http", http), tmp_path) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        status, text = server.end(number)
    assert status == {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 0}[number]
    assert f"the lifespan has ended on {LOOP_CLASSES[loop_name]}\n" in text
    assert f"Finished server process [{server.process.pid}]" in text
    assert "Traceback" not in text


def test_workers(tmp_path, loop_name):
    add_service("asgi", tmp_path)
    with running(command(loop_name, "--workers", "2"), tmp_path) as server:
        answer = server.get("/").json()
        assert answer["loop"] == LOOP_CLASSES[loop_name]
        assert answer["process"] != server.process.pid
        status, text = server.end(signal.SIGTERM)
    assert (status, text.count("Finished server process")) == (0, 2)
    assert "Traceback" not in text


def test_tls(tmp_path, loop_name, authority):
    add_service("asgi", tmp_path)
    certificate = str(authority.issue("localhost"))
    options = ["--ssl-certfile", certificate, "--ssl-keyfile", certificate]
    with running(command(loop_name, *options), tmp_path) as server:
        url = f"https://localhost:{server.port}"
        with httpx.Client(base_url=url, verify=authority.client_context(), timeout=30) as client:
            assert client.get("/").json()["loop"] == LOOP_CLASSES[loop_name]
            body = bytes(range(256)) * 4000
            assert client.post("/echo", content=body).content == body
        _, text = server.end(signal.SIGTERM)
    assert f"the lifespan has ended on {LOOP_CLASSES[loop_name]}\n" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("loop_name", ["mainspring"])
def test_an_inherited_socket(tmp_path, loop_name):
    add_service("asgi", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        words = command(loop_name, "--fd", str(listening.fileno()))
        port = listening.getsockname()[1]
        with running(words, tmp_path, port=port, pass_fds=[listening.fileno()]) as server:
            check_requests(server, loop_name)
            _, text = server.end(signal.SIGTERM)
    assert "Traceback" not in text


def test_under_mainspring_run(tmp_path):
    add_service("asgi", tmp_path)
    words = [*command("mainspring")[1:], "--loop", "none"]
    with running([sys.executable, "-m", "mainspring", "run", *words], tmp_path) as server:
        assert server.get("/").json()["loop"] == LOOP_CLASSES["mainspring"]
        status, _ = server.end(signal.SIGTERM)
    assert status == -signal.SIGTERM


def test_the_configuration_of_the_page():
    (program,) = python_blocks(PAGE)
    done = run_program(program + "\nprint(type(config.get_loop_factory()()))")
    assert (done.stdout, done.stderr) == (LOOP_CLASSES["mainspring"] + "\n", "")
