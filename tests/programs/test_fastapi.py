"""A FastAPI application on uvicorn, asked by httpx, unmodified."""

import asyncio
import contextlib

import pytest

fastapi = pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")


def make_application():
    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.loop = type(asyncio.get_running_loop()).__qualname__
        yield

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.get("/who")
    async def who():
        return {"loop": type(asyncio.get_running_loop()).__qualname__, "lifespan": app.state.loop}

    @app.get("/thread/{number}")
    def thread(number: int):
        return {"twice": 2 * number}

    @app.post("/echo")
    async def echo(request: fastapi.Request):
        return fastapi.Response(await request.body())

    return app


@contextlib.asynccontextmanager
async def serving(http):
    config = uvicorn.Config(make_application(), port=0, http=http, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve() if hasattr(server, "_serve") else server.serve())
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = True
    await task


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_requests_are_answered_on_the_loop(loop, http):
    async def main():
        async with serving(http) as client:
            name = type(loop).__qualname__
            assert (await client.get("/who")).json() == {"loop": name, "lifespan": name}
            assert (await client.get("/thread/21")).json() == {"twice": 42}
            assert (await client.get("/thread/nonsense")).status_code == 422
            body = bytes(range(256)) * 5000
            assert (await client.post("/echo", content=body)).content == body
            answers = await asyncio.gather(*(client.get(f"/thread/{number}") for number in range(50)))
            assert [answer.json()["twice"] for answer in answers] == [2 * number for number in range(50)]

    loop.run_until_complete(main())
