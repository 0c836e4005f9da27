"""Subprocesses: their pipes, exit codes, signals, many at once, from threads."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

# asyncio.get_child_watcher, which both loops ask before Python 3.14, wants the main thread's loop to be set.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def python(code):
    return [sys.executable, "-S", "-c", code]


def test_input_output_and_exit_code(loop):
    async def main():
        process = await asyncio.create_subprocess_exec(
            *python("import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('e'); sys.exit(3)"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        data = b"text " * 100_000
        assert await process.communicate(data) == (data.upper(), b"e")
        assert process.returncode == 3

    loop.run_until_complete(main())


def test_signals_and_the_shell(loop):
    async def main():
        process = await asyncio.create_subprocess_exec(*python("import time; time.sleep(100)"))
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == -signal.SIGTERM
        process = await asyncio.create_subprocess_shell("exit 7")
        assert await process.wait() == 7

    loop.run_until_complete(main())


def test_keywords_of_popen(loop, tmp_path):
    async def main():
        process = await asyncio.create_subprocess_exec(
            *python("import os; print(os.getcwd(), os.environ['NAME'], os.getsid(0) == os.getpid())"),
            stdout=subprocess.PIPE,
            cwd=tmp_path,
            env={"NAME": "value"},
            start_new_session=True,
        )
        out, _ = await process.communicate()
        assert out.decode().split() == [str(tmp_path), "value", "True"]

    loop.run_until_complete(main())


def test_many_at_once_leave_no_zombie(loop):
    count = 60

    async def main():
        processes = [await asyncio.create_subprocess_exec("true") for _ in range(count)]
        assert await asyncio.gather(*(process.wait() for process in processes)) == [0] * count

    loop.run_until_complete(main())
    try:
        unreaped, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        unreaped = 0
    assert unreaped == 0


def test_from_several_threads(loop_factory):
    outcomes = []

    async def main():
        for number in range(5):
            process = await asyncio.create_subprocess_exec(*python(f"raise SystemExit({number})"))
            outcomes.append(await process.wait() == number)

    def run():
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == [True] * 20


def test_a_missing_program(loop):
    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(asyncio.create_subprocess_exec("/no/such/program"))
