"""Waiting for processes: exit codes and signals, timeouts, cancellation, communicate, and what is there afterwards."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref

import pytest
from helpers import compare, outcome

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_exit_codes(loop, code):
    async def main():
        process = await asyncio.create_subprocess_shell(f"exit {code}")
        assert process.returncode in (None, code)
        assert await process.wait() == code
        assert process.returncode == code
        assert await process.wait() == code

    loop.run_until_complete(main())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV, signal.SIGRTMIN])
def test_a_signal_is_a_negative_return_code(loop, number):
    async def main():
        # The preloaded runtime of a sanitizer would handle SIGSEGV.
        env = {**os.environ, "LD_PRELOAD": ""}
        process = await asyncio.create_subprocess_exec("sleep", "60", env=env)
        assert process.returncode is None
        process.send_signal(number)
        assert await process.wait() == process.returncode == -number

    loop.run_until_complete(main())


@pytest.mark.parametrize(("method", "number"), [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)])
def test_terminate_and_kill(loop, method, number):
    async def main():
        process = await asyncio.create_subprocess_exec("sleep", "60")
        getattr(process, method)()
        assert await process.wait() == -number
        with pytest.raises(ProcessLookupError):
            getattr(process, method)()
        with pytest.raises(ProcessLookupError):
            process.send_signal(signal.SIGCONT)

    loop.run_until_complete(main())


def test_a_child_that_handles_the_signal_decides_for_itself(loop):
    async def main():
        process = await asyncio.create_subprocess_shell(
            "trap 'echo asked; exit 7' TERM; echo ready; read -r line", stdin=-1, stdout=-1
        )
        assert await process.stdout.readline() == b"ready\n"
        process.terminate()
        # A signal just before the shell begins to read would only be looked at after that, so there is an end of input.
        assert await process.communicate(b"") == (b"asked\n", None)
        assert process.returncode == 7

    loop.run_until_complete(main())


@pytest.mark.parametrize("thing", [None, "SIGTERM", 9999, -1, 1.5], ids=repr)
def test_what_is_no_signal_is_the_same_error(thing):
    def scenario(loop):
        async def main():
            process = await asyncio.create_subprocess_exec("sleep", "60")
            result = outcome(process.send_signal, thing)
            process.kill()
            await process.wait()
            return result

        return loop.run_until_complete(main())

    assert compare(scenario)[0] in (TypeError, OSError, ValueError)


def test_a_stopped_child_has_not_ended(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.02)
        assert process.returncode is None
        process.send_signal(signal.SIGCONT)
        assert await process.communicate(b"still here") == (b"still here", None)
        assert process.returncode == 0

    loop.run_until_complete(main())


def test_a_wait_that_times_out_or_is_cancelled_leaves_the_child_and_the_other_waiters(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=-1)
        patient = asyncio.ensure_future(process.wait())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.01)
        cancelled = asyncio.ensure_future(process.wait())
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert process.returncode is None
        assert not patient.done()
        process.stdin.close()
        assert await patient == 0

    loop.run_until_complete(main())


def test_a_cancelled_communicate_can_be_followed_by_another(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        task = asyncio.ensure_future(process.communicate())
        # Its input is closed by the first one already; the output waits.
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        assert await asyncio.wait_for(process.stdout.read(), 10) == b""
        assert await asyncio.wait_for(process.wait(), 10) == 0

    loop.run_until_complete(main())


def test_a_cancelled_start_leaves_no_process(loop, monkeypatch):
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args, **keywords):
            super().__init__(*args, **keywords)
            started.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Popen)

    async def main():
        task = asyncio.ensure_future(asyncio.create_subprocess_exec("sleep", "60", stdin=-1, stdout=-1))
        await asyncio.sleep(0)
        assert len(started) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProcessLookupError):
            os.kill(started[0], 0)

    loop.run_until_complete(main())


def test_communicate_with_much_data_in_all_directions(loop):
    data = os.urandom(3_000_000)
    code = "; ".join(
        [
            "import sys",
            "data = sys.stdin.buffer.read()",
            "sys.stderr.buffer.write(data[::-1])",
            "sys.stdout.buffer.write(data)",
        ]
    )

    async def main():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-c", code), stdin=-1, stdout=-1, stderr=-1
        )
        out, err = await asyncio.wait_for(process.communicate(data), 30)
        assert (out == data, err == data[::-1], process.returncode) == (True, True, 0)

    loop.run_until_complete(main())


def test_communicate_with_a_child_that_answers_before_it_has_read_everything(loop):
    data = b"line\n" * 200_000

    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        assert (await asyncio.wait_for(process.communicate(data), 30))[0] == data

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_communicate_with_a_child_that_does_not_read(loop, size):
    async def main():
        process = await asyncio.create_subprocess_shell("exec 0<&-; echo done; exit 3", stdin=-1, stdout=-1)
        # A child that has gone is no error for who only wants its answer.
        assert await process.communicate(bytes(size)) == (b"done\n", None)
        assert process.returncode == 3

    loop.run_until_complete(main())


def test_lines_of_a_child_arrive_while_it_runs(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        for number in range(50):
            process.stdin.write(b"%d\n" % number)
            await process.stdin.drain()
            assert await process.stdout.readline() == b"%d\n" % number
        process.stdin.close()
        await process.stdin.wait_closed()
        assert await process.stdout.read() == b""
        assert await process.wait() == 0

    loop.run_until_complete(main())


def test_limit_reaches_the_readers(loop):
    async def main():
        process = await asyncio.create_subprocess_shell("printf '%0100d\\n' 5", stdout=-1, limit=10)
        with pytest.raises(ValueError, match=r"Separator is .*found, .*limit"):
            await process.stdout.readline()
        await process.communicate()

    loop.run_until_complete(main())


def test_what_a_process_says_is_there_after_its_end(loop):
    async def main():
        process = await asyncio.create_subprocess_shell("echo out; echo err >&2", stdout=-1, stderr=-1)
        pid = process.pid
        await process.wait()
        assert await process.stdout.read() == b"out\n"
        assert await process.stderr.read() == b"err\n"
        assert process.pid == pid
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11's default loop has a thread that reaps first")
def test_a_child_that_somebody_else_reaped_is_the_same(caplog):
    def scenario(loop):
        caplog.clear()

        async def main():
            read_end, write_end = os.pipe()
            process = await asyncio.create_subprocess_shell("read -r line; exit 3", stdin=read_end)
            os.close(read_end)
            os.close(write_end)
            os.waitpid(process.pid, 0)
            return await asyncio.wait_for(process.wait(), 10)

        code = loop.run_until_complete(main())
        return code, [record.levelname for record in caplog.records if "already read" in record.getMessage()]

    assert compare(scenario) == (255, ["WARNING"])


def test_a_shell_pipeline_ends_with_its_last_command(loop):
    async def main():
        process = await asyncio.create_subprocess_shell("seq 1000 | sort -rn | head -n 2", stdout=subprocess.PIPE)
        assert await process.communicate() == (b"1000\n999\n", None)
        assert process.returncode == 0

    loop.run_until_complete(main())


def test_the_end_of_a_process_wakes_a_loop_that_does_nothing_else(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("sleep", "0.05")
        assert await process.wait() == 0

    loop.run_until_complete(main())


def test_nothing_is_left_of_a_process(loop):
    threads = set(threading.enumerate())

    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1, stderr=-1)
        await process.communicate(b"x")
        transport = process._transport
        return [weakref.ref(thing) for thing in (process, transport, transport.get_pipe_transport(1))]

    references = loop.run_until_complete(main())
    # Without descriptors of processes, and on the default loop of 3.11, a thread has waited for this one; it may not
    # have returned from its last call.
    for thread in set(threading.enumerate()) - threads:
        thread.join()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
