"""Which loops the programs of this folder run on: MAINSPRING_LIFE_LOOPS, by default those of all other tests."""

import os

import pytest
from helpers import LOOPS, finish, run_program
from helpers.loops import factory_of

PRELUDE = """
import asyncio, faulthandler, os, socket, ssl, sys, threading, time

faulthandler.enable()

def factory_of(name):
    if name == "default":
        return asyncio.SelectorEventLoop
    module = __import__(name)
    return module.new_event_loop

factory = factory_of(sys.argv[1])
"""


@pytest.fixture(params=os.environ.get("MAINSPRING_LIFE_LOOPS", " ".join(LOOPS)).split())
def loop_name(request):
    """The loop under test: "default", or a module with new_event_loop()."""
    return request.param


@pytest.fixture
def loop_factory(loop_name):
    """Makes loops of the kind under test; the test closes them, or abandons them."""
    return factory_of(loop_name)


@pytest.fixture
def loop(loop_factory):
    """A new loop of the kind under test, closed afterwards."""
    loop = loop_factory()
    yield loop
    finish(loop)


@pytest.fixture(scope="session")
def certificate(authority):
    """A file with a certificate for localhost and its key."""
    return authority.issue("localhost")


@pytest.fixture
def run(loop_name):
    """Runs a program on the loop under test, which it finds as `factory`; a CompletedProcess with text."""

    def run(code, *arguments, options=(), **keywords):
        return run_program(PRELUDE + code, loop_name, *arguments, options=options, **keywords)

    return run
