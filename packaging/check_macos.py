"""Compiles and links the module for macOS, on another system: ``python packaging/check_macos.py [ARCHITECTURE...]``.

Clang with the headers of macOS comes in the package ``ziglang``. What it makes cannot be run here, and nothing that is
not the module's is linked: libuv and Python are headers only, and their names are left to the loader.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pybind11

ROOT = Path(__file__).parents[1]
ARCHITECTURES = {"arm64": "aarch64-macos.11.0", "x86_64": "x86_64-macos.11.0"}


class CheckError(Exception):
    """It cannot be compiled or linked."""


def output_of(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def offer_libuv(folder: Path) -> None:
    """libuv's headers, apart from those of this system in the same folder, as a package of pkg-config."""
    source = Path(output_of("pkg-config", "--variable=includedir", "libuv"))
    shutil.copytree(source / "uv", folder / "include" / "uv")
    shutil.copy(source / "uv.h", folder / "include")
    version = output_of("pkg-config", "--modversion", "libuv")
    (folder / "libuv.pc").write_text(
        f"Name: libuv\nDescription: headers\nVersion: {version}\nCflags: -I{folder / 'include'}\n"
    )


def toolchain(target: str, rules: Path) -> str:
    settings = {
        "CMAKE_SYSTEM_NAME": "Darwin",
        "CMAKE_CXX_COMPILER": f"{sys.executable};-m;ziglang;c++;-target;{target}",
        # A program of Xcode that CMake looks for, and that is not needed before anything is installed.
        "CMAKE_INSTALL_NAME_TOOL": shutil.which("true"),
        # Nothing is linked to learn what the compiler can do, and the module without the C++ library, which would be
        # built first: that takes minutes.
        "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",
        "CMAKE_MODULE_LINKER_FLAGS": "-nostdlib++",
        "CMAKE_USER_MAKE_RULES_OVERRIDE_CXX": rules,
    }
    return "".join(f'set({name} "{value}")\n' for name, value in settings.items())


def check(architecture: str, folder: Path) -> None:
    build = ROOT / "build" / f"macos-{architecture}"
    file = folder / f"{architecture}.cmake"
    # The module is linked as a library, since this linker knows no bundles; they differ in a word of their header.
    rules = folder / "rules.cmake"
    rules.write_text('set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS "-dynamiclib")\n')
    file.write_text(toolchain(ARCHITECTURES[architecture], rules))
    configure = {
        "CMAKE_TOOLCHAIN_FILE": file,
        "CMAKE_BUILD_TYPE": "Debug",
        # Without the sanitizer that this compiler adds by itself.
        "CMAKE_CXX_FLAGS_DEBUG": "-O0 -fno-sanitize=undefined",
        "MAINSPRING_WERROR": "ON",
        "MAINSPRING_LTO": "OFF",
        # One as it is installed, the other file by file, so that each is seen to include what it uses.
        "CMAKE_UNITY_BUILD": "ON" if architecture == "x86_64" else "OFF",
        "Python_EXECUTABLE": sys.executable,
        "Python_INCLUDE_DIR": sysconfig.get_paths()["include"],
        "pybind11_DIR": pybind11.get_cmake_dir(),
        # pybind11 would try these, each for some seconds.
        **dict.fromkeys(["HAS_FLTO", "HAS_FLTO_AUTO", "HAS_FLTO_THIN"], "OFF"),
    }
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(folder)}
    words = [f"-D{name}={value}" for name, value in configure.items()]
    for command in ["--fresh", "-G", "Ninja", "-S", str(ROOT), "-B", str(build), *words], ["--build", str(build)]:
        done = subprocess.run(
            ["cmake", *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode != 0:
            raise CheckError(f"{done.stdout}\ncheck_macos: failed for {architecture}")
    (module,) = build.glob("_core*")
    print(f"check_macos: {module.relative_to(ROOT)} is compiled and linked for {architecture}")


def main(architectures: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        offer_libuv(Path(folder))
        try:
            # At once, since much of it is CMake, which does one thing after another.
            with ThreadPoolExecutor() as pool:
                list(pool.map(check, architectures, repeat(Path(folder))))
        except CheckError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:] or list(ARCHITECTURES))
