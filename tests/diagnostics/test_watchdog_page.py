"""The example of docs/watchdog.md does what the page says."""

import re

from helpers import run_program
from helpers.pages import python_blocks


def test_the_example():
    (example,) = python_blocks("watchdog.md")
    done = run_program(example)
    assert done.returncode == 0
    first, second = (part.splitlines() for part in done.stderr.split("WARNING:mainspring:")[1:3])
    assert re.match(r"The loop has been blocked for 0\.\d+ seconds by <Task pending name='request 42'", first[0])
    assert re.search(r"line \d+, in handle_request", first[1])
    assert re.match(r"The loop was blocked for \d+\.\d+ seconds by <Task pending name='request 42'", second[0])
