"""mainspring.run and asyncio.Runner with mainspring's loop factory: as asyncio.run."""

import asyncio
import sys

import mainspring
import pytest
from helpers import outcome, run_program


async def main(value=None):
    await asyncio.sleep(0)
    return value, type(asyncio.get_running_loop()), asyncio.get_running_loop().get_debug()


def test_it_returns_the_result_of_a_mainspring_loop():
    assert mainspring.run(main("result")) == ("result", mainspring.Loop, False)


@pytest.mark.parametrize("debug", [True, False])
def test_debug(debug):
    assert mainspring.run(main(), debug=debug)[2] is debug


def test_it_raises_what_the_coroutine_raises():
    async def fail():
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        mainspring.run(fail())


def test_it_exits_with_the_coroutine():
    async def leave():
        sys.exit(5)

    with pytest.raises(SystemExit) as left:
        mainspring.run(leave())
    assert left.value.code == 5


@pytest.mark.parametrize("thing", [None, 5, "text", main], ids=["None", "int", "str", "function"])
def test_what_is_no_coroutine_is_the_error_of_asyncio_run(thing):
    result = outcome(mainspring.run, thing)
    assert result == outcome(asyncio.run, thing)
    assert result[0] in (ValueError, TypeError)


def test_inside_a_running_loop_it_is_the_error_of_asyncio_run():
    async def nested(run):
        coro = main()
        try:
            return outcome(run, coro)
        finally:
            coro.close()

    result = mainspring.run(nested(mainspring.run))
    assert result == asyncio.run(nested(asyncio.run))
    assert result == (RuntimeError, "asyncio.run() cannot be called from a running event loop")


def test_the_loop_is_closed_and_what_still_ran_is_cancelled():
    seen = []

    async def forever():
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def start():
        seen.append(asyncio.get_running_loop())
        seen.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    mainspring.run(start())
    assert seen[0].is_closed()
    assert seen[1].cancelled()
    assert seen[2] == "cancelled"


def test_a_loop_factory_of_the_callers_own():
    async def get_loop():
        return type(asyncio.get_running_loop())

    assert mainspring.run(get_loop(), loop_factory=asyncio.SelectorEventLoop) is asyncio.SelectorEventLoop


def test_asyncios_runner_takes_the_factory():
    with asyncio.Runner(loop_factory=mainspring.new_event_loop) as runner:
        assert runner.run(main(1)) == (1, mainspring.Loop, False)
        assert runner.run(main(2)) == (2, mainspring.Loop, False)
        assert type(runner.get_loop()) is mainspring.Loop


def test_new_event_loop_makes_a_loop_of_asyncios_class():
    loop = mainspring.new_event_loop()
    assert isinstance(loop, asyncio.AbstractEventLoop)
    assert isinstance(loop, asyncio.BaseEventLoop)
    assert isinstance(loop, mainspring.Loop)
    loop.close()


def test_a_subclass_of_the_loop_works():
    class Own(mainspring.Loop):
        def call_soon(self, callback, *args, context=None):
            calls.append(callback)
            return super().call_soon(callback, *args, context=context)

    calls = []
    loop = Own()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert repr(loop).startswith("<Own ")


def test_the_version_is_the_packages():
    from importlib.metadata import version

    assert mainspring.__version__ == version("mainspring")


def test_the_import_takes_little_with_it():
    # Python itself may crash when sub-interpreters were the first to import datetime; email costs more than the rest.
    done = run_program("import asyncio, mainspring, sys; print({'_datetime', 'email'} & set(sys.modules))")
    assert (done.stdout, done.stderr) == ("set()\n", "")
