"""Random programs over datagram endpoints show the same on both loops."""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.datagrams import Datagrams, run_datagrams
from helpers.differential.programs import datagram_programs
from hypothesis import example, given

# A call that closes the endpoint within datagram_received(), which raises as well.
CLOSED_AND_RAISED = Datagrams(
    ((("from_peer", 0),),),
    connected=False,
    reactions=(("datagram_received", (("send", "bytes", 0, "none"), ("raise",))),),
)


@campaign_settings(100)
@example(CLOSED_AND_RAISED)
@given(datagram_programs())
def test_datagram_endpoints_show_the_same(program):
    run_alike(run_datagrams, program)
