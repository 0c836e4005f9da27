"""What the module was built with: Linux's own ways, or those that every POSIX system has."""

import mainspring._core
import pytest

PORTABLE = mainspring._core.PORTABLE


def needs_linux(why):
    """Marks a test of what only Linux's ways can do."""
    return pytest.mark.skipif(PORTABLE, reason=f"built with the portable ways: {why}")
