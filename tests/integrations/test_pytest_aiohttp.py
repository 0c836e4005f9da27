"""Suites of pytest-aiohttp on this loop."""

import pytest
from helpers.pages import python_blocks
from helpers.scripts import run_suite

pytest.importorskip("pytest_aiohttp")


def passed(done, count):
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout
    assert "warning" not in done.stdout


def test_the_suite_of_the_page(tmp_path):
    (suite,) = python_blocks("integrations/pytest-aiohttp.md")
    passed(run_suite(tmp_path, suite, "--mainspring"), 2)


def test_the_suite_of_the_page_on_the_default_loop(tmp_path):
    (suite,) = python_blocks("integrations/pytest-aiohttp.md")
    done = run_suite(tmp_path, suite)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "_UnixSelectorEventLoop" in done.stdout


SERVERS = """
import asyncio

import aiohttp
import mainspring
from aiohttp import web


async def kind(request):
    return web.Response(text=type(request.transport).__module__)


async def test_a_server(aiohttp_server):
    application = web.Application()
    application.router.add_get("/", kind)
    server = await aiohttp_server(application)
    async with aiohttp.ClientSession() as session, session.get(server.make_url("/")) as answer:
        assert await answer.text() == "mainspring._core"


async def raw(request):
    return web.Response(text=request.path)


async def test_a_raw_server(aiohttp_raw_server, aiohttp_client):
    client = await aiohttp_client(await aiohttp_raw_server(raw))
    answers = await asyncio.gather(*(client.get(f"/{number}") for number in range(10)))
    assert [await answer.text() for answer in answers] == [f"/{number}" for number in range(10)]
    assert type(asyncio.get_running_loop()) is mainspring.Loop
"""


def test_servers_in_auto_mode(tmp_path):
    passed(run_suite(tmp_path, SERVERS, "--mainspring", ini="asyncio_mode = auto"), 2)
