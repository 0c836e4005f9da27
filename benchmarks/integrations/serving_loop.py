"""What a server in a process of its own tells about itself, and how it is asked."""

from __future__ import annotations

import asyncio
import json
import os
from urllib.request import urlopen

LOOP_PATH = "/loop"


def serving_loop() -> str:
    """The answer at ``LOOP_PATH``."""
    kind = type(asyncio.get_running_loop())
    return json.dumps({"process": os.getpid(), "loop": f"{kind.__module__}.{kind.__qualname__}"})


def ask_for_loop(port: int) -> tuple[int, str]:
    """The process that serves, and the full name of its loop's class."""
    with urlopen(f"http://127.0.0.1:{port}{LOOP_PATH}", timeout=20) as answer:
        told = json.load(answer)
    return told["process"], told["loop"]
