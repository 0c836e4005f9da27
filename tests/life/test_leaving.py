"""SystemExit and KeyboardInterrupt leave the loop from wherever they are raised, and the loop can go on."""

import asyncio
import os
import signal
import socket

import pytest


def in_a_handle(loop, leave):
    loop.call_soon(leave)


def in_a_timer(loop, leave):
    loop.call_later(0.001, leave)


def from_another_thread(loop, leave):
    loop.call_later(0.001, lambda: loop.run_in_executor(None, loop.call_soon_threadsafe, leave))


def in_a_task(loop, leave):
    async def work():
        await asyncio.sleep(0)
        leave()

    loop.create_task(work())


def in_a_done_callback(loop, leave):
    future = loop.create_future()
    future.add_done_callback(lambda future: leave())
    loop.call_soon(future.set_result, None)


def in_a_signal_handler(loop, leave):
    def handler():
        loop.remove_signal_handler(signal.SIGUSR1)
        leave()

    loop.add_signal_handler(signal.SIGUSR1, handler)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)


def in_a_reader(loop, leave):
    one, other = socket.socketpair()

    def ready():
        loop.remove_reader(one)
        one.close()
        other.close()
        leave()

    loop.add_reader(one, ready)
    other.send(b"x")


def in_data_received(loop, leave):
    one, other = socket.socketpair()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.close()
            other.close()
            leave()

    async def connect():
        await loop.create_unix_connection(Protocol, sock=one)
        loop.call_later(0.001, other.send, b"x")

    loop.run_until_complete(connect())


PLACES = [
    in_a_handle,
    in_a_timer,
    from_another_thread,
    in_a_task,
    in_a_done_callback,
    in_a_signal_handler,
    in_a_reader,
    in_data_received,
]


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", PLACES)
def test_it_leaves_the_loop_which_can_go_on(loop, place, error, debug):
    def leave():
        raise error(place.__name__)

    handled = []
    loop.set_exception_handler(lambda loop, context: handled.append(context))
    loop.set_debug(debug)
    place(loop, leave)
    with pytest.raises(error, match=place.__name__):
        loop.run_forever()
    assert not loop.is_running()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    assert loop.run_until_complete(asyncio.sleep(0.001, "went on")) == "went on"
    # The default loop of some Pythons reports the task's exception a second time in debug mode.
    assert [context for context in handled if context["message"] != "Task exception was never retrieved"] == []
