"""Random programs of callbacks, timers, contexts, futures and tasks show the same, in the same order, on both loops.

A campaign of many new programs instead of the same few: MAINSPRING_DIFFERENTIAL_EXAMPLES=5000 pytest tests/differential
(with --timeout=0).
"""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.programs import scheduling_programs
from helpers.differential.scheduling import run_scheduling
from hypothesis import given


@campaign_settings(200)
@given(scheduling_programs())
def test_callbacks_timers_and_tasks_show_the_same(program):
    run_alike(run_scheduling, program)
