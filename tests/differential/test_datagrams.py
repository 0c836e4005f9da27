"""Random programs over datagram endpoints show the same on both loops."""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.datagrams import run_datagrams
from helpers.differential.programs import datagram_programs
from hypothesis import given


@campaign_settings(100)
@given(datagram_programs())
def test_datagram_endpoints_show_the_same(program):
    run_alike(run_datagrams, program)
