"""The small form of each scenario."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMES = (
    "slow_readers",
    "flood",
    "accept_storm",
    "handshake_storm",
    "timers",
    "callbacks",
    "transfer_tcp",
    "transfer_tls",
)


@pytest.mark.parametrize("name", NAMES)
def test_under_load(name):
    if name == "slow_readers" and "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("AddressSanitizer's allocator keeps memory that was freed, and more around each block")
    result = subprocess.run([sys.executable, HERE, "--small", name], capture_output=True, text=True, timeout=110)
    assert result.returncode == 0, result.stdout + result.stderr
    if "not run: " in result.stdout:
        pytest.skip(result.stdout.strip())
    assert name in result.stdout and "FAILED" not in result.stdout
