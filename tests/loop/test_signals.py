"""Signal handlers of the loop and of Python while the loop sleeps; the process's wakeup descriptor."""

import os
import signal
import socket
import threading
import time

import pytest
from helpers import compare, outcome


@pytest.fixture(autouse=True)
def signals_as_before():
    """Whatever a test does to signals is undone, and the loop has left no wakeup descriptor behind."""
    numbers = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    assert signal.set_wakeup_fd(-1) == -1


def kill(number):
    os.kill(os.getpid(), number)


def test_a_handler_is_called_with_its_arguments(loop):
    calls = []

    def handler(*args):
        calls.append((args, threading.get_ident(), loop.is_running()))
        loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, handler, 1, "two")
    loop.call_later(0.005, kill, signal.SIGUSR1)
    loop.run_forever()
    assert calls == [((1, "two"), threading.get_ident(), True)]
    assert loop.remove_signal_handler(signal.SIGUSR1) is True
    assert loop.remove_signal_handler(signal.SIGUSR1) is False
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_a_signal_from_another_process_wakes_a_loop_that_sleeps(loop):
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    thread = threading.Timer(0.02, kill, [signal.SIGUSR1])
    thread.start()
    loop.run_forever()
    thread.join()


def test_the_last_handler_wins(loop):
    calls = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, "first")
    loop.add_signal_handler(signal.SIGUSR1, calls.append, "second")
    loop.call_soon(kill, signal.SIGUSR1)
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    assert calls == ["second"]


def test_several_signals(loop):
    calls = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, 1)
    loop.add_signal_handler(signal.SIGUSR2, calls.append, 2)
    for _ in range(5):
        loop.call_soon(kill, signal.SIGUSR1)
        loop.call_soon(kill, signal.SIGUSR2)
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
    assert calls.count(1) == calls.count(2) == 5


def test_removing_sigint_restores_keyboard_interrupt(loop):
    loop.add_signal_handler(signal.SIGINT, print)
    assert loop.remove_signal_handler(signal.SIGINT) is True
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_closing_the_loop_removes_the_handlers(loop):
    loop.add_signal_handler(signal.SIGUSR1, print)
    assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("thing", ["SIGINT", None, 1.5, 0, -1, 10_000, signal.SIGKILL, signal.SIGSTOP], ids=repr)
@pytest.mark.parametrize("method", ["add_signal_handler", "remove_signal_handler"])
def test_wrong_signals_are_the_same_error(method, thing):
    def scenario(loop):
        return outcome(getattr(loop, method), thing, *([print] if method.startswith("add") else []))

    kind, result = compare(scenario)
    assert kind in (TypeError, ValueError, RuntimeError, OSError) or result is False


def test_coroutines_are_refused_with_the_same_text():
    async def coroutine():
        pass

    def scenario(loop):
        coro = coroutine()
        results = [outcome(loop.add_signal_handler, signal.SIGUSR1, thing) for thing in (coroutine, coro)]
        coro.close()
        return results

    assert compare(scenario) == [(TypeError, "coroutines cannot be used with add_signal_handler()")] * 2


def test_another_thread_is_refused_with_the_same_text():
    def scenario(loop):
        results = []
        thread = threading.Thread(
            target=lambda: results.append(outcome(loop.add_signal_handler, signal.SIGUSR1, print))
        )
        thread.start()
        thread.join()
        return results

    ((kind, text),) = compare(scenario)
    assert kind is RuntimeError
    assert "main thread" in text


def test_a_closed_loop_refuses(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.add_signal_handler(signal.SIGUSR1, print)


def test_the_programs_wakeup_descriptor_is_in_place_afterwards_and_receives_its_bytes(mainspring_loop):
    loop = mainspring_loop
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    previous = signal.set_wakeup_fd(one.fileno())
    try:
        loop.call_later(0.005, kill, signal.SIGUSR1)
        thread = threading.Timer(0.02, kill, [signal.SIGUSR1])
        thread.start()
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
        thread.join()
        kill(signal.SIGUSR1)
        assert other.recv(100) == bytes([signal.SIGUSR1] * 3)
    finally:
        assert signal.set_wakeup_fd(previous) == one.fileno()
        one.close()
        other.close()


def test_a_plain_python_handler_runs_while_the_loop_sleeps(loop):
    ran = []
    signal.signal(signal.SIGUSR1, lambda number, frame: ran.append(time.monotonic()))
    sent = []

    def send():
        sent.append(time.monotonic())
        kill(signal.SIGUSR1)

    thread = threading.Timer(0.02, send)
    thread.start()
    loop.call_later(1.5, loop.stop)
    loop.call_later(0.3, lambda: ran and loop.stop())
    loop.run_forever()
    thread.join()
    assert len(ran) == 1
    assert ran[0] - sent[0] < 1


def test_an_exception_of_a_python_handler_leaves_the_loop(loop):
    class Alarm(Exception):
        pass

    def handler(number, frame):
        raise Alarm

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    loop.call_later(5, loop.stop)
    with pytest.raises(Alarm):
        loop.run_forever()
    assert not loop.is_running()
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_loop_in_another_thread_leaves_signals_alone(loop_factory):
    before = signal.getsignal(signal.SIGINT)
    results = []

    def work():
        loop = loop_factory()
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        loop.close()
        results.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == ["done"]
    assert signal.getsignal(signal.SIGINT) is before
