"""The process's descriptors."""

import os


def open_descriptors():
    """The open descriptors of this process and what each one is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # The descriptor that listed the directory.
    return found
