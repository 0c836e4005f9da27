"""loop.metrics(): what is counted is what happened."""

import asyncio
import dataclasses
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import mainspring
import pytest
from helpers import Recorder, connected, finish, run_program, serving, tcp_pair


@pytest.fixture
def loop(mainspring_loop):
    return mainspring_loop


@pytest.fixture
def measuring(loop):
    loop.set_metrics(True)
    return loop


def difference(before, after, name):
    return getattr(after, name) - getattr(before, name)


def bytes_between(before, after):
    return difference(before, after, "bytes_received"), difference(before, after, "bytes_sent")


# --- callbacks and turns ---------------------------------------------------------------------------------------------


def test_a_new_loop_has_done_nothing(loop):
    metrics = loop.metrics()
    for name in ("turns", "polls", "waits", "callbacks", "timers_set", "timers_fired", "bytes_received", "bytes_sent"):
        assert getattr(metrics, name) == 0, name
    assert (metrics.ready, metrics.timers, metrics.executor_queue, metrics.executor_threads) == (0, 0, 0, 0)
    assert metrics.transports == mainspring.OpenTransports(tcp=0, unix=0, datagram=0, pipe_reader=0, pipe_writer=0)


@pytest.mark.parametrize("measured", [False, True])
def test_each_callback_counts_once(loop, measured):
    loop.set_metrics(measured)
    for _ in range(100):
        loop.call_soon(int)
    loop.call_soon(loop.stop)
    before = loop.metrics()
    loop.run_forever()
    after = loop.metrics()
    assert difference(before, after, "callbacks") == 101
    assert difference(before, after, "turns") == 1


def test_a_cancelled_callback_does_not_count(loop):
    loop.call_soon(int).cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert loop.metrics().callbacks == 1


def test_a_callback_that_raises_counts(loop):
    loop.set_exception_handler(lambda loop, context: None)
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert loop.metrics().callbacks == 2


def test_a_chain_of_callbacks_is_a_turn_each(loop):
    left = [50]

    def step():
        left[0] -= 1
        if left[0]:
            loop.call_soon(step)
        else:
            loop.stop()

    loop.call_soon(step)
    loop.run_forever()
    metrics = loop.metrics()
    assert (metrics.callbacks, metrics.turns) == (50, 50)


def test_callbacks_of_debug_mode_and_from_threads_count(loop):
    loop.set_debug(True)
    thread = threading.Thread(target=lambda: [loop.call_soon_threadsafe(call) for call in (int, int, loop.stop)])
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()
    assert loop.metrics().callbacks == 4


def test_the_depth_of_the_ready_queue_as_a_callback_sees_it(loop):
    depths = []
    for _ in range(5):
        loop.call_soon(lambda: depths.append(loop.metrics().ready))
    loop.call_soon(loop.stop)
    assert loop.metrics().ready == 6
    loop.run_forever()
    assert depths == [5, 4, 3, 2, 1]
    assert loop.metrics().ready == 0


def test_callbacks_run_so_far_as_a_callback_sees_them(loop):
    counts = []
    for _ in range(3):
        loop.call_soon(lambda: counts.append(loop.metrics().callbacks))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert counts == [1, 2, 3]


# --- timers ----------------------------------------------------------------------------------------------------------


def test_timers_set_waiting_and_fired(loop):
    cancelled = loop.call_later(3600, int)
    loop.call_later(3600, int)
    for _ in range(10):
        loop.call_later(0.001, int)
    loop.call_later(0.002, loop.stop)
    before = loop.metrics()
    assert (before.timers_set, before.timers, before.timers_fired) == (13, 13, 0)
    cancelled.cancel()
    assert loop.metrics().timers == 12
    loop.run_forever()
    after = loop.metrics()
    assert (after.timers_set, after.timers, after.timers_fired) == (13, 1, 11)
    assert after.callbacks == 11


def test_a_turn_without_work_waits_in_the_kernel(loop):
    before = loop.metrics()

    def wake_until_it_waited():
        while loop.metrics().waits == before.waits:
            time.sleep(0.001)
            loop.call_soon_threadsafe(int)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=wake_until_it_waited)
    thread.start()
    loop.run_forever()
    thread.join()
    after = loop.metrics()
    assert after.waits > before.waits
    assert after.polls - before.polls >= after.waits - before.waits


# --- input and output ------------------------------------------------------------------------------------------------


def test_bytes_of_an_echo(loop):
    class Echo(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.write(data)

    async def main():
        async with connected(Echo) as (_, _, peer):
            before = loop.metrics()
            for size in (1, 1000, 100_000):
                await loop.sock_sendall(peer, b"x" * size)
                left = size
                while left:
                    left -= len(await loop.sock_recv(peer, left))
            return before, loop.metrics()

    # Both ends belong to this loop.
    assert bytes_between(*loop.run_until_complete(main())) == (202_002, 202_002)


def test_bytes_of_streams(loop):
    async def main():
        async def serve(reader, writer):
            writer.write(await reader.readexactly(300_000))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.writelines([b"a" * 100_000, bytearray(200_000)])
        assert len(await reader.read(-1)) == 300_000
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    metrics = loop.metrics()
    assert (metrics.bytes_received, metrics.bytes_sent) == (600_000, 600_000)
    assert metrics.connections_accepted == 1


def test_bytes_of_a_buffered_protocol(loop):
    class Buffered(asyncio.BufferedProtocol):
        def connection_made(self, transport):
            self.buffer = bytearray(64)
            self.all = loop.create_future()

        def get_buffer(self, size):
            return self.buffer

        def buffer_updated(self, size):
            self.all.set_result(size)

    async def main():
        async with connected(Buffered) as (_, protocol, peer):
            peer.send(b"x" * 40)
            assert await protocol.all == 40

    loop.run_until_complete(main())
    metrics = loop.metrics()
    assert (metrics.bytes_received, metrics.bytes_sent) == (40, 0)


def test_bytes_of_datagrams(loop):
    class Answering(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(data * 2, address)

    async def main():
        endpoint, _ = await loop.create_datagram_endpoint(Answering, local_addr=("127.0.0.1", 0))
        assert loop.metrics().transports.datagram == 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.connect(endpoint.get_extra_info("sockname"))
            for _ in range(20):
                peer.send(b"x" * 100)
            for _ in range(20):
                assert len(await loop.sock_recv(peer, 1000)) == 200
        endpoint.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert loop.metrics().transports.datagram == 0

    loop.run_until_complete(main())
    metrics = loop.metrics()
    # The answers are received by this loop, too.
    assert (metrics.bytes_received, metrics.bytes_sent) == (20 * 100 + 20 * 200, 20 * 200)


def test_bytes_of_pipes(loop):
    async def main():
        read_end, write_end = os.pipe()
        _, protocol = await loop.connect_read_pipe(Recorder, open(read_end, "rb", 0))
        writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(write_end, "wb", 0))
        assert (loop.metrics().transports.pipe_reader, loop.metrics().transports.pipe_writer) == (1, 1)
        writer.write(b"x" * 500_000)
        writer.close()
        await protocol.lost
        assert len(protocol.received) == 500_000
        await asyncio.sleep(0)
        assert (loop.metrics().transports.pipe_reader, loop.metrics().transports.pipe_writer) == (0, 0)

    loop.run_until_complete(main())
    metrics = loop.metrics()
    assert (metrics.bytes_received, metrics.bytes_sent) == (500_000, 500_000)


@pytest.mark.parametrize("debug", [False, True], ids=["native", "in Python"])
def test_bytes_of_socket_operations(loop, debug):
    loop.set_debug(debug)

    async def main():
        one, other = tcp_pair()
        with one, other:
            await loop.sock_sendall(one, b"x" * 10)
            assert await loop.sock_recv(other, 4) == b"xxxx"
            assert await loop.sock_recv_into(other, bytearray(20)) == 6
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.setblocking(False)
            one.bind(("127.0.0.1", 0))
            for _ in range(2):
                await loop.sock_sendto(one, b"y" * 50, one.getsockname())
            await loop.sock_recvfrom(one, 100)
            await loop.sock_recvfrom_into(one, bytearray(100))

    loop.run_until_complete(main())
    metrics = loop.metrics()
    assert (metrics.bytes_received, metrics.bytes_sent) == (110, 110)


def test_bytes_of_a_file_that_is_sent(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"z" * 70_000)

    async def main():
        async with connected() as (transport, _, peer):
            with path.open("rb") as file:
                assert await loop.sendfile(transport, file) == 70_000
            left = 70_000
            while left:
                left -= len(await loop.sock_recv(peer, left))

    loop.run_until_complete(main())
    metrics = loop.metrics()
    assert (metrics.bytes_received, metrics.bytes_sent) == (70_000, 70_000)


def test_open_transports_before_and_after_close(loop, tmp_path):
    seen = []

    async def main():
        async with serving(Recorder) as (_, address, made):
            seen.append(loop.metrics())
            clients = [await loop.create_connection(Recorder, *address) for _ in range(3)]
            while len(made) < 3 or not all(protocol.transport for protocol in made):
                await asyncio.sleep(0)
            seen.append(loop.metrics())
            for transport, _ in clients:
                transport.close()
            for _, protocol in clients:
                await protocol.lost
            for protocol in made:
                await protocol.lost
            seen.append(loop.metrics())
        server = await loop.create_unix_server(Recorder, tmp_path / "socket")
        transport, protocol = await loop.create_unix_connection(Recorder, str(tmp_path / "socket"))
        seen.append(loop.metrics())
        transport.close()
        server.close()
        await protocol.lost
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    seen.append(loop.metrics())
    assert [metrics.transports.tcp for metrics in seen] == [0, 6, 0, 0, 0]
    assert [metrics.listeners for metrics in seen] == [1, 1, 1, 1, 0]
    assert seen[3].transports.unix >= 1
    assert seen[4].transports.unix == 0
    assert seen[4].connections_accepted == 4


def test_a_descriptor_that_is_ready_is_an_event(loop):
    one, other = tcp_pair()
    with one, other:
        one.send(b"x")
        loop.add_reader(other, lambda: (loop.remove_reader(other), loop.stop()))
        loop.run_forever()
    metrics = loop.metrics()
    assert metrics.io_events == 1
    assert metrics.callbacks == 1


# --- the executor ----------------------------------------------------------------------------------------------------


def test_the_queue_and_the_threads_of_the_executor(loop):
    async def main():
        go_on = threading.Event()
        begun = threading.Event()

        def block():
            begun.set()
            assert go_on.wait(60)

        first = loop.run_in_executor(None, block)
        while not begun.is_set():
            await asyncio.sleep(0.001)
        others = [loop.run_in_executor(None, int) for _ in range(4)]
        waiting = loop.metrics()
        go_on.set()
        await asyncio.gather(first, *others)
        return waiting

    loop.set_default_executor(ThreadPoolExecutor(1))
    waiting = loop.run_until_complete(main())
    assert (waiting.executor_queue, waiting.executor_threads) == (4, 1)
    assert loop.metrics().executor_queue == 0


def test_calls_in_the_pool_of_the_loop(loop):
    async def main():
        await asyncio.gather(*(loop.run_in_executor(None, int) for _ in range(10)))

    loop.run_until_complete(main())
    metrics = loop.metrics()
    assert metrics.executor_calls == 10
    assert metrics.executor_threads >= 1
    assert metrics.executor_queue == 0
    assert metrics.executor_wait.count == 0


def test_the_wait_for_a_thread(measuring):
    async def main():
        await asyncio.gather(*(measuring.run_in_executor(None, int) for _ in range(10)))

    measuring.run_until_complete(main())
    assert measuring.metrics().executor_wait.count == 10


# --- durations -------------------------------------------------------------------------------------------------------


def longer_than(histogram, seconds):
    """How many surely took longer than this."""
    return histogram.count - min(count for limit, count in histogram.buckets if limit >= seconds)


def test_a_callback_that_blocks_is_seen(measuring):
    measuring.call_soon(time.sleep, 0.05)
    measuring.call_soon(int)
    measuring.call_soon(measuring.stop)
    measuring.run_forever()
    metrics = measuring.metrics()
    assert metrics.measured
    assert metrics.callback_time.count == 3
    assert metrics.callback_time.sum >= 0.05
    # 32.768 ms is the limit below.
    assert longer_than(metrics.callback_time, 0.03) == 1
    assert longer_than(metrics.lag, 0.03) == 1
    assert metrics.lag.sum >= 0.05


def test_a_protocol_that_blocks_is_seen(measuring):
    class Slow(Recorder):
        def data_received(self, data):
            time.sleep(0.05)
            super().data_received(data)
            self.transport.close()

    async def main():
        async with connected(Slow) as (_, protocol, peer):
            before = measuring.metrics()
            peer.send(b"x")
            await protocol.lost
            return before, measuring.metrics()

    before, after = measuring.run_until_complete(main())
    assert longer_than(after.callback_time, 0.03) - longer_than(before.callback_time, 0.03) == 1


def test_idle_time_is_time_in_the_kernel(measuring):
    measuring.run_until_complete(asyncio.sleep(0.05))
    metrics = measuring.metrics()
    assert metrics.kernel_time >= 0.04
    assert metrics.waits >= 1


def test_time_between_two_runs_is_nobodys_lag(measuring):
    measuring.run_until_complete(asyncio.sleep(0))
    before = measuring.metrics().lag
    time.sleep(0.05)
    measuring.run_until_complete(asyncio.sleep(0))
    after = measuring.metrics().lag
    assert after.count > before.count
    assert longer_than(after, 0.03) == longer_than(before, 0.03)


def test_nothing_is_measured_before_the_switch_and_after_it(loop):
    loop.run_until_complete(asyncio.sleep(0.001))
    metrics = loop.metrics()
    assert not metrics.measured
    assert (metrics.lag.count, metrics.callback_time.count, metrics.kernel_time, metrics.gil_time) == (0, 0, 0, 0)
    loop.set_metrics(True)
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.set_metrics(False)
    measured = loop.metrics()
    assert measured.callback_time.count > 0
    loop.run_until_complete(asyncio.sleep(0.001))
    after = loop.metrics()
    assert not after.measured
    assert after.callback_time == measured.callback_time
    assert after.callbacks > measured.callbacks


def test_switched_on_and_off_by_a_callback(loop):
    async def main():
        for enabled in (True, False, True):
            loop.set_metrics(enabled)
            assert loop.metrics().measured is enabled
            await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert loop.metrics().measured


def test_a_cancelled_callback_takes_no_time(measuring):
    measuring.call_soon(int).cancel()
    measuring.call_soon(measuring.stop)
    measuring.run_forever()
    assert measuring.metrics().callback_time.count == 1


def test_what_leaves_the_loop_is_measured_too(measuring):
    def leave():
        raise SystemExit

    measuring.call_soon(leave)
    with pytest.raises(SystemExit):
        measuring.run_forever()
    assert measuring.metrics().callback_time.count == 1


@pytest.mark.parametrize("value, measured", [("1", True), ("0", False), ("", False)])
def test_the_environment_variable(value, measured, monkeypatch):
    monkeypatch.setenv("MAINSPRING_METRICS", value)
    loop = mainspring.new_event_loop()
    try:
        assert loop.metrics().measured is measured
    finally:
        loop.close()


# --- the snapshot ----------------------------------------------------------------------------------------------------


def test_histograms_are_cumulative(measuring):
    measuring.run_until_complete(asyncio.sleep(0.001))
    histogram = measuring.metrics().callback_time
    limits = [limit for limit, _ in histogram.buckets]
    counts = [count for _, count in histogram.buckets]
    assert limits == [2**power / 1e6 for power in range(25)] + [float("inf")]
    assert counts == sorted(counts)
    assert counts[-1] == histogram.count > 0


def test_a_snapshot_does_not_change(loop):
    before = loop.metrics()
    copy = dataclasses.asdict(before)
    loop.run_until_complete(asyncio.sleep(0))
    assert dataclasses.asdict(before) == copy
    assert loop.metrics() != before
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.turns = 5
    assert hash(before) == hash(dataclasses.replace(before))


def test_from_another_thread_while_the_loop_runs(loop):
    seen = []
    done = threading.Event()

    def look():
        while not done.is_set():
            seen.append(loop.metrics())

    async def main():
        while not seen or seen[-1].turns < 100:
            await asyncio.sleep(0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        loop.run_until_complete(main())
    finally:
        done.set()
        thread.join()
    callbacks = [metrics.callbacks for metrics in seen]
    assert callbacks == sorted(callbacks)
    assert seen[-1].turns >= 100


def test_a_closed_loop_keeps_what_it_has_counted():
    loop = mainspring.new_event_loop()
    loop.set_metrics(True)

    async def main():
        ours, peer = tcp_pair()
        with peer:
            transport, _ = await loop.create_connection(Recorder, sock=ours)
            transport.write(b"x" * 10)
            await loop.run_in_executor(None, int)
            loop.call_later(3600, int)
            loop.call_soon(loop.stop)
            await loop.create_future()

    task = loop.create_task(main())
    loop.run_forever()
    open_loop = loop.metrics()
    assert (open_loop.transports.tcp, open_loop.timers, open_loop.bytes_sent) == (1, 1, 10)
    task._log_destroy_pending = False
    loop.call_soon(int)
    loop.close()
    closed = loop.metrics()
    assert closed == loop.metrics()
    assert closed.callbacks == open_loop.callbacks
    assert closed.bytes_sent == 10
    assert closed.callback_time == open_loop.callback_time
    assert (closed.ready, closed.timers, closed.executor_queue, closed.executor_threads) == (0, 0, 0, 0)
    assert set(dataclasses.astuple(closed.transports)) == {0}
    assert closed.listeners == 0
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.set_metrics(True)


def test_in_a_forked_child(loop):
    loop.run_until_complete(asyncio.sleep(0))
    before = loop.metrics().callbacks
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            loop.run_until_complete(asyncio.sleep(0))
            os.write(write_end, b"more" if loop.metrics().callbacks > before else b"same")
        finally:
            os._exit(0)
    os.close(write_end)
    try:
        assert os.read(read_end, 10) == b"more"
    finally:
        os.close(read_end)
        os.waitpid(child, 0)
    assert loop.metrics().callbacks == before


def test_a_program_without_exporters_imports_none():
    program = """
import sys, mainspring
loop = mainspring.new_event_loop()
loop.metrics()
loop.close()
print([name for name in sys.modules if name.startswith(("prometheus", "opentelemetry", "rich"))])
"""
    done = run_program(program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_finish_is_enough_to_close_a_measuring_loop():
    loop = mainspring.new_event_loop()
    loop.set_metrics(True)
    loop.create_task(asyncio.sleep(3600))
    loop.run_until_complete(asyncio.sleep(0))
    finish(loop)
    assert loop.metrics().timers == 0
