"""Whether the soak's judgement finds a leak, and whether a short soak of each kind of traffic runs through."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import flatness  # noqa: E402

sys.path.remove(str(HERE))


@pytest.mark.parametrize("name", list(flatness.ALLOWED))
def test_a_line_that_grows_is_found(name):
    allowed = flatness.ALLOWED[name]
    grows = [{name: 1000 + i * (allowed + 1)} for i in range(6)]
    assert [text.split()[0] for text in flatness.growing(grows)] == [name]


@pytest.mark.parametrize("name", list(flatness.ALLOWED))
def test_a_flat_line_is_none(name):
    one_peak = [{name: 1000 + 10_000 * (i == 4)} for i in range(9)]
    falls = [{name: 1000 - i} for i in range(9)]
    assert flatness.growing(one_peak) == flatness.growing(falls) == []


def test_the_traffic(loop_name):
    loop = {"default": "asyncio"}.get(loop_name, loop_name)
    result = subprocess.run(
        [sys.executable, HERE, "--seconds", "2", "--every", "1", "--loop", loop],
        capture_output=True,
        text=True,
        timeout=100,
    )
    # In so short a time lines are not flat; that each kind of traffic was carried is what counts.
    problems = [line for line in result.stderr.splitlines() if " grew by " not in line]
    assert not problems, result.stderr
    assert {"tcp", "tls", "streams", "unix", "udp", "subprocesses", "executor", "signals"} <= set(
        result.stdout.replace(",", "").split()
    )
