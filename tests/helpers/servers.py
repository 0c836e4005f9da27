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
import tempfile
import time
from pathlib import Path

import mainspring
import pytest

from helpers.loops import LOOPS
from helpers.pages import DOCS, python_blocks
from helpers.programs import started

pytest.importorskip("httpx")
import httpx

SERVICES = Path(__file__).parent / "services"

LOOP_CLASSES = {"default": str(LOOPS["default"]), "mainspring": str(mainspring.Loop)}
"""What services tell of the loop that they run on."""


def write_files(page, folder):
    """Write the Python blocks of a page that begin with a file's name, as a comment, to these files; their paths."""
    files = []
    for block in python_blocks(page):
        if named := re.match(r"# (\w[\w.]*\.py)\n", block):
            files.append(folder / named[1])
            files[-1].write_text(block)
    return files


def change(files, changes):
    """Replace texts, each of which at least one of the files has."""
    for old, new in changes.items():
        texts = {file: file.read_text() for file in files}
        assert any(old in text for text in texts.values()), f"no file has {old!r}"
        for file, text in texts.items():
            file.write_text(text.replace(old, new))


def add_service(name, folder):
    """Put one of the services beside this file into the folder, as service.py."""
    shutil.copy(SERVICES / f"{name}_service.py", folder / "service.py")


def prepared(folder, name, page, loop_name, on_default):
    """The folder, with a service and the files of a page, in which texts are replaced for the default loop."""
    add_service(name, folder)
    files = write_files(page, folder)
    if loop_name == "default":
        change(files, on_default)
    return folder


def command_of(page, loop_name="mainspring", number=0):
    """The words of a command that a page shows, for this Python; for the default loop without mainspring in them."""
    commands = re.findall(r"^\$ (.*)$", (DOCS / page).read_text(), re.MULTILINE)
    words = shlex.split(commands[number])
    if loop_name == "default":
        words = words[3:] if words[:3] == ["mainspring", "run", "-m"] else words
        words = [word.replace("mainspring:new_event_loop", "asyncio") for word in words]
        assert not any("mainspring" in word for word in words)
    return [sys.executable, "-m", *words]


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
    with (
        contextlib.nullcontext(port) if port else reserved_port() as port,
        tempfile.TemporaryDirectory() as scratch,
    ):
        for file in Path(folder).glob("*.py"):
            file.write_text(file.read_text().replace("8000", str(port)))
        starting = started(
            [word.replace("8000", str(port)) for word in command],
            cwd=folder,
            # For what servers leave behind, such as gunicorn's control socket, and what a killed one does.
            env={"XDG_RUNTIME_DIR": scratch, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **keywords,
        )
        with starting as process, contextlib.closing(Server(process, port)) as server:
            server.wait_until_it_accepts()
            yield server
