"""Granian, with the program and by the command of docs/integrations/granian.md."""

import signal
import sys

import pytest

pytest.importorskip("granian")
pytest.importorskip("starlette")
pytest.importorskip("websockets")
pytest.importorskip("httpx")
from helpers.asgi import check_end, check_requests, check_websocket, workers_seen
from helpers.servers import LOOP_CLASSES, add_service, command_of, running, without_mainspring, write_files

PAGE = "integrations/granian.md"
PROGRAM = [sys.executable, "serve.py"]


def change(folder, old, new):
    """Change the program."""
    file = folder / "serve.py"
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture
def folder(tmp_path, loop_name):
    """The program of the page and the service; for the default loop without the page's loop."""
    add_service("asgi", tmp_path)
    write_files(PAGE, tmp_path)
    if loop_name == "default":
        file = tmp_path / "serve.py"
        file.write_text(
            file.read_text().replace("mainspring.new_event_loop", "__import__('asyncio').SelectorEventLoop")
        )
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(folder, loop_name, number):
    with running(PROGRAM, folder) as server:
        check_requests(server, loop_name)
        check_websocket(server)
        check_end(server, loop_name, number)


@pytest.mark.parametrize("loop_name", ["mainspring"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers(folder, loop_name, method):
    change(folder, "workers=1", "workers=2")
    change(
        folder,
        "    Granian(",
        f"    import multiprocessing; multiprocessing.set_start_method({method!r})\n    Granian(",
    )
    with running(PROGRAM, folder) as server:
        assert list(workers_seen(server, 2).values()) == [LOOP_CLASSES[loop_name]] * 2
        check_end(server, loop_name, signal.SIGTERM)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Granian does not fork its workers since Python 3.14")
def test_the_command(folder, loop_name):
    command = command_of(PAGE)
    with running(command if loop_name == "mainspring" else without_mainspring(command), folder) as server:
        check_requests(server, loop_name)
        check_end(server, loop_name, signal.SIGTERM)
