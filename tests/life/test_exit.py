"""The interpreter ends while loops are open, run, or have threads at work: no crash, no hang, the right status."""

import pytest

# What each program leaves open: code in a coroutine, whose names live until the interpreter ends.
OPEN = {
    "tasks": """
        kept.append([asyncio.ensure_future(asyncio.sleep(100)) for _ in range(10)])
        kept.append(loop.call_later(100, print))
        kept.append(loop.call_soon(int))
    """,
    "TCP": """
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        kept.append(server)
        kept.append(await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname()))
        kept[-1][0].write(b"x" * 1_000_000)
        await asyncio.sleep(0)
    """,
    "streams": """
        async def serve(reader, writer):
            kept.append((reader, writer))
            await reader.read()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        kept.append(server)
        kept.append(await asyncio.open_connection(*server.sockets[0].getsockname()))
        kept[-1][1].write(b"hello")
        kept.append(asyncio.ensure_future(kept[-1][0].readline()))
        await asyncio.sleep(0.01)
    """,
    "UNIX": """
        one, other = socket.socketpair()
        kept.append(await loop.create_unix_connection(asyncio.Protocol, sock=one))
        kept.append(await asyncio.open_unix_connection(sock=other))
        kept[-1][1].write(b"x" * 1_000_000)
    """,
    "UDP": """
        one = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        address = one[0].get_extra_info("sockname")
        kept.append((one, await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)))
        kept[-1][1][0].sendto(b"datagram")
    """,
    "TLS": """
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(sys.argv[2])
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        serving = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=server)
        kept.append(serving)
        kept.append(await loop.create_connection(asyncio.Protocol, *serving.sockets[0].getsockname(), ssl=client))
        kept[-1][0].write(b"x" * 1_000_000)
    """,
    "pipes": """
        reading, writing = os.pipe()
        kept.append(await loop.connect_read_pipe(asyncio.Protocol, open(reading, "rb")))
        kept.append(await loop.connect_write_pipe(asyncio.Protocol, open(writing, "wb")))
        kept[-1][0].write(b"x" * 1_000_000)
    """,
    "subprocess": """
        kept.append(await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1))
        kept[-1].stdin.write(b"x" * 1_000_000)
    """,
    "executor": """
        started = threading.Event()
        def work():
            started.set()
            time.sleep(0.1)
            loop.call_soon_threadsafe(int)
        kept.extend(loop.run_in_executor(None, work) for _ in range(5))
        started.wait()
    """,
    "watched descriptors": """
        one, other = socket.socketpair()
        one.setblocking(False)
        kept.append((one, other))
        loop.add_writer(other, lambda: None)
        kept.append(asyncio.ensure_future(loop.sock_recv(one, 10)))
        await asyncio.sleep(0.01)
    """,
}

OPEN["everything"] = "".join(OPEN.values())

ENDINGS = {
    "the loop is open": ("loop.run_until_complete(main())", 0),
    "sys.exit in a callback": ("loop.call_later(0.05, sys.exit, 3)\nloop.run_until_complete(forever())", 3),
    "sys.exit in a task": ("loop.run_until_complete(ends(3))", 3),
    "the loop runs in a daemon thread": (
        "threading.Thread(target=loop.run_until_complete, args=(forever(),), daemon=True).start()\nready.wait()",
        0,
    ),
}

PROGRAM = """
kept, ready = [], threading.Event()
loop = factory()

async def main():
{open}
    ready.set()

async def forever():
    await main()
    await asyncio.Event().wait()

async def ends(status):
    await main()
    sys.exit(status)

{ending}
"""


@pytest.mark.parametrize(
    ("what", "ending"),
    [*((what, "the loop is open") for what in OPEN), *(("everything", ending) for ending in list(ENDINGS)[1:])],
)
def test_the_interpreter_ends(run, certificate, what, ending):
    code, status = ENDINGS[ending]
    done = run(PROGRAM.format(open=OPEN[what].replace("\n        ", "\n    "), ending=code), certificate)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr


DAEMONS = """
class Late:
    \"\"\"Holds the end of the interpreter up while its threads want to go on.\"\"\"

    def __del__(self, sleep=time.sleep):
        sleep(0.2)

sys.late = Late()
served = threading.Semaphore(0)
loops = []

async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)

async def talk(address):
    reader, writer = await asyncio.open_connection(*address)
    while True:
        writer.write(b"x" * 100)
        await reader.readexactly(100)
        served.release()

class Slow(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"first")

    def data_received(self, data):
        time.sleep(0.0001)
        self.transport.write(data)

async def call_threads():
    while True:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.0001)

async def use_sockets():
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    while True:
        await asyncio.get_running_loop().sock_sendall(one, b"z" * 100)
        await asyncio.get_running_loop().sock_recv(other, 100)
        await asyncio.sleep(0)

def tick(loop):
    time.sleep(0.0001)
    loop.call_later(0.0001, tick, loop)

async def main(with_executor):
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    work = [talk(address), talk(address), use_sockets()]
    if with_executor:
        work.append(call_threads())
    tasks = [loop.create_task(coroutine) for coroutine in work]
    await loop.create_connection(Slow, *address)
    tick(loop)
    loops.append(loop)
    await asyncio.Event().wait()

def disturb():
    while True:
        for loop in loops:
            loop.call_soon_threadsafe(int)

for _ in range(2):
    running = factory().run_until_complete
    threading.Thread(target=running, args=(main(sys.argv[2] == "True"),), daemon=True).start()
for _ in range(30):
    served.acquire()
threading.Thread(target=disturb, daemon=True).start()
"""


@pytest.mark.parametrize("with_executor", [False, True])
@pytest.mark.parametrize("time", range(2))
def test_the_interpreter_ends_while_daemon_threads_use_their_loops(run, with_executor, time):
    done = run(DAEMONS, with_executor)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    # The executor says that the interpreter ends; nothing else happens.
    assert with_executor or done.stderr == ""


THREADS_OF_THE_EXECUTOR = """
loop = factory()
began, may_end = threading.Event(), threading.Event()

def work():
    began.set()
    may_end.wait()
    print("worked")
    try:
        loop.call_soon_threadsafe(print, "never")
    except RuntimeError as error:
        print(error)

async def main():
    loop.run_in_executor(None, work)
    while not began.is_set():
        await asyncio.sleep(0)

loop.run_until_complete(main())
if sys.argv[2] == "closed":
    loop.close()
threading.Timer(0.01, may_end.set).start()
"""


@pytest.mark.parametrize(("state", "said"), [("open", "worked\n"), ("closed", "worked\nEvent loop is closed\n")])
def test_the_interpreter_waits_for_the_threads_of_the_executor(run, state, said):
    done = run(THREADS_OF_THE_EXECUTOR, state)
    assert (done.returncode, done.stdout) == (0, said), done.stderr


AT_EXIT = """
import atexit

loop = factory()
loop.run_until_complete(asyncio.sleep(0))

@atexit.register
def at_exit():
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    other = factory()
    other.run_until_complete(asyncio.sleep(0.001))
    other.close()
    print("both ran")
"""


def test_loops_run_in_functions_of_atexit(run):
    done = run(AT_EXIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "both ran\n", "")
