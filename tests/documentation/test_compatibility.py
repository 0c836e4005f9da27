"""The table of docs/compatibility.md, tried out on the loops that are installed."""

import importlib.metadata
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from helpers.pages import DOCS

TESTS = Path(__file__).parents[1]
CLASSES = {
    "default": "asyncio.unix_events._UnixSelectorEventLoop",
    "mainspring": "mainspring._loop.Loop",
    "uvloop": "uvloop.Loop",
    "zuvloop": "zuvloop._loop.EventLoop",
    "rloop": "rloop.loop.RLoop",
}


@cache
def rows():
    """The cells of each row by its title."""
    lines = [line for line in (DOCS / "compatibility.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, *rest = cells
    assert head == ["", *CLASSES]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rest if row != head}


@pytest.mark.skipif(sys.version_info < (3, 13), reason="some rows are about what came with Python 3.13")
@pytest.mark.parametrize("name", CLASSES)
def test_a_column(name):
    if name not in ("default", "mainspring"):
        pytest.importorskip(name)
        stated, installed = rows()["version"][name], importlib.metadata.version(name)
        if installed != stated:
            pytest.skip(f"the table is about {name} {stated}, and {installed} is installed")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "helpers.abilities", name],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["class"] == CLASSES[name]
    answers = {title: "no" if failure else "yes" for title, failure in told["failures"].items()}
    table = {title: row[name] for title, row in rows().items() if set(row.values()) <= {"yes", "no"}}
    assert answers == table, {title: failure for title, failure in told["failures"].items() if failure}


def test_the_versions_that_the_table_names():
    assert re.fullmatch(r"CPython 3\.\d+\.\d+", rows()["version"]["default"])
    assert rows()["version"]["mainspring"] == importlib.metadata.version("mainspring")
