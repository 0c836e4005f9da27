"""The message sizes and connection counts that both echo servers are measured with."""

from __future__ import annotations

BACKLOG = 4096
KIB = 1024

ECHO_SIZES = [
    # What the table says, bytes a message, connections, whether it belongs to the quick selection.
    ("1 KiB x 10", KIB, 10, True),
    ("10 KiB x 10", 10 * KIB, 10, False),
    ("100 KiB x 10", 100 * KIB, 10, True),
    ("1 KiB x 1,000", KIB, 1000, True),
    ("10 KiB x 1,000", 10 * KIB, 1000, False),
    ("100 KiB x 1,000", 100 * KIB, 1000, False),
]
