"""uvicorn, started by the command of docs/integrations/uvicorn.md."""

import signal

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("httpx")
pytest.importorskip("websockets")
from helpers import run_program
from helpers.asgi import check_requests, check_websocket
from helpers.pages import python_blocks
from helpers.servers import LOOP_CLASSES, add_service, command_of, running

PAGE = "integrations/uvicorn.md"


def command(loop_name, *options):
    factory = {"default": "asyncio", "mainspring": "mainspring:new_event_loop"}[loop_name]
    return [word.replace("mainspring:new_event_loop", factory) for word in command_of(PAGE)] + [*options]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("http", ["h11", "httptools"])
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


def test_the_configuration_of_the_page():
    (program,) = python_blocks(PAGE)
    done = run_program(program + "\nprint(type(config.get_loop_factory()()))")
    assert (done.stdout, done.stderr) == (LOOP_CLASSES["mainspring"] + "\n", "")
