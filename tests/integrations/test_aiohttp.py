"""aiohttp's web server, with the program and by the command of docs/integrations/aiohttp.md."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("websockets")
pytest.importorskip("httpx")
from helpers.asgi import check_websocket
from helpers.servers import LOOP_CLASSES, add_service, command_of, running, without_mainspring, write_files

PAGE = "integrations/aiohttp.md"


@pytest.fixture
def folder(tmp_path, loop_name):
    """The program of the page and the service; for the default loop without the argument that the page is about."""
    add_service("aiohttp", tmp_path)
    write_files(PAGE, tmp_path)
    (tmp_path / "factory.py").write_text("import service\n\ndef make(arguments):\n    return service.app\n")
    if loop_name == "default":
        file = tmp_path / "serve.py"
        file.write_text(file.read_text().replace("loop=mainspring.new_event_loop()", ""))
    return tmp_path


def check_requests(server, loop_name):
    body = bytes(range(256)) * 40_000
    assert server.post("/echo", content=body).content == body
    with server.stream("GET", "/count") as streamed:
        assert list(streamed.iter_lines()) == [str(number) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.get("/").json(), range(40)))
    assert answers == [{"loop": LOOP_CLASSES[loop_name]}] * 40
    check_websocket(server)


def check_end(server, loop_name, number):
    status, text = server.end(number)
    assert status == 0, text
    assert f"cleaned up on {LOOP_CLASSES[loop_name]}\n" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(folder, loop_name, number):
    with running([sys.executable, "serve.py"], folder) as server:
        check_requests(server, loop_name)
        check_end(server, loop_name, number)


def test_the_command(folder, loop_name):
    command = command_of(PAGE)
    with running(command if loop_name == "mainspring" else without_mainspring(command), folder) as server:
        check_requests(server, loop_name)
        check_end(server, loop_name, signal.SIGTERM)
