"""Tornado, with the program of docs/integrations/tornado.md."""

import asyncio
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("tornado")
import tornado.gen
import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.util
import tornado.web
import tornado.websocket
from helpers import eventually
from helpers.servers import LOOP_CLASSES, prepared, running
from helpers.web import check_websocket, workers_seen

PAGE = "integrations/tornado.md"

OLD_START = """
import sys
import tornado.httpserver, tornado.ioloop, tornado.netutil, tornado.process
from service import app

sockets = tornado.netutil.bind_sockets(8000, "127.0.0.1")
if sys.argv[1:] == ["fork"]:
    tornado.process.fork_processes(2)
tornado.httpserver.HTTPServer(app).add_sockets(sockets)
tornado.ioloop.IOLoop.current().start()
"""


@pytest.fixture
def folder(tmp_path, loop_name):
    """The program of the page and the service; for the default loop with ``asyncio.run``."""
    (tmp_path / "old_start.py").write_text(OLD_START)
    on_default = {"mainspring.run(main(), shutdown_timeout=10)": "asyncio.run(main())"}
    return prepared(tmp_path, "tornado", PAGE, loop_name, on_default)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(folder, loop_name, number):
    with running([sys.executable, "serve.py"], folder) as server:
        body = bytes(range(256)) * 40_000
        assert server.post("/echo", content=body).content == body
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.get("/fetch").json()["loop"], range(40)))
        assert answers == [LOOP_CLASSES[loop_name]] * 40
        check_websocket(server)
        status, text = server.end(number)
    graceful = loop_name == "mainspring" or number == signal.SIGINT
    assert (f"ended on {LOOP_CLASSES[loop_name]}\n" in text) == graceful
    assert status == (143 if graceful and number == signal.SIGTERM else -number)


def test_the_old_start(folder, loop_name):
    command = [sys.executable, *(["-m", "mainspring", "run"] if loop_name == "mainspring" else []), "old_start.py"]
    with running(command, folder) as server:
        assert server.get("/").json()["loop"] == LOOP_CLASSES[loop_name]
        status, _ = server.end(signal.SIGTERM)
    assert status == -signal.SIGTERM


@pytest.mark.parametrize("loop_name", ["mainspring"])
def test_forked_processes(folder, loop_name):
    command = [sys.executable, "-m", "mainspring", "run", "old_start.py", "fork"]
    with running(command, folder) as server:
        seen = workers_seen(server, 2)
    assert list(seen.values()) == [LOOP_CLASSES[loop_name]] * 2
    assert server.process.pid not in seen


def test_the_ioloop(loop):
    """Timers, periodic callbacks, callbacks from threads, executors, timeouts."""

    async def main():
        ioloop = tornado.ioloop.IOLoop.current()
        assert ioloop.asyncio_loop is loop
        order, done = [], asyncio.Event()
        periodic = tornado.ioloop.PeriodicCallback(lambda: order.append("periodic"), 1)
        periodic.start()
        ioloop.call_later(0.1, done.set)
        ioloop.remove_timeout(ioloop.call_later(0.01, order.append, "removed"))
        thread = threading.Thread(target=ioloop.add_callback, args=(order.append, "from a thread"))
        thread.start()
        order.append(await ioloop.run_in_executor(None, lambda: "from the executor"))
        with pytest.raises(tornado.util.TimeoutError):
            await tornado.gen.with_timeout(0.01 + ioloop.time(), asyncio.Event().wait())
        await done.wait()
        await eventually(lambda: order.count("periodic") >= 3 and "from a thread" in order)
        thread.join()
        periodic.stop()
        return set(order)

    assert loop.run_until_complete(main()) == {"periodic", "from a thread", "from the executor"}


def test_the_websocket_client(loop):
    class Shout(tornado.websocket.WebSocketHandler):
        async def on_message(self, message):
            await self.write_message(message.upper())

    async def main():
        server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Shout)]))
        (sock,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server.add_socket(sock)
        connection = await tornado.websocket.websocket_connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/")
        await connection.write_message("a message")
        answer = await connection.read_message()
        connection.close()
        assert await connection.read_message() is None
        server.stop()
        await server.close_all_connections()
        return answer

    assert loop.run_until_complete(main()) == "A MESSAGE"
