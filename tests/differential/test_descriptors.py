"""Random programs over watched descriptors show the same on both loops."""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.descriptors import run_watching
from helpers.differential.programs import watching_programs
from hypothesis import given


@campaign_settings(100)
@given(watching_programs())
def test_watched_descriptors_show_the_same(program):
    run_alike(run_watching, program)
