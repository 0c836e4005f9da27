"""With what a process ends, and what a second signal does."""

import shutil
import signal
import subprocess

import mainspring
import pytest
from helpers.signalled import signalled

WAITING = """
async def main():
    say("ready")
    try:
        await asyncio.sleep(1000)
    finally:
        say("cleaned up")

atexit.register(say, "at exit")
mainspring.run(main(), shutdown_timeout=60)
"""


def test_sigterm_ends_with_143():
    with signalled(WAITING) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        assert program.end() == (143, ["cleaned up", "at exit"], "")


def test_sigint_ends_as_with_asyncio():
    with signalled(WAITING) as program:
        program.expect("ready")
        program.send(signal.SIGINT)
        status, lines, errors = program.end()
        assert (status, lines) == (-signal.SIGINT, ["cleaned up", "at exit"])
        assert errors.splitlines()[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_main_that_returns_has_handled_the_signal(number):
    code = """
    async def main():
        say("ready")
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return "the result"

    say(mainspring.run(main(), shutdown_timeout=60))
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(number)
        assert program.end() == (0, ["the result"], "")


def test_an_error_of_the_clean_up_is_the_outcome():
    code = """
    async def main():
        say("ready")
        try:
            await asyncio.sleep(1000)
        finally:
            raise ValueError("not clean")

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        status, _, errors = program.end()
        assert status == 1
        assert errors.splitlines()[-1] == "ValueError: not clean"


CLEANING_UP = """
async def main():
    say("ready")
    try:
        await asyncio.sleep(1000)
    finally:
        {}
        say("never")

mainspring.run(main(), shutdown_timeout=60)
"""


# The loop says it for the one that awaits: between its own words and its await, the signal would end it there.
AWAITS = 'asyncio.get_running_loop().call_soon(say, "cleaning up"); await asyncio.sleep(1000)'
BLOCKS = 'say("cleaning up"); time.sleep(1000)'


@pytest.mark.parametrize("work", [AWAITS, BLOCKS], ids=["awaits", "blocks"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_second_signal_cuts_at_once(number, status, work):
    with signalled(CLEANING_UP.format(work)) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        program.expect("cleaning up")
        program.send(number)
        ended, lines, errors = program.end()
        assert (ended, lines) == (status, [])
        if work is AWAITS:
            assert "shutdown: cut after" in errors
            assert "in main\n" in errors


def test_a_signal_cuts_the_end_that_main_has_begun():
    code = """
    async def stubborn():
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                say("not yet")

    async def main():
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code) as program:
        program.expect("not yet")
        program.send(signal.SIGTERM)
        status, lines, errors = program.end()
        assert (status, lines) == (143, [])
        assert "in stubborn\n" in errors


def test_without_a_time_nothing_is_changed():
    code = WAITING.replace(", shutdown_timeout=60", "")
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        assert program.end() == (-signal.SIGTERM, [], "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_of_a_container(number):
    """Signals without a handler never reach the first process of a PID namespace."""
    unshare = shutil.which("unshare")
    command = [unshare, "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let the tests make a PID namespace")
    code = """
    import subprocess

    async def main():
        say("pid", os.getpid())
        try:
            await asyncio.to_thread(subprocess.run, ["kill", sys.argv[1], "1"])
            await asyncio.sleep(1000)
        finally:
            say("cleaned up")

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code, f"-{int(number)}", before=command) as program:
        program.expect("pid 1")
        status, lines, _ = program.end()
        assert lines == ["cleaned up"]
        assert status == (143 if number == signal.SIGTERM else 130)


# --- in this process --------------------------------------------------------------------------------------------------


async def give(value):
    return value


def test_results_and_errors_come_through():
    async def fail():
        raise LookupError("not there")

    assert mainspring.run(give(21), shutdown_timeout=1) == 21
    with pytest.raises(LookupError, match="not there"):
        mainspring.run(fail(), shutdown_timeout=1)


@pytest.mark.parametrize("time", [-1, float("nan")])
def test_a_time_that_is_none(time):
    main = give(0)
    with pytest.raises(ValueError, match="shutdown_timeout"):
        mainspring.run(main, shutdown_timeout=time)
    main.close()


def test_only_coroutines_are_run():
    with pytest.raises(TypeError, match="a coroutine was expected"):
        mainspring.run(give, shutdown_timeout=1)


def test_not_from_a_running_loop():
    async def outer():
        main = give(0)
        try:
            mainspring.run(main, shutdown_timeout=1)
        finally:
            main.close()

    with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
        mainspring.run(outer())


def test_a_loop_that_is_stopped_by_its_program():
    async def main():
        import asyncio

        asyncio.get_running_loop().stop()
        await asyncio.sleep(1000)

    with pytest.raises(RuntimeError, match="stopped before Future completed"):
        mainspring.run(main(), shutdown_timeout=1)


def test_sys_exit_in_a_task():
    code = """
    async def leave():
        sys.exit(3)

    async def main():
        task = asyncio.create_task(leave())
        try:
            await asyncio.sleep(1000)
        finally:
            say("cleaned up")

    async def direct():
        sys.exit(3)

    try:
        mainspring.run(direct(), shutdown_timeout=60)
    except SystemExit as error:
        say(error.code)
    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code) as program:
        status, lines, _ = program.end()
        assert (status, lines) == (3, ["3", "cleaned up"])
