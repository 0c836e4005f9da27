"""Names and addresses (asyncio documentation, "DNS").

What needs no look-up is answered at once, without a thread. Everything else is asked of ``socket`` in the loop's
default executor, as ``asyncio.BaseEventLoop`` does, so that a program that replaces ``socket.getaddrinfo`` is served by
its replacement on this loop too.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

# A function that has been replaced is always called as the default loop would call it, and so are both in debug mode,
# where each look-up is logged.
_getaddrinfo = socket.getaddrinfo
_getnameinfo = socket.getnameinfo

_NUMERIC_HOST = int(socket.AI_NUMERICHOST)
_NUMERIC_NAME = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class NameMethods:
    """``getaddrinfo`` and ``getnameinfo``."""

    async def getaddrinfo(
        self: Any, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, ...]]:
        """The addresses of ``host``, as ``socket.getaddrinfo`` gives them; at once when ``host`` is an address.

        Raises ``socket.gaierror`` as that function does.
        """
        if socket.getaddrinfo is _getaddrinfo and not self._debug:
            answer = self._numeric_addresses(host, port, family, type, proto, flags)
            if answer is not None:
                return answer
            if _is_numeric_host(host) and _is_numeric_port(port) and isinstance(flags, int):
                try:
                    answer = _getaddrinfo(host, port, family, type, proto, int(flags) | _NUMERIC_HOST)
                except OSError:
                    pass  # It was a name after all, or the error is to be the one for the flags that were given.
                else:
                    self._learn_addresses(host, port, family, type, proto, flags, answer)
                    return answer
        return await asyncio.BaseEventLoop.getaddrinfo(
            self, host, port, family=family, type=type, proto=proto, flags=flags
        )

    async def getnameinfo(self: Any, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """The name and service of ``sockaddr``; at once when ``flags`` ask for both as numbers.

        Raises ``socket.gaierror`` as ``socket.getnameinfo`` does.
        """
        if isinstance(flags, int) and flags & _NUMERIC_NAME == _NUMERIC_NAME and socket.getnameinfo is _getnameinfo:
            return _getnameinfo(sockaddr, flags)
        return await asyncio.BaseEventLoop.getnameinfo(self, sockaddr, flags)


def _is_numeric_host(host: Any) -> bool:
    """Whether ``host`` looks like an address: only such texts are worth a first try."""
    if isinstance(host, str):
        return host[:1].isdigit() or ":" in host
    return isinstance(host, bytes) and (host[:1].isdigit() or b":" in host)


def _is_numeric_port(port: Any) -> bool:
    # The name of a service is looked up in files, or over the network.
    return port is None or isinstance(port, int) or (isinstance(port, str) and port.isdecimal())
