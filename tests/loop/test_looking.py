"""When the loop looks for events, and how much of them it takes at a time."""

import asyncio
import os
import socket

import pytest


class Tracing(asyncio.Protocol):
    """Writes down that it has received, and what it did then; `and_then` is called with the transport."""

    def __init__(self, trace, name, and_then=None):
        self.trace, self.name, self.and_then = trace, name, and_then

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.trace.append(self.name)
        if self.and_then:
            self.and_then()

    def resume_writing(self):
        self.trace.append(f"{self.name} resumed")


def ticking(loop, trace, count):
    """The beginning of a chain of callbacks, each of which schedules the next."""

    def tick(number):
        trace.append(number)
        if number < count:
            loop.call_soon(tick, number + 1)
        else:
            loop.stop()

    return lambda: loop.call_soon(tick, 1)


async def pair(loop, near, far):
    """Two transports of this loop that are connected with each other."""
    ends = socket.socketpair()
    for end, protocol in zip(ends, (near, far), strict=True):
        await loop.create_connection(lambda protocol=protocol: protocol, sock=end)
    return near.transport, far.transport


@pytest.fixture
def wake_up():
    """Two sockets outside the loop's transports: what the program sends by itself."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


def close(loop, *transports):
    for transport in transports:
        transport.abort()
    loop.run_until_complete(asyncio.sleep(0.01))


def test_what_a_protocol_sends_arrives_in_the_next_turn(loop):
    trace = []
    start = ticking(loop, trace, 3)

    def answer():
        start()
        server.write(b"answer")

    async def connect():
        return await pair(loop, Tracing(trace, "client"), Tracing(trace, "server", answer))

    client, server = loop.run_until_complete(connect())
    client.write(b"request")
    loop.run_forever()
    assert trace == ["server", 1, "client", 2, 3]
    close(loop, client, server)


def test_room_that_reading_makes_is_used_in_the_next_turn(loop):
    trace = []
    start = ticking(loop, trace, 3)

    def start_once():
        if trace == ["reader"]:
            start()

    async def connect():
        return await pair(loop, Tracing(trace, "writer"), Tracing(trace, "reader", start_once))

    writer, reader = loop.run_until_complete(connect())
    writer.set_write_buffer_limits(high=1)
    # The kernel takes the first part now, and the second when that has been read.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    writer.write(bytes(64 * 1024))
    writer.write(bytes(1024))
    assert writer.get_write_buffer_size() > 0
    loop.run_forever()
    assert trace == ["reader", 1, "writer resumed", 2, "reader", 3]
    close(loop, writer, reader)


def test_an_event_of_the_programs_own_waits_for_no_more_than_a_turn(loop, wake_up):
    trace = []
    start = ticking(loop, trace, 8)
    sender, receiver = wake_up

    def send_by_itself():
        start()
        sender.send(b"x")

    def receive():
        trace.append(receiver.recv(10))

    async def connect():
        return await pair(loop, Tracing(trace, "client"), Tracing(trace, "server", send_by_itself))

    client, server = loop.run_until_complete(connect())
    loop.add_reader(receiver, receive)
    client.write(b"request")
    loop.run_forever()
    assert trace.index(b"x") in (2, 3)
    loop.remove_reader(receiver)
    close(loop, client, server)


def test_a_reader_of_the_programs_own_sends_to_another_one(loop, wake_up):
    """No transport takes part: the turn after an event looks as on the default loop."""
    trace = []
    start = ticking(loop, trace, 3)
    sender, receiver = wake_up
    first, second = socket.socketpair()

    def forward():
        trace.append(second.recv(10))
        start()
        sender.send(b"y")

    loop.add_reader(second, forward)
    loop.add_reader(receiver, lambda: trace.append(receiver.recv(10)))
    first.send(b"x")
    loop.run_forever()
    assert trace == [b"x", 1, b"y", 2, 3]
    loop.remove_reader(second)
    loop.remove_reader(receiver)
    first.close()
    second.close()


# --- how often -------------------------------------------------------------------------------------------------------

MESSAGES = 200


async def through_a_pipe(loop):
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    source, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), open(read_end, "rb", 0))
    sink, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(write_end, "wb", 0))

    async def exchange():
        sink.write(b"message")
        assert await reader.readexactly(7) == b"message"

    def end():
        sink.close()
        source.close()

    return exchange, end


async def through_streams(loop):
    ends = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ends[0])
    other_reader, other_writer = await asyncio.open_connection(sock=ends[1])

    async def exchange():
        writer.write(b"message")
        assert await other_reader.read(100) == b"message"

    def end():
        writer.close()
        other_writer.close()

    return exchange, end


async def through_sockets(loop):
    ends = socket.socketpair()
    for one in ends:
        one.setblocking(False)

    async def exchange():
        receiving = loop.create_task(loop.sock_recv(ends[1], 100))
        await asyncio.sleep(0)
        await loop.sock_sendall(ends[0], b"message")
        assert await receiving == b"message"

    def end():
        for one in ends:
            one.close()

    return exchange, end


@pytest.mark.parametrize(
    ("way", "most"),
    [(through_a_pipe, 1), (through_streams, 1), (through_sockets, 4)],
    ids=["pipe", "streams", "sock_recv"],
)
def test_a_message_takes_one_look(mainspring_loop, way, most):
    loop = mainspring_loop

    async def main():
        exchange, end = await way(loop)
        await exchange()
        before = loop.metrics()
        for _ in range(MESSAGES):
            await exchange()
        after = loop.metrics()
        end()
        await asyncio.sleep(0.01)
        return after.polls - before.polls

    assert loop.run_until_complete(main()) <= MESSAGES * most + 5


# --- how much --------------------------------------------------------------------------------------------------------

CONNECTIONS = 32


async def received_and_run(loop, size, connections=CONNECTIONS):
    """What happened when so many connections have received `size` bytes each before the loop looks."""
    trace = []
    pairs = [socket.socketpair() for _ in range(connections)]
    transports = []
    for number, (near, far) in enumerate(pairs):

        def ran(number=number, trace=trace):
            if ("ran", number) not in trace:
                trace.append(("ran", number))

        protocol = Tracing(trace, ("received", number), lambda ran=ran: loop.call_soon(ran))
        transports.append((await loop.create_connection(lambda protocol=protocol: protocol, sock=near))[0])
        far.setblocking(False)
    for _, far in pairs:
        assert far.send(bytes(size)) == size
    while len([event for event in trace if event[0] == "ran"]) < connections:
        await asyncio.sleep(0)
    for transport in transports:
        transport.abort()
    for _, far in pairs:
        far.close()
    await asyncio.sleep(0.01)
    return trace


def test_what_little_input_makes_ready_runs_after_all_of_it(loop):
    trace = loop.run_until_complete(received_and_run(loop, 1024))
    assert trace == [(what, number) for what in ("received", "ran") for number in range(CONNECTIONS)]


def test_what_much_input_makes_ready_runs_before_the_rest_of_it(mainspring_loop):
    trace = mainspring_loop.run_until_complete(received_and_run(mainspring_loop, 100 * 1024))
    for what in ("received", "ran"):
        assert [number for kind, number in trace if kind == what] == list(range(CONNECTIONS))
    # The eleventh message makes it more than a megabyte.
    first_part = [*(("received", number) for number in range(11)), ("ran", 0)]
    assert trace[:12] == first_part


def test_what_many_events_make_ready_runs_before_the_rest_of_them(mainspring_loop):
    trace = mainspring_loop.run_until_complete(received_and_run(mainspring_loop, 1, 150))
    parts = [range(64), range(64, 128), range(128, 150)]
    expected = [("received", number) for number in parts[0]]
    for part, following in zip(parts, [*parts[1:], []], strict=True):
        expected += [("ran", number) for number in part]
        expected += [("received", number) for number in following]
    assert trace == expected
