"""Random programs over one connection show the same to each of its ends on both loops.

How to run a campaign of many new programs is told in test_scheduling.py.
"""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.connections import LARGE, Connection, run_connection
from helpers.differential.programs import connection_programs
from hypothesis import example, given

# What random programs come upon once in thousands.
RARE = [
    Connection(steps=(("ours", (("write", "gaps", 0),)),)),
    Connection(steps=(("ours", (("abort",),)), ("ours", (("write", "view", 0),) * 10))),
    Connection(
        steps=(("theirs", (("close",),)), ("ours", (("write", "bytearray", LARGE),))),
        kind="tcp",
        way="accepted",
        keep_open=True,
    ),
]


@example(RARE[0])
@example(RARE[1])
@example(RARE[2])
@campaign_settings(150)
@given(connection_programs())
def test_connections_show_the_same_to_each_end(program):
    run_alike(run_connection, program)
