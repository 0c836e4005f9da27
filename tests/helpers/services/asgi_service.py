"""An ASGI application for the servers under test; it tells on which loop and in which process it runs."""

import asyncio
import contextlib
import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute


def loop_class():
    return str(type(asyncio.get_running_loop()))


@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    # In one write, so that the lines of several workers are not mixed where Python does not buffer.
    print(f"ended on {loop_class()}\n", end="", flush=True)


async def who(request):
    return JSONResponse({"loop": loop_class(), "process": os.getpid()})


async def echo(request):
    return Response(await request.body())


async def count(request):
    async def numbers():
        for number in range(20):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(numbers(), media_type="text/plain")


async def shout(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


app = Starlette(
    routes=[
        Route("/", who),
        Route("/echo", echo, methods=["POST"]),
        Route("/count", count),
        WebSocketRoute("/shout", shout),
    ],
    lifespan=lifespan,
)
