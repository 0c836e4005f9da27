"""A Sanic application for the servers under test; it tells on which loop and in which process it runs."""

import asyncio
import os

from sanic import Sanic, json

app = Sanic("service")


@app.get("/")
async def who(request):
    return json({"loop": str(type(asyncio.get_running_loop())), "process": os.getpid()})


@app.post("/echo")
async def echo(request):
    response = await request.respond(content_type="application/octet-stream")
    await response.send(request.body)
    await response.eof()


@app.websocket("/shout")
async def shout(request, websocket):
    async for text in websocket:
        await websocket.send(text.upper())


@app.after_server_stop
async def stopped(app):
    print("stopped on", type(asyncio.get_running_loop()), flush=True)


@app.post("/scale/<number:int>")
async def scale(request, number):
    request.app.m.scale(number)
    return json(None)


@app.post("/terminate")
async def terminate(request):
    request.app.m.terminate()
    return json(None)
