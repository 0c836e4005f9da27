"""The template of a service in examples/: its processes, started as its README says, and its database."""

import asyncio
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from helpers.programs import started

EXAMPLES = Path(__file__).parents[2] / "examples"


class Service:
    """A running service, whose errors are read line by line."""

    def __init__(self, process):
        self.process = process
        self._read = []
        self.address = self.expect(r"running on (http://127\.0\.0\.1:\d+)")[1]

    def expect(self, pattern):
        """Read on until a line of its standard error matches."""
        for line in self.process.stderr:
            self._read.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"it ended and never said {pattern}:\n" + "".join(self._read))

    def end(self):
        """Send SIGTERM and wait for its end; its status and all its errors."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        """Wait for its end."""
        # Popen.communicate() would not give what was read ahead together with the last line.
        self._read.append(self.process.stderr.read())
        return self.process.wait(timeout=60), "".join(self._read)


def serving(command, environment, folder):
    """A process as the README starts it, with this Python; killed, and its workers, if it does not end by itself."""
    words = shlex.split(command)
    words = [sys.executable, *(words[1:] if words[0] == "python" else ["-m", *words])]
    return started(words, cwd=folder, stderr=subprocess.PIPE, env=environment)


class Database:
    """A new database, with the service's table and two items."""

    def __init__(self, port, name):
        self.port, self.name = port, name
        self.dsn = f"postgresql://bench@127.0.0.1:{port}/{name}"
        self.execute(f"CREATE DATABASE {name}", elsewhere=True)
        self.execute((EXAMPLES / "service" / "schema.sql").read_text())
        self.execute("INSERT INTO items VALUES (1, 'apple', 0.5), (2, 'pear', 0.75)")

    def execute(self, query, *arguments, elsewhere=False):
        """Run a query; ``elsewhere`` in another database than the service's."""
        import asyncpg

        async def run():
            dsn = f"postgresql://bench@127.0.0.1:{self.port}/postgres" if elsewhere else self.dsn
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute(query, *arguments)
            finally:
                await connection.close()

        asyncio.run(run())
