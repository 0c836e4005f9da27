"""The example of docs/shutdown.md, as it stands there."""

import re
import signal
from pathlib import Path

from helpers.signalled import connect, signalled

PAGE = Path(__file__).parents[2] / "docs" / "shutdown.md"


def test_the_example():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (code,) = [block for block in blocks if "__main__" in block]
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
