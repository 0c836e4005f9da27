"""aiohttp, server and client, unmodified."""

import asyncio

import pytest

aiohttp = pytest.importorskip("aiohttp")
from aiohttp import web  # noqa: E402


@pytest.fixture
def application(loop):
    async def who(request):
        return web.json_response({"loop": type(asyncio.get_running_loop()).__qualname__, "path": request.path})

    async def upload(request):
        return web.Response(body=(await request.read())[::-1])

    async def stream(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(50):
            await response.write(b"%d\n" % number * 100)
        await response.write_eof()
        return response

    async def talk(request):
        talk = web.WebSocketResponse()
        await talk.prepare(request)
        async for message in talk:
            await talk.send_str(message.data.upper())
        return talk

    app = web.Application(client_max_size=1 << 26)
    app.add_routes(
        [web.get("/who", who), web.post("/upload", upload), web.get("/stream", stream), web.get("/talk", talk)]
    )
    return app


def serve(loop, application, use):
    """Run `use(session, address)` against the application."""

    async def main():
        runner = web.AppRunner(application, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as session:
            await use(session, address)
        await runner.cleanup()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())


def test_the_handler_runs_on_the_loop(loop, application):
    async def use(session, address):
        async with session.get(f"{address}/who") as response:
            assert response.status == 200
            assert await response.json() == {"loop": type(loop).__qualname__, "path": "/who"}

    serve(loop, application, use)


def test_many_requests_at_once(loop, application):
    async def use(session, address):
        async def one(number):
            async with session.get(f"{address}/who?number={number}") as response:
                return (await response.json())["path"]

        assert await asyncio.gather(*(one(number) for number in range(200))) == ["/who"] * 200

    serve(loop, application, use)


def test_bodies_in_both_directions(loop, application):
    body = bytes(range(256)) * 10_000

    async def use(session, address):
        async with session.post(f"{address}/upload", data=body) as response:
            assert await response.read() == body[::-1]
        async with session.get(f"{address}/stream") as response:
            assert await response.read() == b"".join(b"%d\n" % number * 100 for number in range(50))

    serve(loop, application, use)


def test_a_websocket(loop, application):
    async def use(session, address):
        async with session.ws_connect(f"{address}/talk") as talk:
            for number in range(50):
                await talk.send_str(f"message {number}")
                assert await talk.receive_str(timeout=10) == f"MESSAGE {number}"

    serve(loop, application, use)


def test_a_timeout(loop, application):
    async def hang(request):
        await asyncio.sleep(60)

    application.router.add_get("/hang", hang)

    async def use(session, address):
        with pytest.raises(asyncio.TimeoutError):
            await session.get(f"{address}/hang", timeout=aiohttp.ClientTimeout(total=0.05))

    serve(loop, application, use)
