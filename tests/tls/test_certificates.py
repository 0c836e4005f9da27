"""Certificates: what makes a handshake fail, on which side and how, and certificates of clients."""

import asyncio
import ssl

import pytest
from helpers import Recorder, collect_errors, compare, eventually, normalised, tls_connected, tls_serving, turns


def ends_of_a_handshake(loop, caplog, server_context, client_context, debug=False, **keywords):
    """Connect: the client's error, what both protocols saw and what the loop reported and logged."""
    keywords.setdefault("server_hostname", "localhost")

    async def main():
        loop.set_debug(debug)
        loop.slow_callback_duration = 60
        errors = collect_errors(loop)
        caplog.clear()
        told = None
        async with tls_serving(server_context) as (address, made):
            try:
                transport, client = await loop.create_connection(Recorder, *address, ssl=client_context, **keywords)
            except OSError as error:
                told = type(error), str(error), getattr(error, "verify_message", None)
                events = None
                if debug:
                    await eventually(lambda: errors)
            else:
                await eventually(client.lost.done)
                told = "lost", repr(client.lost.result())
                events = client.events
                transport.abort()
            await turns(5)
            reported = [
                (sorted(context), context["message"], type(context["exception"]), str(context["exception"]))
                for context in errors
            ]
            messages = [normalised(record.getMessage()) for record in caplog.records]
            logged = sorted(message.split(" took ")[0] for message in messages if "handshake" in message)
            return told, events, [protocol.events for protocol in made], reported, logged

    return loop.run_until_complete(main())


@pytest.fixture
def contexts(request, authority, stranger):
    """Contexts of which the client's does not accept the server's certificate, and the name that it asks for."""
    return {
        "expired": (authority.server_context(expired=True), authority.client_context(), "localhost"),
        "another name": (authority.server_context(), authority.client_context(), "elsewhere.example"),
        "another address": (authority.server_context(), authority.client_context(), "127.0.0.2"),
        "unknown authority": (stranger.server_context(), authority.client_context(), "localhost"),
    }[request.param]


REASONS = {
    "expired": "certificate has expired",
    "another name": "Hostname mismatch, certificate is not valid for 'elsewhere.example'.",
    "another address": "IP address mismatch, certificate is not valid for '127.0.0.2'.",
    "unknown authority": "unable to get local issuer certificate",
}


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize(("contexts", "reason"), REASONS.items(), indirect=["contexts"], ids=REASONS.keys())
def test_a_certificate_that_is_not_accepted_is_the_same_error(contexts, reason, debug, caplog):
    server_context, client_context, name = contexts

    def scenario(loop):
        return ends_of_a_handshake(loop, caplog, server_context, client_context, debug, server_hostname=name)

    with caplog.at_level("DEBUG" if debug else "INFO", "asyncio"):
        (kind, _, message), _, events, reported, logged = compare(scenario)
    assert kind is ssl.SSLCertVerificationError
    assert message == reason
    assert events == [[]]
    assert bool(reported) == bool(logged) == debug


def test_the_default_context_trusts_no_stranger(server_context, caplog):
    def scenario(loop):
        return ends_of_a_handshake(loop, caplog, server_context, True)

    (kind, _, message), *_ = compare(scenario)
    assert kind is ssl.SSLCertVerificationError
    assert message == "unable to get local issuer certificate"


def test_streams_tell_of_a_certificate_that_is_not_accepted(loop, errors, server_context):
    async def handle(reader, writer):
        pytest.fail("there is no connection to handle")

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server_context)
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1], ssl=True)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_certificate_is_good_for_each_of_its_names(loop, server_context, client_context, name):
    async def main():
        async with tls_connected(server_context, client_context, server_hostname=name) as (client, _):
            assert client.transport.get_extra_info("ssl_object").server_hostname == name

    loop.run_until_complete(main())


def test_a_client_that_checks_nothing_connects_to_anybody(loop, stranger, client_context):
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE

    async def main():
        async with tls_connected(stranger.server_context(), client_context, server_hostname="") as (client, _):
            assert client.transport.get_extra_info("peercert") == {}
            assert client.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)

    loop.run_until_complete(main())


def test_a_certificate_of_the_client_is_seen_by_the_server(loop, authority, version):
    async def main():
        server_context = authority.server_context(asks_client=True, version=version)
        async with tls_connected(server_context, authority.client_context(name="somebody")) as (client, server):
            assert server.transport.get_extra_info("peercert")["subject"] == ((("commonName", "somebody"),),)
            client.transport.write(b"hello")
            await eventually(lambda: server.received == b"hello")

    loop.run_until_complete(main())


def test_an_optional_certificate_may_be_missing(loop, authority, server_context, client_context):
    server_context.verify_mode = ssl.CERT_OPTIONAL
    server_context.load_verify_locations(authority.certificate)

    async def main():
        async with tls_connected(server_context, client_context) as (_, server):
            assert not server.transport.get_extra_info("peercert")

    loop.run_until_complete(main())


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("shown", ["none", "a stranger's"])
def test_a_certificate_that_a_server_wants_and_does_not_get_is_the_same_error(
    authority, stranger, version, shown, debug, caplog
):
    server_context = authority.server_context(asks_client=True, version=version)
    client_context = authority.client_context()
    if shown != "none":
        client_context.load_cert_chain(stranger.issue("somebody"))

    def scenario(loop):
        return ends_of_a_handshake(loop, caplog, server_context, client_context, debug)

    with caplog.at_level("DEBUG" if debug else "INFO", "asyncio"):
        told, client_events, events, reported, logged = compare(scenario)
    if version is ssl.TLSVersion.TLSv1_3:
        # The client is ready before the server looks at its certificate.
        assert told[0] == "lost"
        assert client_events[0] == "connection_made"
    else:
        assert issubclass(told[0], OSError)
    assert events == [[]]
    assert bool(reported) == bool(logged) == debug


def test_a_server_goes_on_after_handshakes_that_failed(loop, errors, server_context, client_context):
    async def main():
        async with tls_serving(server_context) as (address, made):
            for _ in range(5):
                with pytest.raises(ssl.SSLCertVerificationError):
                    await loop.create_connection(Recorder, *address, ssl=True, server_hostname="localhost")
            transport, client = await loop.create_connection(Recorder, *address, ssl=client_context)
            await eventually(lambda: made[-1].transport is not None)
            assert [protocol.events for protocol in made] == [[]] * 5 + [["connection_made"]]
            transport.abort()
            await client.lost

    loop.run_until_complete(main())
    assert errors == []
