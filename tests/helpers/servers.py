"""Servers in processes of their own, with the files and by the commands that their pages in docs/ show."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import mainspring

from helpers.loops import LOOPS
from helpers.pages import DOCS, python_blocks
from helpers.programs import clean_environment

SERVICES = Path(__file__).parent / "services"

LOOP_CLASSES = {"default": str(LOOPS["default"]), "mainspring": str(mainspring.Loop)}
"""What services tell of the loop that they run on."""


def write_files(page, folder):
    """Write the Python blocks of a page that begin with a file's name, as a comment, to these files."""
    for block in python_blocks(page):
        if named := re.match(r"# (\w[\w.]*\.py)\n", block):
            (folder / named[1]).write_text(block)


def add_service(name, folder):
    """Put one of the services beside this file into the folder, as service.py."""
    shutil.copy(SERVICES / f"{name}_service.py", folder / "service.py")


def command_of(page, number=0):
    """The words of a command that a page shows, for this Python."""
    commands = re.findall(r"^\$ (.*)$", (DOCS / page).read_text(), re.MULTILINE)
    return [sys.executable, "-m", *shlex.split(commands[number])]


def without_mainspring(command):
    """A command without `mainspring run -m`."""
    at = command.index("run")
    return [*command[: at - 1], *command[at + 2 :]]


class Server:
    """A running server; ``get`` and the other methods of an ``httpx.Client`` ask it."""

    def __init__(self, process, port):
        self.process, self.port = process, port
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def __getattr__(self, name):
        return getattr(self._client, name)

    def send_signal(self, number):
        self.process.send_signal(number)

    def end(self, number):
        """End it by a signal, SIGINT as by Ctrl-C: its status and all that it and its children have printed."""
        self._client.close()
        if number == signal.SIGINT:
            # What a terminal does: the children get it as well.
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.wait()

    def wait(self):
        """Wait for its end: its status and all that it and its children have printed."""
        text, _ = self.process.communicate(timeout=60)
        return self.process.returncode, text

    def wait_until_it_accepts(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", self.port)).close()
            assert self.process.poll() is None, self.process.communicate(timeout=10)[0]
            time.sleep(0.02)
        raise AssertionError("the server does not listen")


@contextlib.contextmanager
def reserved_port():
    """A port that nobody else gets; servers, all of which set SO_REUSEADDR, can listen at it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def running(command, folder, *, port=None, **keywords):
    """Run a command in a folder; the Server, which is killed if it does not end by itself.

    Where the command and the programs in the folder say port 8000, they get a free one, or the given one. Keywords are
    Popen's.
    """
    with contextlib.nullcontext(port) if port else reserved_port() as port:
        for file in Path(folder).glob("*.py"):
            file.write_text(file.read_text().replace("8000", str(port)))
        process = subprocess.Popen(
            [word.replace("8000", str(port)) for word in command],
            cwd=folder,
            # For what servers leave beside their sockets, such as gunicorn's control socket.
            env=clean_environment({"XDG_RUNTIME_DIR": str(folder)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A process group, so that workers do not survive a server that is killed.
            start_new_session=True,
            **keywords,
        )
        try:
            server = Server(process, port)
            server.wait_until_it_accepts()
            yield server
        finally:
            server.close()
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
