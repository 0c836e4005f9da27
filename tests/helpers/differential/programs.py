"""What hypothesis builds the programs from."""

import asyncio

from hypothesis import strategies as st

from helpers.differential.reported import REPORTED
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
    node("misuse", st.sampled_from([name for name in MISUSES if name not in REPORTED])),
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
