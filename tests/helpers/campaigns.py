"""Campaigns: long programs beside the tests, which run on any of the loops."""

import argparse
import asyncio

import mainspring


def _uvloop():
    import uvloop

    return uvloop.new_event_loop()


CAMPAIGN_LOOPS = {
    "mainspring": mainspring.new_event_loop,
    "uvloop": _uvloop,
    "asyncio": asyncio.SelectorEventLoop,
}


def campaign_parser(description):
    """A parser of arguments that has --loop."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--loop", choices=list(CAMPAIGN_LOOPS), default="mainspring", help="the loop under test")
    return parser
