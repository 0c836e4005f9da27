"""Servers that make their own loops tell which, and one that made another is not measured."""

import asyncio
import os

import pytest
from helpers.benchmarks import SHORTEST
from mainspring.benchmarks.integrations.server_program import ServerProgramWorkload
from mainspring.benchmarks.loops import LOOPS, LoopDidNotStartError

# A server that does not do as it is told.
ALWAYS_DEFAULT = """
import asyncio, sys
from mainspring.benchmarks.integrations.serving_loop import serving_loop

async def answer(reader, writer):
    while await reader.readline():
        while await reader.readline() != b"\\r\\n":
            pass
        body = serving_loop().encode()
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
        await writer.drain()
    writer.close()

async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[2])) as server:
        await server.serve_forever()

asyncio.run(main())
"""


@pytest.fixture
def measured(tmp_path):
    """Measures the server above for a moment; a measurement confines its process to one processor, which ends here."""
    program = tmp_path / "server.py"
    program.write_text(ALWAYS_DEFAULT)
    workload = ServerProgramWorkload("a server", [], [str(program)], 2)

    def measure(name):
        kind = LOOPS[name]
        return workload.measure(kind.factory(), lambda: kind.check(asyncio.get_running_loop()), SHORTEST)

    processors = os.sched_getaffinity(0)
    yield measure
    os.sched_setaffinity(0, processors)


def test_the_process_that_serves_is_measured(measured):
    measurement = measured("default")
    assert measurement.loop_class == "asyncio.unix_events._UnixSelectorEventLoop"
    assert measurement.value > 0
    assert measurement.details["server_load"] > 0


def test_another_loop_than_asked_for_is_an_error(measured):
    with pytest.raises(LoopDidNotStartError, match=r"'a server' ran on asyncio\.\S+ instead of mainspring\.\S+"):
        measured("mainspring")
