"""Other code of the program, which opens and closes descriptors all the time."""

import contextlib
import os
import socket
from collections import deque


class Squatter:
    """Takes the descriptors' numbers that have just become free and looks after them for a while.

    Each is one end of a socket pair that holds a message. Nobody else may close it, read the message or add to it.
    """

    def __init__(self, field, interposer, most, name):
        self._field, self._interposer, self._most, self._name = field, interposer, most, name
        self._held = deque()
        self._count = 0

    def step(self):
        """Take new numbers, and check and free the oldest if there are enough."""
        try:
            pair = socket.socketpair()
        except OSError as error:
            self._field.violation(f"squatter {self._name}: no descriptor: {error}")
            return
        for end in pair:
            end.setblocking(False)
            self._interposer.guard(end.fileno())
        self._count += 1
        message = f"{self._name} {self._count}".encode() * 3
        for end in pair:
            end.send(message)
        self._held.append((pair, message))
        if len(self._held) > self._most:
            self._free()

    def free_all(self):
        """Check and free everything."""
        while self._held:
            self._free()

    def _free(self):
        pair, message = self._held.popleft()
        for end in pair:
            try:
                found = end.recv(4096)
            except OSError as error:
                found = error
            if found != message:
                self._field.violation(f"squatter {self._name}: instead of {message!r} there was {found!r}")
        for end in pair:
            number = end.detach()
            self._interposer.release(number)
            # A number that is not ours any more has been reported.
            with contextlib.suppress(OSError):
                os.close(number)
