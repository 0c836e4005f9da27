"""The watchdog in programs of their own: the environment, forks, the end of the interpreter, sub-interpreters."""

import sys

import pytest
from helpers import run_program
from helpers.interpreters import INTERPRETERS, own_gil_is_bearable

# A program's own log: `blocking` blocks the loop until that has been logged.
PRELUDE = """
import asyncio, logging, os, sys, threading, warnings
import mainspring

records, logged = [], threading.Event()

class Handler(logging.Handler):
    def emit(self, record):
        # A loop that cannot be watched any more, when the interpreter ends, says so without a stack.
        if "blocking" in [function for _, _, function in getattr(record, "block_stack", ())]:
            records.append(record)
            if not record.block_over:
                logged.set()

logging.getLogger("mainspring").addHandler(Handler())

def blocking():
    assert logged.wait(60)
    logged.clear()

async def main():
    blocking()

def watching():
    return [thread.name for thread in threading.enumerate()].count("mainspring-watchdog")
"""


def check(done, said="fine\n"):
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def start(code, *arguments, **keywords):
    return run_program(PRELUDE + code, *arguments, **keywords)


ON = {"MAINSPRING_WATCHDOG": "0.05"}


def test_the_environment_watches_every_loop():
    done = start(
        """
for _ in range(2):
    mainspring.run(main())
    assert [record.block_over for record in records] == [False, True], records
    assert records[0].block_stack[0][2] == "main", records[0].block_stack
    records.clear()
assert watching() == 0
print("fine")
""",
        env=ON,
    )
    check(done)


@pytest.mark.parametrize("value", ["", "0"])
def test_the_environment_can_say_no(value):
    done = start(
        """
async def main():
    print(watching())
mainspring.run(main())
""",
        env={"MAINSPRING_WATCHDOG": value},
    )
    check(done, "0\n")


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf"])
def test_an_environment_that_makes_no_sense(value):
    done = start("mainspring.run(asyncio.sleep(0))", env={"MAINSPRING_WATCHDOG": value})
    assert done.returncode == 1
    assert f"ValueError: MAINSPRING_WATCHDOG must be a number of seconds, not '{value}'" in done.stderr


def test_without_logging_set_up_it_is_on_standard_error():
    done = run_program(
        """
import asyncio, mainspring, time
async def main():
    time.sleep(1)
mainspring.run(main())
""",
        env=ON,
    )
    assert done.returncode == 0
    assert "The loop has been blocked for" in done.stderr
    assert ", in main\n" in done.stderr
    assert "The loop was blocked for" in done.stderr


FORK = """
warnings.simplefilter("ignore", DeprecationWarning)
loop = mainspring.new_event_loop()
watchdog = mainspring.Watchdog(0.05, loop=loop)

def fork(child):
    pid = os.fork()
    if pid == 0:
        try:
            assert watching() == 0
            child()
            os._exit(7)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert watching() == 1

def said():
    return [record.block_over for record in records]
"""


REPORTED_AND_FORKED = """
def blocking_and_forking():
    blocking()
    fork(child)

with watchdog:
    loop.call_soon(blocking_and_forking)
    loop.call_soon(loop.stop)
    loop.run_forever()
assert said() == [False, True], records
loop.close()
print("fine")
"""


def test_a_forked_child_has_no_watchdog_and_can_start_one():
    done = start(f"""{FORK}
def child():
    watchdog.stop()
    records.clear()
    asyncio._set_running_loop(None)
    with asyncio.Runner(loop_factory=mainspring.new_event_loop) as runner:
        with mainspring.Watchdog(0.05, loop=runner.get_loop()):
            runner.run(main())
    assert said() == [False, True], records

{REPORTED_AND_FORKED}""")
    check(done)


def test_a_watched_loop_goes_on_in_a_forked_child():
    done = start(f"""{FORK}
def child():
    # The rest of the callback that has been reported, and then another that blocks.
    loop.call_soon(again)
    asyncio._set_running_loop(None)
    loop._thread_id = None
    loop.run_forever()
    watchdog.stop()
    assert said() == [False, True], records

def again():
    records.clear()
    watchdog.stop()
    watchdog.start()
    blocking()

{REPORTED_AND_FORKED}""")
    check(done)


ENDINGS = {
    "never stopped": ("loop.run_until_complete(main())", 0),
    "sys.exit in a callback": ("loop.call_later(0.05, sys.exit, 3)\nloop.run_forever()", 3),
    "a daemon thread runs the loop": (
        "running = threading.Event()\nloop.call_soon(running.set)\n"
        "threading.Thread(target=loop.run_forever, daemon=True).start()\nrunning.wait()",
        0,
    ),
    "a daemon thread's callback blocks": (
        "running = threading.Event()\n"
        "def forever():\n    running.set()\n    threading.Event().wait()\n"
        "loop.call_soon(forever)\n"
        "threading.Thread(target=loop.run_forever, daemon=True).start()\nrunning.wait()",
        0,
    ),
    "a loop runs in atexit": ("import atexit\natexit.register(loop.run_until_complete, asyncio.sleep(0.01))", 0),
}


@pytest.mark.parametrize("environment", [{}, ON], ids=["", "every loop"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends(ending, environment):
    code, status = ENDINGS[ending]
    done = start(
        "loop = mainspring.new_event_loop()\nmainspring.Watchdog(0.05, loop=loop).start()\n" + code, env=environment
    )
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert "Fatal" not in done.stderr


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 the import is refused")
@pytest.mark.parametrize("own_gil", [False, True], ids=["shared GIL", "own GIL"])
@pytest.mark.parametrize("stopped", [False, True], ids=["never stopped", "stopped"])
def test_sub_interpreters(own_gil, stopped):
    if own_gil and not own_gil_is_bearable():
        pytest.skip("this Python itself crashes when an interpreter with a GIL of its own has imported asyncio")
    inside = f"""{PRELUDE}
loop = mainspring.new_event_loop()
watchdog = mainspring.Watchdog(0.05, loop=loop)
watchdog.start()
loop.run_until_complete(main())
assert records[0].block_stack[0][2] == "main", records[0].block_stack
if {stopped}:
    watchdog.stop()
    loop.close()
    assert [record.block_over for record in records] == [False, True], records
"""
    done = run_program(f"""{INTERPRETERS}
for _ in range(3):
    interpreter = make({own_gil})
    run(interpreter, {inside!r})
    destroy(interpreter)
print("fine")
""")
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
