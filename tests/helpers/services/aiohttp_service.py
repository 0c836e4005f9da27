"""An aiohttp application for the servers under test; it tells on which loop it runs."""

import asyncio

from aiohttp import web


async def who(request):
    return web.json_response({"loop": str(type(asyncio.get_running_loop()))})


async def ended(app):
    print("cleaned up on", type(asyncio.get_running_loop()), flush=True)


app = web.Application()
app.add_routes([web.get("/", who)])
app.on_cleanup.append(ended)
