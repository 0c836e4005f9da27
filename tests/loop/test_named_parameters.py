"""Every parameter of a public method may be given by name, as a method written in Python takes it."""

import asyncio
import contextvars
import socket

import pytest
from helpers.compare import compare, outcome


def scheduled(loop):
    seen = []
    now = loop.time()
    loop.call_soon(callback=lambda: seen.append("soon"))
    loop.call_soon(context=None, callback=lambda: seen.append("soon, in a context"))
    loop.call_soon_threadsafe(callback=lambda: seen.append("from a thread"))
    loop.call_later(delay=0.001, callback=lambda: seen.append("later"))
    loop.call_later(0.002, callback=lambda: seen.append("later, half named"))
    loop.call_at(when=now + 0.01, callback=lambda: seen.append("at"))
    loop.call_at(now + 0.02, callback=loop.stop)
    loop.run_forever()
    return seen


def test_scheduling():
    assert compare(scheduled) == ["soon", "soon, in a context", "from a thread", "later", "later, half named", "at"]


def test_a_task():
    async def answer():
        return 42

    def scenario(loop):
        task = loop.create_task(coro=answer(), name="named")
        return loop.run_until_complete(task), task.get_name()

    assert compare(scenario) == (42, "named")


def test_descriptors():
    def scenario(loop):
        one, other = socket.socketpair()
        with one, other:
            other.send(b"x")
            loop.add_reader(fd=one, callback=loop.stop)
            loop.run_forever()
            loop.add_writer(one, callback=loop.stop)
            loop.run_forever()
            return loop.remove_reader(fd=one), loop.remove_writer(fd=one), loop.remove_writer(fd=one)

    assert compare(scenario) == (True, True, False)


def test_transports():
    async def scenario():
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        one.setblocking(False)
        with other:
            transport, _ = await loop.create_connection(protocol_factory=asyncio.Protocol, sock=one)
            transport.write(data=b"one ")
            transport.writelines(list_of_data=[b"two ", b"three"])
            protocol = asyncio.Protocol()
            transport.set_protocol(protocol=protocol)
            transport.set_write_buffer_limits(high=10, low=5)
            same = transport.get_protocol() is protocol
            name = transport.get_extra_info(name="nothing", default="default")
            transport.close()
            await asyncio.sleep(0.01)
            return other.recv(100), same, name

    assert compare(lambda loop: loop.run_until_complete(scenario())) == (b"one two three", True, "default")


def test_streams():
    async def scenario():
        answers = []

        async def serve(reader, writer):
            answers.append(await reader.read(n=1))
            answers.append(await reader.readexactly(n=2))
            answers.append(await reader.readuntil(separator=b"|"))
            writer.write(data=b"answer")
            writer.writelines(data=[b"!"])
            writer.close()

        server = await asyncio.start_server(client_connected_cb=serve, host="127.0.0.1", port=0)
        async with server:
            host, port = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host=host, port=port)
            writer.write(data=b"1234|")
            answers.append(await reader.read(n=-1))
            writer.close()
            await writer.wait_closed()
        return answers

    assert compare(lambda loop: loop.run_until_complete(scenario())) == [b"1", b"23", b"4|", b"answer!"]


WRONG = {
    "nothing": lambda loop: loop.call_soon(),
    "nothing but a context": lambda loop: loop.call_soon(context=None),
    "an unknown name": lambda loop: loop.call_soon(print, nonsense=1),
    "an unknown name alone": lambda loop: loop.call_soon(nonsense=1),
    "twice": lambda loop: loop.call_soon(print, callback=print),
    "no delay": lambda loop: loop.call_later(),
    "only a delay": lambda loop: loop.call_later(delay=1),
    "only a callback": lambda loop: loop.call_later(callback=print),
    "no time": lambda loop: loop.call_at(),
    "from no thread": lambda loop: loop.call_soon_threadsafe(),
    "no descriptor": lambda loop: loop.add_reader(),
    "no reader": lambda loop: loop.add_reader(0),
    "no writer": lambda loop: loop.add_writer(fd=0),
    "a context of a reader": lambda loop: loop.add_reader(0, print, context=None),
    "no reader to remove": lambda loop: loop.remove_reader(),
    "two writers to remove": lambda loop: loop.remove_writer(0, 1),
    "no coroutine": lambda loop: loop.create_task(),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_wrong_calls_have_the_texts_of_python(call):
    kind, _ = compare(lambda loop: outcome(call, loop))
    assert kind is TypeError


def test_context_is_known_by_its_letters(loop):
    """Calls from C, asyncio's own tasks among them, and from ** have other strings than source code has."""
    variable = contextvars.ContextVar("variable")
    seen = []
    for number in range(4):
        context = contextvars.copy_context()
        context.run(variable.set, number)
        loop.call_soon(lambda: seen.append(variable.get()), **{"".join(["con", "text"]): context})
    with pytest.raises(TypeError, match="unexpected keyword argument 'contexts'"):
        loop.call_soon(print, **{"".join(["context", "s"]): None})
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'callback'"):
        loop.call_soon(**{"".join(["con", "text"]): None})
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [0, 1, 2, 3]


def test_what_a_program_adds_to_a_loop(loop):
    """Attributes of any name, also those of methods, which are then called."""
    loop.added = 1
    assert vars(loop)["added"] == 1
    calls = []
    loop.time = lambda: calls.append("time") or 0.0
    assert loop.time() == 0.0
    del loop.time
    assert loop.time() > 0
    assert calls == ["time"]
    with pytest.raises(AttributeError):
        del loop.not_there
