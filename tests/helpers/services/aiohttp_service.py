"""An aiohttp application for the servers under test; it tells on which loop it runs."""

import asyncio

from aiohttp import web


async def who(request):
    return web.json_response({"loop": str(type(asyncio.get_running_loop()))})


async def echo(request):
    return web.Response(body=await request.read())


async def count(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(20):
        await response.write(b"%d\n" % number)
    return response


async def shout(request):
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    async for message in websocket:
        await websocket.send_str(message.data.upper())
    return websocket


async def ended(app):
    print("ended on", type(asyncio.get_running_loop()), flush=True)


app = web.Application(client_max_size=1 << 26)
app.add_routes([web.get("/", who), web.post("/echo", echo), web.get("/count", count), web.get("/shout", shout)])
app.on_cleanup.append(ended)
