"""add_reader and add_writer: what is watched, what is refused, and descriptors that the program closes."""

import asyncio
import gc
import os
import socket
import tempfile
import weakref

import pytest
from helpers import compare, eventually, outcome, turns


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    yield one, other
    one.close()
    other.close()


def run_for(loop, seconds):
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def test_a_reader_is_called_when_there_is_data(loop, pair):
    one, other = pair
    received = []

    def read(*args):
        received.append((one.recv(100), args))
        loop.stop()

    loop.add_reader(one, read, 1, 2)
    loop.call_later(0.002, other.send, b"data")
    loop.run_forever()
    assert received == [(b"data", (1, 2))]
    assert loop.remove_reader(one) is True
    assert loop.remove_reader(one) is False
    assert loop.remove_writer(one) is False


def test_a_writer_is_called_while_there_is_room(loop, pair):
    one, _ = pair
    calls = []

    def write():
        calls.append(1)
        if len(calls) == 5:
            assert loop.remove_writer(one) is True
            loop.call_soon(loop.stop)

    loop.add_writer(one, write)
    loop.run_forever()
    assert len(calls) == 5


def test_both_directions_of_one_descriptor(loop, pair):
    one, other = pair
    events = []
    other.send(b"x")
    loop.add_reader(one, lambda: (events.append("read"), one.recv(1), loop.remove_reader(one)))
    loop.add_writer(one, lambda: (events.append("write"), loop.remove_writer(one)))
    run_for(loop, 0.01)
    assert sorted(events) == ["read", "write"]


def test_it_is_called_again_while_data_is_unread(loop, pair):
    one, other = pair
    calls = []
    other.send(b"unread")

    def look():
        calls.append(1)
        if len(calls) == 10:
            loop.stop()

    loop.add_reader(one, look)
    loop.run_forever()
    assert len(calls) >= 10
    loop.remove_reader(one)


def test_the_second_reader_replaces_the_first(loop, pair):
    one, other = pair
    calls = []
    loop.add_reader(one, calls.append, "first")
    loop.add_reader(one, calls.append, "second")
    other.send(b"x")
    run_for(loop, 0.005)
    assert set(calls) == {"second"}
    loop.remove_reader(one)


@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
def test_the_replaced_handle_is_cancelled(method):
    def scenario(loop):
        one, other = socket.socketpair()
        first = getattr(loop, f"_{method}")(one, print)
        second = getattr(loop, f"_{method}")(one, print)
        states = first.cancelled(), second.cancelled()
        getattr(loop, method.replace("add", "remove"))(one)
        one.close()
        other.close()
        return states, second.cancelled()

    assert compare(scenario) == ((True, False), True)


def test_a_removed_reader_is_not_called(loop, pair):
    one, other = pair
    calls = []
    loop.add_reader(one, calls.append, 1)
    other.send(b"x")
    loop.call_soon(loop.remove_reader, one)
    run_for(loop, 0.005)
    assert calls == []


def test_a_reader_may_remove_its_neighbour(loop):
    pairs = [socket.socketpair() for _ in range(2)]
    calls = []

    def read(own, other):
        calls.append(own)
        loop.remove_reader(own)
        loop.remove_reader(other)

    first, second = pairs[0][0], pairs[1][0]
    loop.add_reader(first, read, first, second)
    loop.add_reader(second, read, second, first)
    for _, peer in pairs:
        peer.send(b"x")
    run_for(loop, 0.005)
    assert len(calls) >= 1
    for one, other in pairs:
        assert loop.remove_reader(one) is False
        one.close()
        other.close()


def test_a_regular_file_is_the_same_error():
    def scenario(loop):
        with tempfile.TemporaryFile() as file:
            return outcome(loop.add_reader, file, print)

    kind, _ = compare(scenario)
    assert kind is PermissionError


@pytest.mark.parametrize("thing", [-1, -100, 10**6, 10**30, "text", None, 1.5, object, []], ids=repr)
@pytest.mark.parametrize("method", ["add_reader", "add_writer", "remove_reader", "remove_writer"])
def test_what_is_no_descriptor_is_the_same_kind_of_error(method, thing):
    def scenario(loop):
        result = outcome(getattr(loop, method), thing, *([print] if method.startswith("add") else []))
        return result if result[0] == "returned" else result[0]

    assert compare(scenario) in (ValueError, OverflowError, OSError, ("returned", False))


def test_a_closed_socket_is_the_same_error():
    def scenario(loop):
        sock = socket.socket()
        sock.close()
        return outcome(loop.add_reader, sock, print)

    assert compare(scenario)[0] is ValueError


def test_the_blocking_mode_is_left_as_it_was(loop):
    read_end, write_end = os.pipe()
    assert os.get_blocking(read_end)
    seen = []

    def read():
        seen.append((os.read(read_end, 10), os.get_blocking(read_end)))
        loop.stop()

    loop.add_reader(read_end, read)
    assert os.get_blocking(read_end)
    os.write(write_end, b"x")
    loop.run_forever()
    loop.remove_reader(read_end)
    assert seen == [(b"x", True)]
    assert os.get_blocking(read_end)
    os.close(read_end)
    os.close(write_end)


def test_a_pipe_whose_reader_has_gone_calls_the_writer(loop):
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write_end, b"x" * 65536)
    calls = []

    def write():
        calls.append(outcome(os.write, write_end, b"x")[0])
        loop.stop()

    loop.add_writer(write_end, write)
    loop.call_later(0.002, os.close, read_end)
    loop.run_forever()
    assert calls == [BrokenPipeError]
    loop.remove_writer(write_end)
    os.close(write_end)


def test_the_peers_end_calls_the_reader(loop, pair):
    one, other = pair
    received = []

    def read():
        received.append(one.recv(10))
        loop.stop()

    loop.add_reader(one, read)
    loop.call_later(0.001, other.close)
    loop.run_forever()
    assert received == [b""]
    loop.remove_reader(one)


def test_a_descriptor_closed_behind_the_loops_back_hurts_nobody_else(loop, pair):
    one, other = pair

    async def main():
        read_end, write_end = os.pipe()
        loop.add_reader(read_end, print)
        # Before the loop has polled even once.
        os.close(read_end)
        os.close(write_end)
        received = loop.create_future()
        loop.add_reader(one, lambda: received.done() or received.set_result(one.recv(10)))
        other.send(b"fine")
        assert await received == b"fine"
        # And after it has.
        read_end, write_end = os.pipe()
        loop.add_reader(read_end, print)
        await turns(30)
        await asyncio.sleep(0.002)
        os.close(read_end)
        os.close(write_end)
        received = loop.create_future()
        other.send(b"still fine")
        assert await received == b"still fine"
        loop.remove_reader(one)

    loop.run_until_complete(main())


def test_a_number_that_is_used_again_belongs_to_the_new_file(loop):
    async def main():
        calls = []
        old, old_peer = socket.socketpair()
        number = old.fileno()
        loop.add_reader(old, calls.append, "old")
        await asyncio.sleep(0.002)
        old.close()
        new, new_peer = socket.socketpair()
        assert number in (new.fileno(), new_peer.fileno())
        if new.fileno() != number:
            new, new_peer = new_peer, new
        assert loop.remove_reader(number) is True
        loop.add_reader(new, lambda: calls.append(new.recv(10)))
        new_peer.send(b"new")
        await eventually(lambda: calls)
        await asyncio.sleep(0.002)
        assert calls == [b"new"]
        loop.remove_reader(new)
        for sock in (old_peer, new, new_peer):
            sock.close()

    loop.run_until_complete(main())


def test_hundreds_of_descriptors_each_get_their_own_data(loop):
    async def main():
        pairs = [socket.socketpair() for _ in range(200)]
        received = {}

        def read(number):
            received[number] = pairs[number][0].recv(100)
            loop.remove_reader(pairs[number][0])

        for number, (one, _) in enumerate(pairs):
            loop.add_reader(one, read, number)
        for number, (_, other) in enumerate(pairs):
            other.send(b"%d" % number)
        await eventually(lambda: len(received) == 200)
        assert received == {number: b"%d" % number for number in range(200)}
        for one, other in pairs:
            one.close()
            other.close()

    loop.run_until_complete(main())


def test_readers_are_released_when_they_are_removed_and_when_the_loop_closes(loop_factory, pair):
    class Thing:
        pass

    loop = loop_factory()
    removed, kept = Thing(), Thing()
    dead = weakref.ref(removed), weakref.ref(kept)
    loop.add_reader(pair[0], id, removed)
    loop.add_writer(pair[1], id, kept)
    loop.remove_reader(pair[0])
    del removed
    assert dead[0]() is None
    del kept
    loop.close()
    del loop
    gc.collect()
    assert dead[1]() is None


def test_a_writer_that_the_reader_sets_anew_waits_for_the_next_turn():
    def scenario(loop):
        one, other = socket.socketpair()
        events = []

        def read():
            events.append("reader")
            loop.remove_reader(one)
            loop.remove_writer(one)
            loop.add_writer(one, write, "new writer")
            loop.call_soon(events.append, "next turn")

        def write(name):
            events.append(name)
            loop.stop()

        with one, other:
            other.send(b"x")
            loop.add_reader(one, read)
            loop.add_writer(one, write, "old writer")
            loop.run_forever()
            loop.remove_writer(one)
        return events

    assert compare(scenario) == ["reader", "next turn", "new writer"]


def test_a_reader_that_is_replaced_in_the_turn_in_which_it_is_ready():
    def scenario(loop):
        one, other = socket.socketpair()
        events = []

        def read(name):
            events.append(name)
            loop.stop()

        def replace():
            other.send(b"x")
            # The descriptor is ready when the loop looks for the next turn.
            loop.call_soon(lambda: (loop.add_reader(one, read, "new"), loop.call_soon(events.append, "next turn")))

        with one, other:
            loop.add_reader(one, read, "old")
            loop.call_soon(replace)
            loop.run_forever()
            loop.remove_reader(one)
        return events

    assert compare(scenario) == ["next turn", "new"]


def test_a_closed_socket_and_a_closed_loop():
    def scenario(loop):
        sock = socket.socket()
        sock.close()
        loop.close()
        return [
            outcome(method, sock, *args)
            for method, args in (
                (loop.add_reader, (print,)),
                (loop.add_writer, (print,)),
                (loop.remove_reader, ()),
                (loop.remove_writer, ()),
            )
        ]

    closed = (RuntimeError, "Event loop is closed")
    assert compare(scenario) == [closed, closed, ("returned", False), ("returned", False)]


class Raises:
    def fileno(self):
        raise OverflowError("by the program")


@pytest.mark.parametrize("file", [2**31, 2**40, 2**80, Raises()], ids=["2**31", "2**40", "2**80", "raises"])
def test_numbers_that_no_descriptor_has(file):
    def scenario(loop):
        return outcome(loop.add_reader, file, print), outcome(loop.remove_reader, file)

    (kind, _), _ = compare(scenario)
    assert kind is OverflowError
