"""Libraries of ours, most of which stand in front of the C library's functions: compiled, and loaded into a process."""

import os
import shutil
import subprocess


def compiler():
    """The C++ compiler, or None."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")


def build(source, folder, *more):
    """Compile a library into a folder, with more options; its path."""
    library = folder / source.with_suffix(".so").name
    options = ["-std=c++20", "-O1", "-g", "-shared", "-fPIC", *more]
    subprocess.run([compiler(), *options, source, "-o", library, "-ldl"], check=True)
    return library


def environment(library):
    """The environment of a process that is to run with the library, behind whatever is loaded already."""
    before = os.environ.get("LD_PRELOAD", "")
    return {**os.environ, "LD_PRELOAD": f"{before} {library}".strip()}
