"""Random programs of callbacks, timers, contexts, futures and tasks show the same, in the same order, on both loops.

A campaign of many new programs instead of the same few, for every test of this folder:

    MAINSPRING_DIFFERENTIAL_EXAMPLES=5000 pytest -s --timeout=0 tests/differential --hypothesis-show-statistics

It also prints the programs whose traces differed once and not again, and those that the machine never left alone.
"""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.programs import scheduling_programs
from helpers.differential.scheduling import run_scheduling
from hypothesis import given


@campaign_settings(200)
@given(scheduling_programs())
def test_callbacks_timers_and_tasks_show_the_same(program):
    run_alike(run_scheduling, program)
