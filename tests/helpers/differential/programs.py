"""What hypothesis builds the programs from."""

import asyncio

from hypothesis import strategies as st

from helpers.differential.connections import LARGE, Connection
from helpers.differential.datagrams import Datagrams
from helpers.differential.descriptors import Watching
from helpers.differential.scheduling import CAUGHT, ERRORS, Scheduling

# --- scheduling -------------------------------------------------------------------------------------------------------

DEPTH = 3

which = st.integers(0, 5)
context = st.integers(0, 1)
maybe_context = st.none() | context
distance = st.integers(1, 3)
message = st.none() | st.just("why")
usual_error = st.sampled_from(["value", "lookup", "timeout", "cancelled", "stop", "odd"])
error = usual_error | usual_error | usual_error | st.sampled_from([*ERRORS])
mode = st.sampled_from([asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION])

MISUSES = [
    "call_nothing",
    "call_coroutine_function",
    "missing_argument",
    "no_callback",
    "unknown_keyword",
    "no_delay",
    "no_context",
    "no_coroutine",
    "run_again",
    "complete_again",
    "close_running",
    "handler",
    "factory",
]


def node(name, *arguments):
    return st.tuples(st.just(name), *arguments)


LEAVES = (
    node("cancel_handle", which),
    node("look_at_handle", which),
    node("set", st.integers(1, 9)),
    node("set_and_keep", st.integers(0, 2)),
    node("reset", which),
    node("future"),
    node("set_result", which),
    node("set_result", which),
    node("set_exception", which, error),
    node("cancel", which, message),
    node("cancel", which, message),
    node("uncancel", which),
    node("not_when_done", which),
    node("look_at_future", which),
    node("retrieve", which),
    node("raise", error),
    node("stop"),
    node("report"),
    node("set_event", st.booleans()),
    node("put"),
    node("look_around"),
    node("switch_debug", st.booleans()),
    node("misuse", st.sampled_from(MISUSES)),
)

AWAITED_LEAVES = (
    node("turn"),
    node("turn"),
    node("sleep", distance),
    node("awaited", which),
    node("awaited", which),
    node("shielded", which),
    node("event"),
    node("item"),
    node("put_item"),
    node("generator", st.integers(0, 4)),
)


def _body(*nodes, most=4):
    return st.lists(st.one_of(*nodes), max_size=most).map(tuple)


def _level(below):
    if below is None:
        return _body(*LEAVES, most=3), _body(*LEAVES, *AWAITED_LEAVES, *AWAITED_LEAVES, most=4)
    called, awaited = below
    several = st.lists(awaited, min_size=0, max_size=3).map(tuple)
    branches = (
        node("soon", called),
        node("soon", called),
        node("forgotten", called),
        node("threadsafe", called),
        node("soon_in", context, called),
        node("later", distance, called),
        node("at", distance, maybe_context, called),
        node("overdue", distance, called),
        node("inside", context, called),
        node("inside_handle", which, called),
        node("task", awaited, maybe_context),
        node("task", awaited, maybe_context),
        node("when_done", which, maybe_context, called),
        node("when_done", which, maybe_context, called),
    )
    awaited_branches = (
        node("inner", awaited),
        node("gathered", several, st.booleans()),
        node("several", several.filter(len), mode, st.none() | distance),
        node("for", awaited, st.none() | st.integers(0, 3)),
        node("limited", awaited, st.none() | st.integers(0, 3)),
        node("group", several, awaited),
        node("try", awaited, st.sampled_from([*CAUGHT]), awaited, called),
        node("locked", awaited),
    )
    return (
        _body(*LEAVES, *branches, *branches),
        _body(*LEAVES, *branches, *AWAITED_LEAVES, *AWAITED_LEAVES, *awaited_branches, *awaited_branches, most=5),
    )


def scheduling_programs():
    """Programs of callbacks, timers and tasks."""
    levels = [_level(None)]
    for _ in range(DEPTH - 1):
        levels.append(_level(levels[-1]))
    called, awaited = levels[-1]
    one_run = st.one_of(
        st.tuples(st.just("turns"), called, st.integers(0, 6)),
        st.tuples(st.just("forever"), called, distance),
        st.tuples(st.just("complete"), awaited, distance),
    )
    return st.builds(
        Scheduling,
        runs=st.lists(one_run, min_size=1, max_size=3).map(tuple),
        debug=st.booleans(),
        handler=st.sampled_from(["records", "records", "records", "default", "raises", "exits"]),
        factory=st.sampled_from(["none", "none", "plain", "eager"]),
        ending=st.sampled_from(["close", "cancel"]),
        after=levels[1][0],
    )


# --- connections ------------------------------------------------------------------------------------------------------

small = st.sampled_from([0, 1, 10, 1000])
size = small | small | small | st.just(LARGE)
kind = st.sampled_from(["bytes", "bytes", "bytearray", "view", "slice", "subclass"])
any_kind = kind | kind | st.sampled_from(["gaps", "text", "number", "nothing"])
# Nothing in between: how much the system takes is not known exactly.
mark = st.none() | st.sampled_from([0, 10, 20_000, 10_000_000, -1])

WRITES = (
    node("write", any_kind, size),
    node("write", kind, size),
    # The default loop loses count when items are larger than a byte, unless the system takes all of them at once.
    node("write", st.just("array"), small),
    # An empty last piece makes the default loop spin and never close.
    node("writelines", st.lists(st.tuples(any_kind, size.map(lambda it: it or 1)), max_size=3).map(tuple)),
    node("write_eof"),
)

CALLS = (
    *WRITES,
    *WRITES,
    node("close"),
    node("abort"),
    node("pause"),
    node("resume"),
    node("resume"),
    node("limits", mark, mark),
)

BETWEEN_STEPS = (
    node("look"),
    node("switch_protocol", st.sampled_from(["plain", "buffered"])),
    node("close_server"),
)

PEER_CALLS = (
    node("send", st.sampled_from([1, 100, 5000])),
    node("send", st.sampled_from([1, 100, 5000])),
    node("read"),
    node("read"),
    node("shutdown"),
    node("close"),
    node("reset"),
)

EVENTS = ["connection_made", "data_received", "eof_received", "connection_lost", "pause_writing", "resume_writing"]


def connection_programs():
    """Programs over one connection."""
    ours = st.tuples(st.just("ours"), st.lists(st.one_of(*CALLS, *BETWEEN_STEPS), min_size=1, max_size=3).map(tuple))
    peer = st.tuples(st.just("theirs"), st.lists(st.one_of(*PEER_CALLS), min_size=1, max_size=2).map(tuple))
    other = st.tuples(st.just("theirs"), st.lists(st.one_of(*CALLS), min_size=1, max_size=2).map(tuple))
    answer = st.one_of(*CALLS, node("raise", st.sampled_from(["odd", "system", "cancelled", "exit"])))
    reaction = st.tuples(st.sampled_from(EVENTS), st.lists(answer, min_size=1, max_size=2).map(tuple))

    def programs(way):
        return st.builds(
            Connection,
            steps=st.lists(ours | (other if way == "both" else peer), max_size=5).map(tuple),
            kind=st.sampled_from(["tcp", "unix"] if way in ("accepted", "connected") else ["pair", "tcp", "unix"]),
            way=st.just(way),
            protocol=st.sampled_from(["plain", "plain", "plain", "buffered", "empty buffer", "read-only buffer"]),
            reactions=st.lists(reaction, max_size=2).map(tuple),
            keep_open=st.booleans(),
            debug=st.sampled_from([False, False, True]),
            ending=st.sampled_from(["close", "abort", "loop"]),
            after=st.lists(st.one_of(*CALLS), max_size=2).map(tuple),
        )

    return st.one_of([programs(way) for way in ("adopted", "accepted", "connected", "both")])


# --- descriptors ------------------------------------------------------------------------------------------------------

amount = st.sampled_from([1, 3, 100])

WATCHING_LEAVES = (
    node("remove_reader"),
    node("remove_writer"),
    node("send", st.sampled_from([1, 5])),
    node("send", st.sampled_from([1, 5])),
    node("shutdown"),
    node("close_far"),
    node("close_near"),
    node("raise"),
    node("receive", amount),
    node("cancel"),
)


def watching_programs():
    """Programs that watch descriptors."""
    body = _body(*WATCHING_LEAVES, most=2)
    for _ in range(2):
        adding = (
            node("add_reader", amount, body),
            node("add_reader_by_number", amount, body),
            node("add_writer", st.integers(1, 3), body),
        )
        body = _body(*WATCHING_LEAVES, *adding, *adding, most=3)
    steps = st.lists(st.tuples(st.integers(0, 1), body), max_size=5).map(tuple)
    return st.builds(Watching, steps=steps, pairs=st.integers(1, 2), debug=st.booleans(), after=steps)


# --- datagrams --------------------------------------------------------------------------------------------------------

sent_kind = st.sampled_from(["bytes", "bytes", "bytes", "bytearray", "view", "text", "list"])
DATAGRAM_CALLS = (
    node("send", sent_kind, st.sampled_from([0, 1, 10, 1000, 60_000, 70_000]), st.sampled_from(["peer", "none"])),
    node("send", sent_kind, st.sampled_from([1, 1000]), st.sampled_from(["peer", "nowhere", "wrong", "none"])),
    node("close"),
    node("abort"),
    node("limits", mark, mark),
)
DATAGRAM_STEP_CALLS = (
    *DATAGRAM_CALLS,
    *DATAGRAM_CALLS,
    node("look"),
    node("from_peer", st.sampled_from([0, 1, 1000])),
    node("from_peer", st.sampled_from([0, 1, 1000])),
    node("read_peer"),
    node("close_peer"),
)
DATAGRAM_EVENTS = ["connection_made", "datagram_received", "error_received", "connection_lost"]


def datagram_programs():
    """Programs over a datagram endpoint."""
    answer = st.lists(st.one_of(*DATAGRAM_CALLS, node("raise")), min_size=1, max_size=2).map(tuple)
    return st.builds(
        Datagrams,
        steps=st.lists(_body(*DATAGRAM_STEP_CALLS, most=3), max_size=5).map(tuple),
        kind=st.sampled_from(["udp", "unix"]),
        connected=st.booleans(),
        reactions=st.lists(st.tuples(st.sampled_from(DATAGRAM_EVENTS), answer), max_size=2).map(tuple),
        debug=st.sampled_from([False, False, True]),
        ending=st.sampled_from(["close", "abort", "loop"]),
        after=_body(*DATAGRAM_CALLS, most=2),
    )
