"""Results of the benchmark that are written to a file, read again, and put together."""

import json

import pytest
from helpers.benchmarks import report
from mainspring.benchmarks.report import ReportError, from_json, merged, read_report
from mainspring.benchmarks.runner import Cell

CHAINED = {"default": [100, 110], "mainspring": [10, 11]}


def test_round_trip():
    written = report({"call_soon, chained": CHAINED}, missing={"asyncpg SELECT 1": "needs PostgreSQL"})
    written.cells["call_soon, chained"]["uvloop"] = Cell(failures={1: "killed by SIGSEGV"})
    read = from_json(written.as_json())
    assert read == written
    assert read.rows() == written.rows()


def test_medians_and_ratios_are_there_for_other_readers():
    document = json.loads(report({"call_soon, chained": CHAINED}).as_json())
    assert document["rows"][0]["medians"] == {"default": 105, "mainspring": 10.5}
    assert document["rows"][0]["speeds"]["mainspring"] == 10.0


def test_names_of_files():
    written = report({"call_soon, chained": CHAINED})
    assert written.stem() == "2026-01-02-030405-py3.13.0"
    assert written.python_version() == "3.13"


@pytest.mark.parametrize("text", ["", "not JSON", "[]", '{"date": "today"}'])
def test_a_file_that_is_something_else(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=r"results\.json is not a file that mainspring bench wrote"):
        read_report(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ReportError, match=r"cannot read .*: No such file"):
        read_report(tmp_path / "results.json")


def test_of_several_runs_a_row_is_whole_from_the_last_one_that_has_it():
    first = report(
        {"call_soon, chained": CHAINED | {"uvloop": [20, 20]}, "sleep(0), 1 task": CHAINED},
        missing={"asyncpg SELECT 1": "needs PostgreSQL"},
    )
    second = report(
        {"call_soon, chained": {"default": [90], "mainspring": [9]}, "asyncpg SELECT 1": CHAINED},
        date="2026-01-03T03:04:05+00:00",
    )
    both = merged([first, second])
    assert both.cells["call_soon, chained"] == second.cells["call_soon, chained"]
    assert both.cells["sleep(0), 1 task"] == first.cells["sleep(0), 1 task"]
    assert [row.workload for row in both.rows()] == ["call_soon, chained", "sleep(0), 1 task", "asyncpg SELECT 1"]
    assert both.missing == {}
    assert set(both.loops) == {"default", "mainspring", "uvloop"}
    assert both.date == second.date


def test_runs_of_different_versions_are_not_put_together():
    one, other = report({"call_soon, chained": CHAINED}), report({"sleep(0), 1 task": CHAINED}, version="2.0")
    with pytest.raises(ReportError, match="not the same default"):
        merged([one, other])
