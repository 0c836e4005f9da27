"""The addresses at which a process and its children listen."""

from __future__ import annotations

import ipaddress

import psutil


def listening(pid: int) -> list[tuple[str, int]]:
    """Hosts and ports of TCP, as others on this machine reach them; psutil.Error if the process cannot be looked at."""
    process = psutil.Process(pid)
    found = [
        (_reachable(connection.laddr.ip), connection.laddr.port)
        for each in (process, *process.children(recursive=True))
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    return list(dict.fromkeys(found))


def _reachable(address: str) -> str:
    """An address to connect to: a server that listens at every one is reached at the loopback interface's."""
    if not ipaddress.ip_address(address).is_unspecified:
        return address
    return "::1" if ":" in address else "127.0.0.1"
