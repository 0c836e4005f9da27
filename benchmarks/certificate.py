"""A certificate for the TLS workloads, which the openssl command signs by itself."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

OPENSSL = "libssl.so.3"
"""The library that the load generator and the limit load."""


@contextmanager
def certificate_files() -> Iterator[tuple[Path, Path]]:
    """A certificate and its key in PEM, as files that exist while this is entered."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(["openssl", "req", "-x509", *kind, *names], check=True, capture_output=True)
        yield certificate, key


@cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate_files() as (certificate, key):
        context.load_cert_chain(certificate, key)
    return context
