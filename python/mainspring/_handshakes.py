"""Accepted TLS connections whose handshake is not done yet.

On the default loop a task waits for each of them. Here nobody waits while the loop runs: what such a task would do is
done when the handshake has failed. When the loop stops, those that are left get their tasks, so that whoever cancels
all tasks then, as ``asyncio.run`` does, ends them too.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from mainspring._tls import TlsProtocol

# The default loop's text for a connection that could not be accepted.
ACCEPT_ERROR = "Error on transport creation for incoming connection"


class PendingHandshake:
    """What an accepted connection's TLS protocol has in the place of the future that it wakes."""

    __slots__ = ("_context", "_loop", "_protocol", "_secured", "_transport")

    def __init__(self, loop: Any, protocol: asyncio.BaseProtocol, context: contextvars.Context) -> None:
        self._loop, self._protocol, self._context = loop, protocol, context

    def belongs_to(self, secured: Any) -> None:
        """Begin to wait for this TLS protocol."""
        self._secured, self._transport = secured, secured._app_transport
        self._loop._handshakes.add(self)

    def cancelled(self) -> bool:
        return False

    def set_result(self, _result: None) -> None:
        self._loop._handshakes.discard(self)

    def set_exception(self, error: BaseException) -> None:
        self._loop._handshakes.discard(self)
        # In the next turn, as a task would.
        self._loop.call_soon(self._failed, error, context=self._context)

    def _failed(self, error: BaseException) -> None:
        self._transport.close()
        self._loop._report_failed_accept(error, {"protocol": self._protocol, "transport": self._transport})

    def leave_to_task(self) -> None:
        self._secured._waiter = waiter = self._loop.create_future()
        waiting = self._wait(waiter)
        # It begins now: a task that is cancelled before its first step would run none of it.
        waiting.send(None)
        try:
            self._context.run(self._loop.create_task, waiting)
        except Exception as error:
            # A task factory of the program's. What the loop has just done is not to be lost by it.
            waiting.close()
            self._transport.close()
            self._loop.call_exception_handler({"message": ACCEPT_ERROR, "exception": error, "protocol": self._protocol})

    async def _wait(self, waiter: Any) -> None:
        try:
            await asyncio.sleep(0)
            await waiter
        except (SystemExit, KeyboardInterrupt):
            self._transport.close()
            raise
        except GeneratorExit:
            raise
        except BaseException as error:
            # The exception would keep the protocol alive through the future.
            waiter = None
            self._failed(error)


class HandshakeMethods:
    """The loop's methods for accepted TLS connections."""

    _handshakes: set[PendingHandshake]

    def _accept_tls(
        self: Any, protocol: asyncio.BaseProtocol, tls: dict[str, Any], context: contextvars.Context
    ) -> TlsProtocol:
        """The TLS protocol between an accepted connection and the program's protocol."""
        waiter = PendingHandshake(self, protocol, context)
        secured = TlsProtocol(self, protocol, waiter=waiter, server_side=True, **tls)
        waiter.belongs_to(secured)
        return secured

    def _leave_handshakes_to_tasks(self: Any) -> None:
        while self._handshakes:
            self._handshakes.pop().leave_to_task()

    def _report_failed_accept(self: Any, error: BaseException, details: dict[str, Any]) -> None:
        """As by default, only debug mode tells."""
        if self._debug:
            self.call_exception_handler({"message": ACCEPT_ERROR, "exception": error, **details})
