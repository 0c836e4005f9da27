"""FastAPI on uvicorn, by the command and with the tests of docs/integrations/fastapi.md."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
from helpers.pages import python_blocks
from helpers.scripts import run_suite
from helpers.servers import LOOP_CLASSES, add_service, command_of, running

PAGE = "integrations/fastapi.md"
NUMBERS = [str(number) for number in range(20)]


@pytest.fixture
def folder(tmp_path):
    add_service("fastapi", tmp_path)
    return tmp_path


@pytest.fixture
def server(folder, loop_name):
    """The service, started by the page's command; on the default loop by uvicorn's name for it."""
    with running(command_of(PAGE, loop_name), folder) as server:
        yield server


def test_requests(server, loop_name):
    assert server.get("/").json() == {"loop": LOOP_CLASSES[loop_name]}
    assert server.get("/thread/nonsense").status_code == 422
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: server.get(f"/thread/{number}").json(), range(40)))
    assert answers == [{"twice": 2 * number} for number in range(40)]
    assert server.get("/count").text.split() == NUMBERS
    status, text = server.end(signal.SIGINT)
    assert status == 0, text
    assert f"ended on {LOOP_CLASSES[loop_name]} []\n" in text
    assert "Traceback" not in text


def test_what_is_under_way_is_finished(server, loop_name):
    with server.stream("GET", "/count") as streamed:
        lines = streamed.iter_lines()
        first = next(lines)
        assert server.post("/mail/anna").status_code == 202
        server.send_signal(signal.SIGTERM)
        assert [first, *lines] == NUMBERS
    status, text = server.wait()
    assert status == -signal.SIGTERM, text
    assert f"ended on {LOOP_CLASSES[loop_name]} ['anna']\n" in text
    assert "Traceback" not in text


def test_the_tests_of_the_page(folder):
    (suite,) = python_blocks(PAGE)
    done = run_suite(folder, suite)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
