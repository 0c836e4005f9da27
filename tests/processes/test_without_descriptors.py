"""Processes where the system has no descriptors of them, as on macOS: a thread waits for each."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ["test_ends.py", "test_subprocesses.py"]
# Only mainspring sees the difference: the tests look at processes themselves.
WITHOUT = """
import os, sys, types
import mainspring._processes, pytest
names = sys.argv[1].split(",")
mainspring._processes.os = types.SimpleNamespace(**{k: v for k, v in vars(os).items() if k not in names})
sys.exit(pytest.main(sys.argv[2:]))
"""


# Python has os.waitid on macOS since 3.13.
@pytest.mark.parametrize("names", ["pidfd_open", "pidfd_open,waitid"])
def test_the_same_tests(names):
    files = [str(HERE / file) for file in FILES]
    # The test that hangs is to be named before this one is given up.
    options = ["-q", "-p", "no:xdist", "-k", "mainspring", "--import-mode=importlib", "--timeout=60"]
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT, names, *options, *files],
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert " passed" in finished.stdout
