"""What is abandoned is collected: loops with all that they hold, and cycles through handles."""

import asyncio
import functools
import gc
import socket
import warnings
import weakref

import pytest
from helpers import tcp_pair


class Thing:
    """Something whose life can be watched."""

    def method(self, *args):
        pass


@pytest.fixture(autouse=True)
def expected_warnings():
    with warnings.catch_warnings():
        # "unclosed event loop", "unclosed transport", "unclosed <socket…>"
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def test_an_abandoned_loop_is_collected_with_what_was_scheduled(loop_factory):
    loop, thing = loop_factory(), Thing()
    thing.loop = loop
    loop.call_soon(thing.method, loop)
    loop.call_later(60, thing.method, thing)
    loop.call_soon_threadsafe(thing.method, loop, thing)
    thing.handle = loop.call_later(60, thing.method)
    dead = weakref.ref(loop), weakref.ref(thing)
    del loop, thing
    gc.collect()
    assert [ref() for ref in dead] == [None, None]


def test_an_abandoned_loop_that_has_run_is_collected(loop_factory):
    loop = loop_factory()
    loop.run_until_complete(asyncio.sleep(0.001))
    dead = weakref.ref(loop)
    del loop
    gc.collect()
    assert dead() is None


def test_an_abandoned_loop_is_collected_with_its_watched_descriptors(mainspring_loop):
    loop, thing = type(mainspring_loop)(), Thing()
    one, other = socket.socketpair()
    loop.add_reader(one, thing.method, loop)
    loop.add_writer(other, thing.method, thing)
    dead = weakref.ref(loop), weakref.ref(thing)
    del loop, thing
    gc.collect()
    assert [ref() for ref in dead] == [None, None]
    one.close()
    other.close()


def test_an_abandoned_loop_is_collected_with_a_waiting_task(mainspring_loop, caplog):
    loop = type(mainspring_loop)()

    async def wait():
        await asyncio.sleep(60)

    task = loop.create_task(wait())
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    dead = weakref.ref(loop), weakref.ref(task)
    del loop, task
    gc.collect()
    assert [ref() for ref in dead] == [None, None]


def test_an_abandoned_loop_is_collected_with_its_transports_and_servers(mainspring_loop):
    loop = type(mainspring_loop)()
    ours, peer = tcp_pair()

    loop.run_until_complete(loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
    transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=ours))
    transport.write(b"x" * 1000)
    dead = weakref.ref(loop), weakref.ref(transport)
    del loop, ours, transport
    gc.collect()
    assert [ref() for ref in dead] == [None, None]
    peer.close()


def test_a_closed_loop_is_collected(loop_factory):
    loop = loop_factory()
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_later(10, Thing().method, loop)
    loop.close()
    dead = weakref.ref(loop)
    del loop
    gc.collect()
    assert dead() is None


@pytest.mark.parametrize("schedule", ["call_soon", "call_later", "call_at"])
def test_a_cycle_through_a_handle_that_has_run_is_collected(loop, schedule):
    thing = Thing()
    delay = [] if schedule == "call_soon" else [0]
    thing.handle = getattr(loop, schedule)(*delay, thing.method, thing)
    dead = weakref.ref(thing)
    loop.call_later(0.002, loop.stop)
    del thing
    loop.run_forever()
    gc.collect()
    assert dead() is None


def test_a_cycle_through_a_future_and_its_callback_is_collected(loop):
    future = loop.create_future()
    future.add_done_callback(functools.partial(id, future).__eq__)
    future.set_result(None)
    loop.call_soon(loop.stop)
    loop.run_forever()
    dead = weakref.ref(future)
    del future
    gc.collect()
    assert dead() is None


def test_what_runs_is_not_collected(loop):
    ran = []
    for number in range(100):
        loop.call_soon(lambda n=number: (gc.collect() if n % 20 == 0 else None, ran.append(n)))
        loop.call_later(0.001, ran.append, number)
    gc.collect()
    loop.call_later(0.5, loop.stop)
    loop.run_forever()
    assert len(ran) == 200


def test_a_finalizer_may_schedule_while_the_loop_closes(loop_factory):
    class Last:
        def __init__(self, loop):
            self.loop = loop

        def __del__(self):
            try:
                self.loop.call_soon(print)
            except RuntimeError as error:
                seen.append(str(error))

    seen = []
    loop = loop_factory()
    loop.call_soon(id, Last(loop))
    loop.call_later(10, id, Last(loop))
    loop.close()
    del loop
    gc.collect()
    assert seen == ["Event loop is closed"] * 2
