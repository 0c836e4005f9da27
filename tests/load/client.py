"""The clients' process: plain sockets, so that nothing but the server depends on the loop under test.

``client.py NAME HOST PORT ARGUMENTS`` prints a word when a step is done, and waits for a line on its input before the
next.
"""

import contextlib
import hashlib
import resource
import selectors
import socket
import ssl
import sys
import threading
import time

from noise import noise


def say(*words):
    """One line for the campaign."""
    print(*words, flush=True)


def wait():
    """Until the campaign says so."""
    sys.stdin.readline()


def connect_many(address, count, receive_buffer=None):
    """So many connections, all opened before any is used."""
    socks = []
    for _ in range(count):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(address)
        socks.append(sock)
    return socks


def slow_readers(address, count, expected):
    """Connect, read nothing for long, then everything."""
    socks = connect_many(address, int(count), 4096)
    say("connected")
    wait()
    for sock in socks:
        received = 0
        while data := sock.recv(65536):
            received += len(data)
        assert received == int(expected), f"{received} bytes instead of {expected}"
        sock.close()
    say("read")


def accept_storm(address, count):
    """Connect as many times as possible at once; each connection is greeted."""
    socks = []
    waiting = selectors.DefaultSelector()
    for _ in range(int(count)):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(address)
        waiting.register(sock, selectors.EVENT_READ)
        socks.append(sock)
    greeted = 0
    while greeted < len(socks):
        for key, _ in waiting.select(60):
            assert key.fileobj.recv(10) == b"welcome"
            waiting.unregister(key.fileobj)
            greeted += 1
    for sock in socks:
        sock.close()
    say("greeted")


def handshake_storm(address, count, authority):
    """Shake hands on so many connections at once, in four threads."""
    context = ssl.create_default_context(cafile=authority)
    failures = []

    def shake(socks):
        try:
            # All say hello before one goes on.
            secured = [
                context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False) for sock in socks
            ]
            for sock in secured:
                sock.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError):
                    sock.do_handshake()
                sock.setblocking(True)
            for sock in secured:
                sock.do_handshake()
                assert sock.recv(10) == b"welcome"
                sock.close()
        except Exception as error:
            failures.append(error)

    socks = connect_many(address, int(count))
    threads = [threading.Thread(target=shake, args=(socks[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    say("greeted")


def transfer(address, size, authority=""):
    """Send so many bytes, receive as many, and say what their hash is."""
    sock = socket.create_connection(address)
    if authority:
        sock = ssl.create_default_context(cafile=authority).wrap_socket(sock, server_hostname="localhost")
    for piece in noise("there", int(size)):
        sock.sendall(piece)
    received, left = hashlib.sha256(), int(size)
    while left:
        data = sock.recv(1 << 18)
        assert data, f"the connection ended {left} bytes too early"
        received.update(data)
        left -= len(data)
    say("hash", received.hexdigest())
    sock.close()


def others(address, clients, seconds):
    """Ask over so many connections in turn, and say what the 99th percentile of the answers' times was; again for each
    line of input."""
    socks = connect_many(address, int(clients))
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = selectors.DefaultSelector()
    for sock in socks:
        waiting.register(sock, selectors.EVENT_READ)
    say("connected")
    while sys.stdin.readline().strip() == "measure":
        times, sent = [], {}
        end = time.monotonic() + float(seconds)
        for sock in socks:
            sent[sock] = time.monotonic()
            sock.sendall(b"x" * 1000)
        while sent:
            for key, _ in waiting.select():
                sock = key.fileobj
                assert len(sock.recv(1000, socket.MSG_WAITALL)) == 1000
                now = time.monotonic()
                times.append(now - sent.pop(sock))
                if now < end:
                    sent[sock] = now
                    sock.sendall(b"x" * 1000)
        times.sort()
        say("p99", times[len(times) * 99 // 100], len(times))


def flood(address):
    """Send as fast as the server takes it, and read what comes back, from one line of input to the next."""
    sock = socket.create_connection(address)
    running = threading.Event()

    def read():
        while sock.recv(1 << 18):
            pass

    def write():
        piece = bytes(1 << 18)
        while running.wait():
            sock.sendall(piece)

    for function in (read, write):
        threading.Thread(target=function, daemon=True).start()
    say("connected")
    while word := sys.stdin.readline().strip():
        running.set() if word == "start" else running.clear()
        say(word)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    name, host, port, *arguments = sys.argv[1:]
    globals()[name]((host, int(port)), *arguments)
