"""examples/service: a service on FastAPI, PostgreSQL and Redis, as its README starts it."""

import asyncio
import shlex
import socket
import textwrap

import mainspring
import pytest
from helpers import run_program
from helpers.service import EXAMPLES

for library in ("aiodataloader", "asyncpg", "fastapi", "prometheus_client", "pydantic_settings", "redis", "uvicorn"):
    pytest.importorskip(library)
httpx = pytest.importorskip("httpx")
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

COMMANDS = {
    "one process": "python -m service",
    "uvicorn": "uvicorn --factory service.app:create_app --loop mainspring:new_event_loop --no-access-log "
    "--timeout-graceful-shutdown 10",
}
WORKERS = " --workers 2"


def test_the_readme_starts_it_like_this():
    readme = (EXAMPLES / "service" / "README.md").read_text()
    for command in (*COMMANDS.values(), COMMANDS["uvicorn"] + WORKERS):
        assert f"$ {command}\n" in readme


@pytest.fixture(params=COMMANDS.values(), ids=COMMANDS)
def command(request):
    """Each way to start it; uvicorn's port is the command's and not a setting."""
    return request.param + (" --port 0" if request.param.startswith("uvicorn") else "")


def scraped(metrics):
    """The samples in an answer of /metrics by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text)
        for sample in family.samples
    }


def runs(samples):
    """What the service says of itself: its loop, its process..."""
    (labels,) = (dict(key[1:]) for key in samples if key[0] == "service_info")
    return labels


def test_a_row_is_read_through_the_cache(start, command, database, cache):
    service = start(command)
    with httpx.Client(base_url=service.address) as client:
        first = client.get("/items/1")
        assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
        assert first.json() == {"id": 1, "name": "apple", "price": "0.50"}
        assert cache.get("item:1") == first.content
        assert 0 < cache.ttl("item:1") <= 60
        # What is not in the cache's answer comes from the database: a second read does not know of this.
        database.execute("UPDATE items SET name = 'quince' WHERE id = 1")
        assert client.get("/items/1").content == first.content
        samples = scraped(client.get("/metrics"))
        assert samples["service_item_reads_total", ("source", "database")] == 1
        assert samples["service_item_reads_total", ("source", "cache")] == 1
        assert runs(samples)["loop"] == "mainspring._loop.Loop"
        cache.delete("item:1")
        assert client.get("/items/1").json()["name"] == "quince"


def test_reads_of_one_turn_are_one_command(environment, cache):
    cache.config_resetstat()
    program = """
        import asyncio
        import mainspring
        from service.app import create_app

        async def main():
            app = create_app()
            async with app.router.lifespan_context(app):
                found = await asyncio.gather(*(app.state.items.get(1 + number % 3) for number in range(60)))
            print(type(asyncio.get_running_loop()) is mainspring.Loop)
            print(found[:2] == [b'{"name":"apple","price":"0.50","id":1}', b'{"name":"pear","price":"0.75","id":2}'])
            print(found == found[:2] + [None] + found[:57])

        mainspring.run(main())
    """
    ended = run_program(program, cwd=EXAMPLES, env=environment)
    assert (ended.stdout, ended.stderr) == ("True\n" * 3, "")
    statistics = cache.info("commandstats")
    assert (statistics["cmdstat_mget"]["calls"], statistics["cmdstat_set"]["calls"]) == (1, 2)


def test_what_is_written_is_read(start):
    with httpx.Client(base_url=start().address) as client:
        assert client.get("/items/1").json()["name"] == "apple"
        assert client.put("/items/1", json={"name": "melon", "price": "3.20"}).status_code == 204
        assert client.get("/items/1").json() == {"id": 1, "name": "melon", "price": "3.20"}
        assert client.put("/items/7", json={"name": "plum", "price": 0}).status_code == 204
        assert client.get("/items/7").json() == {"id": 7, "name": "plum", "price": "0.00"}


def test_what_is_wrong_is_refused(start):
    with httpx.Client(base_url=start().address) as client:
        assert client.get("/items/3").status_code == 404
        assert client.get("/items/none").status_code == 404
        assert client.get(f"/items/{2**63}").status_code == 404
        assert client.delete("/items/1").status_code == 405
        for wrong in ({"name": "", "price": 1}, {"name": "fig", "price": -1}, {"name": "fig", "price": "0.001"}, {}):
            assert client.put("/items/1", json=wrong).status_code == 422
        assert client.put(f"/items/{2**63}", json={"name": "fig", "price": 1}).status_code == 422
        assert client.get("/items/1").json()["name"] == "apple"


def test_the_schema_has_the_direct_route(start):
    with httpx.Client(base_url=start().address) as client:
        schema = client.get("/openapi.json").json()
    read = schema["paths"]["/items/{item}"]["get"]
    assert [parameter["name"] for parameter in read["parameters"]] == ["item"]
    assert read["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Item"}


def test_metrics(start):
    with httpx.Client(base_url=start(MAINSPRING_METRICS="1").address) as client:
        for item in (1, 1, 9):
            client.get(f"/items/{item}")
        client.request("PROPFIND", "/items/1")
        client.get("/nowhere")
        samples = scraped(client.get("/metrics"))
    route = ("route", "/items/{item:int}")
    assert samples["service_request_seconds_count", ("method", "GET"), route, ("status", "200")] == 2
    assert samples["service_request_seconds_count", ("method", "GET"), route, ("status", "404")] == 1
    assert samples["service_request_seconds_count", ("method", "other"), route, ("status", "405")] == 1
    assert samples["service_request_seconds_count", ("method", "GET"), ("route", "none"), ("status", "404")] == 1
    assert samples["mainspring_callbacks_total", ("loop", "main")] > 0
    assert samples["mainspring_lag_seconds_count", ("loop", "main")] > 0
    # This connection, one to the database and one to the cache.
    assert samples["mainspring_transports", ("kind", "tcp"), ("loop", "main")] == 3
    assert samples["process_resident_memory_bytes",] > 0


def test_ready_while_the_database_is(start, database):
    with httpx.Client(base_url=start().address) as client:
        assert client.get("/health/alive").json() == {"alive": True}
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"database": "fine", "cache": "fine"})
        assert client.get("/items/1").status_code == 200
        database.execute(f"ALTER DATABASE {database.name} WITH ALLOW_CONNECTIONS false", elsewhere=True)
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database.name, elsewhere=True
        )
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["cache"]) == (503, "fine")
        assert ready.json()["database"].startswith("failed: ")
        assert client.get("/health/alive").status_code == 200
        # The one is in the cache and the other is not.
        assert [client.get(f"/items/{item}").status_code for item in (1, 2)] == [200, 500]


def test_without_a_cache_it_goes_on(start):
    service = start(SERVICE_CACHE="redis://127.0.0.1:1")
    with httpx.Client(base_url=service.address) as client:
        assert client.get("/items/2").json()["name"] == "pear"
        assert client.put("/items/2", json={"name": "date", "price": 1}).status_code == 204
        assert client.get("/items/2").json()["name"] == "date"
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"database": "fine", "cache": "failed: ConnectionError"})
        assert scraped(client.get("/metrics"))["service_cache_failures_total",] == 5
    service.expect("WARNING service.store: the cache failed: Error 111 connecting to 127.0.0.1:1")


def test_the_running_request_is_finished(start, command, database):
    import asyncpg

    service = start(command)

    async def refuses():
        host, port = service.address.removeprefix("http://").split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    async def main():
        holder = await asyncpg.connect(database.dsn)
        async with httpx.AsyncClient(base_url=service.address, timeout=60) as client:
            async with holder.transaction():
                await holder.execute("LOCK TABLE items")
                request = asyncio.create_task(client.get("/items/1"))
                while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
                service.process.terminate()
                await asyncio.to_thread(service.expect, "Waiting for connections to close")
                assert await refuses()
                assert not request.done()
            answer = await request
        await holder.close()
        return answer

    answer = mainspring.run(main())
    assert (answer.status_code, answer.json()["name"]) == (200, "apple")
    status, errors = service.wait()
    # uvicorn's command dies of the signal when it has handled it; a shell makes 143 of that too.
    assert status == (143 if "-m" in shlex.split(command) else -15)
    assert "Application shutdown complete" in errors and "Traceback" not in errors


def test_its_end_is_bounded(start, database):
    import asyncpg

    service = start(SERVICE_SHUTDOWN_TIMEOUT="1")

    async def main():
        holder = await asyncpg.connect(database.dsn)
        async with holder.transaction(), httpx.AsyncClient(base_url=service.address, timeout=60) as client:
            await holder.execute("LOCK TABLE items")
            request = asyncio.create_task(client.get("/items/1"))
            while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            # It ends though the table stays locked: neither the request nor the pool gets what it waits for.
            ended = await asyncio.to_thread(service.end)
            answer = await request
        await holder.close()
        return answer, ended

    answer, (status, errors) = mainspring.run(main())
    assert (answer.status_code, status) == (500, 143)
    assert "shutdown: not done in 2 s and cancelled: " in errors and "'uvicorn'" in errors


def test_two_workers(start):
    service = start(COMMANDS["uvicorn"] + WORKERS + " --port 0")
    for _ in range(2):
        service.expect("Application startup complete")

    async def worker(number):
        # Each connection is accepted by one of them.
        async with httpx.AsyncClient(base_url=service.address, timeout=60) as client:
            assert (await client.get("/items/1")).json()["name"] == "apple"
            told = runs(scraped(await client.get("/metrics")))
        return told["process"], told["loop"]

    async def main():
        seen = set()
        async with asyncio.timeout(60):
            while len(seen) < 2:
                seen.update(await asyncio.gather(*map(worker, range(10))))
        return seen

    seen = mainspring.run(main())
    assert len(dict(seen)) == 2 and {loop for _, loop in seen} == {"mainspring._loop.Loop"}
    status, errors = service.end()
    assert status == 0 and "Traceback" not in errors


def test_the_watchdog_by_environment(start, tmp_path):
    (tmp_path / "blocking.py").write_text(
        textwrap.dedent("""
            import time
            from service.app import create_app

            def create_blocking_app():
                app = create_app()

                @app.get("/block")
                async def block() -> None:
                    time.sleep(0.5)  # a mistake

                return app
        """)
    )
    command = COMMANDS["uvicorn"].replace("service.app:create_app", "blocking:create_blocking_app")
    folder = str(tmp_path)
    from_here = f"{command} --port 0 --app-dir {shlex.quote(folder)}"
    service = start(from_here, MAINSPRING_WATCHDOG="0.1", PYTHONPATH=folder)
    with httpx.Client(base_url=service.address) as client:
        assert client.get("/block").status_code == 200
    service.expect("The loop has been blocked for .* seconds by <Task")
    service.expect(r"time\.sleep\(0\.5\)  # a mistake")
    service.expect("The loop was blocked for")


def test_a_database_that_is_not_there(refused):
    status, errors = refused(SERVICE_DATABASE="postgresql://bench@127.0.0.1:1/shop")
    assert status == 3
    assert "ConnectionRefusedError" in errors


def test_a_port_in_use(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, errors = refused(SERVICE_PORT=str(taken.getsockname()[1]))
    # It depends on uvicorn's version.
    assert status in (1, 3)
    assert "address already in use" in errors


def test_a_wrong_setting(refused):
    status, errors = refused(SERVICE_CACHE_SECONDS="soon")
    assert status == 1
    assert "cache_seconds" in errors and "'soon'" in errors
