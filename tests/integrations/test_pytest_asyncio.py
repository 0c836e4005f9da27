"""Suites of pytest-asyncio on this loop, by the option and by a hook of the suite."""

import pytest
from helpers.pages import python_blocks
from helpers.scripts import run_suite

pytest.importorskip("pytest_asyncio")

SUITE = """
import asyncio

import pytest
import pytest_asyncio

LOOPS = {"class": [], "module": [], "session": []}


def note(scope):
    loop = asyncio.get_running_loop()
    if loop not in LOOPS[scope]:
        LOOPS[scope].append(loop)
    return str(type(loop))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("text", [b"one\\n", b"two\\n"])
async def test_session(server, text):
    reader, writer = await asyncio.open_connection(*server)
    writer.write(text)
    assert await reader.read() == text
    writer.close()
    await writer.wait_closed()
    print("ran on", note("session"))


@pytest.mark.asyncio(loop_scope="class")
class TestClass:
    async def test_one(self):
        print("ran on", note("class"))

    async def test_two(self):
        print("ran on", note("class"))


@pytest.mark.asyncio(loop_scope="module")
async def test_module():
    print("ran on", note("module"))


@pytest.mark.asyncio
async def test_function():
    print("ran on", type(asyncio.get_running_loop()))


def test_each_scope_had_one_loop_of_each_kind():
    assert {scope: len(loops) for scope, loops in LOOPS.items()} == dict.fromkeys(LOOPS, KINDS)
"""

MAINSPRING = "ran on <class 'mainspring._loop.Loop'>"


def test_the_option(tmp_path):
    done = run_suite(tmp_path, SUITE.replace("KINDS", "1"), "-s", "--mainspring")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ran on") == done.stdout.count(MAINSPRING) == 6
    assert "7 passed" in done.stdout
    assert "warning" not in done.stdout


def test_the_hook_of_the_page(tmp_path):
    (hook,) = python_blocks("integrations/pytest-asyncio.md")
    (tmp_path / "conftest.py").write_text(hook)
    done = run_suite(tmp_path, SUITE.replace("KINDS", "2"), "-s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(MAINSPRING) == 6
    assert done.stdout.count("ran on") == 12
    assert "13 passed" in done.stdout


def test_an_old_way(tmp_path):
    """A policy, for versions without the hook."""
    policy = """
import mainspring, pytest

@pytest.fixture(scope="session")
def event_loop_policy():
    return mainspring.EventLoopPolicy()
"""
    (tmp_path / "conftest.py").write_text(policy)
    done = run_suite(tmp_path, SUITE.replace("KINDS", "1"), "-s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(MAINSPRING) == 6


LEFT_TASK = """
import asyncio
import pytest

@pytest.mark.asyncio
async def test_that_leaves_it():
    async def wait():
        try:
            await asyncio.sleep(600)
        finally:
            print("cancelled", type(asyncio.get_running_loop()))

    asyncio.create_task(wait())
    await asyncio.sleep(0)
"""


def test_a_task_that_a_test_leaves(tmp_path):
    done = run_suite(tmp_path, LEFT_TASK, "-s", "--mainspring")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cancelled <class 'mainspring._loop.Loop'>" in done.stdout
    assert "1 passed" in done.stdout
