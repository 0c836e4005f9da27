"""Random programs over one connection show the same to each of its ends on both loops."""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.connections import run_connection
from helpers.differential.programs import connection_programs
from hypothesis import given


@campaign_settings(150)
@given(connection_programs())
def test_connections_show_the_same_to_each_end(program):
    run_alike(run_connection, program)
