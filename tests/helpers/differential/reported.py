"""Differences that were found and wait for their repair.

What is named here is left out of the programs or of their traces. Delete a line together with its repair: the programs
then look there again.
"""

REPORTED = {
    "no_context": "call_soon(context=3): TypeError in the callback's place, where the default loop has AttributeError",
    "cancelled while running": "repr() and the exception handler's message show a callback that cancelled its own handle",
    "exception in handler": "sys.exception() in an exception handler is None, so what it raises has no __context__",
    "kept handle": "a kept Handle that was in the queue when the loop was closed is never collected with its cycle",
}
