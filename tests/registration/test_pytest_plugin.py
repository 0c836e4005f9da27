"""`pytest --mainspring`: a pytest-asyncio suite runs on this loop, and without the option as before."""

import subprocess
import sys

import pytest

SUITE = """
import asyncio
import mainspring
import pytest
import pytest_asyncio

EXPECTED = {expected}

@pytest_asyncio.fixture
async def resource():
    await asyncio.sleep(0)
    yield type(asyncio.get_running_loop())
    await asyncio.sleep(0)

@pytest.mark.asyncio
async def test_the_loop(resource):
    assert type(asyncio.get_running_loop()) is EXPECTED
    assert resource is EXPECTED

@pytest.mark.asyncio
class TestGroup:
    async def test_one(self):
        await asyncio.sleep(0.001)
        assert type(asyncio.get_running_loop()) is EXPECTED

@pytest.mark.asyncio
@pytest.mark.parametrize("number", [1, 2])
async def test_parametrised(number):
    assert type(asyncio.get_running_loop()) is EXPECTED

def test_plain():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], "asyncio.SelectorEventLoop"), (["--mainspring"], "mainspring.Loop")],
    ids=["without", "with"],
)
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_suite(tmp_path, options, expected, mode):
    (tmp_path / "test_suite.py").write_text(SUITE.format(expected=expected))
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_option_is_explained(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "--mainspring" in done.stdout


def test_without_pytest_asyncio_the_option_says_what_is_missing(tmp_path):
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    done = subprocess.run(
        # pytest-aiohttp, where it is installed, does not start without pytest-asyncio.
        [sys.executable, "-m", "pytest", "-q", "--mainspring", "-p", "no:asyncio", "-p", "no:aiohttp",
         "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert "--mainspring needs pytest-asyncio" in done.stderr
