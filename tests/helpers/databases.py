"""Database servers of the test run."""

import contextlib

import pytest
from mainspring.benchmarks.requirement import MissingRequirementError

TERMINATE_SLEEPING = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {} AND wait_event = 'PgSleep'"
"""Ends a connection of PostgreSQL to the process of this number, and returns a row, once its query sleeps there."""


@contextlib.contextmanager
def provided(service):
    """The port of a new server; what wants it is skipped where its programs are missing."""
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(service(None))
        except MissingRequirementError as missing:
            pytest.skip(str(missing))
        yield port
