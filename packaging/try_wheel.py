"""Tries the installed wheel: ``python packaging/try_wheel.py`` in an environment that has nothing but the wheel.

libuv comes from the wheel, the licences are there, and a server answers by TCP and from an executor on the loop.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from importlib.metadata import distribution
from pathlib import Path

import mainspring


async def answers() -> tuple[bytes, int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        line = await reader.read()
        writer.close()
    return line, await asyncio.to_thread(sum, range(10))


def loaded_libuv() -> set[str]:
    """The files of this process that are libuv."""
    if sys.platform == "darwin":
        system = ctypes.CDLL(None)
        system._dyld_get_image_name.restype = ctypes.c_char_p
        images = [os.fsdecode(system._dyld_get_image_name(i)) for i in range(system._dyld_image_count())]
        return {image for image in images if "libuv" in image}
    return {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libuv" in line}


def main() -> None:
    package = Path(mainspring.__file__).parent
    mapped = loaded_libuv()
    assert mapped, "libuv is not loaded"
    assert all(Path(file).is_relative_to(package.parent) for file in mapped), f"libuv is loaded from {mapped}"
    licences = {file.name for file in distribution("mainspring").files or () if "licenses" in file.parts}
    assert licences >= {"LICENSE", "libuv.txt", "pybind11.txt"}, f"the licences are {licences}"
    assert (package / "py.typed").exists()
    assert mainspring.run(answers()) == (b"hello\n", 45)
    print(f"try_wheel: mainspring {mainspring.__version__} works on Python {sys.version.split()[0]}, with {mapped}")


if __name__ == "__main__":
    main()
