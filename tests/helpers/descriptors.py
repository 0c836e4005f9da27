"""The process's descriptors."""

import contextlib
import os


def open_descriptors():
    """The open descriptors of this process and what each one is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        # One of them listed the directory and is closed by now.
        with contextlib.suppress(FileNotFoundError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found
