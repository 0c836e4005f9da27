"""Of which of asyncio's classes the things that a loop makes are instances."""

import asyncio
import os
import socket
import sys

import pytest
from helpers import compare, tcp_pair, turns

CLASSES = [
    asyncio.AbstractEventLoop,
    asyncio.BaseEventLoop,
    asyncio.Handle,
    asyncio.TimerHandle,
    asyncio.BaseTransport,
    asyncio.ReadTransport,
    asyncio.WriteTransport,
    asyncio.Transport,
    asyncio.DatagramTransport,
    asyncio.SubprocessTransport,
    asyncio.AbstractServer,
    asyncio.Server,
    asyncio.Future,
    asyncio.Task,
    asyncio.StreamReader,
    asyncio.StreamWriter,
    asyncio.trsock.TransportSocket,
    asyncio.transports._FlowControlMixin,
]


def classes_of(thing):
    # Python 3.11's own datagram transport lacks this documented class.
    known = [cls for cls in CLASSES if cls is not asyncio.DatagramTransport or sys.version_info >= (3, 12)]
    return [cls.__name__ for cls in known if isinstance(thing, cls)]


async def the_loop(loop):
    return loop


async def a_handle(loop):
    return loop.call_soon(int)


async def a_handle_of_another_thread(loop):
    return loop.call_soon_threadsafe(int)


async def a_timer(loop):
    handle = loop.call_later(60, int)
    handle.cancel()
    return handle


async def a_future(loop):
    return loop.create_future()


async def a_task(loop):
    task = loop.create_task(asyncio.sleep(0))
    await task
    return task


async def a_server(loop):
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    server.close()
    return server


async def a_unix_server(loop):
    server = await loop.create_unix_server(asyncio.Protocol, f"\0mainspring-classes-{os.getpid()}")
    server.close()
    return server


async def a_connection(loop):
    ours, peer = tcp_pair()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    peer.close()
    transport.close()
    return transport


async def the_socket_of_a_connection(loop):
    return (await a_connection(loop)).get_extra_info("socket")


async def a_unix_connection(loop):
    ours, peer = socket.socketpair()
    transport, _ = await loop.create_unix_connection(asyncio.Protocol, sock=ours)
    peer.close()
    transport.close()
    return transport


async def an_accepted_connection(loop):
    ours, peer = tcp_pair()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    peer.close()
    transport.close()
    return transport


async def a_pipe_reader(loop):
    read_end, write_end = os.pipe()
    os.close(write_end)
    transport, _ = await loop.connect_read_pipe(asyncio.Protocol, open(read_end, "rb", 0))
    transport.close()
    return transport


async def a_pipe_writer(loop):
    read_end, write_end = os.pipe()
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(write_end, "wb", 0))
    transport.close()
    os.close(read_end)
    return transport


async def a_datagram_endpoint(loop):
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    transport.close()
    return transport


async def a_subprocess(loop):
    transport, _ = await loop.subprocess_exec(asyncio.SubprocessProtocol, "true")
    await transport._wait()
    transport.close()
    return transport


async def a_stream_writer(loop):
    ours, peer = tcp_pair()
    _, writer = await asyncio.open_connection(sock=ours)
    peer.close()
    writer.close()
    return writer


MAKERS = {
    the_loop: ["AbstractEventLoop", "BaseEventLoop"],
    a_handle: ["Handle"],
    a_handle_of_another_thread: ["Handle"],
    a_timer: ["Handle", "TimerHandle"],
    a_future: ["Future"],
    a_task: ["Future", "Task"],
    a_server: ["AbstractServer", "Server"],
    a_unix_server: ["AbstractServer", "Server"],
    a_connection: ["BaseTransport", "ReadTransport", "WriteTransport", "Transport", "_FlowControlMixin"],
    the_socket_of_a_connection: ["TransportSocket"],
    a_unix_connection: None,
    an_accepted_connection: None,
    a_pipe_reader: ["BaseTransport", "ReadTransport"],
    a_pipe_writer: None,
    a_datagram_endpoint: None,
    a_subprocess: ["BaseTransport", "SubprocessTransport"],
    a_stream_writer: ["StreamWriter"],
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_what_a_loop_makes_is_of_the_same_classes(maker):
    def scenario(loop):
        async def main():
            thing = await maker(loop)
            found = classes_of(thing)
            await turns(5)
            return found

        return loop.run_until_complete(main())

    found = compare(scenario)
    assert found == (MAKERS[maker] or found)
    assert found != []


def test_the_loops_class_is_one_of_asyncios_without_an_instance():
    assert compare(lambda loop: [issubclass(type(loop), cls) for cls in CLASSES[:2]]) == [True, True]


def test_transports_have_the_methods_of_their_kind():
    def scenario(loop):
        async def main():
            found = {}
            for maker in (a_connection, a_pipe_reader, a_pipe_writer, a_datagram_endpoint, a_subprocess, a_server):
                thing = await maker(loop)
                names = [name for name in dir(thing) if not name.startswith("_")]
                found[maker.__name__] = {name: callable(getattr(type(thing), name, None)) for name in names}
            await turns(5)
            return found

        return loop.run_until_complete(main())

    found = compare(scenario)
    assert found["a_connection"]["writelines"]
