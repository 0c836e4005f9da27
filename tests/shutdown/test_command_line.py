"""``mainspring run --shutdown-timeout``: for programs that call ``asyncio.run``."""

import signal
import subprocess
import sys

import pytest
from helpers.signalled import controlled

SCRIPT = """
import asyncio
from asyncio import run

async def main():
    print("ready", type(asyncio.get_running_loop()).__module__, flush=True)
    try:
        await asyncio.sleep(1000)
    finally:
        print("cleaned up", flush=True)

{}(main())
"""


@pytest.mark.parametrize("name", ["run", "asyncio.run", "asyncio.runners.run"])
def test_a_script(tmp_path, name):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(name))
    command = [sys.executable, "-m", "mainspring", "run", "--shutdown-timeout", "60", str(script)]
    with controlled(subprocess.Popen(command, stdout=-1, stderr=-1, text=True)) as program:
        program.expect("ready mainspring._loop")
        program.send(signal.SIGTERM)
        assert program.end() == (143, ["cleaned up"], "")


def test_a_time_that_is_no_number(tmp_path):
    command = [sys.executable, "-m", "mainspring", "run", "--shutdown-timeout", "soon", "script.py"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "--shutdown-timeout" in ended.stderr
