"""Hypercorn, with the files and by the command of docs/integrations/hypercorn.md."""

import signal
import sys

import pytest

pytest.importorskip("hypercorn")
pytest.importorskip("starlette")
from helpers.servers import LOOP_CLASSES, command_of, prepared, running
from helpers.web import check_end, check_requests, check_websocket, workers_seen

PAGE = "integrations/hypercorn.md"


@pytest.fixture
def folder(tmp_path, loop_name):
    """The files of the page and the service; for the default loop without what the page is about."""
    on_default = {"import mainspring": "import asyncio", "mainspring.install()": "", "mainspring.run": "asyncio.run"}
    return prepared(tmp_path, "asgi", PAGE, loop_name, on_default)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command(folder, loop_name, number):
    with running(command_of(PAGE), folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        check_end(server, loop_name, number)


def test_workers(folder, loop_name):
    with running([*command_of(PAGE), "--workers", "2"], folder) as server:
        assert list(workers_seen(server, 2).values()) == [LOOP_CLASSES[loop_name]] * 2
        # The second one may be terminated before, as the page says.
        check_end(server, loop_name, signal.SIGTERM)


def test_in_a_program(folder, loop_name):
    with running([sys.executable, "serve.py"], folder) as server:
        check_requests(server, loop_name)
        check_end(server, loop_name, signal.SIGTERM)


@pytest.mark.parametrize("loop_name", ["mainspring"])
def test_http_2(folder, loop_name):
    pytest.importorskip("h2")
    import httpx

    with running(command_of(PAGE), folder) as server:
        with httpx.Client(base_url=str(server.base_url), http1=False, http2=True) as client:
            answer = client.get("/")
        assert (answer.http_version, answer.json()["loop"]) == ("HTTP/2", LOOP_CLASSES[loop_name])
        check_end(server, loop_name, signal.SIGTERM)
