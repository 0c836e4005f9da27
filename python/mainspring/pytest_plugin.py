"""``pytest --mainspring``: a pytest-asyncio suite on this loop; ``--mainspring-virtual-time``: in virtual time.

The loop is put in through pytest-asyncio's own hook, ``pytest_asyncio_loop_factories`` (pytest-asyncio 1.4 or newer).
For virtual time, tests of anyio's plugin get its asyncio backend with the loop as its ``loop_factory``. Nothing happens
without an option or the marker ``mainspring_virtual_time``.

``--mainspring-max-block=50ms`` is in ``_max_block.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest

from mainspring import VirtualClock, _max_block, new_event_loop

_MARKER = "mainspring_virtual_time"
_OPTION = "--mainspring-virtual-time"
_HOOK = "pytest_asyncio_loop_factories"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--mainspring``, ``--mainspring-virtual-time`` and ``--mainspring-max-block``."""
    group = parser.getgroup("mainspring")
    group.addoption("--mainspring", action="store_true", help="run pytest-asyncio tests on mainspring's event loop")
    group.addoption(
        _OPTION,
        action="store_true",
        help="run pytest-asyncio's and anyio's tests on mainspring's event loop in virtual time: it jumps to the next "
        "timer instead of waiting for it",
    )
    group.addoption(
        "--mainspring-max-block",
        metavar="TIME",
        type=_max_block.seconds,
        help="fail a test in which a callback blocks a mainspring loop for longer: 50ms, 0.5s, 2",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Put the loop in, or say what is missing."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(start=0.0, patience=10.0, grace=0.1): run the test on mainspring's event loop in virtual time; the "
        "arguments are those of mainspring.VirtualClock",
    )
    threshold = config.getoption("--mainspring-max-block")
    if threshold is not None:
        config.pluginmanager.register(_max_block.MaxBlock(threshold), "mainspring-max-block")
    has_hook = hasattr(config.pluginmanager.hook, _HOOK)
    if config.getoption(_OPTION):
        if has_hook:
            config.pluginmanager.register(_LoopFactory("mainspring-virtual-time", _factory_for()))
    elif config.getoption("--mainspring"):
        if not has_hook:
            raise pytest.UsageError("--mainspring needs pytest-asyncio 1.4 or newer")
        config.pluginmanager.register(_LoopFactory("mainspring", new_event_loop))


class _LoopFactory:
    def __init__(self, name: str, factory: Callable[[], Any]) -> None:
        self._factories = {name: factory}

    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(self, config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
        return self._factories


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, object, None]:
    """Give a test in virtual time its loop, through the plugin that runs it."""
    factory = _virtual_factory(metafunc)
    plugins = metafunc.config.pluginmanager
    answer = None
    if factory is None:
        pass
    elif "anyio_backend" in metafunc.fixturenames:
        # A test that names its backends itself keeps them.
        if not _chooses_backends(metafunc.definition):
            backend = pytest.param(("asyncio", {"loop_factory": factory}), id="asyncio-virtual-time")
            metafunc.definition.add_marker(pytest.mark.parametrize("anyio_backend", [backend], scope="module"))
    elif hasattr(plugins.hook, _HOOK):
        # pytest-asyncio asks for the factories of this test now. Other tests keep what they have: once somebody
        # answers, it wants an answer for each.
        answer = _LoopFactory("mainspring-virtual-time", factory)
        plugins.register(answer)
    elif plugins.hasplugin("asyncio") or not plugins.hasplugin("anyio"):
        raise pytest.UsageError("virtual time needs pytest-asyncio 1.4 or newer, or anyio's plugin")
    yield
    if answer:
        plugins.unregister(answer)


def _chooses_backends(definition: Any) -> bool:
    for mark in definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs["argnames"]
        if "anyio_backend" in (names.replace(",", " ").split() if isinstance(names, str) else names):
            return True
    return False


def _virtual_factory(metafunc: pytest.Metafunc) -> Callable[[], Any] | None:
    """What makes the loop of this test, None if it is not to be in virtual time."""
    marker = metafunc.definition.get_closest_marker(_MARKER)
    if marker is None:
        return _factory_for() if metafunc.config.getoption(_OPTION) else None
    try:
        return _factory_for(*marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: {_MARKER}: {error}") from error


# One for each set of arguments: tests with one factory may share a loop, if their scope says so.
@functools.cache
def _factory_for(*args: Any, **kwargs: Any) -> Callable[[], Any]:
    VirtualClock(*args, **kwargs)
    return lambda: new_event_loop(clock=VirtualClock(*args, **kwargs))
