"""Differences that were found and wait for their repair.

What is named here is left out of the programs or of their traces. Delete a line together with its repair: the programs
then look there again.
"""

REPORTED = {
    "failing writelines": "since Python 3.15 what stands before a wrong item of writelines() is sent",
    "failing write": "repr(transport) in the report of a write() that fails within resume_writing() says another state",
    "no_context": "call_soon(context=3): TypeError in the callback's place, where the default loop has AttributeError",
    "cancelled while running": "repr() and the exception handler's message show a callback that cancelled its handle",
    "new connection": "the debug log names no socket object, and None as the address where the default loop has ''",
    "closed loop": "resume_reading(), and a write() that has to wait, are no RuntimeError when the loop is closed",
    "buffer in repr": "repr(transport) counts what was written in this turn as waiting; no other call does",
    "protocol of the lost": "errors of a datagram transport within connection_lost() are reported without the protocol",
    "closed descriptor": "add_reader() and remove_reader() of a closed socket say so, and not that the loop is closed",
    "replaced writer": "a writer that a reader of the same descriptor sets anew is called in the turn of the reader",
    "connection_made": "what it and datagram_received() raise is reported with transport and protocol, without handle",
}
