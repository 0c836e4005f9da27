"""Fixtures that every test may use: the event loops under comparison, and descriptors counted around each test."""

import gc
import os
import ssl
import sys
from pathlib import Path

import pytest

# Test files are imported by path (--import-mode=importlib); what they share is the package `helpers` beside this file.
sys.path.insert(0, str(Path(__file__).parent))

pytest.register_assert_rewrite("helpers")

from helpers import LOOPS, Authority, collect_errors, finish, is_mainspring, open_descriptors  # noqa: E402


def pytest_configure(config):
    # See tests/sanitizers/leaks.py. The workers of pytest-xdist do this by themselves.
    if "ASAN_OPTIONS_OF_PROGRAMS" in os.environ and not config.getoption("numprocesses", None):
        os.environ["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS_OF_PROGRAMS"]
        os.environ.pop("LSAN_OPTIONS", None)


def pytest_collection_finish():
    """What has been imported and collected stays, and is most of what each gc.collect() of a test would look at."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=list(LOOPS))
def loop_name(request):
    """The loop under test: every test that uses it, or a fixture below, runs once on each loop."""
    return request.param


@pytest.fixture
def loop_factory(loop_name):
    """Makes loops of the kind under test; the test closes them."""
    return LOOPS[loop_name]


@pytest.fixture
def loop(loop_factory, loop_name):
    """A new loop of the kind under test; afterwards its tasks are cancelled and it is closed."""
    loop = loop_factory()
    assert is_mainspring(loop) == (loop_name == "mainspring")
    yield loop
    finish(loop)


@pytest.fixture
def mainspring_loop():
    """A mainspring loop, for what only that promises."""
    loop = LOOPS["mainspring"]()
    assert is_mainspring(loop)
    yield loop
    finish(loop)


@pytest.fixture
def errors(loop):
    """What the loop's exception handler was called with."""
    return collect_errors(loop)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority that the clients of TLS trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


TLS_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(params=TLS_VERSIONS.values(), ids=TLS_VERSIONS.keys())
def version(request):
    """Each version of TLS that is in use."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def libuv_started():
    """libuv opens a pipe for the whole process with its first loop."""
    LOOPS["mainspring"]().close()


@pytest.fixture(autouse=True)
def no_leaked_descriptors(request):
    """Each test leaves the descriptors that it found."""
    before = open_descriptors()
    yield
    left = {fd: name for fd, name in open_descriptors().items() if before.get(fd) != name}
    if left:
        gc.collect()
        left = {fd: name for fd, name in open_descriptors().items() if before.get(fd) != name}
    assert not left, f"descriptors left open: {left}"
