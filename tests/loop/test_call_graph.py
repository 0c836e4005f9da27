"""What Python 3.14 shows of waiting tasks: capture_call_graph, and `python -m asyncio ps` from another process."""

import asyncio
import re
import subprocess
import sys

import pytest
from helpers import compare, start_program

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs of tasks came with Python 3.14")

WAITING = """
    import asyncio, sys
    import mainspring

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]

    async def innermost(event):
        await event.wait()

    async def member(event):
        await innermost(event)

    async def main():
        event = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for name in ("first member", "second member"):
                group.create_task(member(event), name=name)
            await asyncio.sleep(0)
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            print("waiting", flush=True)
            await reader.read()
            event.set()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""


def test_the_captured_graph_is_the_same():
    def scenario(loop):
        graphs = []

        async def inner():
            graphs.append(asyncio.format_call_graph())
            await asyncio.sleep(0)

        async def outer():
            await inner()

        async def main():
            async with asyncio.TaskGroup() as group:
                task = group.create_task(outer(), name="the task")
                await asyncio.sleep(0)
                graph = asyncio.capture_call_graph(task)
                graphs.append([entry.frame.f_code.co_name for entry in graph.call_stack])
                graphs.append(len(graph.awaited_by))

        loop.run_until_complete(main())
        text = re.sub(r"0x[0-9a-f]+|Task-\d+", "…", graphs[0])
        # The frames of the loop itself are its own.
        return [line for line in text.splitlines() if "test_call_graph" in line or "Task" in line], graphs[1:]

    lines, graphs = compare(scenario)
    assert any("the task" in line for line in lines)
    assert graphs[0][-2:] == ["inner", "outer"]
    assert graphs[1] == 1


@pytest.mark.parametrize("command", ["ps", "pstree"])
def test_another_process_lists_the_tasks(loop_name, command):
    with start_program(WAITING, loop_name, stdin=subprocess.PIPE) as program:
        try:
            assert program.stdout.readline() == "waiting\n"
            listed = subprocess.run(
                [sys.executable, "-m", "asyncio", command, str(program.pid)], capture_output=True, text=True, timeout=60
            )
            told = listed.stdout + listed.stderr
            if re.search(r"PermissionError|Operation not permitted|permission", told):
                pytest.skip(f"the system does not let one process look into another: {told.splitlines()[-1]}")
            assert listed.returncode == 0, told
            for name in ("first member", "second member", "innermost", "member"):
                assert name in listed.stdout
        finally:
            program.stdin.close()
        assert program.wait(20) == 0
        assert program.stderr.read() == ""
