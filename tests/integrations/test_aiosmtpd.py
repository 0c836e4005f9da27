"""Servers of aiosmtpd on this loop, with the standard library's client."""

import asyncio
import signal
import smtplib
import socket
import sys

import mainspring
import pytest
from helpers import run_program
from helpers.pages import python_blocks
from mainspring.benchmarks.service import free_port

pytest.importorskip("aiosmtpd")
from aiosmtpd.smtp import SMTP


def test_the_program_of_the_page():
    (code,) = python_blocks("integrations/aiosmtpd.md")
    # The controller wants to know its port beforehand.
    done = run_program(code.replace("8025", str(free_port())))
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == ["alice@example.com to bob@example.com", f"loop: {mainspring.Loop}"]


class Inbox:
    def __init__(self):
        self.taken = []
        self.lost = asyncio.Event()

    async def handle_RCPT(self, server, session, envelope, address, options):
        await asyncio.sleep(0)
        if address.startswith("nobody@"):
            return "550 Nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 Known"

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((envelope.rcpt_tos, envelope.content, session.ssl is not None))
        return "250 Taken"


class Server(SMTP):
    def connection_lost(self, error):
        super().connection_lost(error)
        self.event_handler.lost.set()


@pytest.fixture
def serve(mainspring_loop):
    """Runs a server on mainspring's loop while a function in a thread talks to its port; the server's inbox."""

    async def main(talk, **keywords):
        inbox = Inbox()
        server = await asyncio.get_running_loop().create_server(lambda: Server(inbox, **keywords), "127.0.0.1", 0)
        async with server:
            await asyncio.to_thread(talk, server.sockets[0].getsockname()[1])
            await inbox.lost.wait()
        return inbox

    return lambda talk, **keywords: mainspring_loop.run_until_complete(main(talk, **keywords))


def test_a_large_message(serve):
    text = b"Subject: large\r\n\r\n" + b"".join(b".%d\r\n" % number for number in range(100_000))

    def talk(port):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.sendmail("alice@example.com", ["bob@example.com"], text)

    assert serve(talk).taken == [(["bob@example.com"], text, False)]


def test_pipelined_commands(serve):
    def talk(port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock, sock.makefile("rb") as answers:
            sender, recipient = b"MAIL FROM:<alice@example.com>", b"RCPT TO:<bob@example.com>"
            sock.sendall(b"\r\n".join([b"HELO there", sender, recipient, b"DATA", b"hello", b".", b"QUIT", b""]))
            codes.extend(line.split()[0] for line in answers)

    codes = []
    assert serve(talk).taken == [(["bob@example.com"], b"hello\r\n", False)]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]


def test_starttls(serve, authority):
    def talk(port):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.starttls(context=authority.client_context())
            client.sendmail("alice@example.com", ["bob@example.com"], text)

    text = (b"x" * 70 + b"\r\n") * 3000
    (taken,) = serve(talk, tls_context=authority.server_context()).taken
    assert taken == (["bob@example.com"], text, True)


def test_refused_recipients(serve):
    def talk(port):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            refused.update(client.sendmail("a@example.com", ["nobody@example.com", "bob@example.com"], b"hello"))
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@example.com", ["nobody@example.com"], b"hello")

    refused = {}
    assert serve(talk).taken == [(["bob@example.com"], b"hello\r\n", False)]
    assert refused == {"nobody@example.com": (550, b"Nobody of that name")}


def test_a_client_that_goes_away(serve):
    def talk(port):
        client = smtplib.SMTP("127.0.0.1", port, timeout=60)
        client.helo()
        client.mail("alice@example.com")
        client.rcpt("bob@example.com")
        client.docmd("DATA")
        client.send(b"half a mess")
        client.close()

    assert serve(talk).taken == []


HANDLER = """
import asyncio

class Inbox:
    async def handle_DATA(self, server, session, envelope):
        print(type(asyncio.get_running_loop()), flush=True)
        return "250 Taken"
"""


def test_the_command_line(tmp_path):
    from helpers.servers import LOOP_CLASSES, running

    (tmp_path / "inbox.py").write_text(HANDLER)
    options = ["-n", "-l", "127.0.0.1:8000", "-c", "inbox.Inbox"]
    with running([sys.executable, "-m", "mainspring", "run", "-m", "aiosmtpd", *options], tmp_path) as server:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.sendmail("alice@example.com", ["bob@example.com"], b"hello")
        assert server.end(signal.SIGINT) == (0, LOOP_CLASSES["mainspring"] + "\n")
