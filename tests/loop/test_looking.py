"""When the loop looks for events, and how much of them it takes at a time."""

import asyncio
import os
import socket
import time

import pytest


class Tracing(asyncio.Protocol):
    """Writes down that it has received, and what it did then; `and_then` is called with the transport."""

    def __init__(self, trace, name, and_then=None):
        self.trace, self.name, self.and_then = trace, name, and_then

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


async def attach(loop, protocols, ends):
    """A transport for each protocol, over the socket in its place."""
    return [
        (await loop.create_connection(lambda protocol=protocol: protocol, sock=end))[0]
        for protocol, end in zip(protocols, ends, strict=True)
    ]


async def pair(loop, near, far):
    """Two transports of this loop that are connected with each other."""
    return await attach(loop, (near, far), socket.socketpair())


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

    client, server = loop.run_until_complete(pair(loop, Tracing(trace, "client"), Tracing(trace, "server", answer)))
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

    writer, reader = loop.run_until_complete(pair(loop, Tracing(trace, "writer"), Tracing(trace, "reader", start_once)))
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

    client, server = loop.run_until_complete(
        pair(loop, Tracing(trace, "client"), Tracing(trace, "server", send_by_itself))
    )
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
    done = loop.create_future()
    pairs = [socket.socketpair() for _ in range(connections)]

    def ran(number):
        trace.append(("ran", number))
        if len(trace) == 2 * connections:
            done.set_result(None)

    protocols = [
        Tracing(trace, ("received", number), lambda number=number: loop.call_soon(ran, number))
        for number in range(connections)
    ]
    transports = await attach(loop, protocols, [near for near, _ in pairs])
    for _, far in pairs:
        far.setblocking(False)
        assert far.send(bytes(size)) == size
    await done
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
    # The second message makes it more than 128 KiB.
    assert trace[:3] == [("received", 0), ("received", 1), ("ran", 0)]


def test_what_many_events_make_ready_runs_before_the_rest_of_them(mainspring_loop):
    trace = mainspring_loop.run_until_complete(received_and_run(mainspring_loop, 1, 150))
    parts = [range(64), range(64, 128), range(128, 150)]
    expected = [("received", number) for number in parts[0]]
    for part, following in zip(parts, [*parts[1:], []], strict=True):
        expected += [("ran", number) for number in part]
        expected += [("received", number) for number in following]
    assert trace == expected


class Idle(asyncio.Protocol):
    """Gives up when nothing has come for a while; makes `callbacks` ready when something comes."""

    def __init__(self, loop, trace, callbacks):
        self.loop, self.trace, self.callbacks = loop, trace, callbacks

    def wait(self):
        self.timer = self.loop.call_later(0.05, self.trace.append, "gave up")

    def data_received(self, data):
        self.trace.append("received")
        self.timer.cancel()
        for _ in range(self.callbacks):
            self.loop.call_soon(int)


@pytest.mark.parametrize(("connections", "callbacks"), [(2, 100), (200, 1)])
def test_due_timers_come_after_all_that_had_arrived(loop, connections, callbacks):
    trace = []
    pairs = [socket.socketpair() for _ in range(connections)]
    protocols = [Idle(loop, trace, callbacks) for _ in pairs]
    transports = loop.run_until_complete(attach(loop, protocols, [near for near, _ in pairs]))
    for protocol in protocols:
        protocol.wait()
    for _, far in pairs:
        far.send(b"x")
    # The loop is late.
    time.sleep(0.1)
    loop.run_until_complete(asyncio.sleep(0.01))
    assert trace == ["received"] * connections
    for _, far in pairs:
        far.close()
    close(loop, *transports)


@pytest.mark.parametrize("due", ["before", "meanwhile"])
def test_due_timers_do_not_wait_for_what_all_arrivals_make_ready(loop, due):
    trace = []
    pairs = [socket.socketpair() for _ in range(20)]

    def received():
        for _ in range(100):
            loop.call_soon(int)
        if due == "meanwhile" and trace == ["received"]:
            time.sleep(0.1)
        loop.call_soon(trace.append, "ran")

    protocols = [Tracing(trace, "received", received) for _ in pairs]
    transports = loop.run_until_complete(attach(loop, protocols, [near for near, _ in pairs]))
    for _, far in pairs:
        far.send(b"x")
    loop.call_later(0.01 if due == "before" else 0.05, trace.append, "timer")
    if due == "before":
        time.sleep(0.05)
    loop.run_until_complete(asyncio.sleep(0.2))
    assert trace.count("received") == trace.count("ran") == 20
    if due == "before":
        assert trace.index("timer") == 20
        assert "ran" not in trace[:20]
    else:
        assert trace[: trace.index("timer")].count("received") == 20
    for _, far in pairs:
        far.close()
    close(loop, *transports)


def test_readers_of_the_programs_own_are_called_before_anything_can_take_their_data(loop, wake_up):
    trace = []
    sender, receiver = wake_up
    first, second = socket.socketpair()
    for end in (first, second):
        end.setblocking(False)

    def take():
        try:
            trace.append(("taken", receiver.recv(10)))
        except BlockingIOError:
            trace.append("nothing to take")

    def make_many_ready():
        trace.append(("first", second.recv(10)))
        for _ in range(100):
            loop.call_soon(int)
        loop.call_soon(take)
        loop.call_later(0.01, loop.stop)

    loop.add_reader(second, make_many_ready)
    loop.add_reader(receiver, lambda: trace.append(("second", receiver.recv(10))))
    first.send(b"x")
    sender.send(b"y")
    loop.run_forever()
    assert trace == [("first", b"x"), ("second", b"y"), "nothing to take"]
    loop.remove_reader(second)
    loop.remove_reader(receiver)
    first.close()
    second.close()


def test_what_has_arrived_is_served_before_a_loop_that_is_stopped_returns(loop):
    trace = []
    pairs = [socket.socketpair() for _ in range(200)]

    def received():
        if len(trace) == 1:
            loop.stop()
        loop.call_soon(int)

    protocols = [Tracing(trace, "received", received) for _ in pairs]
    transports = loop.run_until_complete(attach(loop, protocols, [near for near, _ in pairs]))
    for _, far in pairs:
        far.send(b"x")
    loop.run_forever()
    assert len(trace) == 200
    for _, far in pairs:
        far.close()
    close(loop, *transports)


def test_other_work_runs_no_oftener_because_much_has_arrived(loop):
    """A task that uses the processor between two turns does not see the arrivals cut into many."""
    pairs = [socket.socketpair() for _ in range(300)]
    turns = []

    async def main():
        ends = [await asyncio.open_connection(sock=near) for near, _ in pairs]
        readers = [loop.create_task(reader.readexactly(1)) for reader, _ in ends]
        await asyncio.sleep(0)
        for _, far in pairs:
            far.send(b"x")
        while not all(task.done() for task in readers):
            turns.append(len([task for task in readers if task.done()]))
            await asyncio.sleep(0)
        for _, writer in ends:
            writer.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    assert len(turns) <= 5
    for _, far in pairs:
        far.close()


# --- the end of what is received -------------------------------------------------------------------------------------


class Ending(Tracing):
    def eof_received(self):
        self.trace.append("end")

    def connection_lost(self, exc):
        pass


def test_an_end_that_follows_data_is_seen_in_the_next_turn(loop):
    trace = []
    start = ticking(loop, trace, 3)

    client, server = loop.run_until_complete(pair(loop, Tracing(trace, "client"), Ending(trace, "data", start)))
    client.write(b"request")
    client.write_eof()
    loop.run_forever()
    assert trace == ["data", 1, "end", 2, 3]
    close(loop, client, server)
