"""Random programs over watched descriptors show the same on both loops."""

from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.descriptors import Watching, run_watching
from helpers.differential.programs import watching_programs
from hypothesis import example, given

# A sock_recv() and a writer of one descriptor, both ready in one turn.
BOTH_READY = Watching(
    ((0, (("receive", 1), ("add_writer", 2, (("send", 1), ("add_writer", 2, (("remove_reader",),)))))),)
)


@campaign_settings(100)
@example(BOTH_READY)
@given(watching_programs())
def test_watched_descriptors_show_the_same(program):
    run_alike(run_watching, program)
