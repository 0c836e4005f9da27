"""Ten thousand connections open at once on one loop, each echoing, none lost."""

import resource

import pytest
from helpers import run_program, start_program
from helpers.signalled import controlled

SERVER = """
    import asyncio, resource, sys
    import mainspring

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    class Echo(asyncio.Protocol):
        open = most = lost_with_error = 0

        def connection_made(self, transport):
            self.transport = transport
            Echo.open += 1
            Echo.most = max(Echo.most, Echo.open)

        def data_received(self, data):
            self.transport.write(data)

        def connection_lost(self, error):
            Echo.open -= 1
            Echo.lost_with_error += error is not None

    async def main():
        loop = asyncio.get_running_loop()
        assert type(loop) is mainspring.Loop
        server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
        print("port", server.sockets[0].getsockname()[1], flush=True)
        while Echo.most == 0:
            await asyncio.sleep(0.01)
        deadline = loop.time() + 20
        while Echo.open and loop.time() < deadline:
            await asyncio.sleep(0.01)
        print(Echo.most, Echo.open, Echo.lost_with_error, flush=True)

    mainspring.run(main())
"""

CLIENT = """
    import resource, select, socket, sys, time

    port, count = int(sys.argv[1]), int(sys.argv[2])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    epoll = select.epoll()
    sockets, echoed = {}, {}
    for number in range(count):
        sock = socket.socket()
        # Source addresses of their own: one has too few ports.
        sock.bind((f"127.0.0.{2 + number % 8}", 0))
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        sockets[sock.fileno()] = sock
        epoll.register(sock, select.EPOLLIN)
    for round in range(3):
        for fd, sock in sockets.items():
            echoed[fd] = b""
            assert sock.send(b"%d:%d;" % (round, fd)) > 0
        waiting = set(sockets)
        deadline = time.monotonic() + 30
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} without an answer"
            for fd, events in epoll.poll(1):
                data = sockets[fd].recv(100)
                assert data, "closed by the server"
                echoed[fd] += data
                if echoed[fd] == b"%d:%d;" % (round, fd):
                    waiting.discard(fd)
    for sock in sockets.values():
        sock.close()
    print("answered", count)
"""


def test_ten_thousand_connections_echo_and_none_is_lost():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = 10_000 if hard == resource.RLIM_INFINITY else min(10_000, hard - 200)
    if count < 1000:
        pytest.skip(f"only {hard} descriptors are allowed here")
    with controlled(start_program(SERVER)) as server:
        client = run_program(CLIENT, server.expect_port(), count, timeout=60)
        assert client.stderr == ""
        assert client.stdout == f"answered {count}\n"
        assert server.end() == (0, [f"{count} 0 0"], "")
