"""What a TLS connection demands is what its context says: the loop neither weakens nor strengthens it."""

import asyncio
import socket
import ssl

import pytest
from helpers import Recorder, compare, eventually, tls_connected, tls_serving

pytestmark = pytest.mark.usefixtures("tls_way")

ATTRIBUTES = (
    "check_hostname",
    "hostname_checks_common_name",
    "keylog_filename",
    "maximum_version",
    "minimum_version",
    "num_tickets",
    "options",
    "post_handshake_auth",
    "security_level",
    "verify_flags",
    "verify_mode",
)


def described(context):
    """All that a context demands."""
    values = {name: getattr(context, name) for name in ATTRIBUTES if hasattr(context, name)}
    return values | {"ciphers": [cipher["name"] for cipher in context.get_ciphers()]}


def test_connections_leave_their_contexts_as_they_are(authority):
    def scenario(loop):
        async def main():
            contexts = authority.server_context(), authority.client_context()
            before = [described(context) for context in contexts]
            async with tls_connected(*contexts) as (client, server):
                client.transport.write(b"data")
                await eventually(lambda: server.received == b"data")
                ends = [protocol.transport.get_extra_info("ssl_object") for protocol in (server, client)]
                assert [end.context for end in ends] == list(contexts)
                told = [(end.version(), end.cipher()[0], end.compression()) for end in ends]
            assert [described(context) for context in contexts] == before
            return told

        return loop.run_until_complete(main())

    server, client = compare(scenario)
    assert server == client
    assert client[0] == "TLSv1.3"


def test_the_context_that_asyncio_makes_demands_the_same(authority, monkeypatch):
    made = []
    real = ssl.create_default_context

    def spied(*args, **keywords):
        made.append(real(*args, **keywords))
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", spied)

    def scenario(loop):
        async def main():
            made.clear()
            async with tls_serving(authority.server_context()) as (address, _):
                try:
                    # This authority is none that the system knows.
                    await loop.create_connection(Recorder, *address, ssl=True, server_hostname="localhost")
                except ssl.SSLCertVerificationError as error:
                    return error.verify_message, described(made[0])

        return loop.run_until_complete(main())

    _, demanded = compare(scenario)
    assert demanded["verify_mode"] == ssl.CERT_REQUIRED
    assert demanded["check_hostname"]


@pytest.mark.parametrize("name", ["other.example", "127.0.0.2", "localhost.example", "LOCALHOST", None, ""])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("way", ["connection", "start_tls"])
def test_the_name_of_the_server_is_checked(authority, name, host, way):
    def scenario(loop):
        async def main():
            context = authority.client_context()
            async with tls_serving(authority.server_context()) as ((_, port), _):
                keywords = {} if name is None else {"server_hostname": name}
                transport = None
                try:
                    if way == "connection":
                        transport, _ = await loop.create_connection(
                            Recorder, host, port, ssl=context, family=socket.AF_INET, **keywords
                        )
                    else:
                        transport, protocol = await loop.create_connection(
                            asyncio.Protocol, host, port, family=socket.AF_INET
                        )
                        transport = await loop.start_tls(transport, protocol, context, **keywords)
                except Exception as error:
                    if transport is not None:
                        transport.abort()
                    return type(error), str(error)
                transport.abort()
                return "connected"

        return loop.run_until_complete(main())

    result = compare(scenario)
    # What happens without a name, or with an empty one, is for the ssl module of each Python to say.
    if name == "LOCALHOST":
        assert result == "connected"
    elif name:
        assert result[0] is ssl.SSLCertVerificationError


@pytest.mark.parametrize("demand", ["minimum", "ciphers", "client certificate"])
def test_a_peer_that_offers_less_than_the_context_demands_is_refused(authority, demand):
    def scenario(loop):
        async def main():
            server, client = authority.server_context(), authority.client_context()
            if demand == "minimum":
                server.minimum_version = ssl.TLSVersion.TLSv1_3
                client.maximum_version = ssl.TLSVersion.TLSv1_2
            elif demand == "ciphers":
                server.maximum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
                server.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
                client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
            else:
                server = authority.server_context(asks_client=True)
                client.maximum_version = ssl.TLSVersion.TLSv1_2
            async with tls_serving(server) as (address, made):
                try:
                    await loop.create_connection(Recorder, *address, ssl=client, server_hostname="localhost")
                except OSError:
                    # A reset, or an error of TLS where the server's alert comes first.
                    return "refused", [protocol.events for protocol in made]

        return loop.run_until_complete(main())

    assert compare(scenario) == ("refused", [[]])
