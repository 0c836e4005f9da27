"""The order in which a subprocess protocol is called, and what its transport tells."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest
from helpers import LOOPS, compare, eventually, outcome, run_program, turns

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


in_the_loop = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="Python 3.11's default loop waits in threads, whose order is chance"
)


class ProcessRecorder(asyncio.SubprocessProtocol):
    """Keeps the calls; the data of each descriptor is put together."""

    def __init__(self):
        self.calls = []
        self.data = {}
        self.exited = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.calls.append("connection_made")
        self.transport = transport

    def pipe_data_received(self, fd, data):
        if self.calls[-1] != f"data {fd}":
            self.calls.append(f"data {fd}")
        self.data[fd] = self.data.get(fd, b"") + data

    def pipe_connection_lost(self, fd, error):
        self.calls.append(f"pipe {fd} lost: {error!r}")

    def process_exited(self):
        self.calls.append("process_exited")
        self.exited.set_result(self.transport.get_returncode())

    def connection_lost(self, error):
        self.calls.append(f"connection_lost: {error!r}")
        self.lost.set_result(error)


async def run(loop, command, factory=ProcessRecorder, **options):
    """Run a shell command so that its output, its end and the end of its pipes all wait when the loop looks."""
    read_end, write_end = os.pipe()
    try:
        transport, protocol = await loop.subprocess_shell(
            factory, f"read -r line; {command}", stdin=read_end, **options
        )
        await turns(5)
    finally:
        os.close(read_end)
        os.close(write_end)
    # A thread of Python 3.11's default loop may have reaped it.
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, transport.get_pid(), os.WEXITED | os.WNOWAIT)
    await protocol.lost
    return protocol


@in_the_loop
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("exit 3", {}),
        ("echo out; exit 3", {1: b"out\n"}),
        ("echo err >&2; exit 3", {2: b"err\n"}),
        ("echo out; echo err >&2; exit 3", {1: b"out\n", 2: b"err\n"}),
    ],
)
def test_an_ended_process_is_told_in_the_same_order(command, expected):
    def scenario(loop):
        protocol = loop.run_until_complete(run(loop, command))
        return protocol.calls, protocol.data, protocol.exited.result()

    calls, data, code = compare(scenario)
    assert data == expected
    assert code == 3
    assert calls[0] == "connection_made"
    assert calls[-1] == "connection_lost: None"


@in_the_loop
@pytest.mark.parametrize("pipes", [(), (1,), (2,), (1, 2)], ids=repr)
def test_the_order_with_fewer_pipes_is_the_same(pipes):
    def scenario(loop):
        keywords = {name: subprocess.PIPE if fd in pipes else None for fd, name in ((1, "stdout"), (2, "stderr"))}
        return loop.run_until_complete(run(loop, "exit 0", **keywords)).calls

    assert len(compare(scenario)) == 3 + len(pipes)


@in_the_loop
def test_a_pipe_with_much_data_behind_an_exit_is_read_to_its_end_in_the_same_order():
    size = 600_000

    def scenario(loop):
        command = f"head -c {size} /dev/zero"
        protocol = loop.run_until_complete(run(loop, command, stderr=None, pipesize=1 << 20))
        return protocol.calls, len(protocol.data[1])

    calls, length = compare(scenario)
    assert length == size
    assert calls[-1] == "connection_lost: None"


def test_a_grandchild_that_holds_the_pipe_delays_connection_lost_but_not_process_exited(loop):
    async def main():
        read_end, write_end = os.pipe()
        # The grandchild waits until our end of the pipe is closed.
        transport, protocol = await loop.subprocess_shell(
            ProcessRecorder,
            "exec 3<&0; (cat <&3; echo late) & echo early; exit 5",
            stdin=read_end,
            stderr=None,
        )
        os.close(read_end)
        assert await protocol.exited == 5
        await eventually(lambda: protocol.data.get(1) == b"early\n")
        assert not protocol.lost.done()
        assert transport.get_returncode() == 5
        assert not [call for call in protocol.calls if "lost" in call]
        os.close(write_end)
        assert await protocol.lost is None
        assert protocol.data[1] == b"early\nlate\n"
        assert protocol.calls[-2:] == ["pipe 1 lost: None", "connection_lost: None"]

    loop.run_until_complete(main())


def test_a_child_that_closes_its_output_early_is_told_at_once(loop):
    async def main():
        transport, protocol = await loop.subprocess_shell(
            ProcessRecorder, "echo text; exec 1>&- 2>&-; read line; exit 6"
        )
        await eventually(lambda: len([call for call in protocol.calls if call.endswith("lost: None")]) == 2)
        assert transport.get_returncode() is None
        assert not protocol.exited.done()
        transport.get_pipe_transport(0).write(b"go on\n")
        assert await protocol.lost is None
        assert protocol.exited.result() == 6
        assert protocol.data == {1: b"text\n"}
        assert protocol.calls[0] == "connection_made"
        assert protocol.calls[-1] == "connection_lost: None"

    loop.run_until_complete(main())


def test_a_child_that_closes_its_input_ends_the_writing_pipe():
    def scenario(loop):
        async def main():
            transport, protocol = await loop.subprocess_shell(
                ProcessRecorder, "exec 0<&-; echo closed; exec sleep 60", stderr=None
            )
            await eventually(lambda: protocol.data.get(1) == b"closed\n")
            transport.get_pipe_transport(0).write(bytes(200_000))
            await eventually(lambda: any(call.startswith("pipe 0 lost") for call in protocol.calls))
            transport.kill()
            await protocol.lost
            return [re.sub(r"\(\d+.*\)", "()", call) for call in protocol.calls if call.startswith("pipe 0")]

        return loop.run_until_complete(main())

    assert len(compare(scenario)) == 1


def test_the_transport_tells_of_its_process(loop):
    async def main():
        transport, protocol = await loop.subprocess_exec(ProcessRecorder, "cat", stderr=None)
        assert isinstance(transport, asyncio.SubprocessTransport)
        assert isinstance(transport, asyncio.BaseTransport)
        assert transport.get_protocol() is protocol
        popen = transport.get_extra_info("subprocess")
        assert isinstance(popen, subprocess.Popen)
        assert transport.get_pid() == popen.pid
        assert transport.get_returncode() is None
        assert isinstance(transport.get_pipe_transport(0), asyncio.WriteTransport)
        assert isinstance(transport.get_pipe_transport(1), asyncio.ReadTransport)
        assert transport.get_pipe_transport(2) is None
        assert transport.get_pipe_transport(7) is None
        assert not transport.is_closing()
        transport.get_pipe_transport(0).close()
        assert await protocol.lost is None
        assert transport.get_returncode() == 0
        assert popen.returncode == 0
        assert transport.get_pid() == popen.pid

    loop.run_until_complete(main())


def test_repr_tells_the_state():
    def neutral(text):
        text = re.sub(r"_UnixSubprocessTransport|SubprocessTransport", "SUBPROCESS", text)
        text = re.sub(r"_Unix(Read|Write)PipeTransport|Pipe(Reader|Writer)", "PIPE", text)
        return re.sub(r"\b(pid|fd)=\d+", r"\1=…", text)

    def scenario(loop):
        async def main():
            transport, protocol = await loop.subprocess_exec(ProcessRecorder, "cat", stderr=subprocess.STDOUT)
            await turns(3)
            texts = [repr(transport)]
            transport.get_pipe_transport(0).close()
            await protocol.lost
            texts.append(repr(transport))
            failing, protocol = await loop.subprocess_shell(ProcessRecorder, "kill -9 $$")
            await protocol.lost
            texts.append(repr(failing))
            failing.close()
            texts.append(repr(failing))
            return [neutral(text) for text in texts]

        return loop.run_until_complete(main())

    texts = compare(scenario)
    assert texts[0].startswith("<SUBPROCESS pid=… running stdin=<PIPE fd=…")


@pytest.mark.parametrize("method", ["kill", "terminate", "send_signal", "close"])
def test_after_the_end_the_methods_do_the_same(method):
    def scenario(loop):
        async def main():
            protocol = await run(loop, "exit 0")
            arguments = [signal.SIGTERM] if method == "send_signal" else []
            return [outcome(getattr(protocol.transport, method), *arguments) for _ in range(2)]

        return loop.run_until_complete(main())

    results = compare(scenario)
    assert results[0][0] is ProcessLookupError or method == "close"


def test_closing_the_transport_kills_the_process_and_its_pipes(loop):
    async def main():
        transport, protocol = await loop.subprocess_exec(ProcessRecorder, "sleep", "60")
        await turns(3)
        transport.close()
        assert transport.is_closing()
        assert await protocol.lost is None
        assert protocol.exited.result() == -signal.SIGKILL
        assert sorted(protocol.calls[1:-1]) == [
            "pipe 0 lost: None",
            "pipe 1 lost: None",
            "pipe 2 lost: None",
            "process_exited",
        ]
        transport.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("method", ["connection_made", "pipe_data_received", "pipe_connection_lost", "process_exited"])
def test_a_protocol_that_raises_has_the_same_consequences(method):
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(repr(context["exception"])))

        def fail(self, *args):
            getattr(ProcessRecorder, method)(self, *args)
            raise LookupError("on purpose")

        raising = type("Raising", (ProcessRecorder,), {method: fail})

        protocol = loop.run_until_complete(run(loop, "echo text", raising, stderr=None))
        # Which of the last calls comes first is the matter of another test.
        return sorted(protocol.calls), protocol.data, contexts

    *_, contexts = compare(scenario)
    assert contexts == ["LookupError('on purpose')"]


CLOSED_LOOP = """
    import asyncio, gc, os, signal, sys, warnings
    import mainspring

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]
    warnings.simplefilter("default", ResourceWarning)
    loop = factory()

    async def main():
        transport, _ = await loop.subprocess_exec(asyncio.SubprocessProtocol, "sleep", "60")
        return transport

    transport = loop.run_until_complete(main())
    popen = transport.get_extra_info("subprocess")
    loop.close()
    print("after the loop", popen.poll())
    if sys.argv[2] == "close":
        try:
            transport.close()
        except RuntimeError as error:
            print(error)
        print("after close", transport.is_closing())
    del transport
    gc.collect()
    # Too late when the transport has killed it.
    popen.terminate()
    print("ended by", popen.wait())
    print("pidfd" in "".join(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if int(n) < 50
          and os.path.exists(f"/proc/self/fd/{n}")))
"""


@in_the_loop
@pytest.mark.parametrize("way", ["close", "forget"])
def test_a_child_of_a_closed_loop_has_the_same_fate(way):
    results = {}
    for name in LOOPS:
        done = run_program(CLOSED_LOOP, name, way)
        warned = [line.split(": ", 1)[1] for line in done.stderr.splitlines() if "ResourceWarning: unc" in line]
        failed = [line for line in done.stderr.splitlines() if re.match(r"\w+Error", line)]
        *seen, keeps_descriptor = done.stdout.splitlines()
        results[name] = seen, sorted(re.sub(r"<.*>", "<…>", line) for line in warned), failed
        # The default loop keeps the child's descriptor open for ever, which is no example to follow.
        assert name == "default" or keeps_descriptor == "False"
    assert results["mainspring"] == results["default"]
    assert results["default"][0][0] == "after the loop None"


def test_exits_are_seen_while_the_loop_goes_on(loop):
    async def main():
        ticks = 0

        def tick():
            nonlocal ticks
            ticks += 1
            loop.call_later(0.001, tick)

        loop.call_soon(tick)
        read_end, write_end = os.pipe()
        _, protocol = await loop.subprocess_shell(ProcessRecorder, "read -r line; exit 9", stdin=read_end)
        before = ticks
        await eventually(lambda: ticks >= before + 20)
        assert not protocol.exited.done()
        os.close(read_end)
        os.close(write_end)
        assert await protocol.exited == 9

    loop.run_until_complete(main())


def test_no_thread_waits_for_a_process(mainspring_loop):
    async def main():
        before = len(os.listdir("/proc/self/task"))
        transport, protocol = await mainspring_loop.subprocess_exec(ProcessRecorder, "cat")
        assert len(os.listdir("/proc/self/task")) == before
        transport.close()
        await protocol.lost

    mainspring_loop.run_until_complete(main())
