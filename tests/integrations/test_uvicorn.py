"""uvicorn, started by the command of docs/integrations/uvicorn.md."""

import signal
import socket
import sys

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
from helpers import run_program
from helpers.pages import python_blocks
from helpers.servers import LOOP_CLASSES, add_service, command_of, running
from helpers.web import check_end, check_requests, check_websocket, workers_seen

PAGE = "integrations/uvicorn.md"


@pytest.fixture
def folder(tmp_path):
    """The service."""
    add_service("asgi", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("http", "number", "status"), [("h11", signal.SIGTERM, -signal.SIGTERM), ("httptools", signal.SIGINT, 0)]
)
def test_a_server(folder, loop_name, http, number, status):
    pytest.importorskip(http)
    with running([*command_of(PAGE, loop_name), "--http", http], folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        text = check_end(server, loop_name, number, status=status)
    assert f"Finished server process [{server.process.pid}]" in text


def test_workers(folder, loop_name):
    with running([*command_of(PAGE, loop_name), "--workers", "2"], folder) as server:
        seen = workers_seen(server, 2)
        assert set(seen.values()) == {LOOP_CLASSES[loop_name]}
        assert server.process.pid not in seen
        check_end(server, loop_name, signal.SIGTERM, processes=2)


def test_tls(folder, loop_name, authority):
    import httpx

    certificate = str(authority.issue("localhost"))
    options = ["--ssl-certfile", certificate, "--ssl-keyfile", certificate]
    with running([*command_of(PAGE, loop_name), *options], folder) as server:
        url = f"https://localhost:{server.port}"
        with httpx.Client(base_url=url, verify=authority.client_context(), timeout=30) as client:
            assert client.get("/").json()["loop"] == LOOP_CLASSES[loop_name]
            body = bytes(range(256)) * 4000
            assert client.post("/echo", content=body).content == body
        check_end(server, loop_name, signal.SIGTERM, status=-signal.SIGTERM)


@pytest.mark.parametrize("loop_name", ["mainspring"])
def test_an_inherited_socket(folder, loop_name):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        words = [*command_of(PAGE), "--fd", str(listening.fileno())]
        port = listening.getsockname()[1]
        with running(words, folder, port=port, pass_fds=[listening.fileno()]) as server:
            check_requests(server, loop_name)
            check_end(server, loop_name, signal.SIGTERM, status=-signal.SIGTERM)


@pytest.mark.parametrize("loop_name", ["mainspring"])
def test_under_mainspring_run(folder, loop_name):
    words = [*command_of(PAGE)[1:], "--loop", "none"]
    with running([sys.executable, "-m", "mainspring", "run", *words], folder) as server:
        assert server.get("/").json()["loop"] == LOOP_CLASSES[loop_name]
        check_end(server, loop_name, signal.SIGTERM, status=-signal.SIGTERM)


def test_the_configuration_of_the_page():
    (program,) = python_blocks(PAGE)
    done = run_program(program + "\nprint(type(config.get_loop_factory()()))")
    assert (done.stdout, done.stderr) == (LOOP_CLASSES["mainspring"] + "\n", "")
