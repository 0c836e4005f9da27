"""TLS: the standard library's protocol, whose hot path is native.

Handshake, shutdown, timeouts and errors are ``asyncio.sslproto``'s own code; the native halves carry the data. They
call the methods named ``_python_...`` for whatever is not plain data on an established connection.
"""

from __future__ import annotations

import os
import types
from asyncio import base_events, sslproto
from typing import Any

from mainspring import _core

# Private, and so without types.
_SSLProtocol: Any = vars(sslproto)["SSLProtocol"]
_SSLProtocolTransport: Any = vars(sslproto)["_SSLProtocolTransport"]

# Whether OpenSSL may be called directly.
native = os.environ.get("MAINSPRING_TLS") != "python"


class TlsTransport(_core.TlsWriting, _SSLProtocolTransport):  # type: ignore[misc]
    """What the program's protocol gets as its transport."""

    _python_write = _SSLProtocolTransport.write
    _python_writelines = _SSLProtocolTransport.writelines


class TlsProtocol(_core.TlsProtocol, _SSLProtocol):  # type: ignore[misc]
    """The protocol between a stream transport and the TLS transport."""

    _python_do_read = _SSLProtocol._do_read
    _python_process_outgoing = _SSLProtocol._process_outgoing
    _python_on_handshake_complete = _SSLProtocol._on_handshake_complete

    def __init__(self, loop: Any, *args: Any, **keywords: Any) -> None:
        # get_buffer() makes the buffer when a transport asks for it; ours does not.
        self.max_size = 0
        _SSLProtocol.__init__(self, loop, *args, **keywords)
        del self.max_size
        if native:
            loop._drive_tls(self)

    def _get_app_transport(self: Any) -> Any:
        if self._app_transport is None and not self._app_transport_created:
            self._app_transport = TlsTransport(self._loop, self)
            self._app_transport_created = True
        return _SSLProtocol._get_app_transport(self)

    def _python_read_into(self: Any, buffer: Any) -> None:
        """Read into a buffer that the program's protocol has given already."""
        get_buffer = self._app_protocol_get_buffer

        def give(_hint: int) -> Any:
            self._app_protocol_get_buffer = get_buffer
            return buffer

        self._app_protocol_get_buffer = give
        self._do_read__buffered()


# Nobody can tell them by their names.
for _ours, _theirs in ((TlsTransport, _SSLProtocolTransport), (TlsProtocol, _SSLProtocol)):
    _ours.__name__, _ours.__qualname__, _ours.__module__ = _theirs.__name__, _theirs.__qualname__, _theirs.__module__


class _SslprotoWithOurs:
    """``asyncio.sslproto`` with another ``SSLProtocol``."""

    SSLProtocol = TlsProtocol

    def __getattr__(self, name: str) -> Any:
        return getattr(sslproto, name)


class _BaseEventsWithOurs(dict[str, Any]):
    """The globals of ``asyncio.base_events``, as they are at the time, with another ``sslproto``."""

    def __missing__(self, name: str) -> Any:
        return vars(base_events)[name]


def _start_tls() -> Any:
    """``BaseEventLoop.start_tls``, whose details differ between releases, making our protocol."""
    original: Any = base_events.BaseEventLoop.start_tls
    if not isinstance(original, types.FunctionType):
        return original
    fixed = ("__name__", "__package__", "__spec__", "__builtins__")
    names = _BaseEventsWithOurs({name: vars(base_events)[name] for name in fixed}, sslproto=_SslprotoWithOurs())
    copy = types.FunctionType(original.__code__, names, original.__name__, original.__defaults__, original.__closure__)
    copy.__kwdefaults__ = original.__kwdefaults__
    copy.__qualname__, copy.__module__, copy.__doc__ = original.__qualname__, original.__module__, original.__doc__
    return copy


class TlsMethods:
    """The loop's methods for TLS."""

    start_tls = _start_tls()
