"""What sock_recv and its relatives return is a coroutine, wherever a program may look or use it."""

import asyncio
import collections.abc
import contextlib
import gc
import inspect
import socket
import sys
import warnings
import weakref

import pytest
from helpers import compare, open_descriptors, outcome, tcp_pair

CALLS = {
    "sock_recv": (10,),
    "sock_recv_into": (bytearray(10),),
    "sock_recvfrom": (10,),
    "sock_recvfrom_into": (bytearray(10),),
    "sock_sendall": (b"data",),
    "sock_sendto": (b"data", ("127.0.0.1", 9)),
    "sock_accept": (),
    "sock_connect": (("127.0.0.1", 9),),
}


@pytest.fixture
def pair():
    one, other = tcp_pair()
    with one, other:
        yield one, other


@pytest.mark.parametrize("method", list(CALLS))
def test_it_is_a_coroutine(loop, pair, method):
    coroutine = getattr(loop, method)(pair[0], *CALLS[method])
    assert asyncio.iscoroutine(coroutine)
    assert inspect.isawaitable(coroutine)
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert not isinstance(coroutine, collections.abc.Iterable)
    assert coroutine.__name__ == method
    assert coroutine.__qualname__.endswith(f".{method}")
    assert coroutine.cr_running is False
    assert coroutine.close() is None
    assert coroutine.close() is None


@pytest.mark.parametrize(
    "run",
    [
        lambda coroutine: asyncio.create_task(coroutine),
        lambda coroutine: asyncio.ensure_future(coroutine),
        lambda coroutine: asyncio.wait_for(coroutine, 10),
        lambda coroutine: asyncio.shield(coroutine),
        lambda coroutine: first_of(asyncio.gather(coroutine, asyncio.sleep(0))),
        lambda coroutine: coroutine,
    ],
    ids=["create_task", "ensure_future", "wait_for", "shield", "gather", "await"],
)
@pytest.mark.parametrize("waits", [False, True])
def test_it_can_be_used_wherever_a_coroutine_can(loop, pair, run, waits):
    one, other = pair

    async def main():
        if waits:
            loop.call_later(0.001, one.send, b"data")
        else:
            one.send(b"data")
        assert await run(loop.sock_recv(other, 10)) == b"data"

    loop.run_until_complete(main())


async def first_of(awaitable):
    return (await awaitable)[0]


def test_the_loop_runs_it_itself(loop, pair):
    pair[0].send(b"data")
    assert loop.run_until_complete(loop.sock_recv(pair[1], 10)) == b"data"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
def test_an_eager_task_is_done_at_once(loop, pair):
    async def main():
        pair[0].send(b"data")
        task = asyncio.Task(loop.sock_recv(pair[1], 10), loop=loop, eager_start=True)
        assert task.done()
        assert task.result() == b"data"

    loop.run_until_complete(main())


def test_it_does_nothing_before_it_is_awaited(loop, pair):
    one, other = pair
    one.send(b"data")
    coroutine = loop.sock_recv(other, 10)
    assert other.recv(10, socket.MSG_PEEK) == b"data"
    assert loop.run_until_complete(coroutine) == b"data"


def test_it_completes_without_a_turn_of_the_loop_when_it_need_not_wait(loop, pair):
    one, other = pair

    async def main():
        turns = []
        loop.call_soon(turns.append, 1)
        await loop.sock_sendall(one, b"data")
        assert await loop.sock_recv(other, 10) == b"data"
        assert turns == []

    loop.run_until_complete(main())


@pytest.mark.parametrize("method", list(CALLS))
def test_one_that_is_never_awaited_is_warned_of(loop, pair, method):
    with pytest.warns(RuntimeWarning, match=rf"coroutine '\w+\.{method}' was never awaited"):
        getattr(loop, method)(pair[0], *CALLS[method])
        gc.collect()


def test_a_warning_that_is_an_error_is_only_reported(loop, pair, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: reported.append(hook.exc_type))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.sock_recv(pair[0], 10)
        gc.collect()
    assert reported == [RuntimeWarning]


def manual(function):
    """What `function` comes to, with the texts of both loops made equal."""
    result = outcome(function)
    return result[0], str(result[1])


SEQUENCES = {
    "send a value to a new one": [("send", 1), ("send", None)],
    "twice": [("send", None), ("send", None)],
    "throw into a new one": [("throw", KeyError("x")), ("send", None)],
    "throw a class": [("throw", KeyError)],
    "throw what is no exception": [("throw", 3), ("throw", None)],
    "throw after its end": [("send", None), ("throw", KeyError("x"))],
    "close, then use": [("close",), ("send", None), ("throw", KeyError("x")), ("close",)],
    "too few arguments": [("throw",), ("send",), ("close",)],
}


@pytest.mark.parametrize("steps", SEQUENCES.values(), ids=list(SEQUENCES))
def test_driven_by_hand_it_answers_as_a_coroutine(steps):
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:
            one.send(b"data")
            coroutine = loop.sock_recv(other, 10)
            try:
                results = [manual(lambda step=step: getattr(coroutine, step[0])(*step[1:])) for step in steps]
            finally:
                coroutine.close()
            # Only the number of arguments is worded differently by CPython's own methods.
            return [kind if kind is TypeError and "argument" in text else (kind, text) for kind, text in results]

    compare(scenario)


WAITING = {
    "throw": lambda coroutine: coroutine.throw(KeyError("x")),
    "throw GeneratorExit": lambda coroutine: coroutine.throw(GeneratorExit()),
    "close": lambda coroutine: coroutine.close(),
    "send too early": lambda coroutine: coroutine.send(None),
}


@pytest.mark.parametrize("step", WAITING.values(), ids=list(WAITING))
def test_one_that_waits_answers_as_a_coroutine(step):
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:
            coroutine = loop.sock_recv(other, 10)

            async def main():
                future = coroutine.send(None)
                assert asyncio.isfuture(future)
                result = manual(lambda: step(coroutine))
                future.cancel()
                await asyncio.sleep(0)
                return result, manual(lambda: coroutine.send(None)), loop.remove_reader(other)

            return loop.run_until_complete(main())

    compare(scenario)


def test_awaiting_it_again_is_the_same_error():
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:

            async def again(coroutine):
                return await coroutine

            async def main():
                one.send(b"data")
                coroutine = loop.sock_recv(other, 10)
                first = await coroutine
                results = [first]
                for _ in range(2):
                    with pytest.raises(RuntimeError) as caught:
                        await coroutine
                    results.append(str(caught.value))
                waiting = loop.sock_recv(other, 10)
                task = loop.create_task(waiting)
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError) as caught:
                    await again(waiting)
                results.append(str(caught.value))
                one.send(b"more")
                return [*results, await task]

            return loop.run_until_complete(main())

    assert compare(scenario) == [
        b"data",
        "cannot reuse already awaited coroutine",
        "cannot reuse already awaited coroutine",
        "coroutine is being awaited already",
        b"more",
    ]


@pytest.mark.parametrize("method", list(CALLS))
def test_a_wrong_number_of_arguments_is_an_error_of_the_call(method):
    def scenario(loop):
        with socket.socket() as sock:
            arguments = (sock, *CALLS[method])
            bound = getattr(loop, method)
            kinds = [outcome(bound)[0], outcome(bound, *arguments, 1, 2)[0], outcome(bound, *arguments, wrong=1)[0]]
            return kinds

    assert compare(scenario) == [TypeError] * 3


def test_arguments_by_name(loop, pair):
    one, other = pair

    async def main():
        buffer = bytearray(10)
        await loop.sock_sendall(sock=one, data=b"data")
        assert await loop.sock_recv(sock=other, n=2) == b"da"
        assert await loop.sock_recvfrom_into(other, buf=buffer, nbytes=1) == (1, None)
        assert await loop.sock_recv_into(other, buf=buffer) == 1
        assert buffer[:1] == b"a"

    loop.run_until_complete(main())


@pytest.mark.parametrize("method", list(CALLS))
def test_the_signature_is_the_default_loops(method):
    def scenario(loop):
        return [
            (parameter.name, parameter.kind, parameter.default)
            for parameter in inspect.signature(getattr(loop, method)).parameters.values()
        ]

    compare(scenario)


@pytest.mark.parametrize("debug", [False, True])
def test_a_task_shows_it(loop, pair, debug):
    loop.set_debug(debug)

    async def main():
        task = loop.create_task(loop.sock_recv(pair[0], 10), name="receiving")
        await asyncio.sleep(0)
        assert "sock_recv()" in repr(task)
        assert "receiving" in repr(task)
        task.get_stack()
        task.print_stack(file=open("/dev/null", "w"))
        if sys.version_info >= (3, 14):
            asyncio.format_call_graph(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs are new in Python 3.14")
def test_the_call_graph_of_a_task_that_waits(loop, pair):
    async def receive():
        return await loop.sock_recv(pair[0], 10)

    async def main():
        task = loop.create_task(receive())
        await asyncio.sleep(0)
        assert "receive" in asyncio.format_call_graph(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run_until_complete(main())


def test_nothing_is_kept_alive(loop):
    class Buffer(bytearray):
        pass

    async def main():
        one, other = tcp_pair()
        with one, other:
            buffers = [Buffer(10) for _ in range(4)]
            dead = [weakref.ref(buffer) for buffer in buffers]
            one.send(b"0123456789" * 2)
            await loop.sock_recv_into(other, buffers[0])
            await loop.sock_recvfrom_into(other, buffers[1])
            waiting = loop.create_task(loop.sock_recv_into(other, buffers[2]))
            await asyncio.sleep(0)
            one.send(b"x")
            await waiting
            cancelled = loop.create_task(loop.sock_recv_into(other, buffers[3]))
            await asyncio.sleep(0)
            cancelled.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await cancelled
            del waiting, cancelled
            buffers.clear()
            await asyncio.sleep(0)
        gc.collect()
        assert [reference() for reference in dead] == [None] * 4

    loop.run_until_complete(main())


def test_thousands_of_operations_leave_no_references(mainspring_loop):
    loop = mainspring_loop
    data = b"0123456789" * 100
    address = ("127.0.0.1", 9)

    async def exchange(one, other, datagrams):
        buffer = bytearray(1000)
        for receive in (
            lambda: loop.sock_recv(other, 1000),
            lambda: loop.sock_recv_into(other, buffer),
            lambda: loop.sock_recvfrom(other, 1000),
            lambda: loop.sock_recvfrom_into(other, buffer),
        ):
            task = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            await loop.sock_sendall(one, data)
            await task
            await loop.sock_sendall(one, data)
            await receive()
        await loop.sock_sendto(datagrams, data, address)

    async def main():
        one, other = tcp_pair()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.setblocking(False)
        with one, other, datagrams:
            await exchange(one, other, datagrams)
            things = (one, other, datagrams, data, address, loop, None)
            gc.collect()
            before = [sys.getrefcount(thing) for thing in things]
            objects = len(gc.get_objects())
            for _ in range(500):
                await exchange(one, other, datagrams)
            gc.collect()
            after = [sys.getrefcount(thing) for thing in things]
            # Other threads and the test runner hold a few references to None and the like for a moment.
            assert max(abs(b - a) for a, b in zip(before, after, strict=True)) < 100
            assert len(gc.get_objects()) - objects < 100

    loop.run_until_complete(main())


def test_accepted_sockets_are_closed_by_the_program_alone(loop):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            before = open_descriptors()
            for _ in range(20):
                with socket.create_connection(listener.getsockname()):
                    connection, _ = await loop.sock_accept(listener)
                    assert sys.getrefcount(connection) <= 3
                    connection.close()
            left = {fd for fd, name in open_descriptors().items() if name.startswith("socket") and fd not in before}
            assert left == set()

    loop.run_until_complete(main())


def test_a_closed_loop_is_collected_with_what_waited_on_it(loop_factory):
    class Token:
        pass

    async def receive(loop, token):
        return await loop.sock_recv(other, 10)

    one, other = tcp_pair()
    with one, other:
        loop = loop_factory()
        token = Token()
        dead = weakref.ref(token), weakref.ref(loop)
        loop.create_task(receive(loop, token))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.set_exception_handler(lambda *_: None)
        loop.close()
        del token, loop
        gc.collect()
        assert [reference() for reference in dead] == [None, None]
