"""Programs that are sent signals, in step with what they print."""

import contextlib
import socket
import textwrap

from helpers.programs import start_program


class SignalledProgram:
    """A program with ``say(...)``, and a test that reads what it says line by line."""

    def __init__(self, process):
        self.process = process

    def expect(self, line):
        """The next line that the program prints."""
        told = self.process.stdout.readline()
        assert told == f"{line}\n", (told, self.process.stderr.read() if not told else "")

    def expect_port(self):
        """The next line is `port` and a number."""
        word, number = self.process.stdout.readline().split()
        assert word == "port"
        return int(number)

    def send(self, number):
        self.process.send_signal(number)

    def go_on(self):
        """Let a program go on that reads a line; its standard input is a pipe."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        """Wait for its end: its status, what else it printed, and its errors."""
        # Popen.communicate() would not give what was read ahead together with the last line.
        out, errors = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(timeout=60), out.splitlines(), errors


PRELUDE = """
import asyncio, atexit, contextlib, logging, os, signal, sys, threading, time
import mainspring

def say(*words):
    print(*words, flush=True)
"""


@contextlib.contextmanager
def controlled(process):
    """A process with text pipes as a SignalledProgram; it is killed if it has not ended by itself."""
    try:
        yield SignalledProgram(process)
    finally:
        process.kill()
        process.communicate()


def signalled(code, *arguments, **keywords):
    """Start a program that has PRELUDE in front."""
    return controlled(start_program(PRELUDE + textwrap.dedent(code), *arguments, **keywords))


def connect(port):
    """A blocking connection whose reads end in time."""
    return socket.create_connection(("127.0.0.1", port), timeout=60)
