"""The answers of a loop to look-ups of addresses, against the C library's."""

import socket

from targets.choices import Choices

HOSTS = [
    "127.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3.4", "::", "::1", "fe80::1%lo", "::ffff:1.2.3.4", "2001:db8::1:0",
    "1.2.3", "0x7f.1", "0177.0.0.1", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "01.2.3.4", ":", ":::", "1::2::3", "::1%1",
    "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "::1.2.3", "::ffff:01.2.3.4", "12345::", "",
]  # fmt: skip
ALPHABET = "0123456789abcdefABCDEFx.:% \x00\n-\u0661"
PORTS = [None, 0, 1, 80, 65535, 65536, -1, 1 << 40, "0", "80", "65535", "65536", "080", "+80", " 80", "", "-1", "99999"]
FAMILIES = [0, socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, -1]
TYPES = [0, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, 99]
PROTOS = [0, socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP, 255, -1]
FLAGS = [0, socket.AI_PASSIVE, socket.AI_NUMERICHOST, socket.AI_NUMERICSERV, socket.AI_CANONNAME, 1 << 20]


def changed(choices, text):
    """The text with a few characters replaced, put in or taken out."""
    for _ in range(choices.below(4)):
        at = choices.below(len(text) + 1)
        text = text[:at] + choices.of(["", *ALPHABET]) + text[at + choices.below(2) :]
    return text


def run(loop, data):
    choices = Choices(data)
    while choices:
        host = changed(choices, choices.of(HOSTS))
        if choices.below(4) == 0:
            host = host.encode()
        question = host, choices.of(PORTS), choices.of(FAMILIES), choices.of(TYPES), choices.of(PROTOS)
        flags = choices.of(FLAGS)
        ours = loop._numeric_addresses(*question, flags)
        try:
            # Never anything but an address: no server of names is asked.
            expected = socket.getaddrinfo(*question, flags | socket.AI_NUMERICHOST)
        except (OSError, OverflowError, ValueError) as error:
            expected = error
        if ours is not None:
            assert ours == expected, (question, flags, ours, expected)
            assert [list(map(type, entry)) for entry in ours] == [list(map(type, entry)) for entry in expected]
        elif isinstance(expected, list):
            loop._learn_addresses(*question, flags, expected)
