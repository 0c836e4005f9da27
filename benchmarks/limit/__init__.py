"""The physical limit: echo servers in C++ on bare epoll, and on epoll with OpenSSL, that take a loop's place."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mainspring.benchmarks.certificate import OPENSSL, certificate_files
from mainspring.benchmarks.generator import Address

EXECUTABLE = Path(__file__).parent.with_name("mainspring-limit")
NAME = "epoll in C++"


class LimitError(Exception):
    """The limit's server did not start."""


@dataclass(frozen=True)
class LimitServer:
    """An echo server on a TCP, UNIX or UDP socket."""

    transport: str = "tcp"
    tls: bool = False
    collect: bool = False
    """Whether the TLS records of a message leave together, which pays from the second on."""

    @contextmanager
    def running(self) -> Iterator[tuple[int, Address]]:
        """Its process and its address, while it runs."""
        with ExitStack() as stack:
            words = [str(EXECUTABLE), "--transport", self.transport]
            path = ""
            if self.transport == "unix":
                path = str(Path(stack.enter_context(tempfile.TemporaryDirectory()), "socket"))
                words += ["--unix", path]
            if self.tls:
                certificate, key = stack.enter_context(certificate_files())
                words += [
                    "--tls",
                    OPENSSL,
                    "--certificate",
                    str(certificate),
                    "--key",
                    str(key),
                    "--collect",
                    "yes" if self.collect else "no",
                ]
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            port = process.stdout.readline()
            if not port:
                raise LimitError(f"mainspring-limit ended with {process.wait()}")
            yield process.pid, path or int(port)
