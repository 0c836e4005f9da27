"""aiohttp's web server, with the program and by the command of docs/integrations/aiohttp.md."""

import signal
import sys

import pytest

pytest.importorskip("aiohttp")
from helpers.servers import command_of, prepared, running
from helpers.web import check_end, check_requests, check_websocket

PAGE = "integrations/aiohttp.md"


@pytest.fixture
def folder(tmp_path, loop_name):
    """The program of the page and the service; for the default loop without the argument that the page is about."""
    (tmp_path / "factory.py").write_text("import service\n\ndef make(arguments):\n    return service.app\n")
    return prepared(tmp_path, "aiohttp", PAGE, loop_name, {"loop=mainspring.new_event_loop()": ""})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(folder, loop_name, number):
    with running([sys.executable, "serve.py"], folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        check_end(server, loop_name, number)


def test_the_command(folder, loop_name):
    with running(command_of(PAGE, loop_name), folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        check_end(server, loop_name, signal.SIGTERM)
