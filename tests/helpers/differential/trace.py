"""What a program shows while it runs: events, and what Python itself reports beside them."""

import contextlib
import gc
import logging
import re
import sys
import warnings
from asyncio import constants

from helpers.compare import normalised
from helpers.descriptors import open_descriptors


def told(thing):
    """The text of an object without what differs between two runs of one program."""
    text = repr(thing) if not isinstance(thing, str) else thing
    text = normalised(re.sub(r"[^ '\"]*/alike-\w+", "FOLDER", text))
    text = re.sub(r"\bTask-\d+", "Task-…", text)
    # What is left of "created at file:line" where reprlib has shortened it.
    text = re.sub(r"\.\.\.[^\s>]*:\d+", "...", text)
    text = re.sub(r"'127\.0\.0\.1', \d+|\b127\.0\.0\.1:\d+", "ADDRESS", text)
    text = re.sub(r"bufsize=[1-9]\d*", "bufsize=some", text)
    # As an argument of a callback, where reprlib has shortened it.
    text = re.sub(r"<(_Selector|SocketTr|DatagramTr)\w*\.\.\.[^>]*>", "<TRANSPORT...>", text)
    # The default loop's private subclass for call_soon_threadsafe, since Python 3.14.
    text = text.replace("_ThreadSafeHandle", "Handle")
    return re.sub(r"_SelectorDatagramTransport|_SelectorTransport|\bDatagramTransport\b", "TRANSPORT", text)


def described(error, depth=3):
    """An exception as a value: type, text, its causes, and the parts of a group."""
    if error is None or depth == 0:
        return error and "…"
    parts = [type(error).__name__, told(str(error))]
    if error.__cause__ is not None:
        parts.append(("from", described(error.__cause__, depth - 1)))
    elif error.__context__ is not None and not error.__suppress_context__:
        parts.append(("during", described(error.__context__, depth - 1)))
    if isinstance(error, BaseExceptionGroup):
        parts.append([described(part, depth - 1) for part in error.exceptions])
    return tuple(parts)


def is_about_garbage(text):
    """Whether a report comes when an object is thrown away, of which nobody promises the time."""
    return "never retrieved" in text or "never awaited" in text or "was destroyed but" in text or "unclosed" in text


class Trace:
    """The events of one run, and whether the machine was too slow for them to mean anything."""

    def __init__(self):
        self.events = []
        self.garbage = []
        self.disturbed = False
        # The default loop failed inside itself; what happens from then on is nobody's promise.
        self.broken = False

    def all(self):
        """What is compared."""
        return [*self.events, ("thrown away", sorted(self.garbage))]

    def add(self, *event):
        self.events.append(event)

    def add_error_context(self, context):
        """What an exception handler was called with."""
        values = {
            key: described(value) if isinstance(value, BaseException) else told(value)
            for key, value in context.items()
            if key not in ("source_traceback", "asyncgen")
        }
        self.add("handler", sorted(context), values)


class _Records(logging.Handler):
    def __init__(self, trace):
        super().__init__()
        self.trace = trace

    def emit(self, record):
        # Nobody promises how long something took.
        text = re.sub(r"[\d.]+ (seconds|ms)", "… seconds", told(record.getMessage()))
        # The line is compared in repr() of the object; how many frames are above it is not.
        text = re.sub(r"'source_traceback': \[.*?\]", "", text, flags=re.DOTALL)
        text = re.sub(r"(\w+_traceback): .*?(\n(?=\w+: )|$)", r"\1\2", text, flags=re.DOTALL)
        if is_about_garbage(text):
            # What state an object of a cycle is in by then depends on where the collector has begun.
            self.trace.garbage.append(text.split("\n")[0])
            return
        error = record.exc_info[1] if record.exc_info else None
        self.trace.add("log", record.levelname, text, described(error))


@contextlib.contextmanager
def watched(trace, level=logging.WARNING):
    """Add to the trace what is logged, warned of, or raised where nobody can catch it; and collect no garbage."""
    logger = logging.getLogger("asyncio")
    records = _Records(trace)
    before = logger.level, logger.propagate, sys.unraisablehook
    logger.addHandler(records)
    logger.propagate = False
    logger.setLevel(level)
    sys.unraisablehook = lambda it: trace.garbage.append(type(it.exc_value).__name__)
    collects = gc.isenabled()
    gc.disable()
    # What is there already is none of the program's garbage; looking through it takes long.
    gc.freeze()
    # Debug mode is slow because of these.
    depth, constants.DEBUG_STACK_DEPTH = constants.DEBUG_STACK_DEPTH, 4

    def warned(message, category, *_):
        text = told(str(message)).split("\n")[0]
        if is_about_garbage(text):
            trace.garbage.append(text)
        else:
            trace.add("warning", category.__name__, text)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = warned
            yield
    finally:
        constants.DEBUG_STACK_DEPTH = depth
        gc.unfreeze()
        if collects:
            gc.enable()
        logger.removeHandler(records)
        level, logger.propagate, sys.unraisablehook = before
        logger.setLevel(level)


@contextlib.contextmanager
def descriptors_counted(trace):
    """Add to the trace the kinds of descriptors that are open afterwards and were not before."""
    before = open_descriptors()
    yield
    left = sorted(name.split(":")[0] for fd, name in open_descriptors().items() if before.get(fd) != name)
    trace.add("descriptors left", left)
