"""Sessions are resumed, by a context that hands them to its connections."""

import asyncio
import ssl

import pytest
from helpers import eventually, tls_connected


class Resuming(ssl.SSLContext):
    """Resumes the session that it is given."""

    resumed = None

    def wrap_bio(self, *positions, **keywords):
        if self.resumed is not None:
            keywords["session"] = self.resumed
        return super().wrap_bio(*positions, **keywords)


def objects(ends):
    return [end.transport.get_extra_info("ssl_object") for end in ends]


def test_a_session_is_resumed(loop, authority, version):
    async def main():
        server_context = authority.server_context(version=version)
        client_context = authority.client_context(kind=Resuming)
        for expected in (False, True, True):
            async with tls_connected(server_context, client_context) as (client, server):
                assert [one.session_reused for one in objects((client, server))] == [expected] * 2
                server.transport.write(b"hello")
                await eventually(lambda end=client: end.received == b"hello")
                # In TLS 1.3 it has come behind the handshake.
                client_context.resumed = objects((client,))[0].session
                assert client_context.resumed.has_ticket
                client.transport.close()
                await asyncio.gather(client.lost, server.lost)

    loop.run_until_complete(main())


@pytest.mark.parametrize("tickets", [0, 3])
def test_a_server_gives_as_many_tickets_as_it_is_told_to(loop, authority, tickets):
    async def main():
        server_context = authority.server_context(version=ssl.TLSVersion.TLSv1_3)
        server_context.num_tickets = tickets
        client_context = authority.client_context()
        async with tls_connected(server_context, client_context) as (client, server):
            server.transport.write(b"hello")
            await eventually(lambda: client.received == b"hello")
            (sslobject,) = objects((client,))
            assert sslobject.session.has_ticket == bool(tickets)

    loop.run_until_complete(main())


def test_another_server_does_not_resume(loop, authority, version):
    async def main():
        client_context = authority.client_context(kind=Resuming)
        for _ in range(2):
            # A new context has new keys for its tickets.
            server_context = authority.server_context(version=version)
            async with tls_connected(server_context, client_context) as (client, server):
                server.transport.write(b"hello")
                await eventually(lambda end=client: end.received == b"hello")
                assert not any(one.session_reused for one in objects((client, server)))
                client_context.resumed = objects((client,))[0].session

    loop.run_until_complete(main())
