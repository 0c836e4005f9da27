"""Running a scenario on both loops and comparing what it tells."""

import re

from helpers.loops import LOOPS


def outcome(function, *args, **keywords):
    """What a call came to: ("returned", value) or the exception's type and text."""
    try:
        return "returned", function(*args, **keywords)
    except BaseException as error:
        return type(error), str(error)


def normalised(text):
    """A text without what differs between two runs: addresses, descriptors, times, classes of loop and transport."""
    text = re.sub(r"0x[0-9a-fA-F]+", "0x…", text)
    text = re.sub(r"\bfd=\d+", "fd=…", text)
    text = re.sub(r"\bwhen=[\d.]+", "when=…", text)
    text = re.sub(r"\bcreated at \S+", "created at …", text)
    text = re.sub(r"_UnixSelectorEventLoop|\bLoop\b", "LOOP", text)
    return re.sub(r"_SelectorSocketTransport|\bSocketTransport\b", "TRANSPORT", text)


def compare(scenario, *args):
    """Run `scenario(loop, *args)` on a new loop of each kind; the default loop's result, once both are equal."""
    results = {}
    for name, factory in LOOPS.items():
        loop = factory()
        try:
            results[name] = scenario(loop, *args)
        finally:
            loop.close()
    assert results["mainspring"] == results["default"]
    return results["default"]
