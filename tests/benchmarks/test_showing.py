"""`mainspring bench --from`: saved results shown and drawn again."""

import os
import subprocess
import sys

import pytest
from helpers.benchmarks import report
from mainspring.benchmarks.sizes import SERIES

pytest.importorskip("rich", reason="the tables need the extra 'bench'")
pytest.importorskip("matplotlib", reason="the pictures need the extra 'bench'")

PNG = b"\x89PNG\r\n"


@pytest.fixture
def saved(tmp_path):
    """Writes a run to a file and gives its path."""

    def save(written, name="results.json"):
        path = tmp_path / name
        path.write_text(written.as_json())
        return str(path)

    return save


def bench(*words):
    """The command in a process of its own, since matplotlib keeps the files of its fonts open."""
    return subprocess.run(
        [sys.executable, "-m", "mainspring", "bench", *map(str, words)], capture_output=True, text=True, check=False
    )


def lines_of(output, *words):
    """The lines that begin with one of these words, in their order, by what they begin with."""
    return [word for line in output.splitlines() for word in words if line.strip("│ ").startswith(word)]


def test_full_prints_the_worst_first_and_what_is_missing(saved, tmp_path):
    run = report(
        {
            "call_soon, chained": {"default": [100], "mainspring": [10], "uvloop": [20]},
            "timer set and cancelled": {"default": [100], "mainspring": [10], "uvloop": [12]},
        },
        missing={"asyncpg SELECT 1": "needs PostgreSQL (Debian: apt install postgresql), and so on and on and on"},
    )
    shown = bench("--from", saved(run), "--full", "--output", tmp_path)
    assert shown.returncode == 0, shown.stderr
    output = shown.stdout
    judged, _, _ = output.partition("Medians and ratios")
    assert lines_of(judged, "call_soon, chained", "timer set and cancelled", "asyncpg SELECT 1") == [
        "timer set and cancelled",
        "call_soon, chained",
        "asyncpg SELECT 1",
    ]
    assert "1 of 2 workloads reach their target" in output
    assert "Not measured: asyncpg SELECT 1: needs PostgreSQL (Debian: apt install postgresql)" in judged
    assert "mainspring.Loop" in output
    assert (tmp_path / "bench-3.13.png").read_bytes().startswith(PNG)


def test_a_loop_that_failed_and_one_far_behind_are_drawn(saved, tmp_path):
    run = report(
        {
            "call_soon, chained": {"default": [100], "mainspring": [1000], "uvloop": [1]},
            "sleep(0), 1 task": {"default": [100], "uvloop": [1]},
            "redis-py, pipelines of 100": {"mainspring": [5]},
        }
    )
    shown = bench("--from", saved(run), "--output", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "Medians and ratios" in shown.stdout
    assert "Against the targets" not in shown.stdout
    assert (tmp_path / "bench-3.13.png").read_bytes().startswith(PNG)


def test_cost_against_size(saved, tmp_path):
    callbacks = next(series for series in SERIES if series.name == "callbacks")
    run = report(
        {
            workload.name: {"default": [500.0 + size], "mainspring": [50.0]}
            for size, workload in callbacks.points.items()
        }
    )
    shown = bench("--from", saved(run), "--output", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "10,000,000" in shown.stdout and "10,000,500" in shown.stdout
    assert [path.name for path in tmp_path.glob("*.png")] == ["sizes-callbacks-3.13.png"]


def test_a_wrong_file(tmp_path):
    shown = bench("--from", tmp_path / "none.json")
    assert shown.returncode == 2
    assert "cannot read" in shown.stderr


def test_output_that_nobody_reads_any_more():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        finished = subprocess.run(
            [sys.executable, "-m", "mainspring", "bench", "--list"],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (finished.returncode, finished.stderr) == (1, "")
