"""Interpreter of scheduling programs: callbacks, timers, contexts, futures and tasks, without any I/O.

A program is a `Scheduling`. Its bodies are tuples of nodes, a node is a tuple of a name and arguments: `("soon", body)`
is `do_soon(body)` below, and nodes that only coroutines may contain are the methods `wait_...`. Numbers that name a
handle or a future are taken modulo the count of those there are. Everything is bounded, so that every program ends.
"""

import asyncio
import contextlib
import contextvars
import functools
import gc
import sys
from typing import NamedTuple

from helpers.differential.ticks import Ticks
from helpers.differential.trace import Trace, described, descriptors_counted, is_about_garbage, told, watched

FUEL = 150
LAST_TURN = 12


class Scheduling(NamedTuple):
    """A program: bodies that are run one after the other on one loop, and what surrounds them."""

    runs: tuple
    debug: bool = False
    handler: str = "records"
    factory: str = "none"
    ending: str = "close"
    after: tuple = ()


class Odd(BaseException):
    """Neither an Exception nor one of the exits."""


ERRORS = {
    "value": ValueError,
    "lookup": LookupError,
    "timeout": TimeoutError,
    "cancelled": asyncio.CancelledError,
    "stop": StopIteration,
    "odd": Odd,
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
}

CAUGHT = {
    "value": ValueError,
    "exception": Exception,
    "cancelled": asyncio.CancelledError,
    "group": BaseExceptionGroup,
    "all": BaseException,
}

variable = contextvars.ContextVar("variable", default=0)


def _forgets_that_it_runs():
    loop = asyncio.SelectorEventLoop()
    ran = []

    def run_again():
        with contextlib.suppress(RuntimeError):
            loop.run_forever()
        ran.append(loop.is_running())
        loop.stop()

    loop.call_soon(run_again)
    loop.run_forever()
    loop.close()
    return ran == [False]


# In Python 3.13.0 a second run_forever(), which is refused, ends the first for all but its own code.
FORGETS_THAT_IT_RUNS = _forgets_that_it_runs()


class Interpreter:
    """The state of one run of a program."""

    def __init__(self, loop, program, trace, patience):
        self.loop = loop
        self.program = program
        self.trace = trace
        self.ticks = Ticks(loop, trace, patience)
        self.fuel = FUEL
        self.finished = False
        self.count = 0
        self.handles = []
        # Futures and tasks. A task may await only what was made after it, so that no two wait for each other.
        self.futures = []
        self.done_callbacks = []
        # Nothing runs because something is thrown away.
        self.coroutines = []
        self.tokens = []
        self.contexts = [contextvars.copy_context() for _ in range(2)]
        self.event = asyncio.Event()
        self.lock = asyncio.Lock()
        self.queue = asyncio.Queue(1)

    # --- telling ------------------------------------------------------------------------------------------------------

    def note(self, *event):
        if not self.finished:
            self.trace.add(self.ticks.now(), *event)

    def attempt(self, name, function, /, *args, **keywords):
        """Call what may refuse, and note how it went."""
        try:
            result = function(*args, **keywords)
        except Exception as error:
            self.note(name, "refused", described(error))
            return None
        return result

    def number(self):
        self.count += 1
        return self.count

    def on_error(self, loop, context):
        if is_about_garbage(context["message"]):
            self.trace.garbage.append(told(context["message"]))
            return
        assert loop is self.loop
        self.note("handler runs", variable.get(), described(sys.exception()))
        self.trace.add_error_context(context)
        if self.program.handler == "records":
            return
        raise LookupError("in the handler") if self.program.handler == "raises" else SystemExit("in the handler")

    def tell_future(self, future):
        if not future.done():
            return "pending", told(future)
        if future.cancelled():
            return "cancelled", told(future)
        # Reading the exception would keep it from being reported.
        return "done", told(future)

    # --- running bodies -----------------------------------------------------------------------------------------------

    def spend(self):
        self.fuel -= 1
        return self.fuel >= 0 and not self.finished

    def perform(self, body, owner=-1):
        for node in body:
            if self.spend():
                self.act(node, owner)

    def act(self, node, owner):
        name, *args = node
        getattr(self, f"do_{name}")(*args)

    async def follow(self, body, owner):
        for node in body:
            if not self.spend():
                return
            name, *args = node
            wait = getattr(self, f"wait_{name}", None)
            if wait is None:
                self.act(node, owner)
                continue
            try:
                result = await wait(owner, *args)
            except BaseException as error:
                self.note(name, "raised", described(error))
                raise
            self.note(name, "went on", result)

    def coroutine(self, number, body, owner):
        coroutine = self.numbered(number, body, owner)
        self.coroutines.append(coroutine)
        return coroutine

    async def numbered(self, number, body, owner):
        self.note("begins", number, variable.get())
        try:
            await self.follow(body, owner)
        except BaseException as error:
            self.note("fails", number, described(error))
            raise
        self.note("ends", number)
        return number

    def called(self, number, body):
        self.note("called", number, variable.get())
        self.perform(body)

    def fired(self, number, tick, body):
        self.ticks.expect(tick)
        self.called(number, body)

    def called_when_done(self, number, body, future):
        self.note("called when done", number, variable.get(), self.tell_future(future))
        self.perform(body)

    # --- nodes for callbacks and coroutines ---------------------------------------------------------------------------

    def keep(self, number, name, schedule, *args, **keywords):
        """Schedule something with a number, and keep the handle for the nodes that name one."""
        handle = self.attempt(name, schedule, *args, **keywords)
        if handle is not None:
            self.handles.append(handle)

    def do_soon(self, body):
        number = self.number()
        self.keep(number, "soon", self.loop.call_soon, self.called, number, body)

    def do_forgotten(self, body):
        self.attempt("forgotten", self.loop.call_soon, self.called, self.number(), body)

    def do_threadsafe(self, body):
        number = self.number()
        self.keep(number, "threadsafe", self.loop.call_soon_threadsafe, self.called, number, body)

    def do_soon_in(self, which, body):
        number, context = self.number(), self.contexts[which]
        self.keep(number, "soon in", self.loop.call_soon, self.called, number, body, context=context)

    def do_later(self, distance, body):
        tick = self.ticks.take(distance)
        if tick is not None:
            number, delay = self.number(), self.ticks.delay(tick)
            self.keep(number, "later", self.loop.call_later, delay, self.fired, number, tick, body)

    def do_at(self, distance, which, body):
        tick = self.ticks.take(distance)
        if tick is not None:
            number, context = self.number(), self.contexts[which] if which is not None else None
            call = self.ticks.deadline(tick), self.fired, number, tick, body
            self.keep(number, "at", self.loop.call_at, *call, context=context)

    def do_overdue(self, distance, body):
        number = self.number()
        # No two are for the same time, for which the default loop promises no order.
        when = self.ticks.start - distance - 0.001 * number
        self.keep(number, "overdue", self.loop.call_at, when, self.called, number, body)

    def do_cancel_handle(self, which):
        if not self.handles:
            return
        which %= len(self.handles)
        self.handles[which].cancel()
        self.note("cancelled", which, self.handles[which].cancelled())

    def do_look_at_handle(self, which):
        if not self.handles:
            return
        which %= len(self.handles)
        handle = self.handles[which]
        self.note("handle", which, handle.cancelled(), isinstance(handle, asyncio.TimerHandle), told(handle))
        if sys.version_info >= (3, 12):
            context = handle.get_context()
            others = sum(context is other.get_context() for other in self.handles)
            self.note("its context", [context is one for one in self.contexts], others, context.get(variable))

    def do_set(self, value):
        variable.set(value)

    def do_set_and_keep(self, value):
        self.tokens.append(variable.set(value))

    def do_reset(self, which):
        if self.tokens:
            self.attempt("reset", variable.reset, self.tokens[which % len(self.tokens)])
            self.note("after the reset", variable.get())

    def do_inside_handle(self, which, body):
        if sys.version_info < (3, 12) or not self.handles:
            return
        try:
            self.handles[which % len(self.handles)].get_context().run(self.perform, body)
        except RuntimeError as error:
            self.note("inside handle", described(error))

    def do_inside(self, which, body):
        try:
            self.contexts[which].run(self.perform, body)
        except RuntimeError as error:
            self.note("inside", described(error))

    def do_future(self):
        self.futures.append(self.loop.create_future())

    def do_task(self, body, which=None):
        number, owner = self.number(), len(self.futures)
        # The place is taken before an eager task runs.
        self.futures.append(self.loop.create_future())
        context = None if which is None else self.contexts[which]
        coroutine = self.coroutine(number, body, owner)
        task = self.attempt("task", self.loop.create_task, coroutine, name=f"t{number}", context=context)
        if task is None:
            coroutine.close()
        else:
            self.futures[owner] = task
            self.note("task", number, task.done())

    def pick(self, which):
        return self.futures[which % len(self.futures)] if self.futures else None

    def do_set_result(self, which):
        future = self.pick(which)
        if future is not None:
            self.attempt("set result", future.set_result, self.number())

    def do_set_exception(self, which, kind):
        future = self.pick(which)
        if future is not None:
            self.attempt("set exception", future.set_exception, ERRORS[kind](f"set {self.number()}"))

    def do_cancel(self, which, message):
        future = self.pick(which)
        if future is not None:
            self.note("cancel", self.attempt("cancel", future.cancel, *(() if message is None else (message,))))

    def do_uncancel(self, which):
        future = self.pick(which)
        if isinstance(future, asyncio.Task):
            self.note("uncancel", future.cancelling(), future.uncancel())

    def do_when_done(self, which, in_context, body):
        future = self.pick(which)
        if future is not None:
            callback = functools.partial(self.called_when_done, self.number(), body)
            self.done_callbacks.append((future, callback))
            context = None if in_context is None else self.contexts[in_context]
            self.attempt("when done", future.add_done_callback, callback, context=context)

    def do_not_when_done(self, which):
        if self.done_callbacks:
            future, callback = self.done_callbacks[which % len(self.done_callbacks)]
            self.note("not when done", future.remove_done_callback(callback))

    def do_look_at_future(self, which):
        future = self.pick(which)
        if future is not None:
            self.note("future", self.tell_future(future))

    def do_retrieve(self, which):
        future = self.pick(which)
        if future is not None:
            try:
                self.note("retrieved", future.result())
            except BaseException as error:
                self.note("retrieved", described(error))

    def do_raise(self, kind):
        raise ERRORS[kind](f"raised {self.number()}")

    def do_stop(self):
        self.loop.stop()

    def do_report(self):
        self.loop.call_exception_handler({"message": f"reported {self.number()}"})

    def do_set_event(self, value):
        if value:
            self.event.set()
        else:
            self.event.clear()

    def do_put(self):
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(self.number())

    def do_look_around(self):
        task = self.attempt("current task", asyncio.current_task, self.loop)
        name = task.get_name() if task and not task.get_name().startswith("Task-") else task and "other"
        self.note("around", name, variable.get(), self.loop.is_running(), self.loop.is_closed(), told(self.loop))

    def do_switch_debug(self, on):
        self.loop.set_debug(on)
        self.note("debug", self.loop.get_debug())

    def do_misuse(self, how):
        try:
            result = getattr(self, f"misuse_{how}")()
        except Exception as error:
            self.note("misuse", how, described(error))
        else:
            self.note("misuse", how, type(result).__name__)

    # --- nodes for coroutines -----------------------------------------------------------------------------------------

    async def wait_turn(self, owner):
        await asyncio.sleep(0)

    async def wait_sleep(self, owner, distance):
        tick = self.ticks.take(distance)
        if tick is None:
            return None
        result = await asyncio.sleep(self.ticks.delay(tick), "slept")
        self.ticks.expect(tick)
        return result

    def later_made(self, which, owner):
        found = [
            future
            for number, future in enumerate(self.futures)
            if number > owner or not isinstance(future, asyncio.Task)
        ]
        return found[which % len(found)] if found else None

    async def wait_awaited(self, owner, which):
        future = self.later_made(which, owner)
        if future is not None:
            return await future
        return None

    async def wait_shielded(self, owner, which):
        future = self.later_made(which, owner)
        if future is not None:
            return await asyncio.shield(future)
        return None

    async def wait_inner(self, owner, body):
        return await self.coroutine(self.number(), body, owner)

    async def wait_gathered(self, owner, bodies, keep_errors):
        coroutines = [self.coroutine(self.number(), body, owner) for body in bodies]
        results = await asyncio.gather(*coroutines, return_exceptions=keep_errors)
        return [described(result) if isinstance(result, BaseException) else result for result in results]

    async def wait_several(self, owner, bodies, mode, distance):
        tick = self.ticks.take(distance) if distance is not None else None
        tasks = [
            self.loop.create_task(self.coroutine(number, body, owner), name=f"t{number}")
            for number, body in [(self.number(), body) for body in bodies]
        ]
        # The set's order is that of addresses.
        timeout = None if tick is None else self.ticks.delay(tick)
        done, pending = await asyncio.wait(tasks, timeout=timeout, return_when=mode)
        assert done | pending == set(tasks)
        return [task in done for task in tasks]

    async def wait_for(self, owner, body, distance):
        tick = self.ticks.take(distance) if distance else None
        timeout = 0 if distance == 0 else None if tick is None else self.ticks.delay(tick)
        return await asyncio.wait_for(self.coroutine(self.number(), body, owner), timeout)

    async def wait_limited(self, owner, body, distance):
        tick = self.ticks.take(distance) if distance else None
        when = -1 if distance == 0 else None if tick is None else self.ticks.deadline(tick)
        async with asyncio.timeout_at(when) as timeout:
            await self.follow(body, owner)
        return timeout.expired()

    async def wait_group(self, owner, bodies, body):
        async with asyncio.TaskGroup() as group:
            tasks = []
            for part in bodies:
                number = self.number()
                tasks.append(group.create_task(self.coroutine(number, part, owner), name=f"t{number}"))
            await self.follow(body, owner)
        return [self.tell_future(task) for task in tasks]

    async def wait_try(self, owner, body, kind, handler, last):
        try:
            await self.follow(body, owner)
        except CAUGHT[kind] as error:
            if isinstance(error, GeneratorExit):
                raise
            self.note("caught", described(error))
            await self.follow(handler, owner)
        finally:
            self.perform(last, owner)

    async def wait_event(self, owner):
        return await self.event.wait()

    async def wait_locked(self, owner, body):
        if self.lock.locked() and owner < 0:
            return
        async with self.lock:
            await self.follow(body, owner)

    async def wait_item(self, owner):
        return await self.queue.get()

    async def wait_put_item(self, owner):
        await self.queue.put(self.number())

    async def wait_generator(self, owner, count):
        async def numbers():
            try:
                for number in range(3):
                    yield number
                    await asyncio.sleep(0)
            finally:
                self.note("generator left")
                if not self.finished:
                    await asyncio.sleep(0)
                self.note("generator ends")

        async for number in numbers():
            if number == count:
                break

    # --- wrong calls --------------------------------------------------------------------------------------------------

    def misuse_call_nothing(self):
        return self.loop.call_soon(None)

    def misuse_call_coroutine_function(self):
        return self.loop.call_soon(self.follow, (), -1)

    def misuse_missing_argument(self):
        return self.loop.call_soon(self.called)

    def misuse_no_callback(self):
        return self.loop.call_soon()

    def misuse_unknown_keyword(self):
        return self.loop.call_soon(print, nonsense=1)

    def misuse_no_delay(self):
        return self.loop.call_later(None, print)

    def misuse_no_context(self):
        return self.loop.call_soon(print, context=3)

    def misuse_no_coroutine(self):
        return self.loop.create_task(3)

    def misuse_run_again(self):
        if FORGETS_THAT_IT_RUNS:
            return None
        # A loop that is not running would run.
        return self.loop.run_forever() if self.loop.is_running() or self.loop.is_closed() else None

    def misuse_complete_again(self):
        if not self.loop.is_running() and not self.loop.is_closed():
            return None
        coroutine = asyncio.sleep(0)
        try:
            return self.loop.run_until_complete(coroutine)
        finally:
            coroutine.close()

    def misuse_close_running(self):
        return self.loop.close() if self.loop.is_running() or self.loop.is_closed() else None

    def misuse_handler(self):
        return self.loop.set_exception_handler("text")

    def misuse_factory(self):
        return self.loop.set_task_factory(3)

    # --- the program --------------------------------------------------------------------------------------------------

    def stop_after(self, turns):
        if turns == 0 or self.finished:
            self.loop.stop()
        else:
            self.loop.call_soon(self.stop_after, turns - 1)

    def stop_at(self, distance):
        """Keep a run from lasting for ever; a handle to cancel."""
        tick = self.ticks.take(distance)
        if tick is None:
            return self.loop.call_soon(self.stop_after, LAST_TURN)
        return self.loop.call_at(self.ticks.deadline(tick), self.stopped, tick)

    def stopped(self, tick):
        self.ticks.expect(tick)
        self.note("stopped")
        self.loop.stop()

    def outcome(self, name, function, *args):
        try:
            result = function(*args)
        except BaseException as error:
            self.note(name, described(error))
        else:
            self.note(name, "returned", told(result))

    def run(self, kind, body, limit):
        if kind == "complete":
            owner = len(self.futures)
            main = self.coroutine(self.number(), body, owner)
            guard = self.stop_at(limit)
            self.outcome("run until complete", self.loop.run_until_complete, main)
            guard.cancel()
            return
        try:
            self.perform(body)
        except BaseException as error:
            self.note("outside", described(error))
        if kind == "turns":
            self.stop_after(limit)
            self.outcome("run turns", self.loop.run_forever)
        else:
            guard = self.stop_at(limit)
            self.outcome("run forever", self.loop.run_forever)
            guard.cancel()

    def tasks_left(self):
        """The tasks of the loop, oldest first, without those that only garbage refers to."""
        gc.collect()
        numbers = {id(coroutine): number for number, coroutine in enumerate(self.coroutines)}
        found = asyncio.all_tasks(self.loop)
        return sorted(found, key=lambda task: numbers.get(id(task.get_coro()), len(numbers)))

    def end(self):
        self.ticks.over = True
        if self.program.ending == "cancel":
            # Nobody counts ticks from now on, so nothing may wait for one.
            for handle in self.handles:
                if isinstance(handle, asyncio.TimerHandle):
                    handle.cancel()
            tasks = self.tasks_left()
            self.note("cancelling", [told(task) for task in tasks])
            for task in tasks:
                task.cancel("at the end")
            if tasks:
                self.stop_after(LAST_TURN)
                self.outcome("last run", self.loop.run_forever)
            # An exit leaves the callback behind that would have stopped the loop.
            self.stop_after(LAST_TURN)
            self.outcome("shutdown", self.loop.run_until_complete, self.loop.shutdown_asyncgens())
        self.note("left", [told(task) for task in self.tasks_left()])
        self.note("handles", [told(handle) for handle in self.handles])
        self.loop.close()
        self.note("closed", told(self.loop))
        try:
            self.perform(self.program.after)
        except BaseException as error:
            self.note("outside", described(error))
        self.note("handles", [told(handle) for handle in self.handles])


def _plain_factory(loop, coroutine, **keywords):
    return asyncio.Task(coroutine, loop=loop, **keywords)


def run_scheduling(make_loop, program, patience=1):
    """The trace of a program on a new loop."""
    return contextvars.Context().run(_run, make_loop, program, patience)


def _run(make_loop, program, patience):
    trace = Trace()
    with watched(trace), descriptors_counted(trace):
        loop = make_loop()
        try:
            _run_on(loop, program, trace, patience)
        finally:
            loop.close()
            del loop
            gc.collect()
    return trace


def _run_on(loop, program, trace, patience):
    loop.set_debug(program.debug)
    # Whatever is slow is so because of the machine.
    loop.slow_callback_duration = 60
    if program.factory == "eager" and sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    elif program.factory != "none":
        loop.set_task_factory(_plain_factory)
    interpreter = Interpreter(loop, program, trace, patience)
    if program.handler != "default":
        loop.set_exception_handler(interpreter.on_error)
    for kind, body, limit in program.runs:
        contextvars.copy_context().run(interpreter.run, kind, body, limit)
    interpreter.end()
    interpreter.finished = True
