"""The short form of the fault campaigns (``make faults``): the first call of each kind and some of the others fails."""

import functools
import sys
from pathlib import Path

import pytest
from helpers import preload

sys.path.insert(0, str(Path(__file__).parent))

import injection
from campaign import judge, run_scenario
from scenarios import SCENARIOS, certificates

STRIDE = 40

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the library intercepts Linux's calls"),
    pytest.mark.skipif(preload.compiler() is None, reason="needs a C++ compiler"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the scenarios need."""
    made = tmp_path_factory.mktemp("faults")
    certificates(made)
    return made


@pytest.fixture(scope="module")
def library(folder):
    """The library that makes calls fail."""
    return preload.build(injection.SOURCE, folder)


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_a_system_call_fails(library, folder, scenario):
    """No crash, nothing left behind, the error is told of, and the loop goes on."""
    found = run_scenario(library, "mainspring", scenario, folder, STRIDE)
    assert found.plain["problems"] == []
    assert found.results, "no fault happened"
    wrong = judge(found, functools.partial(run_scenario, library, "default", scenario, folder, STRIDE))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="what is known was seen on Python 3.13 (`make faults`)")
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_an_allocation_of_the_native_code_fails(library, folder, scenario):
    """No crash, no descriptor left, and the loop goes on."""
    found = run_scenario(library, "mainspring", scenario, folder, 6, ("memory",))
    assert found.plain["problems"] == []
    wrong = judge(found)
    assert not wrong, "\n".join(map(str, wrong))
