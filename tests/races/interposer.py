"""The library in front of close(), which has to be preloaded: asking it."""

import ctypes
from pathlib import Path

SOURCE = Path(__file__).with_name("interposer.cpp")


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
