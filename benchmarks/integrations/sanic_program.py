"""Sanic as a program: ``python -m mainspring.benchmarks.integrations.sanic_program LOOP PORT``.

Sanic asks asyncio for its loop, which ``install()`` of the loop's package decides.
"""

from __future__ import annotations

import sys
from importlib import import_module

from mainspring.benchmarks.integrations.asgi import BODY
from mainspring.benchmarks.integrations.serving_loop import LOOP_PATH, serving_loop
from sanic import Sanic
from sanic.request import Request
from sanic.response import HTTPResponse, raw, text

app = Sanic("benchmark")
app.config.USE_UVLOOP = False


@app.get("/")
async def hello(request: Request) -> HTTPResponse:
    return raw(BODY, content_type="application/json")


@app.get(LOOP_PATH)
async def loop(request: Request) -> HTTPResponse:
    return text(serving_loop())


def main(path: str, port: int) -> None:
    package = path.partition(":")[0].partition(".")[0]
    if package != "asyncio":
        import_module(package).install()
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
