"""What a TLS connection has carried does not stay in memory that the loop uses again.

A program receives a secret and forgets it; another process then looks for it in the program's memory. Objects of Python
are the program's, so Python's allocator is told to overwrite what is freed, and so is OpenSSL
(SSL_OP_CLEANSE_PLAINTEXT): what is found then is in a buffer of the loop.
"""

import os
import re
import socket
import sys

import pytest
from helpers import start_program

PROGRAM = """
    import asyncio, contextlib, gc, ssl, sys
    import mainspring

    SSL_OP_CLEANSE_PLAINTEXT = 2
    loop_name, how, certificate, total = sys.argv[1:]
    total = int(total)
    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[loop_name]

    class Protocol(asyncio.Protocol):
        def __init__(self, done, lost):
            self.kept, self.size, self.done, self.lost = [], 0, done, lost

        def data_received(self, data):
            self.kept.append(data)
            self.size += len(data)
            if self.size == total:
                self.done.set_result(self.kept)

        def connection_made(self, transport):
            self.transport = transport

        def connection_lost(self, error):
            self.lost.set_result(None)

    class Buffered(asyncio.BufferedProtocol):
        def __init__(self, done, lost):
            self.buffer, self.size, self.done, self.lost = bytearray(total), 0, done, lost

        def connection_made(self, transport):
            self.transport = transport

        def get_buffer(self, hint):
            return memoryview(self.buffer)[self.size :]

        def buffer_updated(self, count):
            self.size += count
            if self.size == total:
                self.done.set_result([self.buffer])

        def connection_lost(self, error):
            self.lost.set_result(None)

    async def tell(text):
        print(text, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    async def serve(context):
        loop = asyncio.get_running_loop()
        done, lost = loop.create_future(), loop.create_future()
        if how in ("protocol", "buffered"):
            kind = {"protocol": Protocol, "buffered": Buffered}[how]
            server = await loop.create_server(lambda: kind(done, lost), "127.0.0.1", 0, ssl=context)
        else:
            async def client_connected(reader, writer):
                kept, size = [], 0
                while size < total:
                    if how == "readline":
                        kept.append(await reader.readline())
                    elif how == "readexactly":
                        kept.append(await reader.readexactly(min(700, total - size)))
                    else:
                        kept.append(await reader.read(500))
                    size += len(kept[-1])
                done.set_result(kept)
                with contextlib.suppress(OSError):
                    await reader.read()
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                lost.set_result(None)

            server = await asyncio.start_server(client_connected, "127.0.0.1", 0, ssl=context)
        await tell(server.sockets[0].getsockname()[1])
        kept = await done
        await tell("kept")
        server.close()
        await lost
        await server.wait_closed()
        kept.clear()

    async def main():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.options |= SSL_OP_CLEANSE_PLAINTEXT
        await serve(context)
        for _ in range(10):
            await asyncio.sleep(0)
        gc.collect()
        await tell("forgotten")

    # The loop is still there, as are all its buffers.
    factory().run_until_complete(main())
"""


STREAMS = ["read", "readline", "readexactly"]


def found(pid, needle):
    """How often the bytes are in the memory of a process."""
    count = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            begin, end = (
                (int(text, 16) for text in re.match(r"(\w+)-(\w+) rw", line).groups()) if " rw" in line else (0, 0)
            )
            # No buffer is on a stack, where the dynamic linker saves the registers that memcpy() has used.
            if begin == end or "[stack" in line or "[v" in line:
                continue
            try:
                memory.seek(begin)
                region = bytearray()
                while len(region) < end - begin and (piece := memory.read(end - begin - len(region))):
                    region += piece
            except OSError:
                # A thread's stack, say, that went meanwhile.
                continue
            count += region.count(needle)
    return count


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory of processes is read in /proc")
@pytest.mark.skipif("san.so" in os.environ.get("LD_PRELOAD", ""), reason="sanitizers keep what is freed, unchanged")
@pytest.mark.parametrize("messages", ["one", "many", "large"])
@pytest.mark.parametrize("how", ["protocol", "buffered", *STREAMS])
def test_a_secret_is_gone_when_the_program_has_forgotten_it(authority, loop_name, how, messages):
    if loop_name == "default" and how in STREAMS:
        pytest.skip("the bytearray of Python that asyncio's streams use may leave copies when its size changes")
    secret = os.urandom(40).hex().encode()
    message = secret * (400 if messages == "large" else 10) + b"\n"
    count = 1 if messages == "one" else 50
    certificate = authority.issue("localhost")
    program = start_program(
        PROGRAM, loop_name, how, certificate, count * len(message),
        stdin=-1, env={"PYTHONMALLOC": "debug"},
    )  # fmt: skip

    def next_line():
        line = program.stdout.readline()
        assert line, program.communicate()[1]
        return line.strip()

    def go_on():
        program.stdin.write("\n")
        program.stdin.flush()

    # A piece from the middle: allocators write into the beginning of what is freed.
    needle = secret[20:52]
    try:
        port = int(next_line())
        go_on()
        plain = socket.create_connection(("127.0.0.1", port))
        with authority.client_context().wrap_socket(plain, server_hostname="localhost") as client:
            for _ in range(count):
                client.sendall(message)
            assert next_line() == "kept"
            assert found(program.pid, needle) > 0
            go_on()
        assert next_line() == "forgotten"
        assert found(program.pid, needle) == 0
        go_on()
        assert program.communicate()[1] == ""
        assert program.returncode == 0
    finally:
        program.kill()
        program.communicate()
