"""The comparison itself: it finds loops that are wrong."""

import asyncio
from asyncio import selector_events

import pytest
from helpers import LOOPS
from helpers.differential.comparing import campaign_settings, run_alike
from helpers.differential.connections import run_connection
from helpers.differential.programs import connection_programs, scheduling_programs
from helpers.differential.scheduling import run_scheduling
from hypothesis import given, settings


class LastFirst(asyncio.SelectorEventLoop):
    """Runs what was scheduled last before the rest."""

    def call_soon(self, callback, *args, context=None):
        handle = super().call_soon(callback, *args, context=context)
        self._ready.rotate()
        return handle


class StubbornHandle(asyncio.TimerHandle):
    __slots__ = ()

    def cancel(self):
        pass


class ForgetsCancels(asyncio.SelectorEventLoop):
    """Runs timers that were cancelled."""

    def call_at(self, when, callback, *args, context=None):
        handle = super().call_at(when, callback, *args, context=context)
        handle.__class__ = StubbornHandle
        return handle


class MixesContexts(asyncio.SelectorEventLoop):
    """Runs callbacks in a context of its own choice."""

    def call_soon(self, callback, *args, context=None):
        return super().call_soon(callback, *args)


class WrongTransport(selector_events._SelectorSocketTransport):
    """A transport to be wrong in one way."""

    def __init__(self, loop, *args, **keywords):
        super().__init__(loop, *args, **keywords)
        self.spoil(loop.way)

    def spoil(self, way):
        if way == "never resumes":
            self._maybe_resume_protocol = lambda: None
        elif way == "hides errors":
            lose = self._call_connection_lost
            self._call_connection_lost = lambda error: lose(None)
        elif way == "drops at close":
            close = self.close
            self.close = lambda: (self._buffer.clear(), close())
        elif way == "ignores the end":
            self.write_eof = lambda: None


# Not by their names, which repr() shows.
for kind in (LastFirst, ForgetsCancels, MixesContexts):
    kind.__name__ = "Loop"
StubbornHandle.__name__ = "TimerHandle"
WrongTransport.__name__ = "SocketTransport"


def loop_with_wrong_transports(way):
    class Wrong(asyncio.SelectorEventLoop):
        def _make_socket_transport(self, sock, protocol, waiter=None, *, extra=None, server=None, **keywords):
            return WrongTransport(self, sock, protocol, waiter, extra, server, **keywords)

    Wrong.way, Wrong.__name__ = way, "Loop"
    return Wrong


def assert_found(interpret, programs, wrong):
    @settings(campaign_settings(400, shrink=False), max_examples=400)
    @given(programs)
    def search(program):
        run_alike(interpret, program, {**LOOPS, "mainspring": wrong})

    with pytest.raises(BaseException) as found:
        search()
    errors = found.value.exceptions if isinstance(found.value, BaseExceptionGroup) else [found.value]
    assert {type(error) for error in errors} == {AssertionError}


@pytest.mark.parametrize("wrong", [LastFirst, ForgetsCancels, MixesContexts], ids=lambda it: it.__qualname__)
def test_a_loop_that_schedules_wrongly_is_found(wrong):
    assert_found(run_scheduling, scheduling_programs(), wrong)


@pytest.mark.parametrize("way", ["never resumes", "hides errors", "drops at close", "ignores the end"])
def test_a_transport_that_is_wrong_is_found(way):
    assert_found(run_connection, connection_programs(), loop_with_wrong_transports(way))


def test_the_default_loop_is_like_itself():
    @settings(campaign_settings(30), max_examples=30)
    @given(scheduling_programs())
    def search(program):
        run_alike(run_scheduling, program, dict.fromkeys(LOOPS, asyncio.SelectorEventLoop))

    search()
