"""Differences that were found and wait for their repair.

What is named here is left out of the programs or of their traces. Delete a line together with its repair: the programs
then look there again.
"""

REPORTED = {
    "no_context": "call_soon(context=3): TypeError in the callback's place, where the default loop has AttributeError",
    "cancelled while running": "repr() and the exception handler's message show a callback that cancelled its handle",
    "exception in handler": "sys.exception() is None in exception handlers and error_received(), so no __context__",
    "empty gaps": "write(memoryview(b'')[::2]) ends the connection, and on the default loop does nothing",
    "new connection": "the debug log names no socket object, and None as the address where the default loop has ''",
    "closed loop": "resume_reading(), and a write() that has to wait, are no RuntimeError when the loop is closed",
    "buffer in repr": "repr(transport) counts what was written in this turn as waiting; no other call does",
    "fatal in debug": "a lost connection is logged in debug mode with the error in the text instead of exc_info",
    "exit in connection_made": "after SystemExit in connection_made() create_connection() never ends",
    "sent twice": "a large write() that is not bytes is sent in two calls: the second may find a reset",
    "empty late": "an empty bytearray or memoryview counts among the writes to a lost connection that are warned of",
    "protocol of the lost": "errors of a datagram transport within connection_lost() are reported without the protocol",
    "closed descriptor": "add_reader() and remove_reader() of a closed socket say so, and not that the loop is closed",
    "datagram repr": "repr() of a datagram transport tells what is polled although the loop is closed",
    "replaced writer": "a writer that a reader of the same descriptor sets anew is called in the turn of the reader",
    "raised in sendto": "what error_received() raises within sendto() is reported instead of raised by sendto()",
    "connection_made": "what it and datagram_received() raise is reported with transport and protocol, without handle",
    "kept handle": "a kept Handle that was in the queue when the loop was closed is never collected with its cycle",
}
