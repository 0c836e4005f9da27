"""Clients that send one message after the other until they are killed: ``smtp_clients PORT PROCESSOR``."""

from __future__ import annotations

import os
import smtplib
import sys
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from mainspring.benchmarks.integrations.aiosmtpd_server import TEXT

CLIENTS = 10


def send(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        while True:
            client.sendmail("alice@example.com", ["bob@example.com"], TEXT)


def main(port: int, processor: int) -> None:
    if processor >= 0:
        os.sched_setaffinity(0, {processor})
    with ThreadPoolExecutor(CLIENTS) as threads:
        done, _ = wait([threads.submit(send, port) for _ in range(CLIENTS)], return_when=FIRST_EXCEPTION)
        print(done.pop().exception(), file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
