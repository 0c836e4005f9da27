"""gunicorn, with the files and by the commands of docs/integrations/gunicorn.md."""

import os
import signal

import pytest

pytest.importorskip("gunicorn")
pytest.importorskip("starlette")
from helpers.servers import LOOP_CLASSES, add_service, command_of, prepared, running
from helpers.web import check_end, check_requests, check_websocket, workers_seen

PAGE = "integrations/gunicorn.md"


@pytest.fixture
def folder(tmp_path, loop_name):
    """The configuration of the page and the service; for the default loop with uvicorn's name for that."""
    pytest.importorskip("uvicorn_worker")
    return prepared(tmp_path, "asgi", PAGE, loop_name, {"mainspring:new_event_loop": "asyncio"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_uvicorn_workers(folder, loop_name, number):
    with running(command_of(PAGE), folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        workers_seen(server, 2)
        check_end(server, loop_name, number, processes=2)


@pytest.mark.parametrize("loop_name", ["mainspring"])
def test_workers_are_replaced(folder, loop_name):
    with running(command_of(PAGE), folder) as server:
        first = workers_seen(server, 2)
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        (new,) = workers_seen(server, 1, beside=first)
        server.send_signal(signal.SIGHUP)
        last = workers_seen(server, 2, beside={*first, new})
        assert {*first.values(), *last.values()} == {LOOP_CLASSES[loop_name]}
        status, text = server.end(signal.SIGTERM)
    assert status == 0, text
    assert f"Worker (pid:{killed}) was sent SIGKILL!" in text


def test_its_own_asgi_worker(tmp_path, loop_name):
    add_service("asgi", tmp_path)
    with running(command_of(PAGE, loop_name, 1), tmp_path) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        check_end(server, loop_name, signal.SIGTERM)


def test_aiohttps_worker(tmp_path, loop_name):
    pytest.importorskip("aiohttp")
    add_service("aiohttp", tmp_path)
    with running(command_of(PAGE, loop_name, 2), tmp_path) as server:
        check_requests(server, loop_name)
        check_end(server, loop_name, signal.SIGTERM)
