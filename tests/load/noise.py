"""Bytes that are easy to make and of which no two pieces are the same."""

import hashlib
import random

_PIECE = 1 << 18
_NOISE = random.Random(0).randbytes(2 * _PIECE)


def noise(name, size):
    """So many bytes, in pieces; the name tells one series from another."""
    rng = random.Random(name)
    while size > 0:
        start = rng.randrange(_PIECE)
        piece = _NOISE[start : start + min(_PIECE, size)]
        size -= len(piece)
        yield piece


def noise_hash(name, size):
    """The hash of these bytes."""
    found = hashlib.sha256()
    for piece in noise(name, size):
        found.update(piece)
    return found.hexdigest()
