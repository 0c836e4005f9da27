"""The watchdog: what blocks the loop is said while it blocks, with its stack, and afterwards for how long.

Nothing here waits for a time to pass that might be too short on a loaded machine: a callback blocks until the report
of its block lets it go on. What else is reported on such a machine is left aside.
"""

import asyncio
import ctypes
import gc
import logging
import os
import threading
import time
import weakref

import mainspring
import pytest
from helpers import open_descriptors

THRESHOLD = 0.05
PATIENCE = 60


class Reports:
    """What a watchdog says of callbacks in which a function of this name is running."""

    def __init__(self, function):
        self.function = function
        self.blocks = []
        self.blocked = threading.Event()

    def __call__(self, block):
        if self.function in [frame.name for frame in block.stack] or self.function in block.callback:
            self.blocks.append(block)
            if not block.over:
                self.blocked.set()

    def wait(self):
        """Block the loop until that is reported."""
        assert self.blocked.wait(PATIENCE)


def run(loop, callback, *args):
    """Run one callback, and whatever it schedules at once."""
    loop.call_soon(callback, *args)
    loop.call_soon(loop.stop)
    loop.run_forever()


@pytest.fixture(params=[False, True], ids=["", "debug"])
def loop(request, mainspring_loop):
    mainspring_loop.set_debug(request.param)
    return mainspring_loop


def test_a_callback(loop):
    reports = Reports("blocking")

    def blocking():
        reports.wait()

    with mainspring.Watchdog(THRESHOLD, loop=loop, report=reports):
        run(loop, blocking)
    now, afterwards = reports.blocks
    assert (now.over, afterwards.over) == (False, True)
    assert now.task is None
    assert "blocking()" in now.callback
    assert "test_watchdog.py" in now.callback
    assert now.stack[0].name == "blocking"
    assert now.stack[0].line == "reports.wait()"
    assert afterwards.stack == now.stack


def test_a_task(loop):
    reports = Reports("inner")

    async def inner():
        while not reports.blocks:
            time.sleep(0.01)

    async def outer():
        await asyncio.sleep(0)
        await inner()

    async def main():
        with mainspring.Watchdog(THRESHOLD, report=reports):
            await asyncio.create_task(outer(), name="crunching")

    loop.run_until_complete(main())
    now, afterwards = reports.blocks
    assert (now.task, afterwards.task) == ("crunching", "crunching")
    assert "name='crunching'" in now.callback
    assert [frame.name for frame in now.stack] == ["outer", "inner"]


def test_a_busy_loop(mainspring_loop):
    reports = Reports("busy")

    def busy():
        while not reports.blocks:
            pass

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        run(mainspring_loop, busy)
    assert reports.blocks[0].stack[-1].name == "busy"


def test_a_system_call(mainspring_loop):
    reading, writing = os.pipe()
    reports = Reports("receive")

    def receive():
        os.read(reading, 1)

    def report(block):
        reports(block)
        if reports.blocks:
            os.write(writing, b"x")

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=report):
        run(mainspring_loop, receive)
    os.close(reading)
    os.close(writing)
    assert reports.blocks[0].stack[-1].line == "os.read(reading, 1)"


def test_what_keeps_the_gil_is_reported_after_the_fact(mainspring_loop):
    keeping = ctypes.PyDLL(None).usleep
    reports = Reports("usleep")

    async def main():
        while not reports.blocks:
            mainspring_loop.call_soon(keeping, 300_000)
            await asyncio.sleep(0)

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        mainspring_loop.run_until_complete(main())
    block = reports.blocks[0]
    assert block.over
    assert block.stack == ()
    assert block.seconds >= THRESHOLD
    assert "after the fact" in str(block)


def test_a_call_of_a_protocol(mainspring_loop):
    reports = Reports("data_received")

    class Blocking(asyncio.Protocol):
        def data_received(self, data):
            reports.wait()
            done.set_result(None)

    async def main():
        server = await mainspring_loop.create_server(Blocking, "127.0.0.1", 0)
        transport, _ = await mainspring_loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        transport.write(b"data")
        await done
        transport.close()
        server.close()
        await asyncio.sleep(0.01)

    done = mainspring_loop.create_future()
    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        mainspring_loop.run_until_complete(main())
    assert reports.blocks[0].stack[0].name == "data_received"
    assert "SocketTransport" in reports.blocks[0].callback


def test_a_reader(mainspring_loop):
    reports = Reports("on_readable")
    reading, writing = os.pipe()
    os.write(writing, b"x")

    def on_readable():
        mainspring_loop.remove_reader(reading)
        reports.wait()
        mainspring_loop.stop()

    mainspring_loop.add_reader(reading, on_readable)
    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        mainspring_loop.run_forever()
    os.close(reading)
    os.close(writing)
    assert reports.blocks[0].callback == f"a callback of descriptor {reading}"


def test_the_callback_that_starts_it_is_watched(mainspring_loop):
    reports = Reports("main")

    async def main():
        with mainspring.Watchdog(THRESHOLD, report=reports):
            reports.wait()

    task = mainspring_loop.create_task(main(), name="here")
    mainspring_loop.run_until_complete(task)
    # Stopped before the callback ended, it says what it knows.
    assert [(block.task, block.over) for block in reports.blocks] == [("here", False), ("here", True)]


def test_one_report_for_each_block(mainspring_loop):
    reports = Reports("blocking")

    def blocking():
        reports.wait()
        reports.blocked.clear()
        time.sleep(5 * THRESHOLD)

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        for _ in range(3):
            mainspring_loop.call_soon(blocking)
        run(mainspring_loop, int)
    assert [block.over for block in reports.blocks] == [False, True] * 3


def test_the_duration(mainspring_loop):
    reports = Reports("blocking")

    def blocking():
        reports.wait()
        time.sleep(0.2)

    before = time.monotonic()
    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        run(mainspring_loop, blocking)
        passed = time.monotonic() - before
    now, afterwards = reports.blocks
    assert now.seconds >= THRESHOLD
    assert now.seconds + 0.2 <= afterwards.seconds <= passed


def test_what_is_shorter_than_the_threshold_is_not_reported(mainspring_loop):
    blocks = []
    with mainspring.Watchdog(20, loop=mainspring_loop, report=blocks.append):
        run(mainspring_loop, time.sleep, 0.1)
    assert blocks == []


def test_a_loop_that_waits_or_does_not_run_is_not_blocked(mainspring_loop):
    blocks = []
    with mainspring.Watchdog(0.2, loop=mainspring_loop, report=blocks.append):
        time.sleep(0.6)
        mainspring_loop.run_until_complete(asyncio.sleep(0.6))
        time.sleep(0.6)
    assert blocks == []


def test_a_loop_whose_run_ended_with_an_exception_is_not_blocked(mainspring_loop):
    blocks = []
    with mainspring.Watchdog(0.2, loop=mainspring_loop, report=blocks.append):
        mainspring_loop.call_soon(exit, 3)
        with pytest.raises(SystemExit):
            mainspring_loop.run_forever()
        time.sleep(0.6)
    assert blocks == []


def test_where_a_debugger_waits_is_not_reported(mainspring_loop):
    debugger = {"__name__": "pdb", "wait": time.sleep}
    exec("def interaction():\n    wait(0.5)", debugger)
    reports = Reports("stopped")
    after = Reports("blocking")

    def report(block):
        reports(block)
        after(block)

    def stopped():
        debugger["interaction"]()

    def blocking():
        after.wait()

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=report):
        mainspring_loop.call_soon(stopped)
        run(mainspring_loop, blocking)
    assert reports.blocks == []
    assert len(after.blocks) == 2


def test_several_loops_in_several_threads():
    together = threading.Barrier(3)
    every = [Reports(f"blocking_{number}") for number in range(3)]

    def work(number):
        def blocking():
            together.wait(PATIENCE)
            every[number].wait()

        blocking.__code__ = blocking.__code__.replace(co_name=f"blocking_{number}")
        loop = mainspring.new_event_loop()
        with mainspring.Watchdog(THRESHOLD, loop=loop, report=every[number]):
            run(loop, blocking)
        loop.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, reports in enumerate(every):
        assert [block.stack[0].name for block in reports.blocks] == [f"blocking_{number}"] * 2


def test_two_watchdogs_of_one_loop(mainspring_loop):
    one, other = Reports("blocking"), Reports("blocking")

    def blocking():
        one.wait()
        other.wait()

    with (
        mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=one),
        mainspring.Watchdog(2 * THRESHOLD, loop=mainspring_loop, report=other),
    ):
        run(mainspring_loop, blocking)
    assert [len(reports.blocks) for reports in (one, other)] == [2, 2]
    assert other.blocks[0].seconds >= 2 * THRESHOLD


def test_it_is_started_and_stopped_from_another_thread(mainspring_loop):
    reports = Reports("blocking")
    watchdog = mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports)

    def blocking():
        thread = threading.Thread(target=watchdog.start)
        thread.start()
        thread.join()
        reports.wait()
        thread = threading.Thread(target=watchdog.stop)
        thread.start()
        thread.join()

    run(mainspring_loop, blocking)
    assert [block.over for block in reports.blocks] == [False, True]


def test_it_can_be_stopped_by_its_report(mainspring_loop):
    stopped = threading.Event()

    def report(block):
        watchdog.stop()
        stopped.set()

    watchdog = mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=report)
    watchdog.start()
    run(mainspring_loop, stopped.wait, PATIENCE)
    assert stopped.is_set()


def test_a_report_that_fails_is_logged_and_the_next_is_made(mainspring_loop, caplog):
    reports = Reports("blocking")

    def report(block):
        reports(block)
        raise ZeroDivisionError("in the report")

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=report):
        run(mainspring_loop, Blocker(reports))
        reports.blocked.clear()
        run(mainspring_loop, Blocker(reports))
    assert len(reports.blocks) == 4
    assert "in the report" in caplog.text


class Blocker:
    """A callback that blocks until that has been reported."""

    def __init__(self, reports):
        self.reports = reports

    def __repr__(self):
        return "<a blocker, blocking>"

    def __call__(self):
        self.reports.wait()


def test_what_cannot_be_described(mainspring_loop):
    reports = Reports("__call__")

    class Hidden(Blocker):
        def __repr__(self):
            raise ZeroDivisionError

    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        run(mainspring_loop, Hidden(reports))
    assert "ZeroDivisionError" in reports.blocks[0].callback


def test_the_log(mainspring_loop):
    records = []
    logged = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record):
            if "blocking" in record.getMessage():
                records.append(record)
                logged.set()

    async def blocking():
        assert logged.wait(PATIENCE)

    logger = logging.getLogger("mainspring")
    handler = Handler()
    logger.addHandler(handler)
    try:
        with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop):
            mainspring_loop.run_until_complete(mainspring_loop.create_task(blocking(), name="the task"))
    finally:
        logger.removeHandler(handler)
    now, afterwards = records
    assert (now.levelno, afterwards.levelno) == (logging.WARNING, logging.WARNING)
    assert now.getMessage().startswith("The loop has been blocked for ")
    assert "assert logged.wait(PATIENCE)" in now.getMessage()
    assert afterwards.getMessage().startswith("The loop was blocked for ")
    assert (now.block_task, now.block_over, afterwards.block_over) == ("the task", False, True)
    assert "blocking()" in now.block_callback
    assert now.block_seconds >= THRESHOLD
    assert now.block_stack[0][::2] == (__file__, "blocking")
    assert type(now.block_stack[0][1]) is int


def test_nothing_is_kept(mainspring_loop):
    class Callback(Blocker):
        pass

    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "mainspring-watchdog"]

    run(mainspring_loop, int)  # opens the pipe for signals
    descriptors = open_descriptors()
    reports = Reports("__call__")
    callback = Callback(reports)
    kept = weakref.ref(callback)
    with mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports):
        assert len(threads()) == 1
        run(mainspring_loop, callback)
        del callback
        # The second report does not need it.
        gc.collect()
        assert kept() is None
    assert threads() == []
    assert open_descriptors() == descriptors
    assert reports.blocks


def test_a_watched_loop_can_be_closed_and_collected():
    loop = mainspring.new_event_loop()
    watch = loop._watch(THRESHOLD)
    run(loop, int)
    loop.close()
    kept = weakref.ref(loop)
    del loop
    gc.collect()
    assert kept() is None
    del watch


def test_a_closed_loop_goes_on_being_watched_until_the_end():
    loop = mainspring.new_event_loop()
    with mainspring.Watchdog(THRESHOLD, loop=loop):
        run(loop, int)
        loop.close()


def test_it_can_be_started_again(mainspring_loop):
    reports = Reports("blocking")
    watchdog = mainspring.Watchdog(THRESHOLD, loop=mainspring_loop, report=reports)
    for _ in range(2):
        reports.blocked.clear()
        with watchdog:
            run(mainspring_loop, Blocker(reports))
    assert len(reports.blocks) == 4
    watchdog.stop()


def test_it_cannot_be_started_twice(mainspring_loop):
    with (
        mainspring.Watchdog(loop=mainspring_loop) as watchdog,
        pytest.raises(RuntimeError, match="has been started already"),
    ):
        watchdog.start()


@pytest.mark.parametrize("threshold", [0, -1, float("inf"), float("nan")])
def test_thresholds_that_make_no_sense(threshold):
    with pytest.raises(ValueError, match="threshold must be a positive number of seconds"):
        mainspring.Watchdog(threshold)


def test_without_a_loop():
    with pytest.raises(RuntimeError, match="no running event loop"):
        mainspring.Watchdog().start()


def test_loops_of_others():
    loop = asyncio.SelectorEventLoop()
    try:
        with pytest.raises(TypeError, match="a loop of mainspring is required"):
            mainspring.Watchdog(loop=loop)
    finally:
        loop.close()


def test_the_native_half_is_not_for_programs():
    with pytest.raises(TypeError):
        mainspring._core.Watch()
