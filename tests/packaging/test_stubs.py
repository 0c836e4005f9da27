"""The stubs of the native module say what it has."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="newer Pythons add attributes that stubs do not have")
def test_the_stubs_are_those_of_the_module(tmp_path):
    exceptions = Path(__file__).with_name("stubtest.txt")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "mainspring._core", "--allowlist", exceptions],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
