"""Sanic, with the program and by the command of docs/integrations/sanic.md."""

import signal

import pytest

pytest.importorskip("sanic")
from helpers.servers import LOOP_CLASSES, command_of, prepared, running
from helpers.web import check_websocket, workers_seen

PAGE = "integrations/sanic.md"


@pytest.fixture
def folder(tmp_path, loop_name):
    """The file of the page and the service; for the default loop without the line that the page is about."""
    return prepared(tmp_path, "sanic", PAGE, loop_name, {"mainspring.install()": ""})


def check_end(server, loop_name):
    """Sanic says that it has stopped; on a busy machine its process can stay after that, on the default loop too."""
    server.close()
    text = ""
    for line in server.process.stdout:
        text += line
        if "Server Stopped" in line:
            break
    assert f"stopped on {LOOP_CLASSES[loop_name]}\n" in text
    assert text.endswith("Server Stopped\n")
    assert "Traceback" not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_single_process(folder, loop_name, number):
    with running([*command_of(PAGE), "--single-process"], folder) as server:
        assert server.get("/").json() == {"loop": LOOP_CLASSES[loop_name], "process": server.process.pid}
        body = bytes(range(256)) * 4000
        assert server.post("/echo", content=body).content == body
        check_websocket(server)
        server.send_signal(number)
        check_end(server, loop_name)


def test_workers(folder, loop_name):
    with running(command_of(PAGE), folder) as server:
        (first,) = workers_seen(server, 1)
        assert first != server.process.pid
        server.post("/scale/2")
        assert set(workers_seen(server, 2).values()) == {LOOP_CLASSES[loop_name]}
        # By a message and not by a signal, whose handler in the manager talks to the process that keeps the workers'
        # states even if it has interrupted such a talk.
        server.post("/terminate")
        check_end(server, loop_name)
