"""Subprocesses, signals, forks and interpreters."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

from helpers.abilities import KINDS, ability, run
from helpers.abilities.connections import tcp
from helpers.interpreters import INTERPRETERS


@ability("Subprocesses")
async def subprocesses():
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert await process.communicate(b"hello") == (b"hello", None)


@ability("Subprocesses with `umask` and `process_group`")
async def subprocess_keywords():
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "umask", umask=0o27, process_group=0, stdout=subprocess.PIPE
    )
    assert await process.communicate() == (b"0027\n", None)


@ability("Signal handlers (`add_signal_handler`)")
async def signal_handlers():
    loop = asyncio.get_running_loop()
    received = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, received.set_result, True)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert await received
    assert loop.remove_signal_handler(signal.SIGUSR1)


@ability("A forked child can run a loop of its own")
def forking(new_loop):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.sleep(0))
        child = os.fork()
        if child == 0:
            try:
                run(tcp, new_loop)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


@ability("`SystemExit` in a task leaves the loop, which can go on")
def leaving(new_loop):
    async def leave():
        raise SystemExit(3)

    loop = new_loop()
    try:
        task = loop.create_task(leave())
        loop.call_later(1, loop.stop)
        try:
            loop.run_forever()
        except SystemExit as left:
            assert left.code == 3
        else:
            raise AssertionError("it went on")
        assert loop.run_until_complete(asyncio.sleep(0, "on")) == "on"
        with contextlib.suppress(SystemExit):
            task.exception()
    finally:
        loop.close()


@ability("Sub-interpreters with a GIL of their own (Python 3.12)")
def subinterpreters(new_loop):
    tools = {}
    exec(INTERPRETERS, tools)
    module, name = KINDS[sys.argv[1]]
    interpreter = tools["make"](True)
    try:
        tools["run"](
            interpreter,
            f"import asyncio, {module}\n"
            f"with asyncio.Runner(loop_factory={module}.{name}) as runner: runner.run(asyncio.sleep(0))",
        )
    finally:
        tools["destroy"](interpreter)
