"""Test cases of the standard library run on the loop that their class names, as docs/from_asyncio.md has it."""

import sys

import pytest
from helpers import run_program

SUITE = """
import asyncio
import unittest

import mainspring

class Case(unittest.IsolatedAsyncioTestCase):
    loop_factory = staticmethod({factory})

    async def asyncSetUp(self):
        self.loop = asyncio.get_running_loop()

    async def test_the_loop(self):
        self.assertIs(asyncio.get_running_loop(), self.loop)
        self.assertIsInstance(self.loop, mainspring.Loop)
        begin = self.loop.time()
        await asyncio.sleep({seconds})
        self.assertGreaterEqual(self.loop.time(), begin + {seconds})

unittest.main()
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the attribute loop_factory came with Python 3.13")
@pytest.mark.parametrize(
    ("factory", "seconds"),
    [
        ("mainspring.new_event_loop", 0.001),
        ("lambda: mainspring.new_event_loop(clock=mainspring.VirtualClock())", 3600),
    ],
    ids=["real time", "virtual time"],
)
def test_a_case(factory, seconds):
    done = run_program(SUITE.format(factory=factory, seconds=seconds))
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test" in done.stderr
