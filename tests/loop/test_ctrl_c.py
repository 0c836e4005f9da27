"""Ctrl-C: the same outcome on both loops, in run_until_complete and in asyncio.Runner."""

import pytest
from helpers import run_program

PRELUDE = """
    import asyncio, os, signal, sys, threading, time
    import mainspring

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]
    send = lambda: os.kill(os.getpid(), signal.SIGINT)

    def from_thread():
        threading.Timer(0.1, send).start()
"""

SLEEPING = """
    loop = factory()

    async def main():
        try:
            from_thread()
            await asyncio.sleep(30)
        finally:
            print("cleaned up")

    task = loop.create_task(main())
    try:
        loop.run_until_complete(task)
    except KeyboardInterrupt:
        print("interrupted", task.done(), loop.is_running())
    task.cancel()
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        print("cancelled")
    loop.close()
"""

IN_A_CALLBACK = """
    loop = factory()
    loop.call_later(0.01, send)
    loop.call_later(20, loop.stop)
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        print("interrupted", loop.is_running())
    loop.call_soon(print, "goes on")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
"""

RUNNER = """
    async def main():
        from_thread()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            print("cancelled")
            raise
        finally:
            print("cleaned up", type(asyncio.get_running_loop()) is (mainspring.Loop if sys.argv[1] == "mainspring"
                  else asyncio.SelectorEventLoop))

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    except KeyboardInterrupt:
        print("interrupted")
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""

RUNNER_WITH_A_BUSY_TASK = """
    async def main():
        from_thread()
        try:
            while True:
                await asyncio.sleep(0)
        finally:
            print("cleaned up")

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    except KeyboardInterrupt:
        print("interrupted")
"""

RUNNER_SWALLOWED = """
    async def main():
        from_thread()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "swallowed"

    with asyncio.Runner(loop_factory=factory) as runner:
        print(runner.run(main()))
"""

BLOCKING = """
    async def main():
        from_thread()
        time.sleep(0.3)
        print("the callback was not interrupted")
        await asyncio.sleep(30)

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    except KeyboardInterrupt:
        print("interrupted")
"""

UNCAUGHT = """
    async def main():
        from_thread()
        await asyncio.sleep(30)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""

PROGRAMS = {
    "sleeping": (SLEEPING, "interrupted False False\ncleaned up\ncancelled\n"),
    "in a callback": (IN_A_CALLBACK, "interrupted False\ngoes on\n"),
    "runner": (RUNNER, "cancelled\ncleaned up True\ninterrupted\nTrue\n"),
    "runner with a busy task": (RUNNER_WITH_A_BUSY_TASK, "cleaned up\ninterrupted\n"),
    "runner, swallowed": (RUNNER_SWALLOWED, "swallowed\n"),
    "blocking callback": (BLOCKING, "the callback was not interrupted\ninterrupted\n"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c(loop_name, program):
    code, expected = PROGRAMS[program]
    done = run_program(PRELUDE + code, loop_name, timeout=25)
    assert (done.stderr, done.stdout, done.returncode) == ("", expected, 0)


def test_an_uncaught_ctrl_c_ends_the_process_as_python_does(loop_name):
    done = run_program(PRELUDE + UNCAUGHT, loop_name, timeout=25)
    assert done.returncode == -2
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
