"""Transports over pipes: reading, writing, flow control, either end going away."""

import asyncio
import gc
import os
import weakref

import pytest
from helpers import Recorder


def test_data_comes_through_and_the_end_is_told(loop):
    data = os.urandom(300_000)
    read_end, write_end = os.pipe()

    async def main():
        reader, writer = Recorder(), Recorder()
        await loop.connect_read_pipe(lambda: reader, open(read_end, "rb", 0))
        transport, _ = await loop.connect_write_pipe(lambda: writer, open(write_end, "wb", 0))
        assert transport.can_write_eof()
        for start in range(0, len(data), 10_000):
            transport.write(data[start : start + 10_000])
        transport.close()
        assert await reader.lost is None
        assert await writer.lost is None
        assert bytes(reader.received) == data
        assert reader.events[-2:] == ["eof_received", "connection_lost"]
        assert writer.events[0] == "connection_made"

    loop.run_until_complete(main())


def test_what_is_written_is_a_snapshot(loop):
    read_end, write_end = os.pipe()

    async def main():
        transport, _ = await loop.connect_write_pipe(Recorder, open(write_end, "wb", 0))
        data = bytearray(b"before")
        transport.write(data)
        data[:] = b"after!"
        await asyncio.sleep(0)
        assert os.read(read_end, 100) == b"before"
        transport.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    os.close(read_end)


def test_a_full_pipe_pauses_the_protocol(loop):
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)

    async def main():
        protocol = Recorder()
        transport, _ = await loop.connect_write_pipe(lambda: protocol, open(write_end, "wb", 0))
        data = os.urandom(1_000_000)
        transport.write(data)
        assert protocol.events == ["connection_made", "pause_writing"]
        assert 0 < transport.get_write_buffer_size() < len(data)
        received = bytearray()
        while len(received) < len(data):
            try:
                received += os.read(read_end, 65536)
            except BlockingIOError:
                await asyncio.sleep(0)
        assert received == data
        await asyncio.sleep(0.01)
        assert protocol.events[-1] == "resume_writing"
        transport.close()
        await protocol.lost

    loop.run_until_complete(main())
    os.close(read_end)


def test_a_writer_learns_that_its_reader_has_gone(loop):
    read_end, write_end = os.pipe()

    async def main():
        protocol = Recorder()
        await loop.connect_write_pipe(lambda: protocol, open(write_end, "wb", 0))
        os.close(read_end)
        assert await asyncio.wait_for(protocol.lost, 10) is None

    loop.run_until_complete(main())


def test_a_writer_with_data_gets_a_broken_pipe(loop):
    read_end, write_end = os.pipe()

    async def main():
        protocol = Recorder()
        transport, _ = await loop.connect_write_pipe(lambda: protocol, open(write_end, "wb", 0))
        transport.write(bytes(1_000_000))
        os.close(read_end)
        assert isinstance(await asyncio.wait_for(protocol.lost, 10), BrokenPipeError)

    loop.run_until_complete(main())


def test_reading_pauses_and_goes_on(loop):
    read_end, write_end = os.pipe()

    async def main():
        protocol = Recorder()
        transport, _ = await loop.connect_read_pipe(lambda: protocol, open(read_end, "rb", 0))
        transport.pause_reading()
        os.write(write_end, b"data")
        await asyncio.sleep(0.01)
        assert protocol.received == b""
        transport.resume_reading()
        await asyncio.sleep(0.01)
        assert protocol.received == b"data"
        transport.close()
        await protocol.lost

    loop.run_until_complete(main())
    os.close(write_end)


@pytest.mark.parametrize("connect", ["connect_read_pipe", "connect_write_pipe"])
def test_a_regular_file_is_refused(loop, tmp_path, connect):
    with open(tmp_path / "file", "w+b") as file, pytest.raises(ValueError, match="Pipe transport is"):
        loop.run_until_complete(getattr(loop, connect)(asyncio.Protocol, file))


def test_nothing_is_left_of_a_transport(loop):
    read_end, write_end = os.pipe()

    async def main():
        reader, writer = Recorder(), Recorder()
        one, _ = await loop.connect_read_pipe(lambda: reader, open(read_end, "rb", 0))
        other, _ = await loop.connect_write_pipe(lambda: writer, open(write_end, "wb", 0))
        other.abort()
        await writer.lost
        await reader.lost
        return weakref.ref(one), weakref.ref(other), weakref.ref(reader), weakref.ref(writer)

    references = loop.run_until_complete(main())
    gc.collect()
    assert [reference() for reference in references] == [None] * 4
