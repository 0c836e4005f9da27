"""Pipe transports over what is not an ordinary pipe: FIFOs, terminals, sockets, devices; and how they look."""

import asyncio
import contextlib
import gc
import logging
import os
import re
import socket
import termios
import tty
import warnings

import pytest
from helpers import Recorder, collect_errors, compare, eventually, normalised, outcome, turns


def neutral(text):
    """The repr of a transport without its class and its descriptor."""
    return re.sub(r"fd=\d+", "fd=…", re.sub(r"_Unix(Read|Write)PipeTransport|Pipe(Reader|Writer)", "PIPE", text))


def test_a_fifo_carries_data_and_the_end(loop, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    data = os.urandom(400_000)

    async def main():
        read_end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        write_end = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        _, reader = await loop.connect_read_pipe(Recorder, open(read_end, "rb", 0))
        transport, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
        transport.write(data)
        transport.close()
        assert await writer.lost is None
        assert await reader.lost is None
        assert reader.received == data

    loop.run_until_complete(main())


def test_a_fifo_open_for_both_never_ends_by_itself(loop, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)

    async def main():
        transport, reader = await loop.connect_read_pipe(Recorder, open(path, "r+b", 0))
        for word in (b"first", b"second"):
            with open(path, "wb", 0) as file:
                file.write(word)
            await eventually(lambda word=word: reader.received.endswith(word))
        assert reader.events == ["connection_made", "data_received", "data_received"]
        transport.close()
        assert await reader.lost is None
        assert "eof_received" not in reader.events

    loop.run_until_complete(main())


def test_a_terminal_carries_data_both_ways(loop):
    async def main():
        master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        ours_in, reader = await loop.connect_read_pipe(Recorder, open(os.dup(master), "rb", 0))
        ours_out, writer = await loop.connect_write_pipe(Recorder, open(master, "wb", 0))
        ours_out.write(b"typed")
        await turns(2)
        assert os.read(slave, 100) == b"typed"
        os.write(slave, b"printed")
        await eventually(lambda: reader.received == b"printed")
        # Data that can be read does not mean that the reader of a terminal has gone.
        assert writer.events == ["connection_made"]
        for transport in (ours_in, ours_out):
            transport.close()
        assert (await reader.lost, await writer.lost) == (None, None)
        os.close(slave)

    loop.run_until_complete(main())


@pytest.mark.parametrize("paused", [False, True])
def test_both_transports_of_a_terminal_may_have_the_same_file(loop, paused):
    async def main():
        master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        os.set_blocking(slave, False)
        terminal = open(master, "r+b", 0)
        ours_in, reader = await loop.connect_read_pipe(Recorder, terminal)
        ours_out, writer = await loop.connect_write_pipe(Recorder, terminal)
        await turns(3)
        if paused:
            ours_in.pause_reading()
            await turns(3)
        ours_out.write(b"x" * 100_000)
        await turns(3)
        assert ours_out.get_write_buffer_size() > 0
        if paused:
            ours_in.resume_reading()
        os.write(slave, b"answer")
        await eventually(lambda: reader.received == b"answer")
        typed = 0
        while typed < 100_000:
            with contextlib.suppress(BlockingIOError):
                typed += len(os.read(slave, 4096))
            await asyncio.sleep(0)
        await eventually(lambda: ours_out.get_write_buffer_size() == 0)
        os.write(slave, b", again")
        await eventually(lambda: reader.received == b"answer, again")
        ours_out.abort()
        assert await writer.lost is None
        ours_in.close()
        await reader.lost
        os.close(slave)

    loop.run_until_complete(main())


def test_a_terminal_whose_other_end_was_closed_ends_the_same_way():
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(context))

        async def main():
            master, slave = os.openpty()
            tty.setraw(slave, termios.TCSANOW)
            _, reader = await loop.connect_read_pipe(Recorder, open(master, "rb", 0))
            os.write(slave, b"last words")
            os.close(slave)
            error = await reader.lost
            return bytes(reader.received), reader.events, type(error), getattr(error, "errno", None)

        return loop.run_until_complete(main()), contexts

    (received, events, *_), contexts = compare(scenario)
    assert received == b"last words"
    assert events[-1] == "connection_lost"
    assert contexts == []


def test_the_end_of_a_line_is_the_end_of_input_in_a_terminal_with_line_discipline(loop):
    async def main():
        master, slave = os.openpty()
        _, reader = await loop.connect_read_pipe(Recorder, open(slave, "rb", 0))
        os.write(master, b"a li")
        os.write(master, b"ne\n")
        await eventually(lambda: reader.received)
        assert reader.received == b"a line\n"
        # Control-D on an empty line.
        os.write(master, b"\x04")
        assert await reader.lost is None
        assert reader.events[-2:] == ["eof_received", "connection_lost"]
        os.close(master)

    loop.run_until_complete(main())


def test_sockets_are_pipes_too(loop):
    async def main():
        one, other = socket.socketpair()
        third, fourth = socket.socketpair()
        reading, reader = await loop.connect_read_pipe(Recorder, one)
        assert reading.get_extra_info("pipe") is one
        writing, writer = await loop.connect_write_pipe(Recorder, third)
        assert writing.get_extra_info("pipe") is third
        other.send(b"to the reader")
        await eventually(lambda: reader.received == b"to the reader")
        writing.write(b"from the writer")
        await turns(2)
        assert fourth.recv(100) == b"from the writer"
        other.close()
        assert await reader.lost is None
        fourth.close()
        assert await writer.lost is None
        assert (one.fileno(), third.fileno()) == (-1, -1)

    loop.run_until_complete(main())


def test_data_from_the_peer_of_a_writing_socket_has_the_same_consequences():
    def scenario(loop):
        async def main():
            one, other = socket.socketpair()
            transport, writer = await loop.connect_write_pipe(Recorder, one)
            await turns(2)
            other.send(b"unexpected")
            error = await writer.lost
            other.close()
            return type(error), writer.events, transport.is_closing()

        return loop.run_until_complete(main())

    assert compare(scenario) == (type(None), ["connection_made", "connection_lost"], True)


def test_dev_null_takes_everything(loop):
    async def main():
        transport, writer = await loop.connect_write_pipe(Recorder, open("/dev/null", "wb", 0))
        transport.write(bytes(1_000_000))
        assert transport.get_write_buffer_size() == 0
        transport.close()
        assert await writer.lost is None
        assert writer.events == ["connection_made", "connection_lost"]

    loop.run_until_complete(main())


def test_what_cannot_be_polled_fails_the_same_way():
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(type(context.get("exception"))))

        async def main():
            transport, reader = await loop.connect_read_pipe(Recorder, open("/dev/null", "rb", 0))
            await turns(5)
            events = list(reader.events)
            transport.close()
            await reader.lost
            return events

        return outcome(loop.run_until_complete, main()), contexts

    compare(scenario)


# The default loop's half-made transport fails to tell that it was not closed.
half_made = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@half_made
@pytest.mark.parametrize("pipe", [None, 5, "text", object()], ids=["None", "int", "str", "object"])
@pytest.mark.parametrize("connect", ["connect_read_pipe", "connect_write_pipe"])
def test_what_is_no_file_is_the_same_error(connect, pipe):
    def scenario(loop):
        return outcome(loop.run_until_complete, getattr(loop, connect)(asyncio.Protocol, pipe))

    assert compare(scenario)[0] is AttributeError
    gc.collect()


@half_made
@pytest.mark.parametrize("connect", ["connect_read_pipe", "connect_write_pipe"])
def test_a_closed_file_is_the_same_error(connect):
    def scenario(loop):
        read_end, write_end = os.pipe()
        os.close(write_end)
        file = open(read_end, "rb", 0)
        file.close()
        return outcome(loop.run_until_complete, getattr(loop, connect)(asyncio.Protocol, file))

    assert compare(scenario)[0] is ValueError
    gc.collect()


@pytest.mark.parametrize("data", ["text", None, 5, ["x"]], ids=repr)
def test_writing_what_is_no_bytes_is_the_same_error(data):
    def scenario(loop):
        async def main():
            read_end, write_end = os.pipe()
            os.close(read_end)
            transport, protocol = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
            result = outcome(transport.write, data)
            transport.abort()
            await protocol.lost
            return result

        return loop.run_until_complete(main())

    assert compare(scenario) == (AssertionError, repr(data))


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b"")], ids=lambda data: type(data).__name__)
def test_writing_nothing_does_nothing(loop, data):
    async def main():
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        transport, protocol = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
        transport.write(data)
        await turns(2)
        with pytest.raises(BlockingIOError):
            os.read(read_end, 1)
        transport.close()
        await protocol.lost
        os.close(read_end)

    loop.run_until_complete(main())


def test_pipes_become_non_blocking_and_say_what_they_are(loop):
    async def main():
        read_end, write_end = os.pipe()
        reading_file, writing_file = open(read_end, "rb", 0), open(write_end, "wb", 0)
        reading, reader = await loop.connect_read_pipe(Recorder, reading_file)
        writing, writer = await loop.connect_write_pipe(Recorder, writing_file)
        assert not os.get_blocking(read_end)
        assert not os.get_blocking(write_end)
        assert reading.get_extra_info("pipe") is reading_file
        assert writing.get_extra_info("pipe") is writing_file
        assert reading.get_extra_info("socket") is None
        assert reading.get_protocol() is reader
        assert writing.get_protocol() is writer
        writing.close()
        await reader.lost
        await writer.lost
        assert reading_file.closed
        assert writing_file.closed

    loop.run_until_complete(main())


def test_repr_tells_the_state():
    def scenario(loop):
        async def main():
            read_end, write_end = os.pipe()
            reading, reader = await loop.connect_read_pipe(Recorder, open(read_end, "rb", 0))
            writing, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
            await turns(2)
            texts = [repr(reading), repr(writing)]
            reading.pause_reading()
            writing.write(bytes(1_000_000))
            texts += [repr(reading), re.sub(r"bufsize=\d+", "bufsize=…", repr(writing))]
            writing.abort()
            texts.append(repr(writing))
            await writer.lost
            reading.close()
            texts.append(repr(reading))
            await reader.lost
            return [neutral(text) for text in (*texts, repr(reading), repr(writing))]

        return loop.run_until_complete(main())

    texts = compare(scenario)
    assert texts[:2] == ["<PIPE fd=… polling>", "<PIPE fd=… idle bufsize=0>"]


def test_repr_after_the_loop_was_closed():
    def scenario(loop):
        read_end, write_end = os.pipe()

        async def main():
            reading, _ = await loop.connect_read_pipe(asyncio.Protocol, open(read_end, "rb", 0))
            writing, _ = await loop.connect_write_pipe(asyncio.Protocol, open(write_end, "wb", 0))
            return reading, writing

        transports = loop.run_until_complete(main())
        loop.close()
        texts = [neutral(repr(transport)) for transport in transports]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del transports
            gc.collect()
        return texts

    assert compare(scenario)[0] == "<PIPE fd=… open>"


def test_debug_mode_logs_the_same(caplog):
    def scenario(loop):
        loop.set_debug(True)
        loop.slow_callback_duration = 60
        records = []

        class Keep(logging.Handler):
            def emit(self, record):
                text = re.sub(r"pipe \d+", "pipe …", normalised(neutral(record.getMessage())))
                records.append((record.levelname, text))

        handler = Keep()

        async def main():
            read_end, write_end = os.pipe()
            reading, reader = await loop.connect_read_pipe(Recorder, open(read_end, "rb", 0))
            writing, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
            await turns(2)
            reading.pause_reading()
            reading.resume_reading()
            writing.close()
            await writer.lost
            await reader.lost
            another_read_end, another_write_end = os.pipe()
            _, writer = await loop.connect_write_pipe(Recorder, open(another_write_end, "wb", 0))
            os.close(another_read_end)
            await writer.lost

        logging.getLogger("asyncio").addHandler(handler)
        try:
            with caplog.at_level(logging.DEBUG, logger="asyncio"):
                loop.run_until_complete(main())
        finally:
            logging.getLogger("asyncio").removeHandler(handler)
        return [record for record in records if "PIPE" in record[1]]

    records = compare(scenario)
    assert ("INFO", "<PIPE fd=… polling> was closed by peer") in records


def test_late_writes_are_ignored_and_then_logged_the_same(caplog):
    def scenario(loop):
        caplog.clear()

        async def main():
            read_end, write_end = os.pipe()
            transport, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
            os.close(read_end)
            await writer.lost
            logged = []
            for data in [b"too late", memoryview(b"too late")[::2]] * 4:
                transport.write(data)
                logged.append(len(caplog.records))
            transport.close()
            return logged

        return loop.run_until_complete(main()), {record.getMessage() for record in caplog.records}

    logged, texts = compare(scenario)
    assert logged[-1] > logged[0] == 0
    assert texts == {"pipe closed by peer or os.write(pipe, data) raised exception."}


@pytest.mark.parametrize("waiting", [False, True])
def test_a_view_with_gaps_is_refused_the_same(waiting):
    def scenario(loop):
        errors = collect_errors(loop)

        async def main():
            read_end, write_end = os.pipe()
            transport, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
            if waiting:
                transport.write(bytes(1_000_000))
            result = outcome(transport.write, memoryview(b"with gaps")[::2])
            closing = transport.is_closing()
            if waiting:
                transport.abort()
            lost = str(await writer.lost)
            os.close(read_end)
            return result, closing, lost, [(error["message"], str(error["exception"])) for error in errors]

        return loop.run_until_complete(main())

    result, closing, lost, errors = compare(scenario)
    assert closing is not waiting
    assert result[0] == (TypeError if waiting else "returned")
    assert bool(errors) is not waiting
    assert ("not C-contiguous" in lost) is not waiting


@pytest.mark.parametrize("method", ["data_received", "eof_received", "connection_made", "connection_lost"])
def test_a_reading_protocol_that_raises_has_the_same_consequences(method):
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(type(context["exception"])))

        class Raising(Recorder):
            pass

        def fail(self, *args):
            getattr(Recorder, method)(self, *args)
            raise LookupError("on purpose")

        setattr(Raising, method, fail)

        async def main():
            read_end, write_end = os.pipe()
            _, reader = await loop.connect_read_pipe(Raising, open(read_end, "rb", 0))
            os.write(write_end, b"one")
            await eventually(lambda: reader.received == b"one")
            os.write(write_end, b"two")
            os.close(write_end)
            await reader.lost
            await turns(2)
            return bytes(reader.received), reader.events

        return loop.run_until_complete(main()), contexts

    (received, _), contexts = compare(scenario)
    assert received == b"onetwo"
    assert set(contexts) == {LookupError}


def test_write_eof_sends_what_is_queued_first(loop):
    async def main():
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        transport, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
        data = os.urandom(500_000)
        transport.write(data)
        transport.write_eof()
        transport.write_eof()
        transport.write(b"too late")
        received = bytearray()

        def read():
            chunk = os.read(read_end, 65536)
            received.extend(chunk)
            if not chunk:
                loop.remove_reader(read_end)

        loop.add_reader(read_end, read)
        assert await writer.lost is None
        await eventually(lambda: len(received) == len(data))
        assert received == data
        loop.remove_reader(read_end)
        os.close(read_end)

    loop.run_until_complete(main())


def test_write_buffer_limits_are_checked_and_completed_as_by_default():
    def scenario(loop):
        async def main():
            read_end, write_end = os.pipe()
            transport, writer = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
            results = [transport.get_write_buffer_limits()]
            for limits in ({"high": 100}, {"low": 100}, {"high": 10, "low": 20}, {"high": 0}, {"low": -1}, {}):
                results.append(outcome(transport.set_write_buffer_limits, **limits))
                results.append(transport.get_write_buffer_limits())
            os.close(read_end)
            await writer.lost
            return results

        return loop.run_until_complete(main())

    assert (25, 100) in compare(scenario)
