"""The library in front of close(): how it is built, loaded and asked."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path


class Interposer:
    """The functions of the library, which the process was started with."""

    def __init__(self):
        own = ctypes.CDLL(None)
        # PyDLL would keep the GIL; these return at once, and a thread switch here and there is welcome.
        self.guard, self.release = own.interposer_guard, own.interposer_release
        self._twice, self._foreign = own.interposer_closed_twice, own.interposer_closed_foreign
        self._twice.restype = self._foreign.restype = ctypes.c_long

    @property
    def closed_twice(self):
        """How many times a descriptor was closed that was not open."""
        return self._twice()

    @property
    def closed_foreign(self):
        """How many times a descriptor was closed that its owner still used."""
        return self._foreign()


def compiler():
    """The C++ compiler, or None."""
    return os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")


def build(folder):
    """Compile the library into a folder; its path."""
    library = Path(folder) / "interposer.so"
    source = Path(__file__).with_name("interposer.cpp")
    subprocess.run([compiler(), "-std=c++20", "-O1", "-shared", "-fPIC", source, "-o", library, "-ldl"], check=True)
    return library


def environment(library):
    """The environment of a process that is to run with the library, behind whatever is loaded already."""
    before = os.environ.get("LD_PRELOAD", "")
    return {**os.environ, "LD_PRELOAD": f"{before} {library}".strip()}
