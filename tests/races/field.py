"""Where the races take place: servers, other code with descriptors of its own, and the account of what happened."""

import asyncio
import collections
import gc
import inspect
import os
import random
import socket
import ssl
import tempfile
import threading
import weakref
from pathlib import Path

from helpers import Authority
from interposer import Interposer
from peers import Answering
from squatter import Squatter

PATIENCE = 40  # seconds for one race, on a machine that does much else


class Field:
    """Runs the races and remembers what must not have happened."""

    def __init__(self, seed, kinds):
        self._seed = seed
        self._kinds = kinds
        self._interposer = Interposer()
        self._squatter = Squatter(self, self._interposer, 8, "in the loop")
        self._seen = set()
        self.ends = weakref.WeakSet()
        self._stopping = threading.Event()
        self.outcomes = collections.Counter()
        self.violations = []
        self.bytes_checked = 0

    def violation(self, text):
        """Something happened that must not."""
        self.violations.append(text)

    def random(self, number, purpose):
        """The random numbers of one race, which follow from the seed."""
        return random.Random(f"{self._seed} {number} {purpose}")

    def arrived(self, number):
        """A connection has said who it is; no other may say the same."""
        if number in self._seen:
            self.violation(f"race {number}: its header arrived twice")
        self._seen.add(number)

    def squat(self):
        """Take the numbers that have just become free."""
        self._squatter.step()

    def answering(self):
        """A server's protocol."""
        return Answering(self, self._server_context)

    async def run(self, races, at_once):
        """Run so many races, so many at a time."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        self.clients = races
        with tempfile.TemporaryDirectory() as folder:
            await self._serve(loop, Path(folder))
            before = len(os.listdir("/proc/self/fd"))
            thread = threading.Thread(target=self._squat_in_thread)
            thread.start()
            numbers = iter(range(races))
            try:
                await asyncio.gather(*(self._lane(loop, numbers) for _ in range(at_once)))
            finally:
                self._stopping.set()
                await asyncio.to_thread(thread.join)
            self._squatter.free_all()
            await self._settle(before)
            for server in self._servers:
                server.close()

    def conclude(self):
        """After the loop is closed: what the interposer saw."""
        gc.collect()
        if self._interposer.closed_twice:
            self.violation(f"{self._interposer.closed_twice} descriptors were closed that were not open")
        if self._interposer.closed_foreign:
            self.violation(f"{self._interposer.closed_foreign} descriptors were closed by somebody else")

    def report(self, seconds):
        """What happened, as a few lines."""
        outcomes = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        return (
            f"{self.outcomes.total()} races in {seconds:.0f} s: {outcomes}\n"
            f"{len(self._seen)} connections reached a server, {self.bytes_checked / 1e6:.0f} MB checked, "
            f"closed twice {self._interposer.closed_twice}, closed by others {self._interposer.closed_foreign}"
        )

    async def _serve(self, loop, folder):
        authority = Authority(folder)
        self._server_context, self.client_context = authority.server_context(), authority.client_context()
        # Sessions that are resumed would leave out half of the handshake.
        self._server_context.options |= ssl.OP_NO_TICKET
        plain = await loop.create_server(self.answering, "127.0.0.1", 0)
        secure = await loop.create_server(self.answering, "127.0.0.1", 0, ssl=self._server_context)
        upgrading = await loop.create_server(self.answering, "127.0.0.1", 0)
        self.path = str(folder / "socket")
        self._servers = [plain, secure, upgrading, await loop.create_unix_server(self.answering, self.path)]
        self.address, self.tls_address, self.upgrading_address = (
            server.sockets[0].getsockname() for server in self._servers[:3]
        )
        self.has_happy_eyeballs = "happy_eyeballs_delay" in inspect.signature(loop.create_connection).parameters
        # The threads and the loop's own descriptors are part of what has to be there in the end.
        await loop.getaddrinfo("localhost", 80)
        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            receiving = loop.create_task(loop.sock_recv(one, 1))
            await asyncio.sleep(0)
            other.send(b"x")
            await receiving

    async def _lane(self, loop, numbers):
        for number in numbers:
            rng = self.random(number, "client")
            kind = rng.choice(self._kinds)
            race = loop.create_task(kind(self, rng, number))
            if rng.random() < 0.6:
                self._cancel_after(loop, race, rng)
            done, _ = await asyncio.wait([race], timeout=PATIENCE)
            if not done:
                self.violation(f"race {number} ({kind.__name__}) hangs: {race!r}")
                race.cancel()
                continue
            self.outcomes[self._outcome(number, kind, race)] += 1

    def _cancel_after(self, loop, race, rng):
        # Within the first turns, where connecting and handshakes are, or any time later.
        if rng.random() < 0.3:
            loop.call_later(rng.random() * 0.02, race.cancel)
            return
        turns = rng.randrange(25)

        def turn():
            nonlocal turns
            turns -= 1
            if turns < 0:
                race.cancel()
            elif not race.done():
                loop.call_soon(turn)

        turn()

    def _outcome(self, number, kind, race):
        if race.cancelled():
            return "cancelled"
        error = race.exception()
        if error is None:
            return "done"
        # What a connection may come to when its other end goes away at any time.
        if isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError, NotImplementedError)):
            return type(error).__name__
        self.violation(f"race {number} ({kind.__name__}) ended with {error!r}")
        return "violation"

    def _unexpected(self, loop, context):
        error = context.get("exception")
        if not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            self.violation(f"the exception handler was called: {context}")

    def _squat_in_thread(self):
        squatter = Squatter(self, self._interposer, 4, "in a thread")
        while not self._stopping.wait(0.0005):
            squatter.step()
        squatter.free_all()

    async def _settle(self, before):
        # Two ends that are closed wait for ever for each other to read what they still have to send. Once they are
        # aborted, everything that was opened is closed, if not at once then after what is under way.
        for transport in [end.transport for end in self.ends]:
            transport.abort()
        transport = None
        for _ in range(100):
            gc.collect()
            now = os.listdir("/proc/self/fd")
            if len(now) <= before:
                return
            await asyncio.sleep(0.05)
        names = []
        for number in now:
            try:
                names.append(f"{number}: {os.readlink(f'/proc/self/fd/{number}')}")
            except OSError:
                continue
        self.violation(f"{len(now) - before} descriptors are left: {names}")
