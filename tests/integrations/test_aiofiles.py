"""aiofiles on this loop and its executor."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import mainspring
import pytest
from helpers.pages import printed_by

aiofiles = pytest.importorskip("aiofiles")
pytest.importorskip("aiofiles.os")


def test_the_program_of_the_page():
    printed = printed_by("integrations/aiofiles.md")
    assert printed == ["['ONE', 'TWO']", f"loop: {mainspring.Loop}", "calls in threads: True"]


@pytest.fixture
def run(mainspring_loop):
    """Runs a coroutine on mainspring's loop."""
    return mainspring_loop.run_until_complete


def test_binary_files(run, tmp_path):
    data = os.urandom(3_000_000)

    async def scenario():
        async with aiofiles.open(tmp_path / "file", "wb+") as file:
            await file.write(data)
            await file.seek(-100, os.SEEK_END)
            end = await file.read()
            await file.seek(0)
            pieces = []
            while piece := await file.read(1 << 16):
                pieces.append(piece)
            await file.truncate(10)
        return end, b"".join(pieces), (await aiofiles.os.stat(tmp_path / "file")).st_size

    assert run(scenario()) == (data[-100:], data, 10)


def test_errors(run, tmp_path):
    async def scenario():
        with pytest.raises(FileNotFoundError):
            async with aiofiles.open(tmp_path / "nothing"):
                pass
        async with aiofiles.open(tmp_path / "file", "w") as file:
            with pytest.raises(OSError, match="not readable"):
                await file.read()

    run(scenario())


def test_functions_of_os(run, tmp_path):
    async def scenario():
        await aiofiles.os.makedirs(tmp_path / "one" / "two")
        await aiofiles.os.rename(tmp_path / "one" / "two", tmp_path / "one" / "three")
        return await aiofiles.os.listdir(tmp_path / "one"), await aiofiles.os.path.exists(tmp_path / "two")

    assert run(scenario()) == (["three"], False)


def test_another_executor(run, tmp_path):
    names = set()

    def opener(path, flags):
        names.add(threading.current_thread().name)
        return os.open(path, flags)

    async def scenario():
        with ThreadPoolExecutor(1, thread_name_prefix="files") as executor:
            async with aiofiles.open(tmp_path / "file", "w", executor=executor, opener=opener) as file:
                return await file.write("text")

    assert run(scenario()) == 4
    assert names == {"files_0"}


def test_a_cancelled_read(run):
    source, target = os.pipe()

    async def scenario():
        async with aiofiles.open(source, "rb", buffering=0) as reading:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reading.read(100)
            # The thread reads on, and takes what comes first.
            os.write(target, b"first")
            os.close(target)
            return await reading.read(100)

    assert run(scenario()) in (b"first", b"")
