"""call_soon_threadsafe: it wakes a sleeping loop, keeps each thread's order and loses nothing."""

import threading
import time
import weakref


def test_it_wakes_a_loop_that_sleeps(loop):
    started = time.monotonic()
    loop.call_later(30, loop.stop)

    def wake():
        time.sleep(0.05)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=wake)
    thread.start()
    loop.run_forever()
    thread.join()
    assert time.monotonic() - started < 15


def test_it_wakes_a_loop_that_has_nothing_else_to_do(loop):
    thread = threading.Timer(0.05, loop.call_soon_threadsafe, [loop.stop])
    thread.start()
    loop.run_forever()
    thread.join()


def test_nothing_is_lost_and_each_threads_order_is_kept(loop):
    threads, calls = 4, 5000
    ran = []
    left = threads

    def finished():
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def work(name):
        for number in range(calls):
            loop.call_soon_threadsafe(ran.append, (name, number))
        loop.call_soon_threadsafe(finished)

    workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
    for worker in workers:
        worker.start()
    loop.run_forever()
    for worker in workers:
        worker.join()
    assert len(ran) == threads * calls
    for name in range(threads):
        assert [number for who, number in ran if who == name] == list(range(calls))


def test_calls_made_before_the_loop_runs_are_run(loop):
    ran = []
    thread = threading.Thread(target=lambda: [loop.call_soon_threadsafe(ran.append, n) for n in range(10)])
    thread.start()
    thread.join()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == list(range(10))


def test_the_callback_runs_in_the_loops_thread(loop):
    ran = []

    def callback():
        ran.append(threading.get_ident())
        loop.stop()

    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(callback,))
    thread.start()
    loop.run_forever()
    thread.join()
    assert ran == [threading.get_ident()]


def test_a_loop_that_runs_in_another_thread_is_stopped_from_this_one(loop):
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    ran = threading.Event()
    loop.call_soon_threadsafe(ran.set)
    assert ran.wait(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert not thread.is_alive()


def test_the_handle_can_be_cancelled(loop):
    ran = []
    handle = loop.call_soon_threadsafe(ran.append, "cancelled")
    handle.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == []


def test_arguments_are_released_after_the_call(loop):
    class Thing:
        pass

    thing = Thing()
    dead = weakref.ref(thing)
    threading.Thread(target=loop.call_soon_threadsafe, args=(id, thing)).run()
    loop.call_soon_threadsafe(loop.stop)
    del thing
    loop.run_forever()
    assert dead() is None


def test_threads_may_call_until_the_loop_is_closed(loop_factory):
    for _ in range(20):
        loop = loop_factory()
        refused = []

        def work(loop=loop, refused=refused):
            try:
                while True:
                    loop.call_soon_threadsafe(lambda: None)
                    time.sleep(0)
            except RuntimeError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        loop.call_later(0.002, loop.stop)
        loop.run_forever()
        loop.close()
        for thread in threads:
            thread.join(30)
        assert refused == ["Event loop is closed"] * 3
