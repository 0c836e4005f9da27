"""The loop's own thread pool when the process ends or forks."""

import pytest
from helpers import run_program

START = """
    import asyncio, os, sys, threading, time
    import mainspring
    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]
"""


def run(code, loop_name):
    return run_program(START + code, loop_name)


def test_the_process_waits_for_calls_that_run_or_wait(loop_name):
    finished = run(
        """
    loop = factory()
    loop.call_soon(loop.stop)
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop._default_executor._max_workers = 1
    loop.run_in_executor(None, time.sleep, 0.05)
    loop.run_in_executor(None, print, "the last call")
    print("the end of the program")
    """,
        loop_name,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.split("\n") == ["the end of the program", "the last call", ""]


def test_the_process_ends_with_idle_threads(loop_name):
    finished = run(
        """
    loop = factory()
    loop.run_until_complete(asyncio.wait_for(loop.run_in_executor(None, int), 5))
    print("the end")
    """,
        loop_name,
    )
    assert (finished.returncode, finished.stdout) == (0, "the end\n")


def test_calls_at_the_end_of_the_interpreter_are_refused(loop_name):
    finished = run(
        """
    loop = factory()
    loop.run_until_complete(loop.run_in_executor(None, int))

    def late():
        try:
            loop.run_in_executor(None, int)
        except RuntimeError as error:
            print(error)

    import atexit
    atexit.register(late)
    """,
        loop_name,
    )
    assert finished.stdout.startswith("cannot schedule new futures after")


@pytest.mark.parametrize("busy", [False, True], ids=["idle threads", "a call runs"])
def test_a_forked_child_has_loops_and_pools_of_its_own(loop_name, busy):
    """os.fork() in a program whose pool has threads; the child ends as Python programs do, not by os._exit()."""
    finished = run(
        f"""
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    loop = factory()
    loop.run_until_complete(asyncio.gather(*(loop.run_in_executor(None, time.sleep, 0.01) for _ in range(3))))
    release = threading.Event()
    if {busy}:
        loop._default_executor._max_workers = 1
        loop.run_in_executor(None, release.wait, 10)
    child = os.fork()
    if child == 0:
        new = factory()
        assert new.run_until_complete(asyncio.wait_for(new.run_in_executor(None, abs, -1), 10)) == 1
        new.run_until_complete(new.shutdown_default_executor())
        new.close()
        sys.exit(7)
    _, status = os.waitpid(child, 0)
    release.set()
    print(os.waitstatus_to_exitcode(status))
    # The child that collects a default loop of its parent's takes its self-pipe out of the epoll set that both share.
    if sys.argv[1] != "default":
        assert loop.run_until_complete(loop.run_in_executor(None, abs, -2)) == 2
    loop._default_executor.shutdown()
    loop.close()
    """,
        loop_name,
    )
    assert (finished.stdout, finished.returncode) == ("7\n", 0), finished.stderr


def test_a_forked_child_that_uses_its_parents_pool_does_not_hang():
    """The default loop's hangs: its pool believes in the parent's idle threads."""
    finished = run(
        """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    loop = factory()
    loop.run_until_complete(asyncio.gather(*(loop.run_in_executor(None, time.sleep, 0.01) for _ in range(3))))
    release = threading.Event()
    loop._default_executor._max_workers = 3
    for _ in range(3):
        loop.run_in_executor(None, release.wait, 10)
    loop.run_in_executor(None, print, "of the parent")
    child = os.fork()
    if child == 0:
        ran = threading.Event()
        loop.run_in_executor(None, ran.set)
        os._exit(0 if ran.wait(10) else 1)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    release.set()
    loop.run_until_complete(loop.shutdown_default_executor())
    """,
        "mainspring",
    )
    assert (finished.stdout, finished.returncode) == ("0\nof the parent\n", 0), finished.stderr
