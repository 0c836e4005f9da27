"""gunicorn, with the files and by the commands of docs/integrations/gunicorn.md."""

import os
import signal

import pytest

pytest.importorskip("gunicorn")
pytest.importorskip("starlette")
pytest.importorskip("websockets")
pytest.importorskip("httpx")
from helpers.asgi import check_requests, check_websocket, workers_seen
from helpers.servers import LOOP_CLASSES, add_service, command_of, running, without_mainspring, write_files

PAGE = "integrations/gunicorn.md"


@pytest.fixture
def folder(tmp_path):
    """The files of the page and the service."""
    pytest.importorskip("uvicorn_worker")
    add_service("asgi", tmp_path)
    write_files(PAGE, tmp_path)
    return tmp_path


@pytest.fixture
def folder_of_loop(folder, loop_name):
    """The same, or uvicorn's configuration for the default loop."""
    if loop_name == "default":
        file = folder / "gunicorn.conf.py"
        file.write_text(file.read_text().replace("mainspring:new_event_loop", "asyncio"))
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_uvicorn_workers(folder_of_loop, loop_name, number):
    with running(command_of(PAGE, 0), folder_of_loop) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        workers_seen(server, 2)
        status, text = server.end(number)
    assert status == 0, text
    assert text.count(f"the lifespan has ended on {LOOP_CLASSES[loop_name]}\n") == 2
    assert "Traceback" not in text


def test_workers_are_replaced(folder):
    with running(command_of(PAGE, 0), folder) as server:
        first = workers_seen(server, 2)
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        (new,) = workers_seen(server, 1, beside=first)
        server.send_signal(signal.SIGHUP)
        last = workers_seen(server, 2, beside={*first, new})
        assert {*first.values(), *last.values()} == {LOOP_CLASSES["mainspring"]}
        status, text = server.end(signal.SIGTERM)
    assert status == 0, text
    assert f"Worker (pid:{killed}) was sent SIGKILL!" in text


def test_its_own_asgi_worker(tmp_path, loop_name):
    add_service("asgi", tmp_path)
    command = command_of(PAGE, 1)
    with running(command if loop_name == "mainspring" else without_mainspring(command), tmp_path) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        status, text = server.end(signal.SIGTERM)
    assert status == 0, text
    assert f"the lifespan has ended on {LOOP_CLASSES[loop_name]}\n" in text
    assert "Traceback" not in text


def test_aiohttps_worker(tmp_path, loop_name):
    pytest.importorskip("aiohttp")
    add_service("aiohttp", tmp_path)
    command = command_of(PAGE, 2)
    with running(command if loop_name == "mainspring" else without_mainspring(command), tmp_path) as server:
        assert server.get("/").json() == {"loop": LOOP_CLASSES[loop_name]}
        status, text = server.end(signal.SIGTERM)
    assert status == 0, text
    assert f"cleaned up on {LOOP_CLASSES[loop_name]}\n" in text
    assert "Traceback" not in text
