"""Sub-interpreters: a loop of their own in each, also with a GIL of its own and at the same time; or an ImportError."""

import os
import sys

import pytest
from helpers import run_program
from helpers.interpreters import INTERPRETERS, own_gil_is_bearable

LOOP = os.environ.get("MAINSPRING_LIFE_LOOPS", "mainspring").split()[-1]

PRELUDE = f"""{INTERPRETERS}
LOOP = {LOOP!r}

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4
"""

TRAFFIC = f"""
import asyncio, importlib, socket, ssl, sys

factory = importlib.import_module({LOOP!r}).new_event_loop

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
    writer.close()

async def talk(connection):
    reader, writer = connection
    for number in range(50):
        line = b"%d\\\\n" % number
        writer.write(line)
        assert await reader.readline() == line
    writer.close()
    await writer.wait_closed()

class Datagrams(asyncio.DatagramProtocol):
    def datagram_received(self, data, address):
        self.got.set_result(data)

def contexts(certificate):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client

async def main(certificate):
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    await asyncio.gather(*[talk(await asyncio.open_connection(*address)) for _ in range(3)])
    server.close()
    server_context, client_context = contexts(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
    await talk(await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=client_context))
    server.close()
    receiving, datagrams = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
    datagrams.got = loop.create_future()
    sending, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=receiving.get_extra_info("sockname")
    )
    sending.sendto(b"datagram")
    assert await datagrams.got == b"datagram"
    sending.close()
    receiving.close()
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        waiting = asyncio.ensure_future(loop.sock_recv(one, 10))
        await asyncio.sleep(0.001)
        other.send(b"bytes")
        assert await waiting == b"bytes"
    assert await loop.run_in_executor(None, sum, [1, 2, 3]) == 6
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    assert (await process.communicate(b"text"))[0] == b"text"
    called = asyncio.Event()
    loop.call_later(0.001, called.set)
    await called.wait()

with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main(sys.modules["__main__"].CERTIFICATE))
""".replace("\\\\", "\\")

old = pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 the import is refused")


def need_own_gil():
    if not own_gil_is_bearable():
        pytest.skip(
            "this Python itself crashes when an interpreter with a GIL of its own has imported asyncio and ends"
        )


def start(code, *arguments, **keywords):
    return run_program(f"{PRELUDE}\nTRAFFIC = {TRAFFIC!r}\n{code}", *arguments, **keywords)


def check(done, said="fine\n"):
    assert (done.returncode, done.stdout) == (0, said), done.stderr


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="since Python 3.12 it works")
@pytest.mark.parametrize("own_gil", [False, True])
def test_the_import_is_refused_by_older_pythons(own_gil):
    done = start(
        """
own_gil = sys.argv[1] == "True"
interpreter = make(own_gil)
try:
    run(interpreter, "import mainspring")
except Exception as error:
    print(error)
destroy(interpreter)
import mainspring
mainspring.new_event_loop().close()
print("fine")
""",
        own_gil,
    )
    refusal = "<class 'ImportError'>: mainspring cannot be used in a sub-interpreter before Python 3.12"
    check(done, f"{refusal}\nfine\n")


@old
@pytest.mark.parametrize("own_gil", [False, True], ids=["shared GIL", "own GIL"])
@pytest.mark.parametrize("main_too", [False, True], ids=["", "the main interpreter too"])
def test_a_loop_in_a_sub_interpreter(certificate, own_gil, main_too):
    if own_gil:
        need_own_gil()
    done = start(
        """
here = {"CERTIFICATE": sys.argv[1]}
CERTIFICATE = sys.argv[1]
if sys.argv[3] == "True":
    exec(TRAFFIC, {})
for _ in range(2):
    interpreter = make(sys.argv[2] == "True")
    run(interpreter, f"CERTIFICATE = {CERTIFICATE!r}\\n{TRAFFIC}")
    destroy(interpreter)
if sys.argv[3] == "True":
    exec(TRAFFIC, {})
print("fine")
""",
        certificate,
        own_gil,
        main_too,
    )
    check(done)


@old
def test_several_sub_interpreters_run_loops_at_the_same_time(certificate):
    need_own_gil()
    done = start(
        """
CERTIFICATE = sys.argv[1]
failures = []

def work():
    interpreter = make(True)
    try:
        for _ in range(5):
            run(interpreter, f"CERTIFICATE = {CERTIFICATE!r}\\n{TRAFFIC}")
        destroy(interpreter)
    except Exception as error:
        failures.append(error)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
exec(TRAFFIC, {})
for thread in threads:
    thread.join()
if failures:
    raise failures[0]
print("fine")
""",
        certificate,
    )
    check(done)


@old
def test_a_thread_runs_sub_interpreters_that_another_makes():
    need_own_gil()
    # A new interpreter may get the memory, and so the address, of the one before.
    done = start("""
import queue

given, returned = queue.Queue(), queue.Queue()

def work():
    while (interpreter := given.get()) is not None:
        try:
            run(interpreter, f"import {LOOP}; loop = {LOOP}.new_event_loop(); loop.close(); del loop")
            returned.put(None)
        except Exception as error:
            returned.put(error)

thread = threading.Thread(target=work)
thread.start()
failed = None
for _ in range(6):
    interpreter = make(True)
    given.put(interpreter)
    failed = failed or returned.get()
    run(interpreter, f"import {LOOP}; {LOOP}.new_event_loop()")
    destroy(interpreter)
given.put(None)
thread.join()
if failed:
    raise failed
print("fine")
""")
    check(done)


@old
@pytest.mark.skipif("MAINSPRING_LIFE_INTERPRETERS" not in os.environ, reason="resident memory is for `make life`")
@pytest.mark.parametrize("own_gil", [False, True], ids=["shared GIL", "own GIL"])
def test_what_a_destroyed_sub_interpreter_leaves_is_bounded(own_gil):
    if own_gil:
        need_own_gil()
    # CPython itself keeps the memory of a sub-interpreter that has imported asyncio: the measure is that.
    done = start(
        """
own_gil, count = sys.argv[1] == "True", int(sys.argv[2])
MODULES = "asyncio, concurrent.futures.thread, importlib.metadata, signal, socket, ssl, subprocess, threading"

def grown(code):
    for number in range(count + 3):
        if number == 3:
            before = resident()
        interpreter = make(own_gil)
        run(interpreter, code)
        destroy(interpreter)
    return (resident() - before) / count

without = grown(f"import {MODULES}; asyncio.SelectorEventLoop().close()")
with_it = grown(f"import {MODULES}, {LOOP}; {LOOP}.new_event_loop().close()")
print(f"{without:.0f} KiB each without, {with_it:.0f} KiB with {LOOP}", file=sys.stderr)
print("fine" if with_it < without + 3 * 1024 else (without, with_it))
""",
        own_gil,
        os.environ["MAINSPRING_LIFE_INTERPRETERS"],
        timeout=600,
    )
    check(done)
    print(done.stderr)
