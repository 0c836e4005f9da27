"""getaddrinfo of addresses whose like has been asked before: the answers are still those of ``socket`` itself."""

import asyncio
import itertools
import socket

import pytest
from helpers import LOOPS, outcome, run_program
from hypothesis import given, settings
from hypothesis import strategies as st

FAMILIES = [0, socket.AF_INET, socket.AF_INET6, int(socket.AF_INET), socket.AF_UNIX, True]
TYPES = [0, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, int(socket.SOCK_STREAM), 77]
PROTOCOLS = [0, socket.IPPROTO_TCP, socket.IPPROTO_UDP, 132, 200, -1]
FLAGS = [
    0,
    socket.AI_PASSIVE,
    socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    socket.AI_CANONNAME,
    socket.AI_V4MAPPED | socket.AI_ALL,
    socket.AI_ADDRCONFIG,
]
HOSTS = [["10.0.0.1", "255.255.255.255"], ["::", "FE80::0001"], ["::ffff:1.2.3.4", "::1.2.3.4"], [b"127.0.0.1", b"::1"]]
PORTS = [[0, 65535], [1, "443"], [None, None], ["00080", "0"], [80, 65536], ["99999", -1], [True, "1 "]]


def described(result):
    """An outcome with the types of everything in an answer, because enumerations equal their numbers."""
    kind, value = result
    return result if kind != "returned" else (value, [[*map(type, entry), *map(type, entry[4])] for entry in value])


async def asked(loop, host, port, family, type, proto, flags):
    try:
        return "returned", await loop.getaddrinfo(host, port, family=family, type=type, proto=proto, flags=flags)
    except Exception as error:
        return error.__class__, str(error)


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_every_kind_of_question_asked_again(loop, family, flags):
    async def main():
        for type, proto, ports in itertools.product(TYPES, PROTOCOLS, PORTS[:3]):
            for hosts in HOSTS[:2]:
                for host, port in zip(hosts, ports, strict=True):
                    question = (host, port, family, type, proto, flags)
                    expected = outcome(socket.getaddrinfo, *question)
                    assert described(await asked(loop, *question)) == described(expected), question

    loop.run_until_complete(main())


@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_every_form_of_address_and_port_asked_again(loop, flags):
    async def main():
        for hosts, ports, family in itertools.product(HOSTS, PORTS, FAMILIES):
            for host, port in itertools.product(hosts, ports):
                question = (host, port, family, socket.SOCK_STREAM, 0, flags)
                expected = outcome(socket.getaddrinfo, *question)
                assert described(await asked(loop, *question)) == described(expected), question

    loop.run_until_complete(main())


ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    # What looks like an address, but seldom is one. No letter g to z: a name would be looked up over the network.
    st.text("0123456789abcdefABCDEF:.%", min_size=1, max_size=20).map(lambda text: "0:" + text),
    st.text("0123456789.", min_size=1, max_size=16),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ADDRESSES, st.integers(-1, 65537) | st.integers(0, 70000).map(str)), min_size=2, max_size=5))
def test_any_addresses_one_after_another(questions):
    async def main():
        loop = asyncio.get_running_loop()
        for host, port in questions:
            question = (host, port, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
            assert described(await asked(loop, *question)) == described(outcome(socket.getaddrinfo, *question))

    with asyncio.Runner(loop_factory=LOOPS["mainspring"]) as runner:
        runner.run(main())


def test_each_answer_belongs_to_who_asked(loop):
    async def main():
        for _ in range(3):
            answer = await loop.getaddrinfo("127.0.0.1", 80)
            assert answer == socket.getaddrinfo("127.0.0.1", 80)
            answer.clear()

    loop.run_until_complete(main())


def test_more_kinds_than_anybody_asks(loop):
    async def main():
        for proto in [*range(1, 150), *range(1, 150)]:
            question = ("127.0.0.1", 0, 0, socket.SOCK_RAW, proto, 0)
            assert await asked(loop, *question) == outcome(socket.getaddrinfo, *question)

    loop.run_until_complete(main())


def test_the_coroutine_is_complete_at_its_first_step(mainspring_loop):
    async def main():
        asking = mainspring_loop.getaddrinfo("127.0.0.1", 80)
        assert asyncio.iscoroutine(asking)
        with pytest.raises(StopIteration) as finished:
            asking.send(None)
        assert finished.value.value == socket.getaddrinfo("127.0.0.1", 80)

    mainspring_loop.run_until_complete(main())


def test_an_audit_hook_hears_of_every_look_up_and_may_refuse():
    program = """
        import asyncio, sys

        loop_name = sys.argv[1]
        heard = []

        def hook(event, arguments):
            if event == "socket.getaddrinfo":
                heard.append(arguments)
                if arguments[0] == "10.0.0.1":
                    raise PermissionError("refused")

        async def main():
            loop = asyncio.get_running_loop()
            await loop.getaddrinfo("127.0.0.1", 80)
            sys.addaudithook(hook)
            await loop.getaddrinfo("127.0.0.2", 81)
            try:
                await loop.getaddrinfo("10.0.0.1", 82)
            except PermissionError as error:
                print(error)
            print(heard)

        if loop_name == "mainspring":
            import mainspring
            mainspring.run(main())
        else:
            asyncio.run(main())
    """
    answers = [run_program(program, name) for name in ("mainspring", "default")]
    assert [answer.stderr for answer in answers] == ["", ""]
    assert answers[0].stdout == answers[1].stdout
    assert "refused\n[('127.0.0.2', 81, 0, 0, 0), ('10.0.0.1', 82, 0, 0, 0)]" in answers[0].stdout
