"""`pytest --mainspring-max-block=TIME`: a test that blocks a loop fails, and says where."""

import subprocess
import sys

import pytest

SUITE = """
import asyncio
import time
import mainspring
import pytest
import pytest_asyncio

@pytest.mark.asyncio
async def test_that_waits():
    await asyncio.sleep(0.01)

@pytest.mark.asyncio
async def test_that_blocks():
    time.sleep(2)  # here

def test_with_a_loop_of_its_own():
    async def main():
        time.sleep(2)
    mainspring.run(main())

def test_without_a_loop():
    time.sleep(1.5)

@pytest_asyncio.fixture
async def resource():
    time.sleep(2)

@pytest.mark.asyncio
async def test_with_a_fixture_that_blocks(resource):
    pass

@pytest.mark.asyncio
async def test_that_fails_by_itself():
    time.sleep(2)
    assert 1 == 2
"""


def run_suite(folder, *options):
    (folder / "test_suite.py").write_text(SUITE)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_tests_that_block_fail(tmp_path):
    done = run_suite(tmp_path, "--mainspring", "--mainspring-max-block=1000ms")
    lines = done.stdout.splitlines()
    results = sorted(line.split(" - ")[0].replace("test_suite.py::", "") for line in lines if "test_suite.py::" in line)
    assert [line for line in results if line.startswith(("PASSED", "FAILED", "ERROR"))] == [
        "ERROR test_with_a_fixture_that_blocks",
        "FAILED test_that_blocks",
        "FAILED test_that_fails_by_itself",
        "FAILED test_with_a_loop_of_its_own",
        "PASSED test_that_waits",
        "PASSED test_without_a_loop",
    ], done.stdout
    assert "time.sleep(2)  # here" in done.stdout
    assert "in test_that_blocks" in done.stdout
    assert lines.count("a loop was blocked for more than 1 s") == 3
    assert "assert 1 == 2" in done.stdout


def test_without_the_option_nothing_is_watched(tmp_path):
    done = run_suite(tmp_path, "--mainspring", "-k", "blocks")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("text", ["soon", "-1", "0ms", "inf", "5m"])
def test_what_is_no_time(tmp_path, text):
    done = run_suite(tmp_path, f"--mainspring-max-block={text}")
    assert done.returncode == 4
    assert "not a time such as 50ms or 0.5s" in done.stderr
