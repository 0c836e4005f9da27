"""The comparison of loops below a library, by its own command."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("tornado")
pytest.importorskip("rich")

CLASSES = {"default": "asyncio.unix_events._UnixSelectorEventLoop", "mainspring": "mainspring._loop.Loop"}


def test_tornado_on_two_loops(tmp_path):
    file = tmp_path / "integrations.json"
    words = ["-m", "mainspring.benchmarks.integrations", "tornado", "--loops", "default,mainspring"]
    done = subprocess.run(
        [sys.executable, *words, "--rounds", "1", "--seconds", "0.5", "--markdown", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ((workload, cells),) = json.loads(file.read_text())["cells"].items()
    measured = {loop: cell["measurements"]["0"] for loop, cell in cells.items()}
    assert {loop: found["loop_class"] for loop, found in measured.items()} == CLASSES
    for found in measured.values():
        assert found["value"] > 0
        assert found["details"]["wall_requests_per_second"] > 0
    speed = measured["mainspring"]["value"] / measured["default"]["value"]
    values = [f"{measured[loop]['value']:,.0f}" for loop in CLASSES]
    head, _, row, *notes = done.stdout.splitlines()
    assert head == "| integration | default | mainspring | to default |"
    assert row == f"| {workload} | {' | '.join(values)} | {speed:.2f}× |"  # noqa: RUF001
    assert any(CLASSES["mainspring"] in note for note in notes)


def test_another_name_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "mainspring.benchmarks.integrations", "tornadoes"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such integration: 'tornadoes'" in done.stderr
