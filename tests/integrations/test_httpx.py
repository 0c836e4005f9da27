"""httpx's asynchronous client on this loop."""

import asyncio
import contextlib
import hashlib

import mainspring
import pytest
from helpers.pages import printed_by

pytest.importorskip("httpx")
pytest.importorskip("aiohttp")
import httpx
from aiohttp import web


def test_the_program_of_the_page():
    path = "".join(f"/{number}" for number in range(20))
    assert printed_by("integrations/httpx.md") == [f"HTTP/1.1 {path}", f"loop: {mainspring.Loop}"]


class Site:
    """A server that knows how many connections and requests it had, and whose request was given up."""

    def __init__(self):
        self.connections = set()
        self.asked = asyncio.Event()
        self.given_up = asyncio.Event()
        self.gate = asyncio.Event()

    def application(self):
        application = web.Application(client_max_size=1 << 24)
        for name in ("hello", "digest", "flood", "hang", "half"):
            application.router.add_route("*", f"/{name}", getattr(self, name))
        application.router.add_get("/old", self.old)
        return application

    async def hello(self, request):
        self.connections.add(request.transport)
        return web.Response(text=f"hello {request.cookies.get('name', 'stranger')}")

    async def old(self, request):
        answer = web.HTTPFound("/hello")
        answer.set_cookie("name", "friend")
        raise answer

    async def digest(self, request):
        digest = hashlib.sha256()
        async for chunk in request.content.iter_any():
            digest.update(chunk)
        return web.Response(text=digest.hexdigest())

    async def flood(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 50_000)
        return response

    async def hang(self, request):
        self.asked.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return web.Response()

    async def half(self, request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response


@contextlib.asynccontextmanager
async def serving(site, context=None):
    runner = web.AppRunner(site.application(), handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
def run(mainspring_loop):
    """Runs a coroutine function with a client and the site that it asks, on mainspring's loop."""

    async def main(function):
        site = Site()
        async with serving(site) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            return await function(client, site)

    return lambda function: mainspring_loop.run_until_complete(main(function))


def test_a_pool_of_connections(run):
    async def scenario(client, site):
        for _ in range(5):
            answers = await asyncio.gather(*(client.get("/hello") for _ in range(4)))
            assert [answer.text for answer in answers] == ["hello stranger"] * 4
        return len(site.connections)

    assert 1 <= run(scenario) <= 4


def test_streamed_bodies(run):
    async def body():
        for _ in range(50):
            await asyncio.sleep(0)
            yield b"x" * 20_000

    async def scenario(client, site):
        digest = (await client.post("/digest", content=body())).text
        async with client.stream("GET", "/flood") as answer:
            size = sum([len(chunk) async for chunk in answer.aiter_raw()])
        return digest, size

    assert run(scenario) == (hashlib.sha256(b"x" * 1_000_000).hexdigest(), 5_000_000)


def test_redirects_and_cookies(run):
    async def scenario(client, site):
        answer = await client.get("/old", follow_redirects=True)
        return answer.text, [one.status_code for one in answer.history]

    assert run(scenario) == ("hello friend", [302])


def test_tls(mainspring_loop, authority):
    async def scenario():
        async with (
            serving(Site(), authority.server_context()) as port,
            httpx.AsyncClient(verify=authority.client_context()) as client,
        ):
            return (await client.get(f"https://localhost:{port}/hello")).text

    assert mainspring_loop.run_until_complete(scenario()) == "hello stranger"


def test_a_time_limit(run):
    async def scenario(client, site):
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/hang", timeout=httpx.Timeout(60, read=0.05))
        return (await client.get("/hello")).text

    assert run(scenario) == "hello stranger"


def test_a_cancelled_request(run):
    async def scenario(client, site):
        asking = asyncio.create_task(client.get("/hang"))
        await site.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # The server sees that the connection was closed.
        await site.given_up.wait()

    run(scenario)


def test_half_an_answer(run):
    async def scenario(client, site):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/half")
        return (await client.get("/hello")).text

    assert run(scenario) == "hello stranger"
