"""Plain sockets: connected pairs, filled and emptied."""

import socket
import time

MIB = 1 << 20


def tcp_pair(blocking=False):
    """Two sockets, connected over the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    for sock in (one, other):
        sock.setblocking(blocking)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, other


def closed_port(family=socket.AF_INET):
    """A port of the loopback interface that nobody listens on."""
    with socket.socket(family) as sock:
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock.getsockname()[1]


def full_listener():
    """A socket that listens and answers no more connections, and what fills it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fill = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        fill.append(sock)
    return listener, fill


def fill_socket(sock):
    """Send until there is no room any more, neither when the kernel has moved to the peer what it can.

    The peer's kernel may take 200 ms to acknowledge what it has, which makes room.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    refused = 0
    while refused < 50:
        try:
            sock.send(b"x" * 65536)
            refused = 0
        except BlockingIOError:
            refused += 1
            time.sleep(0.005)


def drain_socket(sock):
    """Read what is there; how much it was."""
    count = 0
    try:
        while data := sock.recv(MIB):
            count += len(data)
    except BlockingIOError:
        pass
    return count
