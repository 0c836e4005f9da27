"""Differences that were found and wait for their repair.

What is named here is left out of the programs or of their traces. Delete a line together with its repair: the programs
then look there again.
"""

REPORTED = {
    "no_context": "call_soon(context=3): TypeError in the callback's place, where the default loop has AttributeError",
    "cancelled while running": "repr() and the exception handler's message show a callback that cancelled its handle",
    "exception in handler": "sys.exception() in an exception handler is None, so what it raises has no __context__",
    "empty gaps": "write(memoryview(b'')[::2]) ends the connection, and on the default loop does nothing",
    "new connection": "the debug log names no socket object, and None as the address where the default loop has ''",
    "closed loop": "resume_reading(), and a write() that has to wait, are no RuntimeError when the loop is closed",
    "buffer in repr": "repr(transport) counts what was written in this turn as waiting; no other call does",
    "fatal in debug": "a lost connection is logged in debug mode with the error in the text instead of exc_info",
    "exit in connection_made": "after SystemExit in connection_made() a next run neither reads nor ends create_connection",
    "connection_made": "what it raises is reported with transport and protocol, by the default loop with the handle",
    "kept handle": "a kept Handle that was in the queue when the loop was closed is never collected with its cycle",
}
