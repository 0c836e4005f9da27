"""How the loop watches its children: what is left when it is closed before they end, and what a child's end holds."""

import asyncio
import contextvars
import gc
import os
import signal
import sys
import weakref

import mainspring
import pytest
from helpers import open_descriptors


def test_a_loop_that_is_closed_first_leaves_no_descriptor_and_no_callback():
    class Protocol(asyncio.SubprocessProtocol):
        pass

    before = open_descriptors()
    loop = mainspring.new_event_loop()
    transport, protocol = loop.run_until_complete(
        loop.subprocess_exec(Protocol, "sleep", "60", stdin=None, stdout=None, stderr=None)
    )
    pid, reference = transport.get_pid(), weakref.ref(protocol)
    loop.close()
    # The program goes on, and is the caller's to end.
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    transport._proc = None
    del transport, protocol
    gc.collect()
    assert reference() is None
    assert open_descriptors() == before


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11's default loop tells it from a thread's context")
def test_the_end_is_told_in_the_context_of_the_start(loop):
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    class Protocol(asyncio.SubprocessProtocol):
        def process_exited(self):
            seen.append(variable.get())
            done.set_result(None)

    async def main():
        variable.set("set")
        transport, _ = await loop.subprocess_exec(Protocol, "true", stdin=None, stdout=None, stderr=None)
        variable.set("later")
        await done
        transport.close()

    done = loop.create_future()
    loop.run_until_complete(main())
    assert seen == ["set"]
