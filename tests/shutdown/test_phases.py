"""What tasks, generators and threads get when the process is told to end."""

import signal

from helpers.signalled import signalled


def test_clean_ups_of_main_and_of_its_group_run_and_may_wait():
    code = """
    async def work():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.01)
            say("work cleaned up")

    async def main():
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(work())
                await asyncio.sleep(0)
                say("ready")
        finally:
            await asyncio.sleep(0.01)
            say("main cleaned up")

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        assert program.end() == (143, ["work cleaned up", "main cleaned up"], "")


def test_other_tasks_finish_by_themselves_and_so_do_those_that_they_make():
    code = """
    async def first():
        await asyncio.to_thread(sys.stdin.readline)
        tasks.add(asyncio.create_task(second()))
        say("first finished")

    async def second():
        await asyncio.sleep(0.01)
        say("second finished")

    tasks = set()

    async def main():
        tasks.add(asyncio.create_task(first()))
        await asyncio.sleep(0)
        say("ready")
        try:
            await asyncio.sleep(1000)
        finally:
            say("main cancelled")

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code, stdin=-1) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        program.expect("main cancelled")
        program.go_on()
        assert program.end() == (143, ["first finished", "second finished"], "")


def test_a_task_that_does_not_finish_is_cancelled_and_cleans_up():
    code = """
    async def poll():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.01)
            say("cleaned up")

    async def main():
        task = asyncio.create_task(poll(), name="poller")
        await asyncio.sleep(0)
        say("ready")
        await asyncio.sleep(1000)

    mainspring.run(main(), shutdown_timeout=0.05)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        status, lines, errors = program.end()
        assert (status, lines) == (143, ["cleaned up"])
        assert errors == "shutdown: not done in 0.05 s and cancelled: 'poller'\n"


STUBBORN = """
async def deep():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            say("not yet")

async def stubborn():
    await deep()

async def main():
    task = asyncio.create_task(stubborn(), name="the stubborn one")
    await asyncio.sleep(0)
    say("ready")
    {}

atexit.register(say, "at exit")
mainspring.run(main(), shutdown_timeout=0)
"""


def test_a_task_that_ignores_its_cancellation_is_named_and_cut():
    with signalled(STUBBORN.format("await asyncio.sleep(1000)")) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        status, lines, errors = program.end()
        assert status == 143
        assert set(lines) == {"not yet", "at exit"}
        report = errors[errors.index("shutdown: cut after") :]
        assert "task 'the stubborn one' at" in report
        assert report.index("in stubborn\n") < report.index("in deep\n") < report.index("in sleep\n")


def test_the_time_also_bounds_the_end_of_a_main_that_returns():
    with signalled(STUBBORN.format("return")) as program:
        program.expect("ready")
        status, lines, errors = program.end()
        assert (status, lines[-1]) == (0, "at exit")
        assert "task 'the stubborn one' at" in errors


def test_a_main_that_ignores_its_cancellation_is_cut():
    code = """
    async def main():
        say("ready")
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

    mainspring.run(main(), shutdown_timeout=0)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        status, _, errors = program.end()
        assert status == 143
        assert "shutdown: cut after" in errors
        assert "in main\n" in errors


def test_asynchronous_generators_are_closed():
    code = """
    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(0.01)
            say("generator closed")

    kept = numbers()

    async def main():
        await anext(kept)
        say("ready")
        await asyncio.sleep(1000)

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        assert program.end() == (143, ["generator closed"], "")


def test_calls_in_threads_may_finish():
    code = """
    def call():
        say("called")
        sys.stdin.readline()
        say("returns")

    async def main():
        asyncio.get_running_loop().run_in_executor(None, call)
        try:
            await asyncio.sleep(1000)
        finally:
            say("main cancelled")

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code, stdin=-1) as program:
        program.expect("called")
        program.send(signal.SIGTERM)
        program.expect("main cancelled")
        program.go_on()
        assert program.end() == (143, ["returns"], "")


def test_a_thread_that_hangs_is_named_and_the_process_ends_without_it():
    code = """
    def hang():
        say("hangs")
        threading.Event().wait()

    def last_words():
        time.sleep(0.01)
        say("another thread ends")

    async def main():
        asyncio.get_running_loop().run_in_executor(None, hang)
        await asyncio.sleep(1000)

    atexit.register(print, "at exit")
    try:
        mainspring.run(main(), shutdown_timeout=0)
    finally:
        say("run has ended")
        threading.Thread(target=last_words).start()
    """
    with signalled(code) as program:
        program.expect("hangs")
        program.send(signal.SIGTERM)
        status, lines, errors = program.end()
        assert (status, lines) == (143, ["run has ended", "another thread ends", "at exit"])
        assert "thread 'asyncio_0' at" in errors
        assert "in hang\n" in errors


def test_a_program_that_gathers_all_its_tasks_when_it_ends_waits_for_its_own_only():
    code = """
    async def work():
        await asyncio.sleep(0.01)
        say("worked")

    async def main():
        task = asyncio.create_task(work())
        say("ready")
        try:
            await asyncio.sleep(1000)
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others)
            say(others <= {task})

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        assert program.end() == (143, ["worked", "True"], "")


def test_the_default_loop_may_be_run_too():
    code = """
    async def other():
        await asyncio.sleep(0.01)
        say("other finished")

    async def main():
        task = asyncio.create_task(other())
        try:
            say("ready")
            await asyncio.sleep(1000)
        finally:
            say("main cleaned up")

    mainspring.run(main(), shutdown_timeout=60, loop_factory=asyncio.SelectorEventLoop)
    """
    with signalled(code) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        status, lines, errors = program.end()
        assert (status, sorted(lines), errors) == (143, ["main cleaned up", "other finished"], "")
