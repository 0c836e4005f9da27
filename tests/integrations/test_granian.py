"""Granian, with the program and by the command of docs/integrations/granian.md."""

import signal
import sys

import pytest

pytest.importorskip("granian")
pytest.importorskip("starlette")
from helpers.servers import LOOP_CLASSES, change, command_of, prepared, running
from helpers.web import check_end, check_requests, check_websocket, workers_seen

PAGE = "integrations/granian.md"
PROGRAM = [sys.executable, "serve.py"]


@pytest.fixture
def folder(tmp_path, loop_name):
    """The program of the page and the service; for the default loop without the page's loop."""
    on_default = {"import mainspring": "import asyncio", "mainspring.new_event_loop": "asyncio.SelectorEventLoop"}
    return prepared(tmp_path, "asgi", PAGE, loop_name, on_default)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(folder, loop_name, number):
    with running(PROGRAM, folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        check_end(server, loop_name, number)


@pytest.mark.parametrize("loop_name", ["mainspring"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers(folder, loop_name, method):
    start_method = f"import multiprocessing; multiprocessing.set_start_method({method!r})"
    change([folder / "serve.py"], {"workers=1": "workers=2", "    Granian(": f"    {start_method}\n    Granian("})
    with running(PROGRAM, folder) as server:
        assert list(workers_seen(server, 2).values()) == [LOOP_CLASSES[loop_name]] * 2
        check_end(server, loop_name, signal.SIGTERM, processes=2)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Granian does not fork its workers since Python 3.14")
def test_the_command(folder, loop_name):
    with running(command_of(PAGE, loop_name), folder) as server:
        check_requests(server, loop_name)
        check_end(server, loop_name, signal.SIGTERM)
