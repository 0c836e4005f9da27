"""The rooms of the source include only downward, and the built module exports only its init function."""

import re
import subprocess
from pathlib import Path

import mainspring._core
import pytest

SOURCE = Path(__file__).parents[2] / "src"
SYSTEM = "system"
BASE = {SYSTEM, "uv", "python"}
LOOP = "loop"
TOP = "bindings"


def rooms():
    return sorted(folder.name for folder in SOURCE.iterdir() if folder.is_dir())


def files(room):
    return sorted(path for path in (SOURCE / room).rglob("*") if path.suffix in (".cpp", ".hpp"))


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', path.read_text(), re.MULTILINE)


def allowed(room):
    """The rooms that a room may include."""
    if room in BASE:
        return {room, SYSTEM}
    if room == LOOP:
        return BASE | {LOOP}
    if room == TOP:
        return set(rooms())
    return BASE | {LOOP, room}


def test_the_rooms_are_found():
    assert {*BASE, LOOP, TOP, "streams"} <= set(rooms())


@pytest.mark.parametrize("room", rooms())
def test_a_room_includes_only_what_is_below_it(room):
    assert files(room)
    wrong = [
        f"{path.name} includes {name}"
        for path in files(room)
        for name in includes(path)
        if (top := name.split("/")[0]) in rooms() and "/" in name and top not in allowed(room)
    ]
    assert wrong == []


def test_uv_and_the_system_know_no_python_and_python_no_uv():
    no_python = r"Python\.h|pybind11|structmember\.h"
    for room, forbidden in (("uv", no_python), ("system", rf"{no_python}|uv/"), ("python", r"uv\.h|uv/")):
        for path in files(room):
            assert [name for name in includes(path) if re.match(forbidden, name)] == []


def test_only_bindings_define_python_classes_with_pybind11():
    for room in set(rooms()) - {TOP, LOOP}:
        for path in files(room):
            assert "py::class_" not in path.read_text()


def test_the_module_exports_only_its_init_function():
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", mainspring._core.__file__], capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[-1].split("@")[0] for line in symbols.splitlines()] == ["PyInit__core"]
