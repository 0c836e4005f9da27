"""The example of docs/shutdown.md, as it stands there."""

import signal

from helpers.pages import python_blocks
from helpers.signalled import connect, signalled


def test_the_example():
    (code,) = [block for block in python_blocks("shutdown.md") if "__main__" in block]
    with signalled(code) as program:
        port = program.expect_port()
        with connect(port) as first, connect(port) as second:
            # Connections are accepted in their order.
            first.sendall(b"first\n")
            second.sendall(b"second\n")
            assert second.recv(100) == b"answer to second\n"
            program.send(signal.SIGTERM)
            program.expect("saving")
            assert first.recv(100) == b"answer to first\n"
        assert program.end() == (143, [], "")
