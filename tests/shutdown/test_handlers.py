"""Whose the signals are."""

import signal
import threading

import mainspring
import pytest
from helpers.signalled import connect, signalled

BY_THE_LOOP = """
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    say("ready")
    await stop.wait()
    say("handled")

mainspring.run(main(), shutdown_timeout=60)
"""

BEFORE = """
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop = threading.Event()

async def main():
    say("ready")
    await asyncio.to_thread(stop.wait)
    say("handled")

mainspring.run(main(), shutdown_timeout=60)
"""

IGNORED = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)

async def main():
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    say("handled")

mainspring.run(main(), shutdown_timeout=60)
"""


@pytest.mark.parametrize("code", [BY_THE_LOOP, BEFORE, IGNORED], ids=["add_signal_handler", "signal", "ignored"])
def test_what_the_program_does_with_a_signal_wins(code):
    with signalled(code, stdin=-1) as program:
        program.expect("ready")
        program.send(signal.SIGTERM)
        program.go_on()
        assert program.end() == (0, ["handled"], "")


def test_the_handlers_are_as_before_afterwards():
    async def handlers():
        return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    during = mainspring.run(handlers(), shutdown_timeout=1)
    assert before == (signal.default_int_handler, signal.SIG_DFL)
    assert not set(before) & set(during)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_have_no_signals():
    async def main():
        return signal.getsignal(signal.SIGTERM)

    seen = []
    thread = threading.Thread(target=lambda: seen.append(mainspring.run(main(), shutdown_timeout=1)))
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_forked_child_ends_by_a_signal_as_always(number):
    code = """
    import multiprocessing

    def child(pipe):
        with contextlib.suppress(KeyboardInterrupt):
            pipe.send("runs")
            time.sleep(1000)
        sys.exit(7)

    async def main():
        fork = multiprocessing.get_context("fork")
        ours, its = fork.Pipe()
        process = fork.Process(target=child, args=(its,))
        process.start()
        say(ours.recv())
        os.kill(process.pid, int(sys.argv[1]))
        process.join()
        say(process.exitcode)

    mainspring.run(main(), shutdown_timeout=60)
    """
    with signalled(code, int(number)) as program:
        assert program.end() == (0, ["runs", "-15" if number == signal.SIGTERM else "7"], "")


UVICORN = """
import uvicorn

async def application(scope, receive, send):
    assert scope["type"] == "http"
    say("request")
    await receive()
    await asyncio.to_thread(sys.stdin.readline)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"answer"})

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        say("port", self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets=None):
        say("uvicorn shuts down")
        await super().shutdown(sockets)
        say("uvicorn has shut down")

config = uvicorn.Config(application, port=0, log_level="error", lifespan="off")
mainspring.run(Server(config).serve(), shutdown_timeout=60)
"""


def test_uvicorn_handles_signals_itself():
    pytest.importorskip("uvicorn")
    with signalled(UVICORN, stdin=-1) as program:
        port = program.expect_port()
        with connect(port) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            program.expect("request")
            program.send(signal.SIGTERM)
            program.expect("uvicorn shuts down")
            program.go_on()
            received = b""
            while data := connection.recv(65536):
                received += data
            assert received.endswith(b"answer")
        # uvicorn sends itself the signal again, so that the process ends by it.
        assert program.end() == (143, ["uvicorn has shut down"], "")
