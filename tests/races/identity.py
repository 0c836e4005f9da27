"""The bytes of a connection: each belongs to one connection, one direction and one position."""

import random
import struct
import zlib

HEADER_SIZE = 12

_SIZE = 1 << 20
_NOISE = random.Random(0).randbytes(_SIZE) * 2


class ForeignBytes(Exception):
    """Bytes arrived that this connection was not sent."""


def stream(number, direction, position, length):
    """So many bytes of a connection's stream in one direction ("there" or "back"), from a position on."""
    start = (number * 0x9E3779B1 + (direction == "back") * 0x5BD1E995 + position) % _SIZE
    return _NOISE[start : start + length]


def header(number):
    """What a client sends first: who it is."""
    packed = struct.pack(">Q", number)
    return packed + struct.pack(">I", zlib.crc32(packed))


def number_of(data):
    """Who a header says that the client is."""
    number, check = struct.unpack(">QI", data)
    if zlib.crc32(data[:8]) != check:
        raise ForeignBytes(f"a header that nobody sent: {bytes(data)!r}")
    return number


class Checker:
    """Compares what arrives in one direction of a connection with what belongs there."""

    def __init__(self, field, number, direction):
        self._field, self._number, self._direction = field, number, direction
        self.position = 0

    def take(self, data):
        """Check data that arrived; reports them if they are another's."""
        data = bytes(data)
        for start in range(0, len(data), _SIZE):
            piece = data[start : start + _SIZE]
            if piece != stream(self._number, self._direction, self.position, len(piece)):
                self._field.violation(
                    f"race {self._number}: foreign bytes, way {self._direction}, within {len(piece)} at {self.position}"
                )
            self.position += len(piece)
        self._field.bytes_checked += len(data)


class Sender:
    """Produces a connection's stream in one direction."""

    def __init__(self, number, direction):
        self._number, self._direction = number, direction
        self._position = 0

    def next(self, length):
        """The next bytes, a MiB at most."""
        data = stream(self._number, self._direction, self._position, length)
        self._position += len(data)
        return data
