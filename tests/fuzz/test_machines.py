"""Transports driven in any order show the same, step by step, as on the default loop.

tests/differential runs whole programs and compares what they leave; here one transport of any kind is told one thing
after another, and after each everything settles and is compared. MAINSPRING_MACHINE_EXAMPLES=1000 runs so many new
machines of each kind; MAINSPRING_MACHINE_LOOP=uvloop compares another loop with the default loop.
"""

import pytest
from helpers.differential.connections import LARGE
from helpers.differential.programs import CALLS, DATAGRAM_CALLS, WRITES, mark, node
from helpers.machines.comparing import Alike, machine_settings
from helpers.machines.datagrams import DatagramWorld
from helpers.machines.streams import StreamsWorld
from helpers.machines.worlds import Setting, World
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

# Small writes that the system takes without the peer's reading, in one way or the other on both loops.
MOST_UNREAD = 8


def pieces(nodes):
    return sum(len(it[1]) if it[0] == "writelines" else it[0] == "write" for it in nodes)


class Connections(Alike):
    """What all kinds of connections can do."""

    kind = "tcp"
    protocols = "plain", "buffered"
    contexts = None
    unread = unheard = 0

    @initialize(which=st.integers(0, 1), keep_open=st.booleans(), debug=st.booleans())
    def open(self, which, keep_open, debug):
        protocol = self.protocols[which]
        self.make(World, Setting(self.kind, protocol, keep_open, debug), self.contexts)

    def ours(self, *nodes):
        self.unread += pieces(nodes)
        if self.unread > MOST_UNREAD:
            self.read()
            self.unread = pieces(nodes)
        self.step("ours", *nodes)

    def theirs(self, *nodes):
        self.step("theirs", *nodes)


class Writing(Connections):
    """Transports that write."""

    @rule(call=st.one_of(WRITES))
    def write(self, call):
        self.ours(call)

    @rule(calls=st.lists(st.one_of(CALLS), min_size=2, max_size=4))
    def several_in_a_turn(self, calls):
        self.ours(*calls)

    @rule(call=node("limits", mark, mark))
    def limits(self, call):
        self.ours(call)

    @rule(call=st.sampled_from([("close",), ("abort",)]))
    def leave(self, call):
        self.ours(call)

    @rule()
    def read(self):
        self.unread = 0
        self.theirs(("read",))

    @rule()
    def peer_closes(self):
        self.theirs(("close",))


class Reading(Connections):
    """Transports that read."""

    @rule(call=st.sampled_from([("pause",), ("resume",)]))
    def flow(self, call):
        self.ours(call)

    @precondition(lambda self: self.unheard < MOST_UNREAD)
    @rule(size=st.sampled_from([1, 100, 5000]))
    def peer_sends(self, size):
        self.unheard += 1
        self.theirs(("send", size))

    @rule(which=st.integers(0, 1))
    def switch_protocol(self, which):
        self.ours(("switch_protocol", self.protocols[which]))

    @rule()
    def peer_shuts_down(self):
        self.theirs(("shutdown",))


class Tcp(Writing, Reading):
    @rule()
    def peer_resets(self):
        self.theirs(("reset",))


class Unix(Writing, Reading):
    kind = "unix"


class WritePipe(Writing):
    kind = "write pipe"
    protocols = "plain", "plain"


class ReadPipe(Reading):
    kind = "read pipe"
    # The default loop's pipes know no buffered protocols.
    protocols = "plain", "plain"

    @rule()
    def leave(self):
        self.ours(("close",))


class TlsClient(Tcp):
    kind = "tls client"

    @rule()
    def peer_says_goodbye(self):
        self.theirs(("unwrap",))

    @rule(size=st.sampled_from([1, 5, 100]))
    def peer_sends_garbage(self, size):
        self.theirs(("garbage", size))

    @rule(size=st.sampled_from([1, 100, 5000]))
    def peer_ends_in_a_record(self, size):
        self.theirs(("part", size))


class TlsServer(TlsClient):
    kind = "tls server"


class Streams(Alike):
    """A reader and a writer; what is compared of reading is what each call gives."""

    kind = "unix"
    contexts = None
    unread = unheard = 0

    @initialize(debug=st.booleans())
    def open(self, debug):
        self.make(StreamsWorld, Setting(self.kind, debug=debug), None)

    @rule(
        call=node("read", st.sampled_from([-1, 0, 1, 5, 1000])) | node("readexactly", st.sampled_from([0, 1, 7, 300]))
    )
    def read(self, call):
        self.step("ours", call)

    @rule(call=st.just(("readline",)) | node("readuntil", st.sampled_from([b"\n", b"\r\n", b"aab", b""])))
    def read_to_a_delimiter(self, call):
        self.step("ours", call)

    @rule(call=st.sampled_from([("cancel",), ("drain",), ("drain",), ("write_eof",), ("wait_closed",)]))
    def others(self, call):
        self.step("ours", call)

    @rule(call=st.sampled_from([("close",), ("abort",)]))
    def leave(self, call):
        self.step("ours", call)

    @precondition(lambda self: self.unread < MOST_UNREAD)
    @rule(size=st.sampled_from([0, 1, 1000, LARGE]), drains=st.booleans())
    def write(self, size, drains):
        self.unread += 1
        self.step("ours", ("write", size))
        if drains:
            # Not in the same turn, whose writes are sent at its end: an error would come a turn later.
            self.step("ours", ("drain",))

    @rule()
    def peer_reads(self):
        self.unread = 0
        self.step("theirs", ("read",))

    @precondition(lambda self: self.unheard < 4 * MOST_UNREAD)
    @rule(text=st.text(st.sampled_from("ab\r\n"), min_size=1, max_size=12), times=st.sampled_from([1, 1, 1, 30]))
    def peer_sends(self, text, times):
        self.unheard += 1
        self.step("theirs", ("lines", text.encode() * times))

    @rule(call=st.sampled_from([("shutdown",), ("close",)]))
    def peer_ends(self, call):
        self.step("theirs", call)


class StreamsOverTcp(Streams):
    kind = "tcp"

    @rule()
    def peer_resets(self):
        self.step("theirs", ("reset",))


class Udp(Alike):
    """A datagram endpoint."""

    kind = "udp"
    contexts = None
    unheard = 0

    @initialize(connected=st.booleans(), debug=st.booleans())
    def open(self, connected, debug):
        self.make(DatagramWorld, self.kind, connected, debug)

    @rule(call=st.one_of(DATAGRAM_CALLS))
    def call(self, call):
        self.step(call)

    @rule(calls=st.lists(st.one_of(DATAGRAM_CALLS), min_size=2, max_size=3))
    def several_in_a_turn(self, calls):
        self.step(*calls, ("read_peer",))

    @rule()
    def peer_reads(self):
        self.step(("read_peer",))

    @rule(sizes=st.lists(st.sampled_from([0, 1, 1000]), min_size=1, max_size=6))
    def peer_sends(self, sizes):
        self.step(*[("from_peer", size) for size in sizes])

    @rule()
    def peer_closes(self):
        self.step(("close_peer",))


class UnixDatagrams(Udp):
    kind = "unix"


# About equal times: a TLS connection takes longest.
MACHINES = {
    Tcp: 20,
    Unix: 20,
    WritePipe: 15,
    ReadPipe: 15,
    TlsClient: 10,
    TlsServer: 10,
    Streams: 15,
    StreamsOverTcp: 10,
    Udp: 10,
    UnixDatagrams: 10,
}


@pytest.fixture(scope="module")
def contexts(authority):
    return authority.server_context(), authority.client_context()


@pytest.mark.parametrize("machine", MACHINES, ids=lambda it: it.__name__)
def test_a_transport_shows_the_same_after_every_step(machine, contexts):
    machine.contexts = contexts
    run_state_machine_as_test(machine, settings=machine_settings(MACHINES[machine]))
