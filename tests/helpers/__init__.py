"""What the tests share: the loops, ways to compare them, recording protocols, TLS, subprocesses."""

from helpers.certificates import Authority
from helpers.compare import compare, normalised, outcome
from helpers.datagrams import DatagramRecorder, closed_endpoints
from helpers.descriptors import open_descriptors
from helpers.errors import collect_errors
from helpers.loops import LOOPS, finish, is_mainspring
from helpers.programs import run_program, start_program
from helpers.protocols import Recorder, connected, serving
from helpers.sockets import closed_port, drain_socket, fill_socket, full_listener, tcp_pair
from helpers.tls import TlsPeer, reset, tls_connected, tls_making, tls_serving, tls_with_peer
from helpers.waiting import eventually, idle, turns
from helpers.ways import PORTABLE, needs_linux

__all__ = [
    "LOOPS",
    "PORTABLE",
    "Authority",
    "DatagramRecorder",
    "Recorder",
    "TlsPeer",
    "closed_endpoints",
    "closed_port",
    "collect_errors",
    "compare",
    "connected",
    "drain_socket",
    "eventually",
    "fill_socket",
    "finish",
    "full_listener",
    "idle",
    "is_mainspring",
    "needs_linux",
    "normalised",
    "open_descriptors",
    "outcome",
    "reset",
    "run_program",
    "serving",
    "start_program",
    "tcp_pair",
    "tls_connected",
    "tls_making",
    "tls_serving",
    "tls_with_peer",
    "turns",
]
