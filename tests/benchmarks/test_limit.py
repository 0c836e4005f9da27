"""The limit of the benchmark, echo servers on bare epoll, gives back every byte."""

import socket
import ssl
import threading

import pytest
from mainspring.benchmarks.limit import LimitServer

# More than a socket's buffers hold, so that sending waits while the peer does not read.
LARGE = bytes(range(256)) * 65536


def connect(address, tls=False):
    if isinstance(address, str):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(address)
    else:
        peer = socket.create_connection(("127.0.0.1", address), timeout=30)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        peer = context.wrap_socket(peer)
    return peer


def exchange(peer, data):
    """Send ``data`` while its echo is received; the echo."""
    sending = threading.Thread(target=peer.sendall, args=(data,))
    sending.start()
    received = bytearray()
    while len(received) < len(data) and (part := peer.recv(65536)):
        received += part
    sending.join()
    return bytes(received)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_what_is_sent_comes_back(transport):
    with LimitServer(transport).running() as (_, address), connect(address) as one, connect(address) as two:
        assert exchange(one, b"first") == b"first"
        assert exchange(two, LARGE) == LARGE
        assert exchange(one, b"again") == b"again"


@pytest.mark.parametrize("collect", [False, True])
def test_what_is_sent_by_tls_comes_back(collect):
    with LimitServer(tls=True, collect=collect).running() as (_, address), connect(address, tls=True) as peer:
        assert exchange(peer, b"first") == b"first"
        # A TLS object must not be used by two threads at once, so what is sent fits into the buffers of the sockets.
        message = LARGE[:100_000]
        peer.sendall(message)
        received = bytearray()
        while len(received) < len(message):
            received += peer.recv(65536)
        assert received == message


def test_a_peer_that_reads_late_gets_everything():
    with LimitServer().running() as (_, address), connect(address) as peer:
        peer.settimeout(0.2)
        sent = 0
        # Until both directions are full.
        with pytest.raises(TimeoutError):
            while True:
                sent += peer.send(LARGE[sent % len(LARGE) :][:65536])
        peer.settimeout(30)
        received = 0
        while received < sent:
            part = peer.recv(1 << 20)
            assert part == (LARGE * 2)[received % len(LARGE) :][: len(part)]
            received += len(part)


def test_datagrams_go_back_to_their_senders():
    with (
        LimitServer("udp").running() as (_, port),
        socket.socket(type=socket.SOCK_DGRAM) as one,
        socket.socket(type=socket.SOCK_DGRAM) as two,
    ):
        for peer in (one, two):
            peer.settimeout(30)
            peer.connect(("127.0.0.1", port))
        one.send(b"one")
        two.send(b"two")
        assert one.recv(100) == b"one"
        assert two.recv(100) == b"two"


def test_a_connection_ends_when_its_peer_ends_it():
    with LimitServer().running() as (_, address), connect(address) as peer:
        peer.sendall(b"last")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b"last"
        assert peer.recv(100) == b""
