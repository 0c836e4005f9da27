"""The programs of docs/metrics.md run as they stand."""

import pytest
from helpers import run_program
from helpers.pages import python_blocks

PROGRAMS = python_blocks("metrics.md")


def test_the_page_has_programs():
    assert len(PROGRAMS) == 3


@pytest.mark.parametrize("program", PROGRAMS, ids=["snapshot", "prometheus", "opentelemetry"])
def test_a_program_of_the_page(program):
    for library in ("prometheus_client", "opentelemetry"):
        if library in program:
            pytest.importorskip(library)
    # Whatever port is free.
    done = run_program(program.replace("8000", "0"))
    assert (done.stderr, done.returncode) == ("", 0)


def test_what_the_first_program_prints():
    assert run_program(PROGRAMS[0]).stdout == "100 timers fired, 0 TCP connections, 0 ready\n"
