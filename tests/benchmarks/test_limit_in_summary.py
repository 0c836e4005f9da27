"""The limit has a column and a ratio of its own, and what a loop lacks is said."""

from mainspring.benchmarks.loops import LIMIT, OURS
from mainspring.benchmarks.runner import Cell
from mainspring.benchmarks.summary import summarise_row
from mainspring.benchmarks.table import notes, value_text
from mainspring.benchmarks.workload import Measurement
from mainspring.benchmarks.workloads import CATALOGUE

UNIX_ECHO = CATALOGUE["UNIX echo, protocol, 1 KiB x 10"]


def row():
    def measured(*values):
        return Cell({number: Measurement(value) for number, value in enumerate(values)})

    cells = {
        "default": measured(10.0, 10.0),
        OURS: measured(70.0, 80.0),
        "uvloop": measured(60.0, 60.0),
        "rloop": Cell(unsupported="create_unix_server is not implemented"),
        LIMIT: measured(100.0, 100.0),
    }
    return summarise_row(UNIX_ECHO.name, UNIX_ECHO.unit, cells)


def test_the_limit_is_nobodys_peer():
    assert row().best_peer == "uvloop"
    assert row().of_limit == 0.75


def test_what_a_loop_lacks_is_a_dash_with_its_reason():
    assert value_text(row(), "rloop") == "-"
    assert "-: UNIX echo, protocol, 1 KiB x 10 on rloop: create_unix_server is not implemented" in notes([row()], {})
    assert row().rounds == 2
